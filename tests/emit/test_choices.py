"""What an extremum hands back is chosen without a branch."""

import numba
import numpy as np
import pytest

import adcompile as ad
from adcompile.execute import exact

X = np.cos(np.arange(16.0)).reshape(4, 4)


def pooled(x):
    total = 0.0
    for i in range(x.shape[0] // 2):
        for j in range(x.shape[1] // 2):
            upper = max(x[2 * i, 2 * j], x[2 * i, 2 * j + 1])
            lower = max(x[2 * i + 1, 2 * j], x[2 * i + 1, 2 * j + 1])
            total += max(upper, lower) ** 2
    return total


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fastmath", [True, False])
def test_choices_of_three(dtype, fastmath):
    x = X.astype(dtype)
    x[0, 1] = x[0, 0] = x[1, 1] = 2.0  # the largest ones share the adjoint
    x[3, 3] = np.nan
    gradient = ad.grad(pooled, fastmath=fastmath)
    assert "exact.where(" in gradient.source(x, stage="compiled")
    wanted = ad.grad(pooled, target="python")(x)
    np.testing.assert_allclose(gradient(x), wanted, rtol=1e-6)
    assert gradient(x).dtype == wanted.dtype


def test_what_is_costly_waits_for_its_condition():
    def guarded(x):
        total = 0.0
        for i in range(len(x)):
            total += np.where(x[i] > 1.0, np.exp(x[i]), np.where(x[i] > 0.5, 1.0, 1.0 / x[i]))
        return total

    source = ad.jit(guarded).source(X[0], stage="compiled")
    assert "exact.where(" not in source
    np.testing.assert_allclose(ad.jit(guarded)(X[0]), guarded(X[0]))


def test_both_numbers_have_one_type():
    chosen = numba.njit(exact.where)
    assert chosen(True, 1.0, 2.0) == exact.where(True, 1.0, 2.0) == 1.0
    assert chosen(False, np.float32(1.0), np.float32(2.0)) == 2.0
    with pytest.raises(numba.TypingError):
        numba.njit(lambda c: exact.where(c, 1.0, np.float32(2.0)))(True)
