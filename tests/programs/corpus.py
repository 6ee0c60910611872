"""Functions as users write them: each takes numbers and arrays and gives a number.

`CORPUS` lists (function, arguments); every test over programs uses it.
"""

import math

import numba
import numpy as np

from tests.programs import lecture
from tests.programs.register import CORPUS, program

__all__ = ["CORPUS"]

SCALE = 1.5
WEIGHTS = np.array([0.5, -1.0, 2.0])


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


V, W = _draw(0, 4), _draw(1, 4)
M, N = _draw(2, 4, 3), _draw(3, 3, 4)
S = _draw(4, 4, 4)
T = _draw(5, 2, 3, 4)

program(3.0, 2.0, 1.0)(lecture.neuron)
program(_draw(6, 3), np.array([0.3]), M, V)(lecture.adaline_loss)
program(_draw(7, 3, 4), _draw(8, 4), _draw(9, 4, 3), _draw(10, 3), M, np.array([0, 2, 1, 1]))(
    lecture.mlp_loss
)


# -- scalars and calls ---------------------------------------------------------------------------


@program(0.7, 1.3)
def keyword_default(x, y, scale=2.0, *, shift=0.5):
    return scale * x * y + shift


@program(0.7)
def closed_over(x):
    return SCALE * math.sin(x) * WEIGHTS[0] + WEIGHTS.sum()


def _square(v):
    """A docstring is no statement."""
    return v * v


@numba.njit
def _cubed(v):
    return v * v * v


@program(0.7, 1.3)
def calls(x, y):
    double = lambda v: 2 * v
    return _square(x) + _cubed(y) * double(x * y)


def _both(x, y):
    return x * y, (x + y, x - y)


@program(0.7, 1.3)
def tuples(x, y):
    product, (total, difference) = _both(x, y)
    pair = (product, total)
    return pair[0] * pair[-1] + difference**2


@program((0.7, (V, 1.3)), 2.0)
def tuple_argument(data, y):
    x, (v, z) = data
    return x * y + z * np.sum(v * v)


@program(0.7)
def integer_powers(x):
    return x**2 + x**3 - x**-1 + x**0.5 + 2**x


@program(0.7, 1.9)
def runtime_power(x, p):
    return x**p


@program(0.7, 2)
def counted_power(x, n):
    return x**n + n


