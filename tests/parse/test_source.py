"""Where source is found: lambdas, decorators, closures, compiled functions, other modules."""

import functools

import numba
import numpy as np
import pytest

import adcompile as ad
from tests.programs import lstm

pair = (lambda x: x * 2.0, lambda x: x * x)


def test_lambdas_on_one_line_are_told_apart():
    assert [ad.grad(f)(3.0) for f in pair] == [2.0, 6.0]
    first, second = ad.grad(lambda x: x * 3.0), ad.grad(lambda x: x**3)
    assert (first(2.0), second(2.0)) == (3.0, 12.0)


def test_lambda_over_several_lines():
    function = lambda x: (
        x * x
        + x
    )  # fmt: skip
    assert ad.grad(function)(2.0) == 5.0


def test_wrapped_functions():
    def doubled(function):
        @functools.wraps(function)
        def wrapper(x):
            return 2 * function(x)

        return wrapper

    @doubled
    def square(x):
        return x * x

    @functools.wraps(square)
    def passing(*args):
        return square(*args)

    with pytest.raises(ad.UnsupportedSyntax, match="name each parameter"):
        ad.grad(passing)(1.0)
    assert ad.grad(numba.njit(lambda x: x * x))(3.0) == 6.0
    assert square(3.0) == 18.0
    assert ad.grad(square)(3.0) == 12.0


def test_closures_hold_functions_and_numbers():
    def make(factor):
        inner = lambda v: factor * v * v

        def outer(x):
            return inner(x) + inner(2 * x)

        return outer

    assert ad.grad(make(1.0))(1.0) == 10.0
    assert ad.grad(make(3.0))(1.0) == 30.0


def test_functions_of_other_modules():
    gradient = ad.grad(lambda x: np.sum(lstm.sigmoid(x)))
    np.testing.assert_allclose(gradient(np.zeros(2)), [0.25, 0.25])
    assert "sigmoid" not in gradient.source("f8[:]")


def test_docstrings_annotations_and_comments():
    def documented(x: float, n: int = 2) -> float:
        """Says what it does."""
        # a comment
        y: float = x * n  # another
        return y * y

    assert ad.grad(documented)(3.0) == 24.0
