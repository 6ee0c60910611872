"""Writes composite operations out in simpler ones.

Enters: a graph. Leaves: the same graph where operations that have an expansion (mean, logaddexp)
are replaced by it, so that loops see only sums and elementwise operations.
"""

from __future__ import annotations

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Region, Value


def expand_composites(graph: Graph) -> None:
    """Replace every operation that has an expansion."""
    mapping: dict[Value, Value] = {}
    builder = Builder(graph)
    with builder:
        _region(graph.body, builder, mapping)


def _region(region: Region, builder: Builder, mapping: dict[Value, Value]) -> None:
    old, region.ops = region.ops, []
    with builder.inside(region):
        for op in old:
            op.inputs = [mapping.get(v, v) for v in op.inputs]
            for inner in op.regions:
                _region(inner, builder, mapping)
            if op.record.expand is None:
                region.ops.append(op)
                continue
            with builder.at(op.location):
                new = op.record.expand(op.inputs, op.attrs)
            if not new.named:
                new.hint, new.named = op.result.hint, op.result.named
            mapping[op.result] = new
    region.yields = [mapping.get(v, v) for v in region.yields]
