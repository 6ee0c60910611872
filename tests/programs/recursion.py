"""Programs that call themselves: through numbers, slices, views in place, tables, helpers."""

import math

import numpy as np

from tests.programs.register import program


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


V, W, M = _draw(0, 7), _draw(1, 7), _draw(2, 4, 3)


@program(1.3, 5)
def power_by_recursion(x, n):
    if n == 0:
        return 1.0
    return x * power_by_recursion(x, n - 1)


@program(1.1, 13)
def power_by_halves(x, n):
    if n == 0:
        return 1.0
    half = power_by_halves(x, n // 2)
    if n % 2 == 0:
        return half * half
    return x * half * half


@program(0.7, 6)
def fibonacci_like(x, n):
    if n < 2:
        return x if n == 1 else math.sin(x)
    return fibonacci_like(x, n - 1) * 0.5 + x * fibonacci_like(x, n - 2)


@program(V, 0.6)
def horner_by_recursion(c, x):
    if len(c) == 1:
        return c[0]
    return c[0] + x * horner_by_recursion(c[1:], x)


@program(V)
def sum_by_halves(x):
    n = len(x)
    if n == 1:
        return x[0] ** 2
    return sum_by_halves(x[: n // 2]) * x[n // 2] + sum_by_halves(x[n // 2 :])


@program(V, 0)
def continued_fraction(a, i):
    if i == len(a) - 1:
        return a[i]
    return a[i] + 1.0 / continued_fraction(a, i + 1)


def _pair(a, b, n):
    if n == 0:
        return a, b
    u, v = _pair(a, b, n - 1)
    return u * v, u + math.sin(v)


@program(0.8, 1.2, 4)
def tuple_by_recursion(a, b, n):
    u, v = _pair(a, b, n)
    return u * v + a


def _is_even(x, n):
    return x if n == 0 else _is_odd(x, n - 1) * x


def _is_odd(x, n):
    return math.sin(x) if n == 0 else _is_even(x, n - 1) + x


@program(0.9, 5)
def even_and_odd(x, n):
    return _is_even(x, n) * _is_odd(x, n)


def _female(x, n):
    if n == 0:
        return x
    return x * _female(x, n - 1) + 0.3 * _male(x, n // 2)


def _male(x, n):
    if n <= 0:
        return math.cos(x)
    return _male(x, n - 1) - x * _female(x, n // 3)


@program(0.8, 4)
def both_call_both(x, n):
    return _female(x, n)


def _fill(table, x, i):
    if i < len(table):
        table[i] = table[i - 1] * x + table[i - 2] ** 2
        _fill(table, x, i + 1)


@program(0.6, 6)
def fills_a_table(x, n):
    table = np.zeros(n)
    table[0] = x
    table[1] = 1.0
    _fill(table, x, 2)
    return np.sum(table * table)


def _memoised(x, n, memo, known):
    if known[n] > 0:
        return memo[n]
    if n < 2:
        value = x + n
    else:
        value = _memoised(x, n - 1, memo, known) * x + _memoised(x, n - 2, memo, known)
    memo[n] = value
    known[n] = 1
    return value


@program(0.7, 8)
def with_a_memo_table(x, n):
    memo = np.zeros(n + 1)
    known = np.zeros(n + 1, np.int64)
    return _memoised(x, n, memo, known)


def _butterfly(re, im):
    n = len(re)
    if n == 1:
        return
    h = n // 2
    for k in range(h):
        angle = -2.0 * math.pi * k / n
        a, b = re[k], im[k]
        c, d = re[k + h], im[k + h]
        re[k] = a + c
        im[k] = b + d
        re[k + h] = (a - c) * math.cos(angle) - (b - d) * math.sin(angle)
        im[k + h] = (a - c) * math.sin(angle) + (b - d) * math.cos(angle)
    _butterfly(re[:h], im[:h])
    _butterfly(re[h:], im[h:])


@program(_draw(3, 8), _draw(4, 8))
def fourier_in_place(x, weights):
    re = x.copy()
    im = np.zeros(len(x))
    _butterfly(re, im)
    return np.sum((re**2 + im**2) * weights * re)


def _sort(a, low, high):
    if low >= high:
        return
    pivot = a[high]
    place = low
    for j in range(low, high):
        if a[j] < pivot:
            a[place], a[j] = a[j], a[place]
            place += 1
    a[place], a[high] = a[high], a[place]
    _sort(a, low, place - 1)
    _sort(a, place + 1, high)


@program(V, W)
def weighted_order_statistics(x, weights):
    a = x * x
    _sort(a, 0, len(a) - 1)
    return np.sum(a * weights * np.arange(1.0, 8.0))


FIRST = np.array([0, 2, 4, 4, 5, 5, 5])
CHILD = np.array([1, 2, 3, 4, 5])


def _subtree(x, node):
    total = math.sin(x[node])
    for k in range(FIRST[node], FIRST[node + 1]):
        total += x[node] * _subtree(x, CHILD[k])
    return total


@program(_draw(5, 6))
def tree_of_index_arrays(x):
    return _subtree(x, 0)


def _simpson(f, a, b, fa, fm, fb, whole, tolerance):
    m = 0.5 * (a + b)
    left, right = f(0.5 * (a + m)), f(0.5 * (m + b))
    h = b - a
    first = h / 12 * (fa + 4 * left + fm)
    second = h / 12 * (fm + 4 * right + fb)
    error = first + second - whole
    if abs(error) <= 15 * tolerance:
        return first + second + error / 15
    one = _simpson(f, a, m, fa, left, fm, first, tolerance / 2)
    return one + _simpson(f, m, b, fm, right, fb, second, tolerance / 2)


@program(1.7, 2.0)
def adaptive_simpson(w, b):
    f = lambda t: math.exp(-w * t) * math.sin(3.0 * t * w)
    fa, fm, fb = f(0.0), f(0.5 * b), f(b)
    whole = b / 6 * (fa + 4 * fm + fb)
    return _simpson(f, 0.0, b, fa, fm, fb, whole, 1e-3)


@program(V, 3)
def recursion_in_a_loop(x, n):
    total = 0.0
    for i in range(len(x)):
        total += power_by_recursion(x[i], n) * total + x[i]
    return total


def _smoothed(x, n):
    if n == 0:
        return np.sum(x * x)
    y = x.copy()
    for i in range(1, len(x) - 1):
        y[i] = 0.5 * x[i] + 0.25 * x[i - 1] * y[i - 1]
    return _smoothed(y, n - 1) * x[0]


@program(V, 3)
def loop_in_the_recursion(x, n):
    return _smoothed(x, n)


def _newton(a, x):
    step = (x * x - a) / (2 * x)
    if abs(step) < 1e-12:
        return x - step
    return _newton(a, x - step)


@program(2.0)
def newton_by_recursion(a):
    return _newton(a, a) * a


@program(0.8, 4)
def nested_recursion(x, n):
    scale = math.sin(x)

    def down(y, k):
        if k == 0:
            return y * scale
        return down(y * scale + x, k - 1)

    return down(x, n) + down(1.0, 2)


def _doubled(x, n):
    if n == 0:
        return x * 2.0
    return np.sin(_doubled(x, n - 1)) + x


@program(V, 3)
def array_result(x, n):
    y = _doubled(x, n)
    return np.sum(y * y)


def _reduced(x):
    if x.ndim == 1:
        return np.sum(x**2)
    total = 0.0
    for i in range(len(x)):
        total += _reduced(x[i]) * _reduced(x[0])
    return total


@program(_draw(6, 2, 3, 2))
def axis_by_axis(x):
    return _reduced(x)


def _while_inside(x, n):
    if n == 0:
        return x
    y = x
    k = 0
    while y < 3.0:
        y = y * 1.5 + x * _while_inside(x, n - 1) * 0.1
        k += 1
    return y / k + _while_inside(x * 0.9, n - 1)


@program(0.7, 3)
def while_in_the_recursion(x, n):
    return _while_inside(x, n)


def _first_large(x, i, limit):
    if i >= len(x):
        return limit
    if x[i] > limit:
        return x[i] * limit
    for k in range(i):
        if x[k] * x[i] > 1.1:
            return x[k] + _first_large(x, i + 2, limit * x[k])
    return _first_large(x, i + 1, limit * 1.01)


@program(_draw(8, 9), 1.4)
def early_returns_in_recursion(x, limit):
    return _first_large(x, 0, limit)


def _accumulated(x, n, acc=1):
    if n == 0:
        return acc
    return _accumulated(x, n - 1, acc * x)


@program(1.2, 4)
def default_that_grows(x, n):
    return _accumulated(x, n)


def _merged(x):
    n = len(x)
    if n == 1:
        return x.copy()
    a, b = _merged(x[: n // 2]), _merged(x[n // 2 :])
    out = np.zeros(n)
    i = j = 0
    for k in range(n):
        if j >= len(b) or (i < len(a) and a[i] < b[j]):
            out[k] = a[i] * 1.01
            i += 1
        else:
            out[k] = b[j]
            j += 1
    return out


@program(V, W)
def merge_sort(x, weights):
    return np.sum(_merged(x) * weights)


def _overwritten(x, n):
    before = x[n] * x[n]
    x[n] = math.sin(x[n]) * x[0]
    if n > 0:
        before += _overwritten(x, n - 1) * x[n]
    x[n] = before + x[n]
    return before * x[n]


@program(V, 5)
def overwritten_on_the_way(x, n):
    return _overwritten(x, n) + np.sum(x * x)
