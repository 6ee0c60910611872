"""Powers as products and roots: within 4 units, and what NumPy gives at 0, infinity and NaN."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

import adcompile as ad

EXPONENTS = [
    1.5, 2.5, 3.5, 4.5, -0.5, -1.5, -2.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 17, 31, 32, 64, 65,
    -1, -2, -3, -4, -5, -6, -8, -9, -12, -33, -64, -65, 0.3, -3.5, 5.5, 7.25,
]  # fmt: skip
ENDS = [0.0, np.inf, 1.0, 1e300, 1e-300, 1e40, 1e-40, 5e-324]


def _power(exponent, **options):
    def function(x):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = x[i] ** exponent
        return out

    return ad.jit(function, **options)


def _exact(x, exponent):
    with localcontext() as context:
        context.prec = 60
        return Decimal(float(x)) ** Decimal(exponent)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_powers_are_within_4_units(exponent, dtype):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2.5, 2000).astype(dtype)
    if exponent % 1 == 0:
        x *= rng.choice([-1.0, 1.0], 2000).astype(dtype)
    found = _power(exponent)(x)
    assert found.dtype == dtype
    for one, wanted in zip(found, (_exact(v, exponent) for v in x), strict=True):
        unit = np.spacing(np.dtype(dtype).type(abs(float(wanted))))
        assert abs(Decimal(float(one)) - wanted) <= 4 * Decimal(float(unit))


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_ends(exponent):
    x = np.array(ENDS + [-v for v in ENDS if v and exponent % 1 == 0] + [np.nan])
    with np.errstate(all="ignore"):
        wanted = x ** np.float64(exponent)
    found = _power(exponent)(x)
    tiny = np.abs(wanted) < np.finfo(float).smallest_normal  # may be given as 0
    np.testing.assert_allclose(found[~tiny], wanted[~tiny], rtol=1e-15)
    assert (np.abs(found[tiny]) < np.finfo(float).smallest_normal).all()


@pytest.mark.parametrize("exponent", [2, 5, -1.5, 12, -7, 0.3])
def test_derivatives(exponent):
    x = np.array([0.5, 1.25, 2.0])

    def function(x):
        return np.sum(x**exponent)

    by_hand = exponent * x ** np.float64(exponent - 1)
    np.testing.assert_allclose(ad.grad(function)(x), by_hand, rtol=1e-14)
    second = exponent * (exponent - 1) * x ** np.float64(exponent - 2)
    np.testing.assert_allclose(np.diag(ad.hessian(function)(x)), second, rtol=1e-14)


def test_powers_of_a_number_and_a_variable_exponent():
    def function(x, n, p):
        return x**n + x**p + (x * 1j) ** 2 * 1j**n

    for n in (0, 1, 3, -2):
        found = ad.jit(function)(1.5, n, 0.7)
        np.testing.assert_allclose(found, function(1.5, n, 0.7), rtol=1e-14)


def test_what_is_emitted():
    def sources(exponent):
        return [
            _power(exponent, **options).source("f8[:]", stage="compiled")
            for options in ({}, {"fastmath": False}, {"passes": {"multiply_powers": False}})
        ]

    products, *others = sources(6)
    assert "** 6.0" not in products and "pow" not in products
    assert all("** 6.0" in source for source in others)
    marked, *others = sources(12)
    assert "exact.power(x[i], 12)" in marked
    assert all("** 12.0" in source for source in others)
    several, *_ = sources(0.3)
    assert "math.pow(x[i], 0.3)" in several
