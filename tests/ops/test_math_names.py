"""Names of `math` and limits of dtypes that NumPy's table does not have."""

import math

import numpy as np
import pytest

import adcompile as ad

X = np.linspace(0.1, 0.9, 5)


def logarithms(x):
    return math.log(x[0], 2) + math.log(x[1], x[2]) * math.log(x[3]) + math.log(8, 2) * x[4]


def lengths(x):
    return math.hypot(x[0], x[1], x[2]) + math.hypot(x[3]) + math.hypot(3.0, 4.0) * x[4]


def distances(x):
    return math.dist(x[:2], x[2:4]) + math.dist((x[0], x[1]), (x[4], 1.0))


def limits(x):
    least = np.finfo(x.dtype).tiny + np.finfo(np.float64).eps
    return np.sum(np.log(x + least)) * np.iinfo(np.int16).max


@pytest.mark.parametrize("function", [logarithms, lengths, distances, limits])
@pytest.mark.parametrize("options", [{}, {"target": "python"}])
def test_value_and_gradient(function, options):
    value, gradient = ad.value_and_grad(function, **options)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-12)
    steps = 1e-6 * np.eye(len(X))
    wanted = [(function(X + step) - function(X - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6)
