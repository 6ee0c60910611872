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


def corner(m, rows, columns):
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            total += m[i, j] ** 3
    return total


def corner_of_columns(m, like):
    total = 0.0
    for j in range(like.shape[1] - 1, -1, -1):
        for i in range(like.shape[0]):
            total += m[i, j] * like[i, j]
    return total


def triangle(m):
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(i + 1):
            total += m[i, j] ** 3
    return total


def prices(spot, strike, years):
    total = 0.0
    for i in range(len(spot)):
        total += spot[i] * np.exp(-years[i]) * strike[i] ** 2
    return total


def pairs(x, y):
    total = 0.0
    for a, b in zip(x, y, strict=False):
        total += a * b**2
    return total


def steps(u, n):
    for _ in range(n):
        new = u.copy()
        new[1:-1] = u[1:-1] + 0.2 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) * u[1:-1]
        u = new
    return np.sum(u * u)


X = np.array([0.3, 1.2, 0.7, 0.5])
CASES = [
    (squares, (X,)), (all_but_one, (X,)), (down_but_one, (X,)), (of_another_length, (X, X[:3])), (some, (X,)),
    (twice, (X,)), (plane, (np.outer(X, X),)), (triangle, (np.outer(X, X),)),
    *((corner, (np.outer(X, X), i, j)) for i in (0, 1, 3, 4) for j in (0, 2, 4)),
    (pairs, (X, X[:3])), (pairs, (X[:2], X)), (steps, (X, 3)),
    (corner_of_columns, (np.outer(X, X), np.ones((2, 3)))), (corner_of_columns, (np.outer(X, X), np.ones((0, 3)))),
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
    assert zeros_in(triangle, np.outer(X, X)) == 1


def test_zeros_are_written_where_a_loop_ends_before_the_array():
    assert zeros_in(of_another_length, X, X[:3]) == 0
    assert zeros_in(corner, np.outer(X, X), 2, 3) == 1
    assert "np.zeros" not in ad.grad(pairs, argnums=(0, 1)).source(X, X, stage="compiled")
    assert "u_bar_1[i] = 0.0" in ad.grad(steps).source(X, 3, stage="compiled")  # at the ends
    together = ad.grad(prices, wrt=("spot", "strike", "years"))
    assert "np.zeros" not in together.source(X, X, X, stage="compiled")
    for one in (X, np.arange(6.0), np.arange(40.0)):
        for found, wanted in zip(
            together(X, one, one[::-1]),
            ad.grad(prices, wrt=("spot", "strike", "years"), target="python")(X, one, one[::-1]),
            strict=True,
        ):
            np.testing.assert_allclose(found, wanted, rtol=1e-13)
