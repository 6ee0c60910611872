"""Loops whose iterations cost the same however long the loop is; names say what they are about."""

import numpy as np

import adcompile as ad


def loads(x):
    total = 0.0
    for i in range(1, len(x) - 1):
        total += x[i - 1] * x[i] * x[i + 1]
    return total


def stores(x):
    y = np.zeros(len(x))
    for i in range(1, len(x)):
        y[i] = np.sin(x[i]) * y[i - 1]
        y[i] *= x[i]
    return y[-1] + y[2]


def recurrence(x):
    y = x.copy()
    for i in range(2, len(x)):
        y[i] = y[i - 1] * x[i] + np.cos(y[i - 2])
    return np.sum(y)


def windows(x):
    total = 0.0
    for i in range(len(x) - 4):
        total += np.sum(x[i : i + 3] * x[i + 1 : i + 4]) ** 2
    return total


def window_writes(x):
    y = np.zeros(len(x))
    for i in range(len(x) - 4):
        y[i : i + 3] += x[i + 1 : i + 4] * y[i + 1 : i + 4] + x[i]
    return np.sum(y * y)


def nested(x):
    total = 0.0
    for i in range(len(x)):
        s = 1.0
        for j in range(3):
            s *= np.sin(x[i] * j + s)
        total += s * x[i]
    return total


def until(x):
    i, total = 0, 0.0
    while i < len(x):
        total = np.sin(total) + x[i]
        i += 1
    return total


def until_writes(x):
    y = x.copy()
    i = 1
    while i < len(x):
        y[i] = y[i] * y[i - 1]
        i += 1
    return np.sum(y)


def rows(m):
    total = 0.0
    for i in range(len(m)):
        row = m[i]
        total += np.sum(row * row) * row[0]
    return total


def row_writes(m):
    a = m.copy()
    for i in range(1, len(m)):
        row = a[i]
        for j in range(3):
            row[j] = row[j] * a[i - 1, j]
        a[i] *= 2.0
    return np.sum(a)


def views_of_views(m):
    total = 0.0
    a = m.copy()
    for i in range(1, len(m)):
        part = a[i][1:]
        part[0] = part[1] * a[i - 1][0]
        total += part[0]
    return total


def gathers(x):
    k = np.arange(3)
    total = 0.0
    for i in range(len(x) - 3):
        total += np.prod(x[k + i])
    return total


def scatters(x):
    y = np.zeros(len(x))
    k = np.arange(3)
    for i in range(len(x) - 3):
        y[k + i] = x[k + i] * 2.0
        np.add.at(y, k + i, x[i])
    return np.sum(y * y)


def small_state(x):
    s = np.ones(3)
    for i in range(len(x)):
        s = np.sin(s) * x[i]
        s[0] += x[i]
    return np.sum(s)


