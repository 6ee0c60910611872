"""Loops that start later than others, and are joined to them all the same."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from tests.optimize.test_interleaved_nests import run_compiled
from tests.programs.gmm import logsumexp

X = np.random.default_rng(3).standard_normal(30)


def moments(x):
    """Of one sum the first two elements are left out."""
    total, rest, least = 0.0, 1.0, 5.0
    for i in range(len(x)):
        total += x[i] * x[i]
    for i in range(2, len(x)):
        rest -= x[i] * math.sin(x[i])
    for i in range(1, len(x)):
        least = min(least, x[i])
    return total * rest + least


def neighbours(x):
    """What lies before the first element is read by no other loop."""
    total, ahead = 0.0, 0.0
    for i in range(len(x)):
        total += math.exp(x[i])
    for i in range(1, len(x)):
        ahead += x[i] * x[i - 1]
    return total * ahead


def running(x):
    """A sum that is read on the way."""
    total, sums = 0.0, 0.0
    for i in range(len(x)):
        total += math.exp(x[i])
    part = 0.0
    for i in range(1, len(x)):
        part += x[i]
        sums += part * x[i]
    return total * sums


def longer(x):
    """One ends earlier, too."""
    total, part = 0.0, 0.0
    for i in range(len(x)):
        total += math.exp(x[i])
    for i in range(1, len(x) - 1):
        part += x[i] * x[i]
    return total * part


FUNCTIONS = [logsumexp, moments, neighbours, running, longer]


@pytest.mark.parametrize("count", [1, 2, 3, 30])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_stay(function, count):
    x = X[:count]
    wanted = ad.value_and_grad(function, target="python")(x)
    for options in ({}, {"fastmath": False}):
        _, found = run_compiled(ad.value_and_grad(function, **options), x)
        compiled = ad.value_and_grad(function, **options)(x)
        for result in (found, compiled):
            np.testing.assert_allclose(result[0], wanted[0], rtol=1e-13)
            np.testing.assert_allclose(result[1], wanted[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("where", [0, 1, 29])
def test_ties_and_no_numbers(where):
    for value in (2.5, math.nan, math.inf):
        x = X.copy()
        x[where] = x[7] = value
        wanted = ad.value_and_grad(logsumexp, target="python")(x)
        found = ad.value_and_grad(logsumexp, fastmath=False)(x)
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-14)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-12, atol=1e-15)


def loops(function):
    text = ad.jit(function).source(X, stage="compiled")
    return re.findall(r"^ +for i in range\((.*?)\):$", text, re.M)


def test_which_are_joined():
    assert loops(moments) == ["x.shape[0]"]
    for function in (neighbours, running, longer):
        assert len(loops(function)) == 2
    text = ad.grad(logsumexp).source(X, stage="compiled")
    assert text.count("for i in range(1, x.shape[0]):\n") == 1  # first the largest must be known


def test_the_sign_of_zero():
    def sums(x):
        total, rest = 0.0, -0.0
        for i in range(len(x)):
            total += x[i]
        for i in range(2, len(x)):
            rest += x[i]
        return rest if total > 0.0 else -1.0

    assert loops(sums) == ["x.shape[0]"]
    assert np.signbit(ad.jit(sums, fastmath=False)(np.ones(2)))
