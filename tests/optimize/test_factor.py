"""What loops carry: one product a step, in the order of the steps, its factor saved beforehand."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from tests.benchmarks.problems.recurrence import recurrence


def logistic(x, r, n):
    """Its slopes are large and small in turn when x has settled."""
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x


def euler(x, h, n):
    for k in range(n):
        x = x + h * (x / (2.0 + k) - 0.5 * x)
        x = x - 0.1 * h * math.sin(x)
    return x


def driven(x, r, n):
    """The adjoint gets a rest in each step."""
    total = 0.0
    for _ in range(n):
        total += x * x
        x = x + 0.1 * r * math.cos(x)
    return total + x


def chosen(x, r, n):
    for _ in range(n):
        if x > 0.5:
            x = r * x
        else:
            x = math.exp(x) - 0.7
    return x


def two(x, r, n):
    """Two numbers that depend on each other."""
    y = r
    for _ in range(n):
        x, y = x + 0.1 * y, y - 0.1 * math.sin(x)
    return x + y


def twice(x, r, n):
    """What is saved in a loop is needed twice."""
    for _ in range(n):
        x = r * math.sin(x)
    for _ in range(n):
        x = x + 0.1 * math.tanh(x * r)
    return x


PROGRAMS = [recurrence, logistic, euler, driven, chosen, two, twice]


def _arguments(function, n):
    return (0.3, n) if function is recurrence else (0.3, 3.3 if function is logistic else 0.9, n)


def _run(function, *args):
    source = function.source(*args, stage="compiled")
    space = {}
    exec(source, space)
    return source, space[function.__name__](*args)


@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("function", PROGRAMS)
def test_derivatives_stay_the_same(function, n):
    args = _arguments(function, n)
    wrt = tuple(range(len(args) - 1))
    wanted = ad.grad(function, wrt, target="python")(*args)
    assert _run(ad.grad(function, wrt), *args)[1] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("function", [logistic, driven, two])
def test_second_derivatives_stay_the_same(function):
    args = _arguments(function, 6)
    wanted = ad.grad(ad.grad(function), (0, 1), target="python")(*args)
    found = _run(ad.grad(ad.grad(function), (0, 1)), *args)[1]
    assert found == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("function", PROGRAMS)
def test_compiled(function):
    args = _arguments(function, 9)
    off = {"factor_carried": False, "order_products": False, "save_factors": False}
    wanted = ad.value_and_grad(function, passes=off)(*args)
    assert ad.value_and_grad(function)(*args) == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_stay(dtype):
    def decay(x, h, n):
        for _ in range(n):
            x = x - h * x * 0.5
        return x

    args = (dtype(0.3), dtype(0.1), 5)
    value, slope = ad.value_and_grad(decay)(*args)
    wanted = ad.value_and_grad(decay, target="python")(*args)
    assert slope == pytest.approx(wanted[1], rel=5 * float(np.finfo(dtype).eps))
    assert value == pytest.approx(wanted[0], rel=5 * float(np.finfo(dtype).eps))


def _code(function, *args, **options):
    source = ad.grad(function, **options).source(*args, stage="compiled")
    return [line.strip() for line in source.splitlines() if not line.strip().startswith("#")]


@pytest.mark.parametrize("function", [recurrence, logistic, euler])
def test_a_sweep_of_one_product(function):
    code = _code(function, *_arguments(function, 3))
    last = code[-2]
    assert re.fullmatch(r"x_bar = exact\.times\(x_bar, \w+\[np\.uint64\(\w+\)\]\)", last)
    assert sum("np.empty(" in line for line in code) == 1


def test_switched_off():
    args = _arguments(logistic, 3)
    for options in ({"fastmath": False}, {"passes": {"order_products": False}}):
        assert not any("exact." in line for line in _code(logistic, *args, **options))
    code = _code(logistic, *args, passes={"save_factors": False})
    assert sum("np.empty(" in line for line in code) == 2


def swinging(factors):
    """No product on the way is large."""
    p = 1.0
    for i in range(len(factors)):
        p = p * factors[i]
    return p


def swinging_under_a_condition(factors):
    p = 1.0
    for i in range(len(factors)):
        if factors[i] != 2.0:
            p = -p * factors[i]
    return p


def swinging_rows(factors):
    p = 1.0
    for i in range(len(factors) // 8):
        for j in range(8):
            p *= factors[8 * i + j]
    return p


def swinging_backwards(factors):
    p = 1.0
    i = len(factors)
    while i > 0:
        i -= 1
        p *= factors[i]
    return p


def swinging_element(factors):
    p = np.ones((2, 3))
    for i in range(len(factors)):
        p[1, 2] *= factors[i]
    return p[1, 2]


def swinging_array(factors):
    return np.prod(factors)


@pytest.mark.parametrize(
    "function",
    [
        swinging,
        swinging_under_a_condition,
        swinging_rows,
        swinging_backwards,
        swinging_element,
        swinging_array,
    ],
)
def test_products_are_not_reordered(function):
    """Factors by turns large and small, in other orders infinity times zero."""
    factors = np.tile([2.0**10, 2.0**-10], 2000)
    value, slopes = ad.value_and_grad(function)(factors)
    assert value == ad.jit(function)(factors) == 1.0
    np.testing.assert_allclose(slopes, 1.0 / factors, rtol=1e-12)


def test_adjoints_are_not_reordered():
    def multiplied(x, factors):
        for i in range(len(factors)):
            x = x * factors[i]
        return x

    factors = np.tile([2.0**10, 2.0**-10], 2000)
    assert ad.grad(multiplied)(3.0, factors) == 1.0
    slope = ad.grad(logistic)(0.3, 3.3, 20_000)  # of a cycle of two with slopes 0.14 and -2.1
    assert slope == 0.0
