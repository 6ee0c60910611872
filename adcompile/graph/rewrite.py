"""Replaces values throughout a graph.

Enters: a region and a map from old values to new. Leaves: the region with every read replaced,
chains of replacements followed to their end.
"""

from __future__ import annotations

from adcompile.graph.ir import Graph, Region, Value


def replace(graph: Graph, mapping: dict[Value, Value]) -> None:
    """Read `mapping[v]` wherever `v` was read."""
    if mapping:
        replace_in(graph.body, mapping)
        graph.bindings = {
            n: [v and final(v, mapping) for v in vs] for n, vs in graph.bindings.items()
        }


def final(value: Value, mapping: dict[Value, Value]) -> Value:
    """What a value has become."""
    while value in mapping:
        value = mapping[value]
    return value


def replace_in(region: Region, mapping: dict[Value, Value]) -> None:
    """Read `mapping[v]` wherever `v` was read in a region."""
    for op in region.ops:
        op.inputs = [final(v, mapping) for v in op.inputs]
        for inner in op.regions:
            replace_in(inner, mapping)
    region.yields = [final(v, mapping) for v in region.yields]
    region.extents = {s: final(v, mapping) for s, v in region.extents.items()}
