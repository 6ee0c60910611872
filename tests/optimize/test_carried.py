"""What a loop carries is written in place where nobody could tell, and nowhere else."""

import re

import numpy as np
import pytest

import adcompile as ad


def polynomial(c, t):
    fit = np.zeros(len(t))
    for j in range(len(c) - 1, -1, -1):
        fit = fit * t + c[j]
    return np.sum(fit**2)


def squares(c, t):
    grid = np.ones((len(t), len(c)))
    for j in range(len(c)):
        grid = grid * c + t[j]
    return np.sum(grid)


def filtered(c, t):
    """The old state is read as a whole before the new one is begun."""
    x, square = np.zeros(len(c)), c[:, None] * c
    for j in range(len(t)):
        moved = square @ x
        x = moved * t[j] + c
    return x @ c


def oscillator(c, t):
    """The adjoint handed on is that of the last iteration and of what the elements were used for."""
    x = np.ones(2) * t[0]
    for j in range(len(c)):
        slope = np.array([x[1], -np.sin(x[0]) * c[j]])
        x = x + 0.1 * slope
    return np.sum(x)


def fibonacci(c, t):
    old, new = np.zeros(len(t)), np.ones(len(t))
    for j in range(len(c)):
        old, new = new, old * c[j] + new * t
    return np.sum(new) - np.sum(old)


def turned(c, t):
    x = np.ones(len(t))
    for j in range(len(c)):
        x = x[::-1] * t + c[j]
    return np.sum(x * t)


def shifted(c, t):
    x = np.zeros(len(t))
    for j in range(len(c)):
        y = np.empty(len(t))
        for i in range(len(t)):
            y[i] = x[i] * t[i] + x[i - 1] * c[j] + c[0]
        x = y
    return np.sum(x)


def started_twice(c, t):
    zeros = np.zeros(len(t))
    x, y = zeros, zeros
    for j in range(len(c)):
        x = x * t + c[j]
        y = y * c[j] + x
    return np.sum(x * y)


def read_afterwards(c, t):
    start = c[0] * t
    x = start
    for j in range(len(c)):
        x = x * t + c[j]
    return np.sum(x * start)


def kept_of_one(c, t):
    x, best = np.ones(len(t)), np.zeros(len(t))
    for j in range(len(c)):
        x = x * t + c[j]
        if j == 1:
            best = x
    return np.sum(best * x)


def branched(c, t):
    x = np.ones(len(t))
    for j in range(len(c)):
        if c[j] > 0.5:
            x = x * t + c[j]
    return np.sum(x * x)


def nested(c, t):
    x = np.ones(len(t))
    for j in range(len(c)):
        for k in range(2):
            x = x * t + c[j] * k
        n = 0
        while n < 2:
            x = np.sin(x) * t
            n += 1
    return np.sum(x * x)


IN_PLACE = [polynomial, squares, filtered, oscillator]
OTHERS = [
    fibonacci, turned, shifted, started_twice, read_afterwards, kept_of_one, branched, nested
]  # fmt: skip
C, T = np.array([0.3, 0.9, 0.7, 0.6]), np.array([0.4, 0.8, 1.1, 0.2, 0.5])


@pytest.mark.parametrize("function", IN_PLACE + OTHERS)
def test_results_stay(function):
    derivative = ad.value_and_grad(function, wrt=("c", "t"))
    for count in (4, 1, 0):
        if count == 0 and function in (shifted, read_afterwards):
            continue
        value, gradients = derivative(C[:count], T)
        wanted = ad.value_and_grad(function, wrt=("c", "t"), target="python")(C[:count], T)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-14)
        for mine, other in zip(gradients, wanted[1], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-13)


@pytest.mark.parametrize("function", IN_PLACE)
def test_no_iteration_makes_an_array(function):
    inside = [
        line
        for line in ad.jit(function).source(C, T, stage="compiled").splitlines()
        if line.startswith("        ") and "np.empty" in line
    ]
    assert inside == []


def test_no_iteration_of_the_reverse_sweep_makes_an_array():
    source = ad.value_and_grad(oscillator, wrt=("c", "t")).source(C, T, stage="compiled")
    lines = source.splitlines()
    assert not [line for line in lines if line.startswith("        ") and "np.empty" in line]


def mirrored(c, t):
    x = t[::-1]
    for j in range(len(c)):
        x = (x * c[j] + t)[::-1]
    return np.sum(x)


def test_elements_in_another_order_stay_in_loops_of_their_own():
    """LLVM does not find out that these overlap with nothing else."""
    source = ad.value_and_grad(mirrored, (0, 1)).source(T, C, stage="compiled")
    reverse = source[source.index("x_bar") :]
    assert not re.search(r"= x_bar\[np.uint64\(.* - i\)\]\n(?! *for).*\n +x_bar_1\[i\]", reverse)


def test_the_arguments_stay():
    c, t = C.copy(), T.copy()
    ad.value_and_grad(read_afterwards, wrt=("c", "t"))(c, t)
    np.testing.assert_array_equal(c, C)
    np.testing.assert_array_equal(t, T)


def test_it_can_be_switched_off():
    off = ad.jit(polynomial, passes={"write_carried": False}).source(C, T, stage="compiled")
    assert off.count("np.empty(") > ad.jit(polynomial).source(C, T, stage="compiled").count(
        "np.empty("
    )
