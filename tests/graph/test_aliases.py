"""Who may share memory, and what is written after what."""

import numpy as np

from adcompile import pipeline
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Region
from adcompile.graph.types import StackOf, parse_types
from adcompile.graph.verify import verify


def _graph(function, types):
    graph = pipeline.lower_function(function, parse_types(types))
    verify(graph)
    return graph, Aliases(graph)


def _ops(graph, name):
    return [op for op in graph.body.walk() if op.name == name]


def test_views_share_the_root():
    def function(a):
        b = a[1:].T
        c = a.copy()
        return np.sum(b) + np.sum(c[::-1])

    graph, aliases = _graph(function, "f8[:, :]")
    a = graph.params[0]
    (copy,) = _ops(graph, "copy")
    for view in [*_ops(graph, "slice"), *_ops(graph, "transpose")]:
        wanted = copy.result if view.inputs[0] is copy.result else a
        assert aliases.roots[view.result] == {wanted}


def test_order_of_reads_and_writes():
    def function(a):
        x = a[0] * 2.0
        a[1] = x
        y = a[1]
        return x * y

    graph, aliases = _graph(function, "f8[:]")
    first, second = _ops(graph, "load")
    assert aliases.may_be_written_after(first, graph.params[0])
    assert not aliases.may_be_written_after(second, graph.params[0])


def test_loops_come_round_again_unless_memory_is_fresh():
    def function(a, n):
        total = 0.0
        for i in range(n):
            b = a.copy()
            b[0] = total
            total += b[0] + a[0]
            a[0] = total
        return total

    graph, aliases = _graph(function, "f8[:], i8")
    (copy,) = _ops(graph, "copy")
    of_copy, of_argument = _ops(graph, "load")
    assert not aliases.may_be_written_after(of_copy, copy.result)
    assert aliases.may_be_written_after(of_argument, graph.params[0])


def test_sides_of_a_branch_do_not_follow_each_other():
    def function(a, x):
        if x > 0:
            y = a[0]
        else:
            a[0] = x
            y = x
        return y

    graph, aliases = _graph(function, "f8[:], f8")
    (load,) = _ops(graph, "load")
    assert not aliases.may_be_written_after(load, graph.params[0])


def test_what_comes_from_a_stack_may_be_in_use():
    graph = Graph("made", (), Region())
    array = parse_types("f8[:]")[0]
    with Builder(graph) as builder:
        a = builder.parameter(array, "a")
        given = builder.parameter(StackOf(array), "given")
        own = builder.op("stack", type=StackOf(array))
        builder.op("push", own, a)
        popped, outside, other = (builder.op("pop", s, type=array) for s in (own, given, given))
    aliases = Aliases(graph)
    assert aliases.roots[popped] == {a, popped}
    assert aliases.roots[outside] & aliases.roots[other]
    assert not aliases.roots[outside] & aliases.roots[popped]
