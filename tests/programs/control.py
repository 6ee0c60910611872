"""Programs that leave loops early, go through arrays, check, and define functions inside."""

import math

import numpy as np

from tests.programs.register import program


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


V, W, M = _draw(0, 6), _draw(1, 6), _draw(2, 4, 3)


@program(2.0)
def newton_until_close(a):
    x = a
    while True:
        step = (x * x - a) / (2 * x)
        x = x - step
        if abs(step) < 1e-12:
            break
    return x


@program(V, 2.5)
def sum_until(x, limit):
    total = 0.0
    for i in range(len(x)):
        if total > limit:
            break
        total += x[i] ** 2
    return total * limit


@program(V)
def skip_small(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] < 0.8:
            continue
        total += math.sin(x[i])
    return total


@program(V, 1.0)
def first_above(x, level):
    for i in range(len(x)):
        if x[i] > level:
            return x[i] ** 2 * level
    return level


@program(V)
def found_and_used_after(x):
    for i in range(len(x)):
        y = x[i] * x[0]
        if y > 0.9:
            break
    return y * i + x[i]


@program(V, 3.0)
def break_and_continue(x, limit):
    total = 1.0
    for i in range(0, len(x), 2):
        y = x[i]
        if y < 0.5:
            continue
        if total * y > limit:
            total += 0.1 * y
            break
        total = total * y + x[i + 1]
    return total


@program(M)
def break_in_inner_loop(m):
    total = 0.0
    for i in range(m.shape[0]):
        row = 0.0
        for j in range(m.shape[1]):
            if row > 1.5:
                break
            row += m[i, j] ** 2
        total += math.log(1.0 + row)
    return total


@program(M, 1.2)
def return_from_inner_loop(m, level):
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(m.shape[1]):
            total += m[i, j]
            if total > 4 * level:
                return total * m[i, j]
        total = total * 0.9
    return total


