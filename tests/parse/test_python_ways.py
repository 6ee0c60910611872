"""What Python means: operators of classes, functions made in comprehensions, Numba's ranges."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pytest

import adcompile as ad


@dataclass
class Number:
    x: Any

    def __add__(self, other):
        return Number(self.x + other.x)

    def __iadd__(self, other):
        self.x = self.x * other.x
        return self

    def __pos__(self):
        return Number(self.x * 8.0)

    def __neg__(self):
        return Number(self.x * 3.0)

    def __invert__(self):
        return Number(self.x * 5.0)

    def __mul__(self, factor):
        return Number(self.x * factor)

    def __rmul__(self, factor):
        return Number(self.x * factor * 2.0)


@dataclass
class Stronger(Number):
    def __radd__(self, other):
        return Stronger(self.x * other.x)


def added_in_place(x):
    v = Number(x)
    v += Number(3.0 * x)
    return v.x


def signs(x):
    return (+Number(x)).x + (-Number(x)).x ** 2 + (~Number(x)).x ** 3


def of_a_subclass(x):
    return (Number(x) + Stronger(x)).x


def with_numbers(x):
    return (Number(x) * x).x + (x * Number(x)).x + (2.0 * Number(x)).x


@pytest.mark.parametrize("function", [added_in_place, signs, of_a_subclass, with_numbers])
def test_operators_of_a_class(function):
    assert ad.jit(function)(1.5) == function(1.5)
    ad.check_grads(function, (1.5,))


def test_a_class_compares_as_it_likes():
    @dataclass
    class Odd:
        x: Any

        def __eq__(self, other):
            return self.x == other.x

        __hash__ = None

    assert ad.grad(lambda e: e.x * e.x)(Odd(3.0)).x == 6.0


def test_functions_of_a_comprehension_read_its_variables_late():
    def of_each(x):
        k = 10.0
        made = [lambda v: v * k for k in range(3)]
        return made[0](x) + k

    with pytest.raises(ad.UnsupportedSyntax, match="a variable of the comprehension") as caught:
        ad.jit(of_each)(2.0)
    assert "k=k" in str(caught.value)

    def bound(x):
        made = [lambda v, k=k: v * k for k in range(3)]
        return made[0](x) + made[2](x) + sum([(lambda v: v * k)(x) for k in range(4)])

    assert ad.jit(bound)(2.0) == bound(2.0) == 16.0


@numba.njit(parallel=True)
def in_parallel(x):
    total = 0.0
    for i in numba.prange(len(x)):
        total += x[i] ** 2
    return total


@pytest.mark.parametrize("options", [{}, {"parallel": True}, {"target": "python"}], ids=str)
def test_parallel_ranges_of_numba_are_ranges(options):
    x = np.arange(4.0)
    value, gradient = ad.value_and_grad(in_parallel, **options)(x)
    assert value == 14.0
    np.testing.assert_array_equal(gradient, 2.0 * x)
