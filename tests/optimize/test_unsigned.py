"""Loops that count down around others: what the compiler is not told, so that it asks in time."""

import re

import numpy as np
import pytest

import adcompile as ad

K = np.linspace(0.5, 1.0, 64)


def of_known_steps(steps):
    """The same with a number of steps that the compiler knows."""

    def known_steps(k, x):
        return steps_of_the_call(k, x, steps)

    return known_steps


def steps_of_the_call(k, x, steps):
    x = x.copy()
    for _ in range(steps):
        for i in range(len(x)):
            x[i] += 0.05 * np.sin(k[i] * x[i])
    return x.sum()


@pytest.mark.parametrize("function, args", [(of_known_steps(100), ()), (steps_of_the_call, (100,))])
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
    assert "hidden" not in ad.grad(of_known_steps(4), (0, 1)).source(K, K, stage="compiled")


def few_columns(points, x):
    """A loop of known iterations inside: LLVM writes it out."""
    state = 0.0
    for i in range(len(points)):
        for k in range(3):
            state = np.sin(state + points[i, k] * x)
    return state


def in_a_branch(k, x, steps):
    """The inner loop stands in a branch, and uses an integer that depends on the counter."""
    x = x.copy()
    for step in range(steps):
        row = step // 2
        if row % 3 != 1:
            for i in range(len(x)):
                x[i] += 0.05 * np.sin(k[row % 4, i] * x[i])
    return x.sum()


def test_loops_that_are_written_out_do_not():
    source = ad.grad(few_columns, (0, 1)).source(np.ones((20, 3)), 0.5, stage="compiled")
    assert ", -1, -1):" in source and "hidden" not in source


def test_inner_loops_in_branches():
    k, x = np.cos(np.arange(32.0)).reshape(4, 8), np.sin(np.arange(8.0))
    derivative = ad.value_and_grad(in_a_branch, (0, 1))
    assert "exact.hidden(" in derivative.source(k, x, 20, stage="compiled")
    found = derivative(k, x, 20)
    wanted = ad.value_and_grad(in_a_branch, (0, 1), target="python")(k, x, 20)
    np.testing.assert_allclose(found[0], wanted[0])
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)
