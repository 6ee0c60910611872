"""Indices that are never negative are said to be so.

Enters: a graph of loops, all else done. Leaves: the same graph where an index that the compiler
would test for being counted from the end, though it never is, has an unsigned type: the test keeps
a loop from being vectorised. Where a loop counts up from a number and the index only adds to it,
LLVM sees as much itself.

And the counter of a loop that counts down around others is hidden in it. LLVM asks before the inner
loops whether their arrays overlap; it would ask once, before all iterations of the outer loop, and
take it for granted that they do where that counts down.
"""

from __future__ import annotations

from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import INDEX_STARTS
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace_in
from adcompile.graph.types import Scalar, is_integer
from adcompile.optimize.nests import iterations

_FEW = 8  # iterations, of which LLVM may make as many copies


def unsigned_indices(graph: Graph) -> None:
    """Convert indices in place."""
    bounds = Bounds(graph)
    counters = {
        op.regions[0].params[0]: op.inputs[0].constant
        for op in graph.body.walk() if op.name == "for" and op.inputs[2].constant == 1
    }  # fmt: skip
    with Builder(graph) as builder:
        _region(graph.body, bounds, builder, counters)
        _hide_descents(graph, builder)


def _hide_descents(graph: Graph, builder: Builder) -> None:
    for loop in [op for op in graph.body.walk() if op.name == "for"]:
        body, step = loop.regions[0], loop.inputs[2].constant or 0
        if step >= 0 or iterations(loop, _FEW + 1) <= _FEW or not _moves_inner_loops(body):
            continue
        counter = body.params[0]
        with builder.inside(Region()) as made, builder.at(loop.location):
            same = builder.op("maximum", counter, counter)
            builder.region.ops[-1].attrs["hidden"] = True
        same.hint, same.named = counter.hint, counter.named
        replace_in(body, {counter: same})
        body.ops[:0] = made.ops


def _moves_inner_loops(body: Region) -> bool:
    """Whether loops in the body of one use integers that depend on its counter.

    But for short ones: when LLVM has written these out, the loop around may be vectorised.
    """
    moving, todo = {body.params[0]}, [body]
    while todo:
        for op in todo.pop().ops:
            if op.name == "for" and iterations(op, _FEW + 1) > _FEW:
                if any(v in moving for inner in op.regions[0].walk() for v in inner.inputs):
                    return True
                continue
            if not moving.isdisjoint(op.inputs):
                moving.update(v for v in op.outputs if is_integer(v.type))
            todo += op.regions
    return False


def _region(
    region: Region, bounds: Bounds, builder: Builder, counters: dict[Value, int | None]
) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, bounds, builder, counters)
        first = INDEX_STARTS.get(op.name)
        for k in range(first, len(op.inputs)) if first is not None else ():
            if _needs(op.inputs[k], region, bounds, counters):
                op.inputs[k] = _converted(op, op.inputs[k], region, builder)


def _needs(index: Value, region: Region, bounds: Bounds, counters: dict[Value, int | None]) -> bool:
    """Whether only this project knows that an index is never negative."""
    if not isinstance(index.type, Scalar) or index.type.dtype != "int64":
        return False
    if index.constant is not None or _obvious(index, counters):
        return False
    return bounds.never_negative(index, region)


def _obvious(index: Value, counters: dict[Value, int | None]) -> bool:
    """Whether an index is a counter from a number that is not negative, or more than that."""
    start = counters.get(index)
    if start is not None:
        return start >= 0
    op = index.op
    if op is None or op.name != "add":
        return index.constant is not None and index.constant >= 0
    return all(_obvious(v, counters) for v in op.inputs)


def _converted(op: Op, index: Value, region: Region, builder: Builder) -> Value:
    with builder.inside(Region()) as made, builder.at(op.location):
        value: Value = builder.op("cast", index, dtype="uint64")
    place = region.ops.index(op)
    region.ops[place:place] = made.ops
    return value
