"""Steps of a reverse sweep that no adjoint passes through are left out."""

import re

import numpy as np
import pytest

import adcompile as ad
from tests.benchmarks.problems.warping import warping


def alignment(a, b):
    """The best path, with a price for each gap."""
    score = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(len(a)):
        for j in range(len(b)):
            along = max(score[i, j + 1] - 0.3, score[i + 1, j] - 0.2)
            score[i + 1, j + 1] = max(score[i, j] + a[i] * b[j], along)
    return score[len(a), len(b)]


def furthest(a, b):
    """The largest sum of a number and an earlier one, in one row."""
    best = np.empty(len(a))
    best[0] = a[0]
    for i in range(1, len(a)):
        best[i] = max(best[i - 1] * b[0], a[i] * b[i % len(b)])
    return best[len(a) - 1] + best[len(a) // 2]


def overwritten(a, b):
    """A row that each step writes anew, from the right."""
    row = np.zeros(len(b) + 1)
    for i in range(len(a)):
        for j in range(len(b) - 1, -1, -1):
            row[j] = max(row[j] + a[i] * b[j], row[j + 1] - 0.1)
    return np.sum(row)


SKIPPED = [warping, alignment, furthest, overwritten]
TEST = re.compile(r"if \w+ != 0:\n")


def _arguments(n=6, m=5):
    rng = np.random.default_rng(4)
    return rng.standard_normal(n), rng.standard_normal(m)


def _run(function, *args):
    source = function.source(*args, stage="compiled")
    space = {}
    exec(source, space)
    return source, space[function.__name__](*args)


@pytest.mark.parametrize("sizes", [(6, 5), (1, 1), (1, 4), (3, 1), (12, 9)])
@pytest.mark.parametrize("function", SKIPPED)
def test_gradients_stay_the_same(function, sizes):
    args = _arguments(*sizes)
    wanted = ad.value_and_grad(function, (0, 1), target="python")(*args)
    source, (value, slopes) = _run(ad.value_and_grad(function, (0, 1)), *args)
    assert TEST.search(source)
    assert value == pytest.approx(wanted[0], rel=1e-13)
    for found, right in zip(slopes, wanted[1], strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", SKIPPED)
def test_compiled(function):
    a, b = _arguments(9, 8)
    ad.check_grads(function, (a, b), order=1, modes=("rev",))
    for options in ({"passes": {"skip_zeros": False}}, {"fastmath": False}):
        assert not TEST.search(ad.grad(function, **options).source(a, b, stage="compiled"))


def test_ties_are_shared():
    a = np.zeros(3)
    wanted = ad.grad(warping, (0, 1), target="python")(a, a)
    for one, other in zip(ad.grad(warping, (0, 1))(a, a), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_infinite_beside_the_path():
    """Zero times infinity is zero where nothing depends on it."""

    def longest(a, b):
        y = np.zeros(len(a) + 1)
        for i in range(len(a)):
            y[i + 1] = max(y[i] * b[i], y[i] + a[i])
        return y[3]

    a, b = np.array([1.0, 2.0, 0.5, np.inf]), np.array([0.5, 1.0, 0.3, np.inf])
    source, slopes = _run(ad.grad(longest, (0, 1)), a, b)
    assert TEST.search(source)
    np.testing.assert_array_equal(slopes[0], [1.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(slopes[1], np.zeros(4))


def alone(a, b):
    """Iterations that stand alone are computed several at a time instead."""
    total = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            total += max(a[i] * b[j], a[i] - b[j]) ** 2
    return total


def without_choice(a, b):
    """All adjoints are passed on."""
    y = np.zeros(len(a) + 1)
    for i in range(len(a)):
        y[i + 1] = np.sin(y[i] * a[i]) + b[0] * y[i] * np.cos(a[i] * y[i])
    return y[len(a)]


@pytest.mark.parametrize("function", [alone, without_choice])
def test_loops_that_stay_as_they_are(function):
    source = ad.grad(function, (0, 1)).source(*_arguments(), stage="compiled")
    assert not TEST.search(source)
