"""Passes can be switched off by name, one by one, and results stay."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import pass_order
from adcompile.graph.interpret import interpret
from adcompile.graph.types import type_of
from tests.optimize.test_gather import heat, plane
from tests.programs.gmm import gmm_loops, wishart_constant

U = np.sin(np.arange(1.0, 9.0))


def mixture():
    rng = np.random.default_rng(1)
    alpha, mu, q, l, x = (rng.normal(size=s) for s in (3, (3, 2), (3, 2), (3, 1), (4, 2)))
    return alpha, mu, q, l, x, 1.0, 0, wishart_constant(2, 3, 1.0, 0)


def softmax(u):
    e = np.exp(u - np.max(u))
    return np.sum((e / np.sum(e)) ** 2)


CASES = [(heat, (U,)), (plane, (np.outer(U, U),)), (gmm_loops, mixture()), (softmax, (U,))]
_NAMES = [function.__name__ for function, _ in CASES]


@pytest.mark.share(4)
@pytest.mark.parametrize("name", pass_order.pass_names())
def test_results_stay_without_a_pass(name):
    for function, args in CASES:
        value, gradient = ad.value_and_grad(function, target="python")(*args)
        for derived in (ad.value_and_grad(function, passes={name: False}),):
            space = {}
            source = derived.source(*args, stage="compiled")
            exec(compile(source, "<compiled>", "exec"), space)
            found = space[derived.__name__](*args)
            np.testing.assert_allclose(found[0], value, rtol=1e-12)
            np.testing.assert_allclose(found[1], gradient, rtol=1e-11, atol=1e-14)


def test_a_switch_changes_the_code():
    with_, without = (
        ad.grad(softmax, passes=passes).source(U, stage="compiled")
        for passes in ({}, {"merge_loops": False})
    )
    assert with_.count("for i in") < without.count("for i in")
    assert "merge_loops" in ad.grad(softmax).explain(U).passes
    assert "merge_loops" not in ad.grad(softmax, passes={"merge_loops": False}).explain(U).passes


@pytest.mark.parametrize("passes", [{"fuse": False}, {"merge_loops": 0}, ["merge_loops"], None])
def test_other_switches_are_refused(passes):
    with pytest.raises(ad.TypeMismatch, match="pass"):
        ad.grad(softmax, passes=passes)


def recurrence(u):
    y, total = u.copy(), 0.0
    for i in range(1, len(u)):
        y[i] = y[i - 1] * 0.3 + u[i] / (1.0 + u[i] * u[i])
        total += y[i] * y[i] - 0.1
    return total


def elements(u):
    total = 0.0
    for k in range(len(u)):
        total += np.sqrt(u[k] * u[k] + 1.0) * u[k] - u[k] / 3.0
    return total


def stencil(u):
    v = np.zeros(len(u))
    for i in range(1, len(u) - 1):
        v[i] = u[i] * u[i - 1] + 0.25 * (u[i - 1] + u[i + 1])
    total = 0.0
    for i in range(len(u)):
        total += v[i] * v[i] / 7.0
    return total


@pytest.mark.parametrize("function", [recurrence, elements, stencil])
def test_without_fastmath_every_bit_is_that_of_the_interpreter(function):
    u = np.random.default_rng(3).normal(size=200)
    derived = ad.value_and_grad(function, fastmath=False)
    graph = derived._optimised([type_of(u)])
    value, gradient = interpret(graph, u)
    found, slopes = derived(u)
    assert found == value
    np.testing.assert_array_equal(slopes, gradient)
    close, slopes = ad.value_and_grad(function)(u)
    np.testing.assert_allclose(close, value, rtol=1e-13)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-15)
