"""What the next iteration waits for is computed first, so that several can go at once."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 30.0))


def shifted(x, p):
    out = np.zeros(len(x))
    total, last = 0.0, x[0]
    for i in range(len(x)):
        y = x[i] * p
        total += y * x[i]
        out[i] = last + y
        last = y * (1.0 - p)
    return total + np.sum(out * out)


def reads_what_is_written(x, p):
    """The number that is handed on is read of an element that the iteration has just stored."""
    out = np.ones(len(x))
    total, last = 0.0, x[0]
    for i in range(len(x)):
        out[i] = last + x[i] * p
        total += out[i]
        last = out[i // 2] * (1.0 - p)
    return total + np.sum(out * out)


def waits_for_all(x, p):
    last, total = x[0], 0.0
    for i in range(len(x)):
        total += last * x[i]
        last = last * p + x[i]
    return total


def in_a_branch(x, p):
    last, total = x[0], 0.0
    for i in range(len(x)):
        if x[i] > 0.0:
            total += last * x[i]
        last = x[i] * p
    return total


def two_back(x, p):
    last, before, total = x[0], x[1], 0.0
    for i in range(len(x)):
        total += last * before * x[i]
        before = last
        last = np.sin(x[i]) * p
    return total


@pytest.mark.parametrize(
    "function", [shifted, reads_what_is_written, waits_for_all, in_a_branch, two_back]
)
def test_results_stay(function):
    python = ad.value_and_grad(function, argnums=(0, 1), target="python")
    for options in ({}, {"fastmath": False}):
        for n in (2, 3, 29):
            value, gradients = ad.value_and_grad(function, argnums=(0, 1), **options)(X[:n], 0.3)
            wanted, others = python(X[:n], 0.3)
            np.testing.assert_allclose(value, wanted, rtol=1e-12)
            for found, other in zip(gradients, others, strict=True):
                np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-14)


def lines(function, **options):
    source = ad.jit(function, **options).source(X, 0.3, stage="compiled")
    return [line.strip() for line in source.splitlines() if not line.lstrip().startswith("#")]


def test_it_comes_before_the_use():
    found = lines(shifted)
    (made,) = [k for k, line in enumerate(found) if line.endswith("* (1.0 - p)")]
    (used,) = [k for k, line in enumerate(found) if line.endswith("last + y")]
    assert made < used


@pytest.mark.parametrize("function", [reads_what_is_written, waits_for_all])
def test_what_has_to_wait_stays(function):
    assert lines(function) == lines(function, passes={"order_recurrences": False})


def test_what_an_error_keeps_in_its_bounds_stays_behind_it():
    def guarded(x, k, c):
        last, total = x[0], 0.0
        for i in range(len(k)):
            total += last * c
            assert k[i] < len(x)
            last = x[k[i]] * c
        return total

    wrong = np.array([1, 2, 10**12])
    for run in (ad.jit(guarded), ad.grad(guarded)):
        with pytest.raises(AssertionError):
            run(X, wrong, 0.3)