@program(V)
def loop_else(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
        if total > 100.0:
            break
    else:
        total = total * x[0]
    while total > 1.0:
        total = total * 0.7
        if total < 0.001:
            break
    else:
        total = total * total
    return total


@program(V)
def continue_under_conditions(x):
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        if i > 1:
            if y > 1.0:
                continue
            y = y * 2.0
        total += y * y
    return total


@program(2.0)
def while_true_with_return(x):
    y = x
    while True:
        y = math.sqrt(y) + 0.1 * x
        if y < 1.7:
            return y * x


@program(V, M)
def over_arrays(x, m):
    total = 0.0
    for v in x:
        total += math.exp(-v)
    for row in m:
        total += np.sum(row * row) * row[0]
    return total


@program(V, W)
def zipped(x, w):
    total = 0.0
    for a, b in zip(x, w, strict=True):
        total += a * b
    for i, (a, b) in enumerate(zip(x[1:], w, strict=False)):
        total += a * b * i
    for a, i in zip(x, range(10), strict=False):
        total += a * i
    return total


@program(V)
def reversed_loops(x):
    h = 0.0
    for v in reversed(x):
        h = h * 0.5 + v
    for i in reversed(range(1, len(x))):
        h = h * x[i] - x[i - 1]
    for i, v in enumerate(reversed(x), 1):
        h += v / i
    return h


@program(V, -2)
def variable_step(x, step):
    total = 0.0
    for i in range(len(x) - 1, -1, step):
        total = total * 0.3 + x[i] ** 3
    for i in range(0, len(x), -step):
        total += x[i] * i
    return total


@program(V)
def long_tuple(x):
    total = 0.0
    for c in (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03, 0.015, 0.007, 0.003):
        total = total * x[0] + c
    return total


@program(V)
def leave_tuple(x):
    total = x[0]
    for c, k in ((1.0, 0), (2.0, 1), (3.0, 2)):
        total += c * x[k]
        if total > 3.0:
            break
    return total


@program(1.3, 3)
def checks(x, n):
    assert n > 0, "n must be positive"
    if n > 100:
        raise ValueError(f"n is {n}, more than 100")
    if x > 5.0:
        y = x
    elif x < -5.0:
        raise ValueError("too small")
    else:
        y = x * x
    return y * n


@program(V)
def assigned_on_one_side(x):
    if x[0] > 0.0:
        scale = x[1] * 2.0
    total = np.sum(x)
    if x[0] > 0.0:
        total = total * scale
    return total


@program(V, 3)
def first_assigned_inside(x, n):
    for k in range(n):
        last = x * x[k]
        size = last.sum()
    return np.sum(last) * size + k


@program(1.2, 0.7)
def nested_functions(x, y):
    def scaled(t, by=2.0):
        def shifted(s):
            return s + y * by

        return shifted(t * x)

    total = 0.0
    for i in range(3):
        total += scaled(i + 0.5) * scaled(1.0, by=y)
    scale = 3.0
    f = lambda t: t * scale * x
    scale = x
    return total + f(2.0)


@program(V)
def factory(x):
    def power(n):
        def raised(t):
            result = 1.0
            for _ in range(n):
                result = result * t
            return result

        return raised

    cube, square = power(3), power(2)
    return cube(x[0]) + square(x[1]) * x[2]


@program(V)
def bisection(x):
    low, high = 0.0, 4.0
    target = np.sum(x)
    for _ in range(6):
        middle = 0.5 * (low + high)
        value = middle**3 + x[0] * middle
        if abs(value - target) < 0.05:
            break
        if value > target:
            high = middle
        else:
            low = middle
    slope = 3 * middle**2 + x[0]
    return middle - (middle**3 + x[0] * middle - target) / slope


@program(V)
def search_with_array_state(x):
    state = x.copy()
    for k in range(20):
        state = 0.5 * (state + x / state)
        if np.max(np.abs(state * state - x)) < 1e-10:
            break
    return np.sum(state) + k


@program(V)
def extent_of_a_dead_slice(x):
    unread = x[1:]  # noqa: F841
    total = 0.0
    for i in range(3):
        total += np.sum(x[1:] ** 2 * i)
    return total


@program(0.8, 0.0)
def condition_with_a_common_name(x, y):
    t = np.sin(x)
    if t:
        y = np.sin(y * x) * np.cos(y)
    return y * x


@program(V, W, M)
def left_at_once(x, w, m):
    c = np.zeros(m.shape)
    for _ in range(2):
        for _ in x:
            w[:4] += 0.3 * np.tanh(c @ m[0])
            break
    return np.sum(x * w)


@program(V[:4], -0.3)
def part_added_in_a_branch(x, s):
    if s < 0.0:
        x[::2] *= np.ones((2, 2)).sum(axis=1) * s
    return np.sum(x)


@program(0.7, V, False)
def read_where_it_was_assigned(x, v, on):
    s = x * 0.5
    if v[0] > 0.1:
        if on:
            late = np.tanh(v[1] - s)
        v *= np.sin(v)
        if on:
            s = np.tanh(s + late)
    else:
        return x
    return s * np.sum(v)


@program(0.3)
def long_condition(x):
    t, k = np.sin(x), 0
    while k < 3 and sum([0.33 * x * factor for factor in (x, 0.7, 1)]) > -0.8:
        t *= 0.9
        k += 1
    return t * x


@program(0.3, V, W, np.array([1, 0, 2, 3, 5, 1]))
def saved_in_a_while_in_a_for(x, v, w, places):
    k = 0
    while k < 2:
        k += 1
        for _ in range(2):
            w[places] = 0.5 * np.sin(np.roll(v, 1) * x)
            x = x * np.sum(w)
    return x


@program(0.3, V, True)
def partial_sum_read_in_a_branch(x, v, on):
    t = x
    for e in v:
        for _ in range(3):
            e -= 0.2
            t += e * e if on else x
    for k in range(len(v)):
        s = v[k]
        for _ in range(2):
            s += x
            while t < 3.0:
                t += 0.5 + s * s
    return t


@program(V, 0.5)
def rolled_in_a_branch(x, t):
    s = 0.0
    if t > 0.0:
        b = np.roll(x, 1)
        for _ in range(3):
            s = np.dot(x * t, b * t) * (1.0 + s)
    return s
