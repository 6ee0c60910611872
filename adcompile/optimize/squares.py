"""Squares of absolute values are computed without the absolute value.

Enters: the graph of a function as it was written. Leaves: the same graph where `abs(z) ** 2` is
one operation, which has derivatives of all orders at 0, where `abs` has none; of a real number it
is the square.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, Scalar, is_complex, is_continuous


def square_sizes(graph: Graph) -> None:
    """Rewrite in place, where the memory of `z` is still as it was for `abs(z)`."""
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        _region(graph.body, builder, Aliases(graph), mapping)
    replace(graph, mapping)


def _region(
    region: Region, builder: Builder, aliases: Aliases, mapping: dict[Value, Value]
) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, builder, aliases, mapping)
        sized = _sized(op, aliases)
        if sized is None:
            continue
        with builder.inside(Region()) as made, builder.at(op.location):
            new = _square(builder, sized, op)
        if isinstance(new.type, Array) and new.type.dtype == op.result.type.dtype:
            new.type = op.result.type  # the extents, too: one may be known by now
        if new.type == op.result.type:
            new.hint, new.named = op.result.hint, op.result.named
            mapping[op.result] = new
            place = region.ops.index(op)
            region.ops[place : place + 1] = made.ops


def _sized(op: Op, aliases: Aliases) -> Value | None:
    """The z of an operation that is `abs(z) ** 2`, also as a product."""
    if op.name not in ("pow", "square", "mul") or (op.name == "pow" and op.inputs[1].constant != 2):
        return None
    sources = set()
    for size in op.inputs[: 2 if op.name == "mul" else 1]:
        maker = size.op
        if maker is None or maker.name != "abs" or not is_continuous(maker.inputs[0].type):
            return None
        (source,) = maker.inputs
        written = aliases.roots.get(size, frozenset()) & aliases.written
        if written or aliases.may_be_written_after(maker, source):
            return None
        sources.add(source)
    return sources.pop() if len(sources) == 1 else None


def _square(builder: Builder, value: Value, op: Op) -> Value:
    type_ = op.result.type
    attrs = {"strong": True} if isinstance(type_, Scalar) and not type_.weak else {}
    name = "abs_squared" if is_complex(value.type) else "square"
    result: Value = builder.op(name, value, **attrs)
    return result
