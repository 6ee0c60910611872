"""A new array takes over the memory of a dying one, and of no other."""

import numpy as np
import pytest

import adcompile as ad


def log_sum_exp(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def kept_on_a_stack(x, steps):
    n = 0
    while n < steps:
        x = x * np.sin(x)
        n += 1
    return np.sum(x)


def read_again(x):
    y = np.exp(x)
    z = y * np.sum(y)
    return np.sum(z * y)


def read_elsewhere(x):
    y = np.exp(x)
    z = np.empty(len(x))
    for i in range(len(x)):
        z[i] = y[i] + y[len(x) - 1 - i]
    return np.sum(z * z)


X = np.array([0.3, 1.2, 0.7, 0.5])


@pytest.mark.parametrize(
    ("function", "args"),
    [(log_sum_exp, (X,)), (kept_on_a_stack, (X, 4)), (read_again, (X,)), (read_elsewhere, (X,))],
)
def test_results_stay(function, args):
    value, gradient = ad.value_and_grad(function)(*args)
    wanted = ad.value_and_grad(function, target="python")(*args)
    np.testing.assert_allclose(value, wanted[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-13)


def test_one_buffer_is_enough():
    source = ad.value_and_grad(log_sum_exp).source(X, stage="compiled")
    assert source.count("np.empty") == 2  # the gradient, and where the largest is


def test_what_a_stack_keeps_is_left_alone():
    source = ad.value_and_grad(kept_on_a_stack).source(X, 4, stage="compiled")
    assert ".append(" in source
