"""Both sides of a branch are computed where several iterations of a loop can go at once then.

Enters: a graph of loops, all else done. Leaves: the same graph where, in a loop whose iterations
need no order, a branch that only decides between numbers is a choice of two that are there. LLVM
does this by itself for a branch, but not where a later one asks for the same, as the reverse of a
branch does.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.optimize.distribute import Parts, compute, is_pure, may_gain, work

_MOST = 100  # half cycles of one iteration that a side may take in vain: five functions


def compute_both_sides(graph: Graph) -> None:
    """Rewrite in place the innermost loops with such branches."""
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        for loop in loops_of_choices(graph):
            branches = [op for op in _body(loop) if op.regions]
            _rewrite(loop.regions[0], branches, builder, mapping)
    replace(graph, mapping)


def loops_of_choices(graph: Graph) -> list[Op]:
    """The innermost loops with such branches."""
    loops = [op for op in graph.body.walk() if may_gain(op) and any(map(_is_branch, _body(op)))]
    known = (Aliases(graph), Bounds(graph)) if loops else ()
    return [loop for loop in loops if _is_of_choices(loop, Parts(loop, *known))]


def _is_of_choices(loop: Op, parts: Parts) -> bool:
    pure = all(_is_branch(op) for op in _body(loop) if op.regions)
    return pure and not parts.why() and not parts.stays()


def _body(loop: Op) -> list[Op]:
    return loop.regions[0].ops


def _is_branch(op: Op) -> bool:
    return op.name == "if" and is_pure(op) and work(op.walk()) <= _MOST


def _rewrite(
    body: Region, branches: list[Op], builder: Builder, mapping: dict[Value, Value]
) -> None:
    for branch in branches:
        chosen: dict[Value, Value] = {}
        with builder.inside(Region(same=dict(body.same))) as made:
            compute(branch, chosen, builder)
        mapping.update({output: chosen[output] for output in branch.outputs})
        place = body.ops.index(branch)
        body.ops[place : place + 1] = made.ops
