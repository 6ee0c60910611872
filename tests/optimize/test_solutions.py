"""Matrices that are factored once, for all that is solved with them."""

import math

import numpy as np
import pytest
from scipy.linalg import solve_triangular

import adcompile as ad
from adcompile.graph.trees import leaves


def density(k, y):
    _, size = np.linalg.slogdet(k)
    return y @ np.linalg.solve(k, y) + size


def by_implicit_steps(a, x):
    for _ in range(4):
        x = np.linalg.solve(a, x)
    return np.sum(x**2)


def by_newton(a, x):
    while np.sum(x * x) > 1e-3:
        x = np.linalg.solve(a, x)
    return np.sum(x**2)


def of_matrices(a, b):
    return np.sum(np.linalg.solve(a, b) ** 2) + np.linalg.det(a) + np.sum(np.linalg.inv(a) ** 2)


def of_both_directions(a, x):
    return np.linalg.solve(a, x) @ np.linalg.solve(a.T, x)


def with_a_cholesky_factor(k, y):
    factor = np.linalg.cholesky((k + k.T) / 2)
    half = np.linalg.solve(factor, y)
    return half @ half + np.sum(np.linalg.solve(factor.T, half)) + np.sum(np.log(np.diag(factor)))


def of_triangles(k, b):
    x = solve_triangular(k, b, lower=True)
    return np.sum(x * solve_triangular(k, b, trans=1) ** 2)


def inside_a_branch(a, x):
    total = 0.0
    if x[0] > 0.0:
        for k in range(3):
            total += np.linalg.solve(a, x * x[k])[k]
    return total


def of_each_item(a, x):
    total = 0.0
    for k in range(len(x)):
        shifted = a + x[k] * np.eye(len(x))
        total += np.linalg.solve(shifted, x)[0] * np.linalg.slogdet(shifted)[1]
    return total


def of_a_matrix_that_is_written(a, x):
    total = 0.0
    for k in range(3):
        total += np.linalg.solve(a, x)[k]
        a[k, k] += x[k]
    return total


def of_what_a_branch_may_skip(a, x):
    total = 0.0
    for k in range(3):
        if x[k] > 0.5:
            total += np.linalg.solve(a, x)[k]
        else:
            total += np.linalg.solve(a, x * x)[k]
    return total


rng = np.random.default_rng(7)
A = rng.standard_normal((3, 3)) + 4 * np.eye(3)
K, X, B = A @ A.T, rng.random(3), rng.random((3, 2))
SHARED = {
    density: ((K, X), 1, 0),
    by_implicit_steps: ((A, X), 1, 0),
    by_newton: ((A, X), 1, 0),
    of_matrices: ((A, B), 1, 0),
    of_both_directions: ((A, X), 1, 0),
    with_a_cholesky_factor: ((K, X), 0, 0),
    of_triangles: ((A, B), 0, 0),
    inside_a_branch: ((A, X), 2, 0),
    of_each_item: ((A, X), 1, 0),
    of_a_matrix_that_is_written: ((A, X), 0, 2),
    of_what_a_branch_may_skip: ((A, X), 0, 4),
}


def _counts(source):
    return source.count("library.lu("), source.count("library.solve(")


def _agree(found, wanted):
    for one, other in zip(leaves(found), leaves(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("function", SHARED)
def test_the_gradient_is_right_and_factors_as_little_as_it_can(function):
    args, factors, solves = SHARED[function]
    gradient = ad.value_and_grad(function, (0, 1))
    source = gradient.source(*args, stage="compiled")
    assert _counts(source) == (factors, solves)
    off = ad.value_and_grad(function, (0, 1), passes={"share_factors": False})
    assert _counts(off.source(*args, stage="compiled"))[0] == 0
    _agree(gradient(*args), ad.value_and_grad(function, (0, 1), target="python")(*args))


@pytest.mark.parametrize("function", [density, by_implicit_steps, of_matrices, of_triangles])
def test_of_higher_order(function):
    args, _, _ = SHARED[function]
    second = [ad.hvp(function, target=target)(*args, args[0].T) for target in ("cpu", "python")]
    _agree(*second)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_other_numbers(dtype):
    def function(a, x):
        y = np.linalg.solve(a, x)
        return np.sum(np.abs(y) ** 2) + np.sum(np.abs(np.linalg.solve(a.T, y)) ** 2)

    a = (A + 1j * A.T).astype(dtype) if dtype == "complex128" else A.astype(dtype)
    x = X.astype(dtype)
    gradient = ad.grad(function, (0, 1))
    assert _counts(gradient.source(a, x, stage="compiled")) == (1, 0)
    wanted = ad.grad(function, (0, 1), target="python")(a, x)
    for one, other in zip(gradient(a, x), wanted, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, rtol=1e-4 if dtype == "float32" else 1e-11)


def test_fastmath_false_solves_as_written():
    source = ad.grad(density, fastmath=False).source(K, X, stage="compiled")
    assert "library.lu" not in source and "trsm" not in source


def test_explain_says_so():
    (told,) = ad.grad(by_implicit_steps).explain(A, X).of("factored")
    assert told.what == "a"
    assert told.because == "factored once for 2 operations, before the loop"


def test_a_matrix_that_no_run_factors_may_be_singular():
    def function(a, x, n):
        for _ in range(n):
            x = np.linalg.solve(a, x)
        return np.sum(x)

    gradient = ad.value_and_grad(function, (0, 1))
    assert _counts(gradient.source("f8[:, :], f8[:], i8", stage="compiled")) == (1, 0)
    value, (by_a, by_x) = gradient(np.zeros((2, 2)), np.ones(2), 0)
    assert value == 2.0
    assert not by_a.any() and (by_x == 1.0).all()
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        gradient(np.zeros((2, 2)), np.ones(2), 1)
    with pytest.raises(np.linalg.LinAlgError, match="infinite"):
        gradient(np.full((2, 2), math.nan), np.ones(2), 1)
    assert gradient(np.zeros((0, 0)), np.zeros(0), 2)[0] == 0.0


def test_triangular_systems_run_on_threads():
    def function(a, b):
        total = 0.0
        for k in range(b.shape[0]):
            total += np.sum(solve_triangular(a, b[k], lower=True))
        return total

    b = rng.random((6, 3, 2))
    shared = ad.value_and_grad(function, (0, 1), parallel=True)
    assert shared.explain(A, b).of("parallel")
    _agree(shared(A, b), ad.value_and_grad(function, (0, 1), target="python")(A, b))
