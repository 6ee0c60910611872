"""Small integers overflow in compiled code where they do in NumPy."""

import numpy as np
import pytest

import adcompile as ad


def half(a, b):
    return (a + b) // 2


def squares(a, b):
    return np.sum((a - b) ** 2 * 1.0) + np.sum(np.square(a) * 0.5)


def products(a, b):
    return a * b * 1.5 + (-a) * 0.25 + np.abs(b) * 2.0


def by_element(a, b):
    total = 0.0
    for i in range(len(a)):
        total += (a[i] - b[i]) * (a[i] * b[i]) * 0.5 + (a[i] + 1)
    return total


def bits(a, b):
    return (a << 2) * 1.0 + (~a) * 0.5 + (a ^ b) * 1.0


def rests(a, b):
    return np.sum((a % (b + 1)) * 1.0) + np.sum((a // b) * 1.0)


def outer(a, b):
    return np.outer(a, b) * 1.0


def wide_sums(a, b):
    return np.sum(a) * 1.0 + np.prod(b) + np.cumsum(a)[-1]


PROGRAMS = [half, squares, products, by_element, bits, rests, outer, wide_sums]


@pytest.mark.share(3)
@pytest.mark.parametrize("function", PROGRAMS)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32", "int64"])
def test_like_numpy(function, dtype):
    high = np.iinfo(dtype).max
    if dtype == "int64":
        high = 2**31
    a = np.array([high, high // 2 + 3, 5, 7], dtype)
    b = np.array([3, high - 1, 100, 1], dtype)
    with np.errstate(over="ignore"):
        wanted = function(a, b)
    np.testing.assert_allclose(ad.jit(function)(a, b), wanted, rtol=1e-12)


def test_derivatives_beside_them():
    def weighted(x, a):
        total = 0.0
        for i in range(len(x)):
            total += x[i] * (a[i] + a[i])
        return total

    a = np.array([200, 100, 7], np.uint8)
    np.testing.assert_array_equal(ad.grad(weighted)(np.ones(3), a), a + a)
