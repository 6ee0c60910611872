"""Branches that only decide between numbers, where both sides are computed."""

import math

import numpy as np
import pytest

import adcompile as ad

X, Y = np.random.default_rng(5).standard_normal((2, 40))


def unit(x, y):
    total = 0.0
    for i in range(len(x)):
        v = x[i] * y[i]
        a = v if v > 0.0 else math.exp(v) - 1.0
        total += (a - x[i]) ** 2
    return total


def of_three_sides(x, y):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 1.0:
            v = math.sin(x[i])
        elif x[i] > -1.0:
            v = x[i] ** 2 * y[i]
        else:
            v = math.exp(x[i])
        total += v * v * y[i]
    return total


def with_infinite_sides(x, y):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.0:
            v = math.log(x[i]) / x[i]
        else:
            v = math.exp(-1000.0 * y[i] * y[i] / (x[i] - 1.0)) if y[i] == 9.0 else y[i]
        total += v**2
    return total


def in_order(x, y):
    v = 0.1
    for i in range(len(x)):
        if x[i] > 0.0:
            v = math.sin(v) * y[i]
        else:
            v = math.exp(-v * v)
    return v


def that_reads(x, y):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.0:
            total += math.sin(x[i]) ** 2
        else:
            total += y[i] ** 2 * math.exp(y[i])
    return total


def of_many_functions(x, y):
    total = 0.0
    for i in range(len(x)):
        v = x[i]
        if v > 0.0:
            for _ in range(1):
                v = math.sin(math.exp(math.sin(math.exp(math.sin(math.exp(math.sin(v)))))))
        total += v * v * y[i]
    return total


@pytest.mark.parametrize(
    "function", [unit, of_three_sides, with_infinite_sides, in_order, that_reads, of_many_functions]
)
def test_values_stay(function):
    found = ad.value_and_grad(function, (0, 1))(X, Y)
    off = ad.value_and_grad(function, (0, 1), passes={"compute_both_sides": False})(X, Y)
    wanted = ad.value_and_grad(function, (0, 1), target="python")(X, Y)
    for one, other, read in zip(
        [found[0], *found[1]], [off[0], *off[1]], [wanted[0], *wanted[1]], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(one, read, rtol=1e-12, atol=1e-14)


def _branches(function, **options):
    source = ad.value_and_grad(function, (0, 1), **options).source(X, Y, stage="compiled")
    return source.count(" if not ") + source.count("    if t")


@pytest.mark.parametrize("function", [unit])
def test_no_branch_is_left(function):
    assert _branches(function) == 0
    for options in ({"passes": {"compute_both_sides": False}}, {"fastmath": False}):
        assert _branches(function, **options) > 0


@pytest.mark.parametrize("function", [in_order, that_reads])
def test_what_keeps_its_branches(function):
    off = ad.value_and_grad(function, (0, 1), passes={"compute_both_sides": False})
    on = ad.value_and_grad(function, (0, 1))
    assert on.source(X, Y, stage="compiled") == off.source(X, Y, stage="compiled")


def test_loops_over_elements_of_two_axes_join():
    def function(a, b):
        return np.sum(np.maximum(a, b) ** 2)

    a, b = X.reshape(5, 8), Y.reshape(5, 8)
    gradient = ad.value_and_grad(function, (0, 1))
    assert gradient.source(a, b, stage="compiled").count("for j in") == 1
    value, (by_a, by_b) = gradient(a, b)
    assert value == pytest.approx(function(a, b))
    np.testing.assert_allclose(by_a, np.where(a > b, 2.0 * a, 0.0))
    np.testing.assert_allclose(by_b, np.where(b > a, 2.0 * b, 0.0))