@program(7.3, 2.1)
def remainders(x, y):
    return x % y + (x // y) * x + abs(-x) + divided(x, y)


def divided(x, y):
    return x / y


@program(0.3, 0.9)
def elementary(x, y):
    a = math.exp(x) + math.log(y) + math.sqrt(x) + math.tanh(y) + math.sin(x) * math.cos(y)
    b = math.atan2(x, y) + math.hypot(x, y) + math.asin(x) + math.acos(x) + math.atan(y)
    return a * b + math.expm1(x) + math.log1p(y) + math.sinh(x) + math.cosh(y) + math.tan(x)


@program(0.4, 1.2)
def repeated(x, y):
    x = x * y
    x = x + y
    x += x * x
    x *= y
    x -= 1.0
    x /= y
    return x


# -- branches ------------------------------------------------------------------------------------


@program(0.7, 1.3)
def chain_of_ifs(x, y):
    if x > y:
        z = x * x
    elif x > 0.5:
        z = x * y
        if y > 1.0:
            z = z + math.sin(z)
    else:
        z = y
    return z * x


@program(0.7, 1.3)
def early_returns(x, y):
    if x > y:
        return x
    if x * y > 0.5:
        w = x * y
        return w * w
    return y


@program(0.7, 1.3)
def ternary(x, y):
    return (x * x if x > y else y * x) + (1.0 if x > 0 else 0.0) * y


@program(0.7, 1.3, 3)
def logic(x, y, n):
    if x > 0 and y > 1 or n == 2:
        return x * y
    if not (x < y) and n != 3:
        return x
    return y


@program(0.7, True)
def flag(x, on):
    return x * x if on else x


# -- loops ---------------------------------------------------------------------------------------


@program(1.1, 5)
def power_by_loop(x, n):
    y = 1.0
    for _ in range(n):
        y = y * x
    return y


@program(V)
def sum_of_squares(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


@program(V)
def backwards(x):
    total = 0.0
    for i in range(len(x) - 1, -1, -1):
        total = total * 0.5 + x[i] * total + x[i]
    return total


@program(_draw(11, 7))
def strided(x):
    total = 1.0
    for i in range(1, len(x), 2):
        total *= x[i]
    for i in range(len(x) - 1, 0, -3):
        total += x[i] * x[0] * total
    return total


@program(M)
def nested(x):
    total = 0.0
    for i in range(x.shape[0]):
        row = 1.0
        for j in range(x.shape[1]):
            row *= x[i, j]
            total += row * x[i, 0]
        total = total * 0.9 + row
    return total


@program(S)
def triangle(a):
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(i):
            total += a[i, j] * a[j, i] * total + a[i, j]
    return total


@program(10.0)
def newton_root(x):
    y = x
    while abs(y * y - x) > 1e-12:
        y = 0.5 * (y + x / y)
    return y


@program(1.7, V)
def while_in_for(x, v):
    total = 0.0
    for i in range(len(v)):
        y = v[i]
        while y < 3.0:
            y = y * x
            total += y
    return total


@program(0.7, V)
def branch_in_loop(x, v):
    total = 0.0
    for i in range(len(v)):
        if v[i] > x:
            total += v[i] * x
        else:
            x = x * v[i]
            total -= x
    return total


@program(0.5, 0.8)
def two_carried(x, y):
    a, b = x, y
    for _ in range(6):
        a, b = b, a * b + x
    return a * b


@program(0.1, 1.0)
def logistic_map(x, r):
    for i in range(10):
        x = r * x * (1.0 - x) + 0.01 * i
    return x


@program(V, W)
def horner(c, x):
    total = 0.0
    for k in range(len(x)):
        p = 0.0
        for i in range(len(c)):
            p = p * x[k] + c[i]
        total += p
    return total


@program(0.3, 0)
def no_iterations(x, n):
    y = x * x
    for i in range(n):
        y = y * x * i
    return y


@program(np.array([[0.5, 0.1], [0.2, 0.7]]), np.array([1.0, 2.0]))
def power_iteration(a, v):
    for _ in range(5):
        v = a @ v
        v = v / np.sqrt(np.sum(v * v))
    return v[0] * v[1]


# -- memory --------------------------------------------------------------------------------------


@program(0.7, V)
def view_is_written(x, v):
    a = v.copy()
    b = a[1:]
    b[0] = x * 2
    return np.sum(a * a)


@program(S, 0.7)
def transpose_sees_writes(a, x):
    a = a * 1.0
    c = a.T
    a[1, 2] = x * x
    return c[2, 1] * np.sum(c * c)


@program(V)
def argument_is_written(a):
    a[0] = a[1] * a[2]
    a[1:] *= a[0]
    return np.sum(a)


@program(V)
def running_product(a):
    for i in range(1, len(a)):
        a[i] = a[i - 1] * a[i]
    return a[len(a) - 1] + a[1]


@program(V)
def overwrites_what_was_read(a):
    total = 0.0
    for i in range(len(a)):
        total += math.sin(a[i]) * a[0]
        a[0] = a[0] * a[i]
    return total


@program(V)
def prefix_sums(a):
    out = np.zeros(len(a))
    total = 0.0
    for i in range(len(a)):
        total += a[i]
        out[i] = total * total
    return np.sum(out)


@program(_draw(12, 6), 4)
def heat(u, steps):
    u = u.copy()
    for _ in range(steps):
        new = u.copy()
        new[1:-1] = u[1:-1] + 0.2 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) * u[1:-1]
        u = new
    return np.sum(u * u)


@program(_draw(13, 6), 4)
def heat_in_place(u, steps):
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + 0.2 * (u[i + 1] - 2.0 * u[i] + u[i - 1])
    return np.sum(u * u * u)


@program(S)
def rows_and_columns(a):
    b = np.zeros_like(a)
    for i in range(a.shape[0]):
        b[i, :] = a[:, i] * a[i]
        b[:, 0] += a[i] * b[i, 1]
    return np.sum(b * b)


@program(M)
def slices(x):
    y = np.ones((6, 3))
    y[1:5] = x
    y[::2] += y[1::2] * 0.5
    y[-1, ::-1] = y[0]
    return np.sum(y**2) + np.sum(x[1:-1, 1] * x[-2:0:-1, 2])


@program(S)
def views_of_views(a):
    a = a.copy()
    b = a[1:].T[1:]
    b[0, 1] = a[0, 0] * a[3, 3]
    d = b[::-1]
    d[0] *= 2.0
    return np.sum(a * a)


@program(V)
def swapped_buffers(v):
    a = v.copy()
    b = v.copy()
    for _ in range(3):
        a, b = b, a
        b[0] = b[0] * a[1]
    c = a
    c[0] = 1.0
    return np.sum(a * b)


@program(0.7, M)
def saved_after_a_write(x, m):
    c = m
    for _ in range(3):
        c = np.sin(m) * c
        c[1, 1] = math.tanh(x)
        c = np.tanh(c * x + m[0])
    return np.sum(c * c)


@program(0.4, 3)
def carried_value_unread(x, n):
    s = x * 0.5
    for _ in range(n):
        s = x
        s = math.tanh(s)
    return s * x


@program(0.7, V)
def gradient_needs_what_the_value_does_not(x, v):
    a = v * 1.0
    a *= x
    return np.sum(a)


@program(0.7, V)
def neutral_products_are_copies(x, v):
    a = v * 1.0
    b = 1.0 * a
    a[0] = x
    c = a * 1.0
    c[1] = x * x
    e = -c
    d = -e
    c[2] = 0.5
    return np.sum(np.cos(b) * a + c * d)


@program(0.7, V)
def branch_rebinds_a_written_array(x, v):
    a = v.copy()
    if x > 0.5:
        a = np.sin(a) * x
    a[1] = a[0] * x
    for _ in range(2):
        if a[1] > 0.2:
            a = a * x
        a[0] += a[1]
    return np.sum(a * a)


@program(V)
def saved_history(v):
    history = np.empty((5, len(v)))
    x = v
    for t in range(5):
        history[t] = x
        x = np.sin(x) * v
    return np.sum(history[1:] * history[:-1])


@program(V, 0.7)
def augmented(v, x):
    v = v * x
    v += x
    v *= v
    v -= np.sqrt(v)
    v[1] += x * v[0]
    v[2] *= v[1]
    v[0] /= v[3]
    return np.sum(v)


@program(S)
def cholesky(a):
    n = a.shape[0]
    a = a @ a.T + np.eye(n)
    low = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, j] = math.sqrt(s)
            else:
                low[i, j] = s / low[j, j]
    total = 0.0
    for i in range(n):
        total += math.log(low[i, i])
    return total


