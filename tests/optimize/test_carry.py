"""What an iteration stores and the next adds to is stored once, whatever the range."""

import numpy as np
import pytest

import adcompile as ad


def tree(v, p):
    v = v.copy()
    for t in range(len(v) - 2, -1, -1):
        for i in range(t + 1):
            v[i] = p * v[i + 1] + (1.0 - p) * v[i]
    return v[0] ** 2


def downwards(v, p):
    v = v.copy()
    for t in range(3):
        for i in range(len(v) - 1, t, -1):
            v[i] = p * v[i - 1] * v[i] + v[i]
    return np.sum(v * v)


def rows(v, p):
    table = np.outer(v, v + p)
    for t in range(len(v) - 1):
        for i in range(len(v) - 1):
            table[t, i] = np.sin(table[t, i]) * p + table[t, i + 1] * v[t]
    return np.sum(table * table)


def two_arrays(v, p):
    v, w = v.copy(), v * p
    for _ in range(2):
        for i in range(len(v) - 1):
            v[i] = p * v[i + 1] + w[i]
            w[i] = w[i + 1] * v[i]
    return np.sum(v * w)


def scattered(v, p):
    out = np.zeros(len(v) + 1)
    for i in range(len(v)):
        out[i + 1] = v[i] * p
        out[i] += v[i] * v[i]
    return np.sum(out * out)


CARRIED = [tree, downwards, rows, scattered]


def reads_what_waits(v, p):
    v = v.copy()
    for i in range(len(v) - 1):
        v[i + 1] = p * v[i] + v[i + 1]
    return np.sum(v * v)


def further_apart(v, p):
    v = v.copy()
    for i in range(len(v) - 2):
        v[i] = p * v[i + 2] + v[i]
    return np.sum(v * v)


def counts_from_the_end(v, p):
    v = v.copy()
    for i in range(len(v)):
        v[i - 1] = p * v[i] + v[i - 1]
    return np.sum(v * v)


def new_in_each_iteration(v, p):
    total = 0.0
    for i in range(len(v) - 1):
        w = np.zeros(len(v))
        w[i] = v[i] * p
        w[i + 1] += v[i] * v[i]
        total += np.sin(w[i + 1])
    return total


LEFT = [reads_what_waits, further_apart, counts_from_the_end, new_in_each_iteration]


@pytest.mark.parametrize("function", [*CARRIED, *LEFT, two_arrays])
def test_every_length(function):
    derivative = ad.value_and_grad(function, argnums=(0, 1))
    python = ad.value_and_grad(function, argnums=(0, 1), target="python")
    for n in [*range(1, 7), 40]:
        args = np.cos(np.arange(1.0, n + 1.0)), 0.3
        value, gradients = derivative(*args)
        wanted, others = python(*args)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
        for found, other in zip(gradients, others, strict=True):
            np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-13)


def is_carried(function):
    sources = [
        ad.value_and_grad(function, passes=passes).source(np.ones(9), 0.3, stage="compiled")
        for passes in ({}, {"carry_stored": False})
    ]
    return sources[0] != sources[1]


def test_which_are_carried():
    assert all(map(is_carried, CARRIED))
    assert not any(map(is_carried, LEFT))


@pytest.mark.parametrize("function", CARRIED)
def test_not_a_digit_changes_without_fastmath(function):
    args = np.cos(np.arange(1.0, 30.0)), 0.3
    one = ad.value_and_grad(function, fastmath=False)(*args)
    other = ad.value_and_grad(function, fastmath=False, passes={"carry_stored": False})(*args)
    assert one[0] == other[0]
    np.testing.assert_array_equal(one[1], other[1])


def test_no_iteration_reads_what_another_stores():
    source = ad.value_and_grad(tree).source(np.ones(9), 0.3, stage="compiled")
    assert "v_bar[np.uint64(i + 1)] = " in source and "v_bar[np.uint64(i + 1)] +=" not in source
