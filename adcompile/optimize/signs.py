"""Decides comparisons of integers whose outcome is known before the program runs.

Enters: a graph. Leaves: the same graph where `i < 0` of an index that is never negative is False,
so that it is not counted from the end, and `max(n, 0)` of what is never negative is `n`.
"""

from __future__ import annotations

from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Scalar


def decide_signs(graph: Graph) -> None:
    """Replace decided comparisons in place."""
    bounds, mapping = Bounds(graph), dict[Value, Value]()
    with Builder(graph) as builder:
        _region(graph.body, bounds, builder, mapping)
    replace(graph, mapping)


def _region(region: Region, bounds: Bounds, builder: Builder, mapping: dict[Value, Value]) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, bounds, builder, mapping)
        known = _known(op, region, bounds)
        if isinstance(known, Value):
            mapping[op.result] = known
        elif known is not None:
            with builder.inside(Region()) as made:
                mapping[op.result] = builder.constant(known)
            region.ops[region.ops.index(op) : region.ops.index(op) + 1] = made.ops


def _known(op: Op, region: Region, bounds: Bounds) -> Value | bool | None:
    if op.name not in ("lt", "maximum") or op.inputs[1].constant != 0:
        return None
    first = op.inputs[0]
    if not isinstance(first.type, Scalar) or first.type.dtype != "int64":
        return None
    if first.constant is not None or not bounds.never_negative(first, region):
        return None
    return False if op.name == "lt" else first