# -- index arrays --------------------------------------------------------------------------------


@program(V, np.array([2, 0, 2, 3, 1]))
def gathered(v, index):
    return np.sum(v[index] ** 2 * v[index[::-1]])


@program(M, np.array([2, 0, 2]), np.array([0, 1, 2]))
def gathered_pairs(m, rows, columns):
    return np.sum(m[rows, columns] * m[rows].sum(axis=1)) + np.sum(m[:, columns] ** 2)


@program(V)
def masked(v):
    return np.sum(v[v > 1.0] ** 2) + np.mean(v[v <= 1.0])


@program(M)
def masked_matrix(m):
    mask = m > 1.0
    return np.sum(m[mask]) * np.sum(m[m[:, 0] > 0.5] ** 2)


@program(V, np.array([1, 0, 3, 3]))
def permuted_loop(v, order):
    total = 1.0
    for i in range(len(order)):
        total = total * v[order[i]] + v[i]
    return total


# -- whole arrays --------------------------------------------------------------------------------


@program(V, W)
def elementwise_chain(x, y):
    z = np.tanh(x * y) + np.exp(-x) / (1.0 + np.square(y))
    return np.sum(np.log1p(z * z) * np.maximum(x, y) + np.minimum(x, 1.0))


@program(M, V)
def broadcasting(m, v):
    a = m * v[:, None] + v.reshape(4, 1) - m.mean(axis=0)
    return np.sum(a / (1.0 + a**2)) + np.sum(v[:, np.newaxis] * m[0])


@program(M)
def reductions(m):
    a = m.sum(axis=1) * m.max(axis=1) - m.min(axis=1, keepdims=True)[:, 0]
    return a.mean() + np.var(m) + np.std(m, axis=0).sum() + m.var(axis=1, ddof=1).sum() + np.prod(m)


@program(T)
def axes(t):
    a = np.sum(t, axis=(0, 2)) * np.prod(t, axis=0).mean(axis=1)
    return np.sum(a) + np.sum(np.max(t, axis=(1, 2))) + np.sum(np.cumsum(t, axis=1) ** 2)


@program(M, N, V)
def products(m, n, v):
    a = np.dot(m, n) @ v
    return a @ v + np.vdot(m, n.T) + np.trace(m @ n) + np.sum(np.outer(v, a) ** 2)


@program(T, M)
def stacked_products(t, m):
    return np.sum((t @ m) ** 2) + np.sum(np.matmul(t, V) * 2.0)


@program(T)
def reshaping(t):
    a = t.reshape(6, -1)
    b = np.transpose(t, (2, 0, 1)).reshape(4, 6)
    c = np.ravel(b @ a) * t.flatten()[:16]
    d = np.squeeze(t[:1], axis=0) + np.expand_dims(t[0, 0], 0)
    return np.sum(c**2) + np.sum(d * d)


@program(V, W)
def joining(x, y):
    a = np.concatenate((x, y * 2.0, x[:2]))
    b = np.stack((x, y), axis=1)
    c = np.array([x[0], y[1] * x[0], 2.0])
    return np.sum(a * a) + np.sum(b[:, 0] * b[:, 1]) + np.sum(c**3)


