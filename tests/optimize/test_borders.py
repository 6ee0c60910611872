"""Loops that ask for the ends of their range are three: right for every length, and without asking."""

import numpy as np
import pytest

import adcompile as ad


def ring(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[(i + 1) % len(x)] - x[(i - 2) % len(x)] ** 2
    return total


def backwards(x):
    total = 0.0
    for i in range(len(x) - 1, -1, -1):
        total = 0.9 * total + x[i] * x[(i + 1) % len(x)]
    return total


def periodic_heat(x):
    u = x.copy()
    for _ in range(3):
        new = np.empty(len(u))
        for i in range(len(u)):
            left, right = u[(i - 1) % len(u)], u[(i + 1) % len(u)]
            new[i] = u[i] + 0.1 * (left - 2.0 * u[i] + right) - 0.01 * u[i] ** 3
        u = new
    return np.sum(u * u)


def clamped(x):
    total = 0.0
    for i in range(len(x)):
        total += x[max(i - 1, 0)] * x[min(i + 2, len(x) - 1)] * x[i]
    return total


def from_the_end(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i - 1] * x[i]
    return total


def only_inside(x):
    v = np.zeros(len(x))
    for i in range(len(x)):
        if i > 0 and i < len(x) - 1:
            v[i] = x[i - 1] * x[i + 1]
        else:
            v[i] = x[i]
    return np.sum(v * v)


def one_end(x):
    total = 0.0
    for i in range(len(x)):
        if i == len(x) - 1:
            total *= x[i]
        elif i != 1:
            total += np.sin(x[i])
    return total


def rows_wrap(x):
    total = 0.0
    a = np.outer(x, x + 1.0)
    for i in range(len(x)):
        for j in range(len(x)):
            total += a[i, j] * a[(i + 1) % len(x), j] * a[i, (j - 1) % len(x)]
    return total


def written_around(x):
    u = x.copy()
    for i in range(len(u)):
        u[(i + 1) % len(u)] = 0.5 * u[i] + x[i] * u[(i + 1) % len(u)]
    return np.sum(u * u)


def a_parameter_of_the_range(x):
    total = 0.0
    for i in range(2, len(x)):
        last = i
        if i < 4:
            total += x[i] ** 3
        else:
            total += x[i] * x[(i + 1) % len(x)]
    return total + last if len(x) > 2 else total


PEELED = [
    ring, backwards, periodic_heat, clamped, from_the_end, only_inside, one_end, rows_wrap,
    written_around, a_parameter_of_the_range,
]  # fmt: skip


def too_far(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[(i + 5) % len(x)]
    return total


def other_modulus(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[(i + 1) % 7]
    return total


def short(x):
    total = 0.0
    for i in range(5):
        total += x[i] * x[(i + 1) % 5]
    return total


def numbers_alone(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * max(i - 1, 0)
    return total


LEFT = [too_far, other_modulus, short, numbers_alone]


def compiled(function, on=True):
    passes = {} if on else {"peel_borders": False}
    return ad.value_and_grad(function, passes=passes).source(np.ones(9), stage="compiled")


@pytest.mark.parametrize("function", PEELED)
def test_every_length(function):
    derivative = ad.value_and_grad(function)
    unpeeled = ad.value_and_grad(function, passes={"peel_borders": False})
    python = ad.value_and_grad(function, target="python")
    for n in [*range(8), 40]:
        x = np.cos(np.arange(1.0, n + 1.0))
        value, gradient = derivative(x)
        for other in (unpeeled(x), python(x)):
            np.testing.assert_allclose(value, other[0], rtol=1e-13, atol=1e-15)
            np.testing.assert_allclose(gradient, other[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", PEELED)
def test_they_are_peeled(function):
    assert compiled(function) != compiled(function, on=False)


@pytest.mark.parametrize("function", LEFT)
def test_what_is_left_alone(function):
    assert compiled(function) == compiled(function, on=False)


def test_iterations_between_do_not_ask():
    source = compiled(ring, on=False)
    assert source.count("%") == 4
    between = compiled(ring).split("range(2, ")[1].split("for i in")[0]
    assert "%" not in between
    between = compiled(only_inside).split("range(1, ")[1].split("for i in")[0]
    assert "if" not in between


def test_the_middle_of_a_gradient_gathers():
    source = compiled(periodic_heat)
    assert "u_bar[np.uint64(i - 1)] * 0.1" in source  # not what the iteration before has saved


def test_exact_without_fastmath():
    x = np.cos(np.arange(1.0, 30.0))
    points = [x, *np.random.default_rng(0).normal(size=(20, 20)) * 0.7]
    for function in PEELED:
        peeled = ad.value_and_grad(function, fastmath=False)
        other = ad.value_and_grad(function, fastmath=False, passes={"peel_borders": False})
        for point in points:
            one, two = peeled(point), other(point)
            assert one[0] == two[0]
            np.testing.assert_array_equal(one[1], two[1])


def test_sums_stay_in_order_where_they_are_not_gathered():
    source = ad.value_and_grad(periodic_heat, fastmath=False).source(np.ones(9), stage="compiled")
    assert source != ad.value_and_grad(
        periodic_heat, fastmath=False, passes={"peel_borders": False}
    ).source(np.ones(9), stage="compiled")
