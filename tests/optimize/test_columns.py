"""Columns of arrays with short rows are copied around loops that walk along them."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from tests.benchmarks.problems.nbody import energy
from tests.random_programs.columns import parted_everywhere


def pairs(x, m, n):
    """Each pair once: both bodies are added to."""
    total = 0.0
    for i in range(len(m)):
        for j in range(i + 1, len(m)):
            dx = x[i, 0] - x[j, 0]
            dy = x[i, 1] - x[j, 1]
            total += m[i] * m[j] / math.sqrt(dx * dx + dy * dy + 0.1)
    return total * n


def pairs_by_axis(x, m, n):
    """The same, with a loop over the axes."""
    total = 0.0
    for i in range(len(m)):
        for j in range(i + 1, len(m)):
            square = 0.1
            for k in range(2):
                d = x[i, k] - x[j, k]
                square += d * d
            total += m[i] * m[j] / math.sqrt(square)
    return total * n


def states(x, m, n):
    """Rows that all change in each step."""
    y = x.copy()
    for _ in range(n):
        for i in range(len(y)):
            u, v = y[i, 0], y[i, 1]
            y[i, 0] = u + 0.01 * v
            y[i, 1] = v - 0.01 * m[i] * u * v
    return np.sum(y * y)


def downwards(x, m, n):
    """Rows below the first, from the last one on; others than those of the counter."""
    y = x.copy()
    for _ in range(n):
        for i in range(len(m) - 2, 0, -1):
            y[i, 0] = x[i + 1, 0] * x[i - 1, 1] + m[i]
            y[i, 1] += 0.1 * y[i, 0]
    return np.sum(y**3)


def until(x, m, n):
    """Steps of a `while`."""
    y, t = x.copy(), 0.0
    while t < n:
        for i in range(len(y)):
            y[i, 1] += 0.1 * np.sin(y[i, 0]) * m[i]
            y[i, 0] *= 0.9
        t += 1.0
    return np.sum(y)


def tables(x, m, n):
    """Rows of a table for each step."""
    y = np.empty((n, len(m), 2))
    total = 0.0
    for t in range(n):
        for i in range(len(m)):
            y[t, i, 0] = x[i, 0] * t
            y[t, i, 1] = x[i, 1] + t
        for i in range(len(m)):
            for j in range(i, len(m)):
                total += np.sin(y[t, i, 0] * m[j]) * y[t, j, 1]
    return total


PARTED = [pairs, pairs_by_axis, states, downwards, tables]


def _arguments(rows=7):
    rng = np.random.default_rng(3)
    return rng.standard_normal((rows, 2)), 0.5 + rng.random(rows), 5


def _copies(source):
    """The columns that are copied."""
    return re.findall(r"(\w+_\d)\[i\] = \w+\[(?:.*, )?i, \d\]", source)


def _run(function, *args):
    """What the source for the compiler computes under plain Python."""
    source = function.source(*args, stage="compiled")
    space = {}
    exec(source, space)
    return source, space[function.__name__](*args)


def _same(found, wanted):
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("function", PARTED)
def test_values_stay_the_same(function, rows):
    args = _arguments(rows)
    wanted = ad.value_and_grad(function, (0, 1), target="python")(*args)
    derived = ad.value_and_grad(function, (0, 1))
    source, found = _run(derived, *args)
    _same(found, wanted)
    assert _copies(source)


@pytest.mark.parametrize("function", PARTED)
def test_compiled(function):
    args = _arguments()
    wanted = ad.value_and_grad(function, (0, 1), target="python")(*args)
    _same(ad.value_and_grad(function, (0, 1))(*args), wanted)
    off = {"part_columns": False, "unroll_columns": False}
    assert not _copies(ad.value_and_grad(function, passes=off).source(*args, stage="compiled"))


def test_it_is_told():
    told = ad.grad(pairs, (0, 1)).explain(*_arguments()).of("columns")
    assert [d.what for d in told] == ["x", "x_bar"] and told[0].line
    assert "the loop over `j` walks along them" in told[0].because


def test_single_precision():
    x, m, n = _arguments()
    wanted = ad.grad(pairs)(x, m, n)
    found = ad.grad(pairs)(x.astype(np.float32), m.astype(np.float32), n)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("function", [pairs, until])
def test_a_value_too(function):
    args = _arguments()
    source, value = _run(ad.jit(function), *args)
    assert len(_copies(source)) == 2
    np.testing.assert_allclose(value, function(*args), rtol=1e-12)


def test_rows_that_are_used():
    """Not more is copied than the loop may read, and nothing beyond the ends of the array."""

    def some(x, a, b, n):
        total = 0.0
        for t in range(n):
            for i in range(max(a, 1), b):
                total += t * x[i, 0] * x[i - 1, 1]
        return total

    x = np.arange(20.0).reshape(10, 2)
    source, value = _run(ad.jit(some), x, 3, 6, 5)
    assert value == some(x, 3, 6, 5)
    assert "t = max(a, 1)\n    t_1 = -1 + t\n    t_2 = min(b, x.shape[0])" in source
    assert "range(t_1, t_2 if x.shape[1] > 0 else 0):" in source


def test_fewer_columns_than_named():
    """A loop that never runs may name columns that do not exist."""

    def third(x, n):
        y, total = x.copy(), 0.0
        for t in range(n):
            for i in range(len(y)):
                y[i, 2] += 0.5 * y[i, 0]
            total += t
        return total + np.sum(y)

    x = np.ones((3, 1))
    for run in (lambda: _run(ad.jit(third), x, 0)[1], lambda: ad.jit(third)(x, 0)):
        assert run() == 3.0


def chain(x, m, n):
    """Each row follows from the one before."""
    y = x.copy()
    for _ in range(n):
        for i in range(1, len(y)):
            y[i, 0] += 0.5 * y[i - 1, 0] * m[i]
    return np.sum(y)


def gathered(x, m, n):
    """Rows in an order that is not known."""
    total = 0.0
    for t in range(n):
        for i in range(len(m)):
            total += x[i, 0] * x[(i * t) % len(m), 1]
    return total


def once(x, m, n):
    """No loop around that would be worth two copies."""
    total = 0.0
    for i in range(len(m)):
        total += x[i, 0] * x[i, 1] * m[i]
    for _ in range(3):
        for i in range(len(m)):
            total += x[i, 0] * m[i] * n
    return total


def far_apart(x, m, n):
    """Few rows of a large array."""
    total = 0.0
    for t in range(n):
        for i in range(100 * t, 100 * t + 2):
            total += x[i, 0] * x[i, 1]
    return total


def viewed(x, m, n):
    """An array with another name."""
    y = x.copy()
    z = y[1:]
    for _ in range(n):
        for i in range(len(z)):
            y[i, 0] += 0.1 * m[i]
            z[i, 1] = 0.5 * m[i]
    return np.sum(y)


@pytest.mark.parametrize("function", [chain, gathered, once, far_apart, viewed])
def test_loops_that_stay_as_they_are(function):
    args = _arguments(401)
    assert not _copies(ad.jit(function).source(*args, stage="compiled"))


def test_written_arguments_stay_where_they_are():
    def shift(x, m, n):
        for _ in range(n):
            for i in range(len(m)):
                x[i, 0] += m[i] * x[i, 1]

    x, m, n = _arguments()
    expected = x.copy()
    shift(expected, m, n)
    ad.jit(shift, inplace=("x",))(x, m, n)
    np.testing.assert_allclose(x, expected)


@pytest.mark.parametrize("function", [*PARTED, until, chain, once, viewed])
def test_worth_while_or_not(function):
    args = _arguments()
    wanted = ad.value_and_grad(function, (0, 1), target="python")(*args)
    with parted_everywhere():
        source, found = _run(ad.value_and_grad(function, (0, 1)), *args)
    _same(found, wanted)
    assert _copies(source)


def in_space(x, m, n):
    """A third column, if there is one."""
    total = 0.0
    for t in range(n):
        for j in range(len(m)):
            total += x[j, 0] * x[j, 1]
        if x.shape[1] > 2:
            for j in range(len(m)):
                total += x[j, 2] * x[j, 0]
    return total


@pytest.mark.parametrize("width", [2, 3])
def test_a_column_that_may_not_be_there(width):
    x, m, n = np.ones((5, width)), np.ones(5), 4
    wanted = ad.value_and_grad(in_space, (0, 1), target="python")(x, m, n)
    source, found = _run(ad.value_and_grad(in_space, (0, 1)), x, m, n)
    assert _copies(source)
    _same(found, wanted)
    _same(ad.value_and_grad(in_space, (0, 1))(x, m, n), wanted)


def test_indices_are_checked_in_the_array_itself():
    def third(x, n):
        total = 0.0
        for t in range(n):
            for i in range(len(x)):
                total += x[i, 0] * x[i, 2]
        return total

    with pytest.raises(IndexError):
        ad.value_and_grad(third, boundscheck=True)(np.ones((5, 2)), 4)


def beside_a_branch(x, m, n):
    """Copies would cost more than the loop that is hardly ever taken."""
    y, total = x.copy(), 0.0
    for t in range(n):
        total += y[t, t % 2]
        for _ in range(5):
            if m[t] > 2.0:
                for i in range(len(m)):
                    y[i, 0] = 0.5 * y[i, 1]
    return total


def test_copies_cost_no_more_than_the_loop():
    assert not _copies(ad.jit(beside_a_branch).source(*_arguments(9), stage="compiled"))


def test_threads_copy_the_columns_that_they_add_to():
    """Each thread has its own adjoints, so it may write back the rows of others as they were."""
    rng = np.random.default_rng(3)
    x, m = rng.random((700, 3)), rng.random(700)
    together = ad.value_and_grad(energy, (0, 1), parallel=True)
    source = together.source(x, m, stage="compiled")
    assert "in prange(threads)" in source and "position_bar_0 = np.empty" in source
    value, slopes = together(x, m)
    wanted, slopes_wanted = ad.value_and_grad(energy, (0, 1))(x, m)
    assert value == pytest.approx(wanted, rel=1e-12)
    for one, other in zip(slopes, slopes_wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
