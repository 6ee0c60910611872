"""Each pass keeps the values of a graph, and does what it is for."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import pass_order, pipeline
from adcompile.arguments import ones, with_ones
from adcompile.graph.interpret import interpret
from adcompile.graph.trees import Static, leaves
from adcompile.graph.types import is_continuous, parse_types, type_of
from adcompile.graph.verify import verify
from adcompile.schedule.loops import schedule_loops
from tests.programs.corpus import CORPUS
from tests.random_programs.values import numbers_in
from tests.test_corpus import copied


def _lowered(function, types):
    return pipeline.lower_function(function, parse_types(types))


def _names(graph):
    return [op.name for op in graph.body.walk() if op.name not in ("constant", "dim")]


def _typed(item):
    """The type of an argument, extents of 1 known, for they may be stretched."""
    type_ = type_of(item)
    return with_ones(type_, ones(item)) if isinstance(item, np.ndarray) else type_


@pytest.mark.parametrize("number", range(len(pass_order.PASSES)))
@pytest.mark.parametrize(
    ("function", "args"), CORPUS[::4], ids=[f.__name__ for f, _ in CORPUS[::4]]
)
def test_a_pass_keeps_the_value(function, args, number):
    graph = pipeline.lower_function(function, [_typed(a) for a in args])
    wanted = interpret(graph, *copied(args))
    pass_order.PASSES[number][0](graph)
    verify(graph)
    assert interpret(graph, *copied(args)) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("function", "args"), CORPUS[1::4], ids=[f.__name__ for f, _ in CORPUS[1::4]]
)
def test_each_pass_over_loops_keeps_value_and_gradient(function, args):
    wrt = tuple(k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a)))))
    derived = ad.value_and_grad(function, wrt)
    graph = schedule_loops(derived._optimised([_typed(a) for a in args]))
    wanted = numbers_in(interpret(graph, *copied(args)))
    for run, name in pass_order.SCALAR_PASSES:
        run(graph)
        verify(graph)
        found = numbers_in(interpret(graph, *copied(args)))
        for number, before in zip(found, wanted, strict=True):
            np.testing.assert_allclose(number, before, rtol=1e-12, atol=1e-14, err_msg=name)


def test_neutral_elements_and_constants():
    graph = _lowered(lambda x: (x * 1.0 + 0.0) / 1.0 - (2.0 * 3.0 - 6.0), "f8")
    pass_order.optimise(graph)
    assert _names(graph) == []


def test_a_known_side_decides_a_condition():
    def function(x, flag=True):
        return (flag and x > 1.0 or not flag) and (x < 9.0 or flag)

    graph = pipeline.lower_function(function, [*parse_types("f8"), Static(True)])
    pass_order.optimise(graph)
    assert _names(graph) == ["gt"]


def test_zero_times_x_is_kept():
    graph = _lowered(lambda x: x * 0.0, "f8")
    pass_order.optimise(graph)
    assert _names(graph) == ["mul"]


def test_dead_code_goes_with_its_loops_and_buffers():
    def function(x, n):
        unused = np.zeros(n)
        for i in range(n):
            unused[i] = x * i
        return x * 2.0

    graph = _lowered(function, "f8, i8")
    pass_order.optimise(graph)
    assert _names(graph) == ["mul"]


def test_equal_expressions_are_shared_unless_memory_changed():
    def shared(x):
        return np.sin(x) * np.sin(x)

    def written(a):
        first = np.sum(a * 2.0)
        a[0] = 5.0
        return first * np.sum(a * 2.0)

    graph = _lowered(shared, "f8")
    pass_order.optimise(graph)
    assert _names(graph).count("sin") == 1
    graph = _lowered(written, "f8[:]")
    pass_order.optimise(graph)
    assert _names(graph).count("sum") == 2


def test_factors_are_not_moved_out_of_written_arrays():
    def function(a, b):
        c = 2.0 * a
        c[0] = 7.0
        d = -b
        b[0] = 3.0
        return np.sum(3.0 * c) + np.sum(a - d)

    args = (np.array([1.0, 2.0]), np.array([4.0, 5.0]))
    graph = _lowered(function, "f8[:], f8[:]")
    pass_order.optimise(graph)
    assert interpret(graph, *copied(args)) == function(*copied(args))
