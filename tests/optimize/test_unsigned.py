"""Loops that count down around others: what the compiler is not told, so that it asks in time."""

import re

import numpy as np
import pytest

import adcompile as ad

K = np.linspace(0.5, 1.0, 64)


def known_steps(k, x):
    x = x.copy()
    for _ in range(100):
        for i in range(len(x)):
            x[i] += 0.05 * np.sin(k[i] * x[i])
    return x.sum()


def steps_of_the_call(k, x, steps):
    x = x.copy()
    for _ in range(steps):
        for i in range(len(x)):
            x[i] += 0.05 * np.sin(k[i] * x[i])
    return x.sum()


def few_steps(k, x):
    x = x.copy()
    for _ in range(4):
        for i in range(len(x)):
            x[i] += 0.05 * np.sin(k[i] * x[i])
    return x.sum()


@pytest.mark.parametrize("function, args", [(known_steps, ()), (steps_of_the_call, (100,))])
def test_reverse_sweeps_hide_their_counter(function, args):
    derivative = ad.value_and_grad(function, (0, 1))
    source = derivative.source(K, K, *args, stage="compiled")
    loop = re.search(r"for (\w+) in range\(.*-1\):\n +(\w+) = exact.hidden\((\w+)\)", source)
    assert loop and len(set(loop.groups())) == 1
    found = derivative(K, K[::-1].copy(), *args)
    wanted = ad.value_and_grad(function, (0, 1), target="python")(K, K[::-1].copy(), *args)
    np.testing.assert_allclose(found[0], wanted[0])
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-11)


def test_short_loops_do_not():
    assert "hidden" not in ad.grad(few_steps, (0, 1)).source(K, K, stage="compiled")
