"""Numbers that the reverse sweep wants only as a sum are saved as that."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 12.0))


def tree(x, p):
    v = x.copy()
    for t in range(len(v) - 2, -1, -1):
        for i in range(t + 1):
            v[i] = p * v[i + 1] + (1.0 - p) * v[i]
    return v[0] * p


def added(x, p):
    v, w = x * 2.0, x.copy()
    for _ in range(3):
        for i in range(len(v)):
            v[i], w[i] = np.sin(v[i] * p + w[i] * p), np.cos(w[i])
    return np.sum(v)


def single(x, p):
    return tree(x.astype(np.float32), np.float32(p))


JOINED = [tree, single]


def used_alone(x, p):
    v = x.copy()
    for t in range(len(v) - 2, -1, -1):
        for i in range(t + 1):
            v[i] = p * v[i + 1] * v[i] + (1.0 - p) * v[i]
    return v[0] * p


def other_elements(x, p):
    v, w = x.copy(), x * 2.0
    for _ in range(2):
        for i in range(len(v)):
            v[i] = p * v[i] * v[i]
        for i in range(len(v)):
            w[i] = (1.0 - p) * w[i] * w[i]
    return np.sum(v * w)


def of_two_rounds(x, p):
    """One factor is of this round, the other of the last one."""
    now, last = np.empty(len(x)), np.empty(len(x))
    total = 0.0
    for t in range(3):
        for i in range(len(x)):
            now[i] = np.sin(x[i] * (t + 1))
            if t > 0:
                total += p * now[i] - p * last[i]
            last[i] = np.cos(x[i] * p)
    return total


def of_two_lengths(x, p):
    """Indices from the end are those of other elements in a longer array."""
    n = len(x)
    a, b = np.empty(n), np.empty(n + 1)
    for i in range(-n, 0):
        a[i] = np.exp(0.1 * i)
        b[i] = np.sin(1.0 * i)
    total = 0.0
    for i in range(1, n):
        total += x[i] * a[i] - x[i] * b[i]
    return total * total * p


def between_the_stores(x, p):
    n = len(x)
    a, b = np.empty(n), np.empty(n)
    total = 0.0
    for k in range(3):
        for i in range(n):
            j = (i * 2 + 1) % n
            a[i] = np.sin(x[i] * k)
            if k > 0:
                total += p * a[j] - p * b[j]
            b[i] = np.cos(x[i] + k)
    return total


LEFT = [used_alone, other_elements, of_two_rounds, of_two_lengths, between_the_stores]


@pytest.mark.parametrize("function", [*JOINED, added, *LEFT])
def test_results_stay(function):
    python = ad.value_and_grad(function, argnums=(0, 1), target="python")
    digits = 1e-4 if function is single else 1e-11
    for options in ({}, {"fastmath": False}):
        for n in (1, 2, 11):
            value, gradients = ad.value_and_grad(function, argnums=(0, 1), **options)(X[:n], 0.3)
            wanted, others = python(X[:n], 0.3)
            np.testing.assert_allclose(value, wanted, rtol=digits)
            for found, other in zip(gradients, others, strict=True):
                np.testing.assert_allclose(found, other, rtol=digits, atol=digits * 1e-2)


def tapes(function, **options):
    derivative = ad.value_and_grad(function, argnums=(0, 1), **options)
    source = derivative.source(X, 0.3, stage="compiled")
    return sum("_tape" in line and " = np.empty(" in line for line in source.splitlines())


@pytest.mark.parametrize("function", JOINED)
def test_one_tape_is_enough(function):
    assert tapes(function) == tapes(function, passes={"join_tapes": False}) - 1
    assert tapes(function, fastmath=False) == tapes(function, passes={"join_tapes": False})


@pytest.mark.parametrize("function", LEFT)
def test_others_stay(function):
    np.testing.assert_allclose(ad.jit(function)(X[:1], 0.3), function(X[:1], 0.3), rtol=1e-12)
    np.testing.assert_allclose(ad.jit(function)(X, 0.3), function(X, 0.3), rtol=1e-12)
    assert tapes(function) == tapes(function, passes={"join_tapes": False})