@program(V, M)
def moving(v, m):
    a = np.roll(v, 1) * np.flip(v) + np.roll(v, -2)
    b = np.diag(v) @ m + np.roll(m, 1, axis=0)
    return (
        np.sum(a * v) + np.sum(b**2) + np.sum(np.diag(m[:3] @ m[:3].T)) + np.sum(np.flip(m, 1) * m)
    )


@program(0.7, 4)
def creating(x, n):
    a = np.zeros(n) + np.ones(n) * x
    b = np.full(n, x) * np.arange(n) + np.linspace(0.0, x, n)
    c = np.eye(n) * x + np.ones_like(b)
    return np.sum(a * b) + np.sum(c @ b) + np.sum(np.broadcast_to(b, (2, n)))


@program(M)
def shapes(m):
    rows, columns = m.shape
    return np.sum(m) / m.size + rows * columns * m[0, 0] + m.ndim * len(m) * m[1, 1]


@program(V)
def clipping(v):
    return np.sum(np.clip(v, 0.5, 1.2) * v) + np.sum(np.abs(v - 1.0)) + np.sum(np.sign(v) * v)


@program(V, W)
def pairs(x, y):
    a = np.arctan2(x, y) + np.hypot(x, y) + np.logaddexp(x, y) + np.power(x, y)
    return np.sum(a * np.reciprocal(x)) + np.sum(np.where(x > y, x * y, x - y))


@program(np.float32(0.5), V.astype(np.float32))
def single(x, v):
    return np.sum(v * x + np.float32(2.0) * v) * 0.5


@program(V)
def converted(v):
    return np.sum(v.astype(np.float32).astype(np.float64) * v)


@program(M)
def log_sum_exp(m):
    top = m.max(axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(m - top), axis=1)) + top[:, 0])


@program(V, M)
def array_in_branch(v, m):
    if v[0] > 1.0:
        a = m * 2.0
    else:
        a = m * m
    return np.sum(a * v[:, None])


@program(0.01, np.array([1.0, 0.5, 0.2]))
def lorenz(dt, state):
    for _ in range(5):
        x, y, z = state[0], state[1], state[2]
        slope = np.array([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])
        state = state + dt * slope
    return np.sum(state * state)


@program(1.0, 2.0, _draw(14, 5), 0.1)
def kalman(q, r, z, x):
    p = 1.0
    likelihood = 0.0
    for t in range(len(z)):
        p = p + q * q
        s = p + r * r
        error = z[t] - x
        likelihood -= 0.5 * (math.log(2 * math.pi * s) + error * error / s)
        gain = p / s
        x = x + gain * error
        p = (1.0 - gain) * p
    return likelihood


@program(np.array([0.2, 1.4, 0.9]), np.array([0.1, 1.6]))
def time_warp(a, b):
    n, m = len(a), len(b)
    cost = np.full((n + 1, m + 1), 1e3)
    cost[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            best = min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
            cost[i, j] = (a[i - 1] - b[j - 1]) ** 2 + best
    return cost[n, m]


@program(_draw(15, 3, 2))
def n_body(x):
    energy = 0.0
    for i in range(x.shape[0]):
        for j in range(i + 1, x.shape[0]):
            d = x[i] - x[j]
            energy -= 1.0 / np.sqrt(np.sum(d * d) + 0.01)
    return energy


@program(np.array([0.3, 1.6, 2.2]), np.array([1.0, 4.0, 2.0, 3.0]))
def interpolation(points, table):
    total = 0.0
    for k in range(len(points)):
        i = int(points[k])
        t = points[k] - i
        total += (1.0 - t) * table[i] + t * table[i + 1]
    return total


@program(2.6, np.array([1.0, 4.0, 2.0, 3.0, 5.0]))
def rounded_positions(x, table):
    low, high = math.floor(x), math.ceil(x)
    return table[low] * (high - x) + table[high] * (x - low) + np.floor(x) * x


@program(V, np.array([[0.5, 0.2], [0.1, 0.9]]), np.array([0.1, 0.2]))
def recurrent_net(inputs, w, b):
    h = np.zeros(2)
    loss = 0.0
    for t in range(len(inputs)):
        h = np.tanh(w @ h + b * inputs[t])
        loss += np.sum(h) * inputs[t]
    return loss


@program(M, V, V)
def sparse_product(values, x, y):
    total = 0.0
    for i in range(values.shape[0]):
        row = 0.0
        for k in range(values.shape[1]):
            row += values[i, k] * x[(i + k) % len(x)]
        total += row * y[i]
    return total


from tests.programs import (  # noqa: E402, F401
    classics,
    containers,
    control,
    matrices,
    recursion,
    slices_of_one,
    writes,
)
