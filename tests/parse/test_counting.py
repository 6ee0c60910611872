"""NumPy's small and unsigned integers count as Python's do where they are ranges, indices, extents."""

import numpy as np
import pytest

import adcompile as ad

X = np.linspace(0.5, 1.5, 5)


def product(x, n, k):
    s = 1.0
    for i in range(k, n):
        s *= x[i]
    return s


def ends(x, n, k):
    s = 1.0
    for i in range(k, n):
        if i < n - 1 or i == k + 1:
            s += x[i] * x[i - 1]
        else:
            s *= x[i]
    return s


def downwards(x, n, k):
    s = 1.0
    for i in range(n - 1, k, -1):
        s += s * x[i] * x[i - k]
    return s


def slices(x, n, k):
    v = np.zeros(n)
    for i in range(k, n):
        v[i] = x[i] ** 2
    return np.sum(v[k:n] * x[k:n])


def converted(x, n, k):
    return x[int(k) - 1] * np.sum(np.arange(n) * x)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32", "uint64"])
@pytest.mark.parametrize("function", [product, ends, downwards, slices, converted])
def test_as_python_integers(function, dtype):
    number = np.dtype(dtype).type
    for k in (0, 1, 3):
        value, gradient = ad.value_and_grad(function)(X, 5, k)
        for target in ("cpu", "python"):
            found = ad.value_and_grad(function, target=target)(X, number(5), number(k))
            np.testing.assert_allclose(found[0], value, rtol=1e-14)
            np.testing.assert_allclose(found[1], gradient, rtol=1e-14)


def test_a_range_that_is_empty():
    for target in ("cpu", "python"):
        derivative = ad.value_and_grad(product, target=target)
        value, gradient = derivative(X, np.uint32(3), np.uint32(5))
        assert value == 1.0 and not gradient.any()
