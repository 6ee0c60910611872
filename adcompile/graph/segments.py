"""Loops cut into segments that the reverse sweep runs again, instead of saving every iteration.

Enters: a graph with `for` loops marked `segmented`. Leaves: about sqrt(n) calls of a graph with a
loop of about sqrt(n) iterations each; arrays that the loop writes are handed from call to call. The
scheme is the one of two levels in Griewank and Walther, Evaluating Derivatives (2008), chapter 12.
"""

from __future__ import annotations

from typing import Any

from adcompile.errors import InternalError, UnsupportedSyntax
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.calls import Rule, refuse_draws
from adcompile.graph.clone import clone_region
from adcompile.graph.closures import closed, free_values
from adcompile.graph.ir import Graph, Note, Op, Parameter, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.transfers import separate_transfers
from adcompile.graph.types import Scalar, StackOf


def cut_segments(graph: Graph) -> None:
    """Replace the marked loops in place, inner ones first."""
    while True:
        found = _innermost(graph.body)
        if found is None:
            return
        aliases = separate_transfers(graph, found)
        with Builder(graph) as builder:
            _cut(builder, graph.body, found, aliases)


def _innermost(region: Region) -> Op | None:
    for op in region.ops:
        for inner in op.regions:
            found = _innermost(inner)
            if found is not None:
                return found
        if op.attrs.get("segmented"):
            return op
    return None


def _cut(builder: Builder, region: Region, loop: Op, aliases: Aliases) -> bool:
    """Find the loop's region and put the calls in its place."""
    with builder.inside(region):
        if loop not in region.ops:
            return any(_cut(builder, r, loop, aliases) for op in region.ops for r in op.regions)
        position = region.ops.index(loop)
        after = region.ops[position + 1 :]
        del region.ops[position:]
        with builder.at(loop.location):
            results = _segments(builder, loop, aliases)
        region.ops += after
        replace(builder.graph, dict(zip(loop.outputs, results, strict=True)))
        return True


def _segments(builder: Builder, loop: Op, aliases: Aliases) -> list[Value]:
    start, stop, step = loop.inputs[:3]
    op = builder.op
    span = stop - start
    count = op("maximum", -op("floordiv", -span, step), 0)
    root = op("sqrt", op("cast", count, dtype="float64", weak=True))
    length = op("maximum", op("cast", op("ceil", root), dtype="int64", weak=True), 1)
    length.hint, length.named = "length", True
    written = _written(loop, aliases)
    graph, captured = _segment(builder, loop, written)
    first = [*loop.inputs[3:], *(_copied(builder, v) for v in written)]

    def run(k: Value, carried: list[Value]) -> list[Value]:
        begin = k * length
        end = op("minimum", begin + length, count)
        bounds = [start + begin * step, start + end * step]
        rule = Rule("checkpoint")
        results = op("call", *bounds, *carried, *captured, graph=graph, rule=rule)
        if results is None:  # the loop hands nothing on
            return []
        return list(results) if isinstance(results, tuple) else [results]

    segments = -op("floordiv", -count, length)
    ends = builder.loop(0, segments, 1, first, run, "segment")
    reason = "checkpoint: about sqrt(n) states are saved, and what is between them is run again"
    next(o for o in reversed(builder.region.ops) if o.name == "for").note = Note(
        "segments", "the loop", reason, loop.location
    )
    count_carried = len(loop.inputs) - 3
    for array, end in zip(written, ends[count_carried:], strict=True):
        op("assign", array, end)
    return ends[:count_carried]


def _written(loop: Op, aliases: Aliases) -> list[Value]:
    """The arrays from outside that the loop writes; each is known in it by one name only."""
    free = list(dict.fromkeys(free_values(loop.regions[0])))
    roots = [v for o in loop.regions[0].walk() for v in o.written]
    if any(isinstance(v.type, StackOf) for v in roots):
        raise InternalError("a stack in a loop that is not differentiated yet", loop.location)
    touched = {r for v in roots for r in aliases.roots[v]}
    found = [v for v in free if aliases.roots.get(v, frozenset()) & touched]
    seen: set[Value] = set()
    for value in [*found, *loop.inputs[3:]]:
        shared = aliases.roots.get(value, frozenset()) & touched
        if shared & seen:
            raise UnsupportedSyntax(
                "a checkpointed loop that writes an array through two names", loop.location,
                "use one name for the array inside the loop, or copy it first",
            )  # fmt: skip
        seen |= shared
    return found


def _segment(builder: Builder, loop: Op, written: list[Value]) -> tuple[Graph, list[Value]]:
    """The loop over a part of its range as a function, and what else it reads."""
    inside = Graph(f"{builder.graph.name}_segment", [], Region())
    inner = Builder(inside)
    with inner, inner.at(loop.location):
        inner.borrow(builder)
        begin, end = (
            inner.parameter(Scalar("int64", weak=True), hint) for hint in ("start", "stop")
        )
        carried = [inner.parameter(v.type, v.hint) for v in loop.regions[0].params[1:]]
        arrays = [inner.parameter(v.type, v.hint) for v in written]
        own: list[Any] = [_copied(inner, v) for v in arrays]
        mapping = dict(zip(written, own, strict=True))
        body = clone_region(loop.regions[0], mapping)
        start = [_copied(inner, v) for v in carried]
        bounds = [begin, end, loop.inputs[2]]
        results = inner.structured("for", [*bounds, *start], [body], body.params[1:])
        inside.body.yields = [*results, *own]
    inside.result = tuple(range(len(inside.body.yields)))
    inside.parameters = [
        Parameter(f"p{k}", v) for k, v in enumerate((begin, end, *carried, *arrays))
    ]
    graph = closed(inside, builder)
    captured = [outer for outer, _ in graph.captured]
    refuse_draws(graph, "checkpoint")
    for k, (_, value) in enumerate(graph.captured):
        graph.parameters.append(Parameter(f"c{k}", value))
    graph.captured = []
    return graph, captured


def _copied(builder: Builder, value: Value) -> Value:
    """A scalar as it is; of an array a copy, for what is handed on is not written."""
    if isinstance(value.type, Scalar):
        return value
    copy: Value = builder.op("copy", value)
    copy.hint, copy.named = value.hint, value.named
    return copy
