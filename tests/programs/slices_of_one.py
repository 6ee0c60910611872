"""Programs in which a slice of one element is broadcast, as `x[:1]` and `x[k : k + 1]` are."""

from __future__ import annotations

import numpy as np

from tests.programs.register import program

X = np.random.default_rng(40).uniform(0.3, 1.7, (5, 3))


PLACES = np.array([0, 2])


@program(X)
def seen_from_the_first(x):
    from_row = np.linalg.norm(x - x[:1] + 0.3, axis=1)
    from_column = np.tanh(x[:, :1] - x) * x[:, -1:]
    return np.sum(from_row) + np.sum(from_column)


@program(X)
def beside_each_row(x):
    total = 0.0
    near = x
    for i in range(len(x)):
        near = near + 0.1 * np.sin(x[i : i + 1]) * near
        if i > 0:
            total += np.sum(x[i - 1 : i] * np.cos(near))
        else:
            total += np.sum(near * x[i + 2 : i + 3, 2 * i : 2 * i + 1])
    return total + np.sum(near**2)


@program(X)
def one_written_everywhere(x):
    y = np.zeros(x.shape)
    y[:] = x[:1]
    y += x[-1:]
    y[1:] *= y[:1]
    y[PLACES] = x[1:2] * 3.0
    one, all_rows = np.broadcast_arrays(np.exp(x)[:1], y)
    return np.sum(one * all_rows) + np.sum(np.where(x > x[:1], x, x[:, 1:2] * x[2:3]))


@program(X)
def one_beside_one(x):
    a, b = x[:1] * 2.0, x[3:4]
    return np.sum(a * b) + np.sum(a * x + b) + np.sum((x[:, :, None] - x[:1][:, None, :]) ** 2)
