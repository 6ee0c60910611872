"""What branches on one condition compute is computed once; values stay what they were."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import pipeline
from adcompile.graph.builder import Builder
from adcompile.graph.interpret import interpret
from adcompile.graph.ir import Graph, Region
from adcompile.graph.types import parse_types
from adcompile.graph.verify import verify
from adcompile.optimize.branches import share_branches
from adcompile.optimize.common import share_common
from adcompile.optimize.simplify import simplify


def beside(x, y):
    taken = x > 0.0
    if taken:
        root = np.sqrt(x)
        a = np.sin(root) * y
    else:
        a = np.exp(x)
    if taken:
        b = np.cos(a) + np.sin(np.sqrt(x)) / np.sqrt(x)
    else:
        b = np.exp(x) * np.exp(y)
    if x > y:
        a = np.exp(x)
    return a * b


def other_condition(x, y):
    if x > 0.0:
        a = np.exp(x)
    else:
        a = y
    if y > 0.0:
        a = a * np.exp(x)
    return a


def changed_between(x, y):
    taken = x > 0.0
    if taken:
        a = np.exp(x + y)
    else:
        a = y
    y = y + a
    if taken:
        a = a * np.exp(x + y)
    return a


def _graphs(function):
    graph = pipeline.lower_function(function, parse_types("f8, f8"))
    share_common(graph)
    pipeline.prune(graph)
    before = [op.name for op in graph.body.walk()]
    share_branches(graph)
    pipeline.prune(graph)
    verify(graph)
    return before, [op.name for op in graph.body.walk()], graph


def test_the_earlier_branch_yields_what_the_later_one_needs():
    before, after, _ = _graphs(beside)
    assert before.count("sqrt") == 2  # one in each branch
    assert after.count("sqrt") == after.count("sin") == 1
    assert after.count("exp") == 3  # of x and y on the other side, and of x where x > y
    for function in (other_condition, changed_between):
        assert _graphs(function)[1].count("exp") == 2


@pytest.mark.parametrize("function", [beside, other_condition, changed_between])
def test_values_stay(function):
    *_, graph = _graphs(function)
    gradient = ad.grad(function, (0, 1))
    plain = ad.grad(function, (0, 1), target="python")
    for x, y in np.random.default_rng(0).standard_normal((20, 2)):
        assert interpret(graph, x, y) == pytest.approx(function(x, y), rel=1e-15)
        assert gradient(x, y) == pytest.approx(plain(x, y), rel=1e-12)


def test_outputs_of_a_branch_are_joined():
    graph = Graph("made", (), Region())
    number = parse_types("f8")[0]
    with Builder(graph) as builder:
        x = builder.parameter(number, "x")
        c = builder.op("gt", x, 0.0)

        def first():
            root, none = builder.op("sqrt", x), builder.op("undefined", type=number)
            return [root, root, x, none]

        def second():
            none = builder.op("undefined", type=number)
            return [builder.op("exp", x), none, x, x]

        outputs = builder.branch(c, first, second)
        graph.body.yields = list(outputs)
    simplify(graph)
    one, same, other, late = graph.body.yields
    assert one is same and other is late and one is not other
    assert len(graph.body.ops[-1].outputs) == 2
