"""Arrays that a loop makes anew and hands on take turns, where nobody could tell."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 10.0))


def new_each_step(x, c):
    u = x.copy()
    for _ in range(5):
        new = np.empty(len(u))
        for i in range(1, len(u) - 1):
            new[i] = u[i] + c * (u[i - 1] - 2.0 * u[i] + u[i + 1]) * u[i]
        new[0] = u[0]
        new[len(u) - 1] = u[0] * c
        u = new
    return np.sum(u * u)


def two_steps(x, c):
    now, old = x.copy(), x * c
    for _ in range(5):
        new = np.zeros(len(now))
        for i in range(1, len(now) - 1):
            new[i] = 2.0 * now[i] - old[i] + c * now[i - 1] * now[i + 1]
        old = now
        now = new
    return np.sum(now * old)


def rows_and_columns(x, c):
    u = np.outer(x, x)
    for _ in range(3):
        new = np.zeros(u.shape)
        for i in range(1, len(x)):
            for j in range(len(x)):
                new[i, j] += np.sin(u[i - 1, j]) * c + u[j, i]
        u = new
    return np.sum(u * u)


def nested(x, c):
    total = 0.0
    for _ in range(2):
        u = x * c
        for _ in range(3):
            new = np.empty(len(u))
            for i in range(len(u)):
                new[i] = u[i - 1] * c + u[i] * x[i]
            u = new
        total += np.sum(u * u)
    return total


def pushed(x, c):
    new = np.zeros(len(x))
    for i in range(len(x)):
        for j in range(len(x)):
            new[j] += x[i] * c
    p = new
    for _ in range(4):
        q = np.zeros(len(x))
        for i in range(len(x)):
            for j in range(len(x)):
                q[(i + j) % len(x)] += p[i] * x[j]
        p = q
    return np.sum(p * p)


def from_an_argument(x, c):
    u = x
    for _ in range(5):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i] * c + u[i - 1]
        u = new
    return np.sum(u * x)


def from_two_of_one(x, c):
    now = old = x
    for _ in range(3):
        new = np.zeros(len(now))
        for i in range(1, len(now)):
            new[i] = now[i - 1] * c - old[i]
        old = now
        now = new
    return np.sum(now * old)


TURNING = [
    from_an_argument,
    from_two_of_one,
    new_each_step,
    two_steps,
    rows_and_columns,
    nested,
    pushed,
]


def seen_whole(x, c):
    u = np.outer(x, x)
    total = 0.0
    part = u[0]
    for _ in range(3):
        new = np.empty(u.shape)
        for i in range(len(x)):
            for j in range(len(x)):
                new[i, j] = u[j, i] * c + part[j]
        u = new
        part = u[1] * 1.0
        total += np.sum(part)
    return total + np.sum(u)


def sometimes(x, c):
    u = x * c
    for k in range(4):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i - 1] * x[i]
        if k % 2 == 0:
            u = new
    return np.sum(u * u)


def started_from_one(x, c):
    """What the inner loop starts with is made once, and not filled again."""
    start, total = np.zeros(9), 0.0
    for r in range(2):
        u = start
        for _ in range(2):
            new = np.empty(9)
            for i in range(9):
                new[i] = u[i] * X[i] + X[i] * (r + 1) + total * c
            u = new
        total += u[0] * (r + 1)
    return total * np.sum(x)


def again_from_one_start(x, c):
    total = 0.0
    start = x * c
    for k in range(3):
        u = start
        for _ in range(k + 1):
            new = np.empty(len(u))
            for i in range(len(u)):
                new[i] = u[i - 1] * c
            u = new
        total += u[k]
    return total


def in_two_turns(x, c):
    """What is new goes through two turns, one longer than the other."""
    a, b, d, e, f = x * 1.0, x * 2.0, x * 3.0, x * 4.0, x * c
    for _ in range(5):
        new = np.empty(len(x))
        for i in range(len(x)):
            new[i] = a[i] + b[i] + f[i - 1]
        b = a
        a = new
        f = e
        e = d
        d = new
    return np.sum(a * f) + np.sum(b)


def filled_once(x, c):
    start, total = np.empty(9), 0.0
    for r in range(2):
        if r == 0:
            for i in range(9):
                start[i] = X[i]
        u = start
        for _ in range(2):
            new = np.empty(9)
            for i in range(9):
                new[i] = u[i] * X[i] + total * c
            u = new
        total += u[0]
    return total * np.sum(x)


def read_while_filled(x, c):
    """What is read is of the run before, which nothing but the fill has changed."""
    start, total = np.zeros(9), 0.0
    for r in range(2):
        for i in range(9):
            start[i] = X[i] * (r + 1)
            total += start[min(i + 1, 8)] * c
        u = start
        for _ in range(2):
            new = np.empty(9)
            for i in range(9):
                new[i] = u[i] * X[i] + c
            u = new
        total += u[0]
    return total * np.sum(x)


OTHERS = [seen_whole, sometimes, again_from_one_start]


@pytest.mark.parametrize(
    "function", [started_from_one, in_two_turns, filled_once, read_while_filled]
)
def test_what_is_started_from_again_stays(function):
    np.testing.assert_allclose(ad.jit(function)(X, 0.3), function(X, 0.3), rtol=1e-13)


@pytest.mark.parametrize("function", [*TURNING, *OTHERS])
def test_results_stay(function):
    for options in ({}, {"fastmath": False}, {"parallel": True}):
        derivative = ad.value_and_grad(function, argnums=(0, 1), **options)
        for n in (3, 4, 9):
            value, gradients = derivative(X[:n], 0.3)
            wanted, others = ad.value_and_grad(function, argnums=(0, 1), target="python")(
                X[:n], 0.3
            )
            np.testing.assert_allclose(value, wanted, rtol=1e-12)
            for found, other in zip(gradients, others, strict=True):
                np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("function", TURNING)
def test_nothing_is_made_in_the_loop(function):
    turned = ad.jit(function).source(X, 0.3, stage="compiled")
    off = ad.jit(function, passes={"take_turns": False}).source(X, 0.3, stage="compiled")
    assert turned != off
    depth = 2 if function is nested else 1
    for source in (turned, ad.value_and_grad(function).source(X, 0.3, stage="compiled")):
        made = [
            line for line in source.splitlines() if " = np.empty(" in line or " = np.zeros(" in line
        ]
        indents = {len(line) - len(line.lstrip()) for line in made if "# " not in line}
        assert max(indents) <= 4 * depth


def test_results_are_memory_of_their_own():
    step = ad.jit(new_states)
    first, second = step(X)
    again, _ = step(X * 2.0)
    np.testing.assert_allclose(again, 2.0 * first)
    assert not np.shares_memory(first, second)


def new_states(x):
    u, old = x * 1.0, x * 2.0
    for _ in range(3):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i] * 2.0 + u[i - 1] * 0.0
        old = u
        u = new
    return u, old
