"""Products of matrices in compiled code: every order in memory, every dtype, tiny and large."""

import numba
import numpy as np
import pytest

from adcompile.execute import exact

SIZES = [
    (3, 4, 5), (13, 7, 11), (1, 300, 1), (1, 40, 40), (50, 1, 50), (40, 40, 1), (300, 1, 1),
    (0, 3, 4), (3, 0, 4), (17, 0, 1000),
]  # fmt: skip


@numba.njit(error_model="numpy")
def dot_into(out, a, b):
    exact.dot_into(out, a, b)
    return out


def in_order(x, order):
    return np.repeat(x, 2, axis=0)[::2] if order == "A" else np.array(x, order=order)


@pytest.mark.share(10)
@pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning")
@pytest.mark.parametrize("orders", ["CC", "CF", "FC", "FF", "AC"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_like_numpy(dtype, orders):
    rng = np.random.default_rng(0)
    tolerance = 1e-4 if dtype in ("float32", "complex64") else 1e-11
    for rows, inner, columns in SIZES:
        a, b = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
        if dtype.startswith("complex"):
            a, b = a + 1j * rng.normal(size=a.shape), b - 2j * rng.normal(size=b.shape)
        a, b = in_order(a.astype(dtype), orders[0]), in_order(b.astype(dtype), orders[1])
        vector = rng.normal(size=inner).astype(dtype)
        for x, y in ((a, b), (a, vector), (vector, b)):
            for order in "CFA":
                into = dot_into(in_order(np.full((x @ y).shape, np.nan, dtype), order), x, y)
                assert into.dtype == dtype
                np.testing.assert_allclose(into, x @ y, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(
    "a, b", [((3, 4), (5, 6)), ((3, 4), (5,)), ((3,), (4, 5)), ((30, 40), (50, 60))]
)
def test_sizes_that_do_not_fit(a, b):
    with pytest.raises(ValueError, match="cannot be multiplied"):
        dot_into(np.ones((3, 6)[: len(a) + len(b) - 2]), np.ones(a), np.ones(b))
