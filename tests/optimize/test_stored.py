"""What is added to an element that has just been stored is stored with it."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.interpret import interpret
from adcompile.graph.ir import Graph
from adcompile.graph.types import type_of
from adcompile.optimize.stored import add_to_stored
from adcompile.pipeline import function_graph


def added(a, x):
    a = a.copy()
    for i in range(len(x)):
        a[i] = np.sin(x[i])
        a[i] += x[i] * x[i]
    return np.sum(a)


def twice(a, x):
    a = a.copy()
    for i in range(len(x)):
        a[i] = x[i]
        a[i] += 0.5
        a[i] += x[i]
    return np.sum(a * a)


def read_between(a, x):
    a = a.copy()
    total = 0.0
    for i in range(len(x)):
        a[i] = x[i]
        total += a[0]
        a[i] += x[i]
    return total + np.sum(a)


def elsewhere_between(a, x):
    """One of the elements is the one in question."""
    a = a.copy()
    for i in range(len(x)):
        a[i] = x[i]
        a[1] = 2.0
        a[i] += 1.0
    return np.sum(a * a)


def of_another_element(a, x):
    a = a.copy()
    for i in range(1, len(x)):
        a[i] = x[i]
        a[i - 1] += x[i]
    return np.sum(a * a)


def in_a_branch(a, x):
    a = a.copy()
    for i in range(len(x)):
        a[i] = x[i]
        if x[i] > 0.4:
            a[i] += 1.0
    return np.sum(a * a)


X = np.random.default_rng(2).random(6)
CASES = [added, twice, read_between, elsewhere_between, of_another_element, in_a_branch]
LEFT = {"added": 0, "twice": 0, "read_between": 0, "elsewhere_between": 1,
        "of_another_element": 1, "in_a_branch": 1}  # fmt: skip


def graph_of(function) -> Graph:
    graph, _ = function_graph(function, [type_of(X), type_of(X)])
    return graph


@pytest.mark.parametrize("function", CASES)
def test_additions_become_stores(function):
    graph = graph_of(function)
    before = interpret(graph, np.zeros(6), X)
    add_to_stored(graph)
    assert sum(op.name == "accumulate_at" for op in graph.body.walk()) == LEFT[function.__name__]
    np.testing.assert_array_equal(interpret(graph, np.zeros(6), X), before)


@pytest.mark.parametrize("function", CASES)
@pytest.mark.parametrize("options", [{}, {"fastmath": False}])
def test_values_and_derivatives(function, options):
    derived = ad.value_and_grad(function, argnums=(0, 1), **options)
    wanted = ad.value_and_grad(function, argnums=(0, 1), target="python")(X[::-1].copy(), X)
    found = derived(X[::-1].copy(), X)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-13)


@pytest.mark.parametrize("dtype, number", [(np.uint8, 200), (np.int32, 2_000_000_000)])
def test_small_integers_overflow_in_memory(dtype, number):
    """The compiler adds them as larger ones, which only a store cuts off."""

    def counted(x, counts):
        counts = counts.copy()
        total = 0.0
        for i in range(len(x)):
            counts[i] = number
            counts[i] += counts[-1]
            total += counts[i] * x[i]
        return total

    counts = np.full(6, number, dtype)
    with np.errstate(over="ignore"):
        wanted = counted(X, counts)
    np.testing.assert_allclose(ad.jit(counted)(X, counts), wanted, rtol=1e-12)