def branches(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.5:
            total += np.sin(x[i]) * total
        elif x[i] > 0.2:
            total -= x[i]
        else:
            total *= 0.5
    return total


def branch_stores(x):
    y = x.copy()
    for i in range(1, len(x)):
        if x[i] > 0.5:
            y[i] = y[i - 1] * x[i]
        else:
            y[i] += 1.0
    return np.sum(y * y)


def rebound_once(x):
    y = x.copy()
    total = 0.0
    for i in range(len(x)):
        if i == 3:
            y = y * 2.0
        total += y[i]
    return total


def rebound_and_written(x):
    y = x.copy()
    for i in range(1, len(x)):
        if i == 3:
            y = y * 2.0
        y[i] = y[i - 1] * x[i]
    return np.sum(y)


def carried_array(x):
    y = x * 2.0
    total = 0.0
    for i in range(len(x)):
        total += y[i]
        if total > 1e9:
            y = y * 0.5
    return total


def swapped(x):
    a, b = x.copy(), x * 2.0
    for i in range(1, len(x)):
        a[i] = b[i - 1] * x[i]
        a, b = b, a
    return np.sum(a) + np.sum(b)


def broken(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        if total > 1e9:
            break
    return total


def continued(x):
    y = x.copy()
    total = 0.0
    for i in range(len(x)):
        if x[i] < 0.3:
            continue
        y[i] = y[i] ** 2
        total += y[i]
    return total


def searched(x):
    for i in range(len(x)):
        if x[i] > 1e9:
            return x[i] * 2.0
    return x[0] * x[1]


def whole_read(x):
    w = np.sin(x)
    total = 0.0
    for i in range(len(x)):
        total += w[i] * x[i]
    return total + np.sum(w)


def scalars_out(x):
    a, b, c = 1.0, 2.0, 3.0
    for i in range(len(x)):
        a, b, c = b * x[i], c + a, a * b
    return a + b + c


def called(x):
    def inner(v, i):
        return np.sin(v[i]) * v[i - 1]

    total = 0.0
    for i in range(1, len(x)):
        total += inner(x, i)
    return total


def prefix(x):
    y = np.zeros(len(x) + 1)
    for i in range(len(x)):
        y[i + 1] = y[i] + x[i]
    return np.sum(y * y)


def overwritten_rows(m):
    s = m[0].copy()
    for i in range(1, len(m)):
        s[...] = np.tanh(s + m[i])
        s[1:] -= s[:-1] * 0.1
    return np.sum(s)


def tuples(x):
    p, q = x[0], x[1]
    for i in range(len(x)):
        p, q = q + 0.1 * p * x[i], p - 0.1 * q
    return p * q


def matrix_steps(x):
    a = np.array([[0.1, 0.2], [0.3, 0.4]])
    s = np.array([1.0, 2.0])
    for i in range(len(x)):
        s = a @ s + x[i] * s
    return np.sum(s)


def checkpointed(x):
    s = np.ones(3)
    for i in ad.checkpoint(range(len(x))):
        s = np.sin(s) + x[i]
    return np.sum(s)


def checkpointed_writes(x):
    s = np.ones(3)
    y = x.copy()
    for i in ad.checkpoint(range(1, len(x))):
        s[i % 3] = np.sin(s[0]) + y[i]
    return np.sum(s)


def in_order(m):
    total = 0.0
    for i, row in enumerate(m):
        for v in row:
            total += v * v * i
    return total


def lists(x):
    total = 0.0
    for a, b in zip(x[1:], x[:-1], strict=True):
        total += a * b * b
    return total


def column_writes(m):
    a = m.copy()
    for j in range(1, len(m)):
        a[j, :] = a[j - 1, :] * m[j, ::-1]
    return np.sum(a)


def transposed(m):
    t = m.T
    total = 0.0
    for i in range(len(m)):
        total += t[0, i] * t[1, i]
    return total


def reshaped(m):
    total = 0.0
    for i in range(len(m)):
        total += m.reshape(-1)[i] ** 2
    return total


def inner_array(x):
    total = 0.0
    for i in range(len(x)):
        w = np.zeros(2)
        w[0] = x[i]
        w[1] = w[0] * x[i]
        total += w[1] * w[0]
    return total


def created(x):
    total = 0.0
    for i in range(len(x)):
        w = np.array([x[i], 2.0, x[0]])
        total += np.max(w) * w[2]
    return total


def rebound_inside(x):
    y = x.copy()
    total = 0.0
    for i in range(1, len(x)):
        for j in range(2):
            if i * j == 3:
                y = y * 2.0
            y[i] += y[i - 1] * x[i - j]
        total += y[i]
    return total


VECTORS = [
    loads, stores, recurrence, windows, window_writes, nested, until, until_writes, gathers, scatters,
    small_state, branches, branch_stores, rebound_once, rebound_and_written, carried_array, swapped,
    rebound_inside, broken, continued, searched, whole_read, scalars_out, called, prefix, tuples,
    matrix_steps, lists, inner_array, created, checkpointed, checkpointed_writes,
]  # fmt: skip
MATRICES = [
    rows, row_writes, views_of_views, overwritten_rows, in_order, column_writes, transposed, reshaped,
]  # fmt: skip
