"""Programs that write through index arrays and masks, and index beside slices."""

from __future__ import annotations

import numpy as np

from tests.programs.register import program

PLACES, PAIRS = np.array([2, 0, 2, -1]), np.array([[0, 1], [2, 0]])
X, M = np.array([0.3, -1.2, 0.8, 2.0, -0.5]), np.arange(12.0).reshape(3, 4) / 7 - 0.6


@program(X)
def mask_set(x):
    y = x.copy()
    y[y > 0] = 0.5
    return np.sum(y**2 * np.arange(5))


@program(X)
def mask_scaled(x):
    y = x * 2.0
    y[y > 0] *= x[0]
    return np.sum(y**2 * np.arange(5))


@program(X)
def chosen_set(x):
    y = x.copy()
    y[PLACES] = np.sin(x[:4])
    return np.sum(y**2 * np.arange(1, 6))


@program(X)
def chosen_added(x):
    y = x.copy()
    y[PLACES] += x[1:] ** 2
    return np.sum(y**2 * np.arange(1, 6))


@program(X)
def chosen_at(x):
    y = x.copy()
    np.add.at(y, PLACES, x[1:] ** 2)
    np.multiply.at(y, PLACES, x[0])
    np.subtract.at(y, PLACES, 1.0)
    np.maximum.at(y, PLACES, x[1:] ** 2)
    return np.sum(y**2 * np.arange(1, 6))


@program(X)
def chosen_from_itself(x):
    x[PLACES] = x[::-1][:4] * 1
    return np.sum(x**2 * np.arange(1, 6))


@program(X)
def masked_by_masked(x):
    x[x > 0] = x[x > 0] ** 2
    return np.sum(x**2 * np.arange(1, 6))


@program(M)
def chosen_columns(m):
    m[1:, PLACES] = m[0, 0] ** 2
    return np.sum(m**2 * np.arange(12).reshape(3, 4))


@program(M)
def chosen_rows(m):
    m[PAIRS[:, 0], :] = m[1] ** 2
    m[:, PAIRS] *= m[0, 0]
    return np.sum(m**3 * np.arange(12).reshape(3, 4))


@program(M)
def slices_beside_indices(m):
    return (
        np.sum(m[0:2, None, PLACES] ** 2)
        + np.sum((m[1:, [0, 1]]) ** 3)
        + np.sum(m[::-1][PAIRS, 1:] * m[0, 1:] ** 2)
    )


@program(M.reshape(2, 3, 2))
def indices_apart(m):
    a = m[[0, 1], :, [1, 0]]
    m[[0, 1], :, [1, 1]] = a**2
    return np.sum(m**2 * np.arange(12).reshape(2, 3, 2)) + np.sum(a**2 * np.arange(6).reshape(2, 3))


@program(M)
def masks_of_axes(m):
    m[m[:, 0] > -0.1] = m[0] ** 2
    m[m > 0.7] = 0.1
    m[:, m[0] > -0.4] -= 1.5 * m[0, 0]
    m[m[:, 0] > -0.1, 1] = m[0, 0] * 5
    return np.sum(m**2 * np.arange(12).reshape(3, 4))


@program(M, 0.3)
def masked_in_a_branch(m, s):
    if s > 0:
        chosen = m < 0.5
        m[chosen] = np.sin(m[chosen]) * s
    return np.sum(m * m)


@program(X, 1)
def slices_that_a_loop_moves(x, k):
    for i in range(4, -1, -1):
        x[k:i] -= 0.3 * np.sin(x * x)[k:i]
    return np.sum(x)


@program(0.7, X[:3], X[1:4], M)
def extents_equal_in_two_places(x, v, w, m):
    a, b = v * 1.0, np.zeros(m.shape[0])
    for _ in range(2):
        a[w + b > -0.5] = np.sin(x)
    return np.sum(a * b) + np.sum(a) * x


@program(X)
def moved_along(x):
    x[1:] = x[:-1]
    x[::-1] = x
    x[:3] = x[2:]
    return np.sum(x**2 * np.arange(1, 6))


@program(M[:, :3])
def turned_in_its_place(m):
    m.T[:] = m
    m[0, 1] = 5.0 * m[0, 2]
    m[:] = m[::-1]
    return np.sum(m**2 * np.arange(9).reshape(3, 3))


@program(M)
def rows_by_turns(m):
    row = m[1]
    m[0] += row
    row += m[0] ** 2
    m[2] = row
    m[2] += m[1]
    m[1] += m[2]
    return np.sum(m**2 * np.arange(12).reshape(3, 4)) + np.sum(row)
