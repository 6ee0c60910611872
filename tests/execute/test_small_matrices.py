"""Small matrices: the loops give what the algebra library gives, errors included."""

import numba
import numpy as np
import pytest

from adcompile.execute import exact


@numba.njit(error_model="numpy")
def inverse(a):
    return exact.inv(a)


@numba.njit(error_model="numpy")
def determinant(a):
    return exact.det(a)


DTYPES = ["float64", "float32", "complex128"]


def matrix(rng, shape, dtype):
    a = rng.standard_normal(shape)
    return (a + 1j * rng.standard_normal(shape) if dtype == "complex128" else a).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_inverses_and_determinants(dtype, order):
    rng = np.random.default_rng(1)
    tolerance = 2e-2 if dtype == "float32" else 1e-10
    for _ in range(20):
        for n in range(8):
            a = np.asarray(matrix(rng, (n, n), dtype), order=order)
            if n > 1:
                a[0, 0] = 0  # the first pivot is elsewhere
            if n == 1:
                a[0, 0] += 2
            before = a.copy()
            np.testing.assert_allclose(inverse(a) @ a, np.eye(n), tolerance, tolerance)
            assert inverse(a).flags.f_contiguous
            np.testing.assert_allclose(determinant(a), np.linalg.det(a), tolerance, tolerance)
            np.testing.assert_array_equal(a, before)


def test_the_error_is_as_small_as_the_library_s():
    rng = np.random.default_rng(2)
    for n in range(2, 6):
        mine, theirs = [], []
        for _ in range(200):
            a = rng.standard_normal((n, n)) * np.exp(3 * rng.standard_normal((n, 1)))
            size = np.linalg.norm(a) * np.linalg.norm(np.linalg.inv(a)) * 2e-16
            mine.append(np.linalg.norm(inverse(a) @ a - np.eye(n)) / size)
            theirs.append(np.linalg.norm(np.linalg.inv(a) @ a - np.eye(n)) / size)
        assert np.max(mine) < 5 * np.max(theirs)


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_singular_matrices(n):
    a = np.ones((n, n)) if n > 1 else np.zeros((1, 1))
    with pytest.raises(np.linalg.LinAlgError):
        inverse(a)
    assert determinant(a) == 0.0


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_what_is_not_finite_is_refused_as_by_the_compiler_s_own(n):
    a = np.eye(n)
    a[0, -1] = np.nan
    for function in (inverse, determinant):
        with pytest.raises(np.linalg.LinAlgError):
            function(a)
