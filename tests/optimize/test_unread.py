"""Elements that nobody reads any more are not stored."""

import numpy as np
import pytest

import adcompile as ad

X = np.array([0.3, 1.2, 0.7, 0.5, 0.9])


def prefix(x):
    sums = np.empty(len(x))
    current = 0.0
    for i in range(len(x)):
        current += x[i] * x[i]
        sums[i] = current
    return np.sum(sums**2)


def table(x):
    cost = np.zeros((len(x) + 1, len(x) + 1))
    for i in range(len(x)):
        for j in range(len(x)):
            cost[i + 1, j + 1] = np.sin(cost[i, j] + x[i] * cost[i + 1, j]) + x[j]
    return cost[len(x), len(x)]


def written_twice(x):
    work = np.zeros(len(x))
    for k in range(2):
        for i in range(1, len(x)):
            work[i] = work[i - 1] * x[i] + x[0] + k * work[i]
    return np.sum(work)


def around_the_end(x):
    work = np.zeros(len(x))
    for i in range(len(x)):
        work[i] = work[i - 1] * x[i] + x[i]
    return np.sum(work * work)


def sometimes(x):
    work = np.zeros(3)
    for i in range(len(x)):
        if x[i] > 0.6:
            work[i % 3] = work[(i + 1) % 3] + x[i] ** 2
    return work[0] * work[1] + work[2]


def two_buffers(x):
    old, new = x.copy(), x.copy()
    for _ in range(3):
        for i in range(1, len(x) - 1):
            new[i] = old[i] + 0.1 * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    return np.sum(old**2)


def new_in_each_step(x):
    u = x * 2.0
    for _ in range(4):
        new = np.empty(len(u))
        for i in range(1, len(u)):
            new[i] = np.sin(u[i]) * u[i - 1]
        new[0] = x[0]
        u[2] = 0.0
        u = new
    return np.sum(u**2)


def end_is_read(x):
    u = x * 2.0
    total = 0.0
    for _ in range(3):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i] * x[i]
        u[1] = 0.5
        total += u[1] * new[0]
        u = new
    return total + u[1]


def two_names(x):
    u, before = x * 2.0, x * 3.0
    for _ in range(3):
        new = u * before
        u[1] = x[1] ** 2
        before[0] = x[0]
        u, before = new, u
    return np.sum(u * before)


def sometimes_new(x):
    u = x * 2.0
    for k in range(4):
        new = u * x
        u[1] = x[1] ** 2
        if k % 2 == 0:
            u = new
    return np.sum(u**2)


def started_again(x):
    total = 0.0
    u = x * 2.0
    for _ in range(2):
        v = u * x
        for _ in range(2):
            new = np.empty(len(v))
            for i in range(len(v)):
                new[i] = v[i] * x[i] + v[0]
            v = new
        total += np.sum(v)
        u = v
    return total


CASES = [
    prefix, table, written_twice, around_the_end, sometimes, two_buffers, new_in_each_step,
    end_is_read, two_names, sometimes_new, started_again,
]  # fmt: skip


@pytest.mark.parametrize("function", CASES)
def test_results_stay(function):
    found = ad.grad(function)(X)
    for options in ({"passes": {"drop_unread": False}}, {"target": "python"}):
        np.testing.assert_allclose(found, ad.grad(function, **options)(X), rtol=1e-12)
    ad.check_grads(function, (X,), order=1)


def clears(function, **options):
    source = ad.grad(function, **options).source(X)
    return source.count("] = 0.0")


def test_adjoints_are_cleared_where_they_are_read_again():
    assert clears(prefix) == clears(table) == 0
    assert clears(prefix, passes={"drop_unread": False}) == 1
    assert clears(around_the_end) and clears(two_buffers)


def test_what_a_loop_leaves_behind_is_not_stored():
    assert clears(new_in_each_step) == 3  # two of zeros, and the first of what a loop reads
    assert clears(new_in_each_step, passes={"drop_unread": False}) == 6


def test_sums_that_are_carried_take_in_what_reads_them():
    source = ad.grad(prefix).source(X, stage="compiled")
    assert sum(line.strip().startswith("for ") for line in source.splitlines()) == 2
    assert "np.zeros" not in source
