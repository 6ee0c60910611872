"""What derivatives divide by is inverted once; a user's own quotients stay."""

import math

import numpy as np
import pytest

import adcompile as ad


def potential(x, y):
    total = 0.0
    for i in range(len(x)):
        total += x[i] / math.sqrt(x[i] * x[i] + y[i] * y[i] + 0.1)
    return total


def ratios(x, y):
    total = x[0] / y[0] + 1.0 / y[0] * x[1]
    for i in range(len(x)):
        q = x[i] / y[i]
        total += q * q + 2.0 / y[i] - 0.3 / (y[i] * y[i])
    return total


def projected(x, y):
    total = 0.0
    for i in range(len(x)):
        depth = 2.0 + x[i] * y[i]
        total += (x[i] / depth) ** 2 * (y[i] / depth)
    return total


def steps(x, y):
    """49 * (1 / 49) is less than 1."""
    total = 0.0
    for i in range(len(x)):
        total += math.floor(x[i] / y[i]) * x[i] + y[i] / x[i]
        total += math.floor(49.0 / y[i]) * x[i] + 7.0 / y[i]
    return total


@pytest.mark.parametrize("function", [potential, ratios, projected, steps])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_stay(function, dtype):
    rng = np.random.default_rng(0)
    tolerance = 1e-14 if dtype == "float64" else 1e-5
    for _ in range(20):
        x, y = (rng.uniform(0.5, 2.0, 5).astype(dtype) for _ in range(2))
        x[0] = y[0] = 49.0
        mine = ad.value_and_grad(function, wrt=("x", "y"))(x, y)
        wanted = ad.value_and_grad(function, wrt=("x", "y"), target="python")(x, y)
        np.testing.assert_allclose(mine[0], wanted[0], rtol=tolerance)
        for one, other in zip(mine[1], wanted[1], strict=True):
            assert one.dtype == dtype
            np.testing.assert_allclose(one, other, rtol=20 * tolerance)


def _divisions(function, **options):
    derivative = ad.value_and_grad(function, wrt=("x", "y"), **options)
    return _code(derivative).count(" / ")


def _code(function):
    source = function.source(np.ones(3), np.ones(3), stage="compiled")
    return "\n".join(line for line in source.splitlines() if not line.strip().startswith("#"))


def test_one_division_besides_the_users_own():
    assert _divisions(potential) == 2


@pytest.mark.parametrize("options", [{}, {"fastmath": False}])
def test_quotients_by_one_number_share_their_derivatives_division(options):
    assert _divisions(projected, **options) == 3


@pytest.mark.parametrize("options", [{"fastmath": False}, {"passes": {"share_reciprocals": False}}])
def test_it_can_be_switched_off(options):
    assert _divisions(potential, **options) > 2


def test_a_user_s_quotients_stay():
    source = ad.jit(steps).source(np.ones(3), np.ones(3), stage="compiled")
    assert "np.floor(t / t_1)" in source and "t_1 / t\n" in source


def powers(x, y):
    total = 0.0
    for i in range(len(x)):
        total += math.exp((x[i] - y[i]) / 0.1) + math.expm1(-(x[i] / 49)) * y[i]
        q = y[i] / 3.0
        total += math.exp(q) * math.floor(q) + math.exp(x[i] / 4.0) + math.exp(-y[i] / 0.0)
    return total


def test_exponents_multiply():
    code = _code(ad.jit(powers))
    assert " / 0.1" not in code and " / 49" not in code
    assert " / 3.0" in code and " / 4.0" in code and " / 0.0" in code
    assert "* 10.0" in code and f"* {1 / 49}" in code
    for options in ({"fastmath": False}, {"passes": {"share_reciprocals": False}}):
        code = _code(ad.jit(powers, **options))
        assert " / 0.1" in code and " / 49" in code


def power(x):
    return math.exp((x - 1.0) / 0.7)


def test_an_exponent_is_a_unit_off_at_most():
    for x in np.random.default_rng(0).uniform(-30.0, 30.0, 200):
        exact, unit = np.longdouble(x - 1.0) / np.longdouble(0.7), np.spacing(abs((x - 1.0) / 0.7))
        assert abs(np.log(np.longdouble(ad.jit(power)(x))) - exact) <= 1.5 * unit + 4e-16
