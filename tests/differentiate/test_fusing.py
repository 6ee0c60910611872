"""Iterations that stand alone are reversed at once; all others have a sweep of their own."""

import math

import numpy as np
import pytest

import adcompile as ad


def plain_sum(x, w):
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] * w[i % 3]) * w[0]
    return 2.0 * total + w[1]


def scratch_arrays(x, w):
    total, row = 0.0, np.zeros(3)
    for i in range(len(x)):
        for j in range(3):
            row[j] = math.sin(x[i] * w[j])
        for j in range(1, 3):
            row[j] += row[j - 1] * row[j]
        total -= row[2] * row[1]
    return total


def inner_sums(x, w):
    total = 0.0
    for i in range(len(x)):
        for j in range(i, len(x)):
            total += x[i] * x[j] ** 2
        if x[i] > w[0]:
            total += 0.0
    return total * w[1]


def number_read_in_every_iteration(x, w):
    scale = w[0] * w[1]
    total, other = 0.0, 1.0
    for i in range(len(x)):
        total += np.tanh(scale * x[i])
        other -= scale * x[i]
    return total + other * 0.5


def two_loops(x, w):
    first, second = 0.0, 0.0
    for i in range(len(x)):
        first += x[i] ** 3
    for i in range(len(x)):
        second += math.cos(w[0] * x[i])
    return first + second


def whole_rows(x, w):
    rows = np.outer(x, w)
    total = 0.0
    for i in range(len(x)):
        y = rows[i] * w
        total += np.sum(y * y) + np.max(w)
    return total


def from_another_sum(x, w):
    first, second = 0.0, 0.0
    for i in range(len(x)):
        first += x[i] * w[0]
    for i in range(len(x)):
        second += math.exp(first * x[i])
    return second


def added_on_one_side(x, w):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.1:
            total += math.exp(x[i]) * w[0]
            if x[i] < w[1]:
                total -= x[i] ** 2
    return total


def added_on_both_sides(x, w):
    total, other = 0.0, w[2]
    for i in range(len(x)):
        y = math.sin(x[i] * w[i % 3])
        if y > 0.0:
            total += y
            other += w[0] * y * y
        elif y < -0.2:
            total -= 2.0 * y
        else:
            for j in range(3):
                total += y * w[j]
    return total + 3.0 * other


def left_early(x, w):
    total = 0.0
    for i in range(len(x)):
        if x[i] < 0.0:
            continue
        total += math.log(x[i] + w[0])
    return total


ALONE = [
    plain_sum, scratch_arrays, number_read_in_every_iteration, two_loops, whole_rows,
    added_on_one_side, added_on_both_sides, left_early,
]  # fmt: skip
MIXED = [inner_sums, from_another_sum]


def squared(x, w):
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] * w[0])
    return total * total


def carried_product(x, w):
    total = 1.0
    for i in range(len(x)):
        total = total * x[i] + w[0]
    return total


def read_before_written(x, w):
    total, row = 0.0, np.zeros(3)
    for i in range(len(x)):
        total += row[0] * x[i]
        for j in range(3):
            row[j] = x[i] * w[j]
    return total


def partly_written(x, w):
    total, row = 0.0, np.zeros(3)
    for i in range(len(x)):
        for j in range(1, 3):
            row[j] = x[i] * w[j]
        row[0] += x[i]
        total += row[0] * row[1]
    return total


def written_on_one_side(x, w):
    total, row = 0.0, np.zeros(3)
    for i in range(len(x)):
        if x[i] > 0.0:
            for j in range(3):
                row[j] = x[i] * w[j]
        total += row[0] * row[1]
    return total


def read_afterwards(x, w):
    total, row = 0.0, np.zeros(3)
    for i in range(len(x)):
        for j in range(3):
            row[j] = x[i] * w[j]
        total += row[0] * row[1]
    return total + row[2]


def overwritten_afterwards(x, w):
    total, a = 0.0, x * 2.0
    for i in range(len(x)):
        total += a[i] * a[i] * w[0]
    for i in range(len(x)):
        a[i] = 3.0 * w[1]
    return total + np.sum(a)


def sum_is_read_inside(x, w):
    total, other = 0.0, 0.0
    for i in range(len(x)):
        total += x[i]
        other += total * w[0]
    return other


def begun_again(x, w):
    total = 0.0
    for i in range(len(x)):
        if x[i] < 0.0:
            total = x[i] * w[0]
        else:
            total += x[i]
    return total


def the_sum_decides(x, w):
    total = 0.0
    for i in range(len(x)):
        if total < 0.5:
            total += math.exp(x[i]) * w[0]
    return total


def scaled_on_one_side(x, w):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
        if x[i] > 0.0:
            total *= w[0]
    return total


def written_through_a_view(x, w):
    total, row = 0.0, np.zeros(3)
    view = row[::-1]
    for i in range(len(x)):
        for j in range(3):
            view[j] = x[i] * w[j]
        total += row[0] * row[1]
    return total


SEQUENTIAL = [
    squared, carried_product, read_before_written, partly_written, written_on_one_side,
    read_afterwards, overwritten_afterwards, sum_is_read_inside, written_through_a_view,
    begun_again, the_sum_decides, scaled_on_one_side,
]  # fmt: skip


def _arguments(n):
    rng = np.random.default_rng(n)
    return rng.uniform(-1, 1, n), rng.uniform(0.5, 1.5, 3)


def _loops(function):
    source = ad.value_and_grad(function, (0, 1)).source("f8[:], f8[:]")
    return sum(line.startswith("    for ") for line in source.splitlines())


@pytest.mark.parametrize("function", ALONE, ids=lambda f: f.__name__)
def test_one_loop_runs_and_reverses(function):
    assert _loops(function) == (2 if function is two_loops else 1)


@pytest.mark.parametrize("function", SEQUENTIAL, ids=lambda f: f.__name__)
def test_other_loops_are_reversed_after_they_have_run(function):
    assert _loops(function) >= 2


@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("function", ALONE + MIXED + SEQUENTIAL, ids=lambda f: f.__name__)
def test_gradients(function, n):
    args = _arguments(n)
    if n == 0 and function is whole_rows:
        n = 1
    value, slopes = ad.value_and_grad(function, (0, 1), target="python")(*args)
    assert value == pytest.approx(function(*args), rel=1e-14)
    ad.check_grads(function, args, order=2 if n == 4 else 1, target="python")
    if n == 4:
        found, compiled = ad.value_and_grad(function, (0, 1))(*args)
        assert found == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(compiled[0], slopes[0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(compiled[1], slopes[1], rtol=1e-12, atol=1e-14)


def test_no_tape_grows_with_the_iterations():
    source = ad.grad(scratch_arrays, (0, 1)).source("f8[:], f8[:]")
    assert "np.empty(x.shape[0]" not in source and "np.empty((x.shape[0]" not in source
    assert "append" not in source
