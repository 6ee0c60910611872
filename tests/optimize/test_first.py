"""Arrays of zeros that a loop fills by its first sums are not written twice."""

import numpy as np
import pytest

import adcompile as ad


def squares(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i] * np.sin(total)
    return total


def all_but_one(x):
    total = 0.0
    for i in range(1, len(x)):
        total += x[i] * x[i]
    return total


def down_but_one(x):
    total = 1.0
    for i in range(1, len(x)):
        total *= 1.0 + x[i]
    return total


def of_another_length(x, y):
    total = 0.0
    for i in range(len(y)):
        total += x[i] * y[i]
    return total


def some(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.5:
            total += x[i] * x[i]
    return total


def twice(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[len(x) - 1 - i]
    return total


def plane(m):
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(m.shape[1]):
            total += m[i, j] ** 3
    return total


X = np.array([0.3, 1.2, 0.7, 0.5])
CASES = [
    (squares, (X,)), (all_but_one, (X,)), (down_but_one, (X,)), (of_another_length, (X, X[:3])), (some, (X,)),
    (twice, (X,)), (plane, (np.outer(X, X),)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args"), CASES)
def test_results_stay(function, args):
    found = ad.grad(function)(*args)
    np.testing.assert_allclose(found, ad.grad(function, target="python")(*args), rtol=1e-13)


def zeros_in(function, *args):
    return ad.grad(function).source(*args, stage="compiled").count("np.zeros")


def test_zeros_are_not_written_where_all_elements_follow():
    assert zeros_in(plane, np.outer(X, X)) == zeros_in(some, X) == 0
    assert zeros_in(all_but_one, X) == zeros_in(down_but_one, X) == 1
    assert zeros_in(of_another_length, X, X[:3]) >= 1
