"""Stacks of numbers as arrays that grow."""

import math

import numpy as np
import pytest

import adcompile as ad


def series(x, tolerance):
    total = 0.0
    for i in range(len(x)):
        term = s = 1.0
        k = 1
        while abs(term) > tolerance:
            term *= x[i] / k
            s += term
            k += 1
        total += s * s
    return total


def escape(x, most):
    total = 0.0
    for i in range(len(x)):
        v = x[i]
        for k in range(most):
            v = v * v + 0.3
            if v > 4.0:
                total += (k + 1) * math.log(v)
                break
    return total


def of_single_precision(x, tolerance):
    v = x[0]
    while v > tolerance:
        v = np.sin(v) * np.float32(0.9)
    return v * x[1]


def of_complex_numbers(x, tolerance):
    z = x[0] + 1j * x[1]
    while abs(z) < 1.0 / tolerance:
        z = z * z * z + 0.5
    return abs(z)


def of_rows(x, tolerance):
    v = x.copy()
    while v[0] > tolerance:
        v = v * v * 0.5
    return np.sum(v * x)


def in_a_loop_that_may_not_run(x, tolerance):
    total = 0.0
    for i in range(len(x)):
        v = x[i]
        while v > 1.0:
            k = 0
            while v > 1.0 and k < 3:
                v = math.sqrt(v) * 0.9
                k += 1
            total += v**3
        total += v
    return total


X = np.array([0.5, 30.0, -7.0, 2.5])
CASES = {
    series: (X, 1e-12),
    escape: (np.array([0.1, 0.9, -1.3, 0.95]), 200),
    of_single_precision: (np.array([2.0, 3.0], np.float32), 0.01),
    of_complex_numbers: (np.array([0.3, 0.4]), 0.001),
    of_rows: (np.array([1.5, 0.2]), 1e-30),
    in_a_loop_that_may_not_run: (X, 0.0),
}
OPTIONS = [{}, {"boundscheck": True}, {"parallel": True}, {"fastmath": False}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("function", CASES)
def test_derivatives(function, options):
    args = CASES[function]
    found = ad.value_and_grad(function, **options)(*args)
    wanted = ad.value_and_grad(function, target="python")(*args)
    tolerance = 1e-5 if args[0].dtype == np.float32 else 1e-10
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance)


def test_stacks_of_numbers_are_made_once_and_grow():
    source = ad.grad(series).source(*CASES[series], stage="compiled")
    assert ".append(" not in source and "exact.grown(" in source
    made = [line for line in source.splitlines() if "_stack = np.empty(16" in line]
    assert made and all(line.startswith("    ") and line[4] != " " for line in made)


def test_stacks_of_arrays_and_of_procedures_are_lists():
    assert ".append(" in ad.grad(of_rows).source(*CASES[of_rows], stage="compiled")

    def halved(x, n):
        if n == 0:
            return x
        v = x
        while v > 1.0:
            v = v * 0.5 * v
        return halved(v * x, n - 1)

    gradient = ad.grad(halved)
    assert ".append(" in gradient.source("f8, i8", stage="compiled")
    assert gradient(1.3, 3) == pytest.approx(ad.grad(halved, target="python")(1.3, 3))
