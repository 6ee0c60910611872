"""The reverse of loops that look for the largest or the smallest element, against a plain one."""

from __future__ import annotations

import numpy as np
import pytest

import adcompile as ad

NAN, INF = np.nan, np.inf


def by_max(x, m):
    for i in range(len(x)):
        m = max(m, x[i])
    return m


def by_min(x, m):
    for i in range(len(x)):
        m = min(x[i], m)
    return m


def first_largest(x, m):
    for i in range(len(x)):
        if x[i] > m:
            m = x[i]
    return m


def last_largest(x, m):
    for i in range(len(x)):
        if m <= x[i]:
            m = x[i]
    return m


def first_smallest(x, m):
    k = 0
    for i in range(len(x)):
        if x[i] < m:
            m = x[i]
            k = i
    return m + 0.0 * k


def last_smallest(x, m):
    for i in range(len(x)):
        m = x[i] if x[i] <= m else m
    return m


def taken(function, m, element):
    """What of the adjoint of the better of two goes to the element, and what to the other."""
    if function in (by_max, by_min):
        if m == element:
            return 0.5, 0.5
        better = element > m if function is by_max else element < m
        return float(better), float(m > element if function is by_max else m < element)
    tests = {
        first_largest: element > m, last_largest: element >= m,
        first_smallest: element < m, last_smallest: element <= m,
    }  # fmt: skip
    return float(tests[function]), float(not tests[function])


FUNCTIONS = [by_max, by_min, first_largest, last_largest, first_smallest, last_smallest]


def reference(function, x, m):
    """The adjoints by saving every number that is carried."""
    step = {by_max: np.maximum, by_min: np.minimum}.get(function)
    carried = [m]
    for element in x:
        before = carried[-1]
        carried.append(step(before, element) if step else function(np.array([element]), before))
    adjoint, x_bar = 1.0, np.zeros(len(x))
    for k in range(len(x) - 1, -1, -1):
        mine, rest = taken(function, carried[k], x[k])
        x_bar[k], adjoint = adjoint * mine, adjoint * rest
    return x_bar, adjoint


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_adjoint_goes_to_the_same_element(function, target):
    derivative = ad.grad(function, argnums=(0, 1), target=target)
    random = np.random.default_rng(5)
    numbers = np.array([-INF, -1.0, -0.0, 0.0, 1.0, 2.0, INF, NAN])
    for trial in range(150 if target == "cpu" else 40):
        some = numbers if trial % 3 else numbers[1:6]
        x, m = random.choice(some, random.integers(0, 7)), float(random.choice(some))
        expected, adjoint = reference(function, x, m)
        found, found_m = derivative(x, m)
        np.testing.assert_array_equal(found, expected, err_msg=f"{x} {m}")
        assert found_m == adjoint, (x, m)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_is_saved(function):
    source = ad.grad(function).source(np.ones(3), 0.0)
    assert "tape" not in source
    assert "range(last, first - 1, -1)" in source


def test_rows_of_a_table():
    def rows(x):
        total = 0.0
        for i in range(x.shape[0]):
            largest = x[i, 0]
            for j in range(1, x.shape[1]):
                if x[i, j] > largest:
                    largest = x[i, j]
            total += (i + 1.0) * largest * largest
        return total

    x = np.round(np.random.default_rng(1).random((6, 9)), 1)
    expected = np.zeros_like(x)
    for i, j in enumerate(x.argmax(1)):
        expected[i, j] = 2.0 * (i + 1.0) * x[i, j]
    np.testing.assert_allclose(ad.grad(rows)(x), expected)


def test_second_derivatives():
    def squared(x):
        largest = x[0]
        for i in range(1, len(x)):
            largest = max(largest, x[i])
        return largest**3

    x = np.array([1.0, 3.0, 2.0])
    np.testing.assert_allclose(ad.hessian(squared)(x), np.diag([0.0, 18.0, 0.0]))


def test_other_loops_save_what_they_carry():
    def also_a_sum(x):
        largest, total = x[0], 0.0
        for i in range(len(x)):
            largest = max(largest, x[i])
            total += largest * x[i]
        return total

    def of_written_memory(x):
        work, largest = x.copy(), 0.0
        for i in range(len(x)):
            largest = max(largest, work[i])
            work[(i + 1) % len(x)] = 2.0 * largest
        return largest

    x = np.array([0.3, 2.0, -1.0, 1.5])
    for function in (also_a_sum, of_written_memory):
        assert "range(last" not in ad.grad(function).source(x)
        ad.check_grads(function, (x,), order=1)


def test_in_a_loop_whose_iterations_are_not_counted_before():
    """The stack of what an iteration saves is not left with what the reverse does not take."""

    def rows(a, c):
        total, i = 0.0, 0
        while c < 6.0:
            smallest = c
            for j in range(a.shape[1]):
                smallest = min(smallest, a[i % 3, j])
            total += smallest * smallest
            c = 1.5 * c + 0.6
            i += 1
        return total

    a = np.random.default_rng(2).normal(size=(3, 4))
    for target in ("cpu", "python"):
        found = ad.grad(rows, argnums=(0, 1), target=target)(a, 0.7)
        expected = (ad.jacfwd(rows, argnums=k, target=target)(a, 0.7) for k in (0, 1))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other)
