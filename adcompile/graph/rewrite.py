"""Replaces values throughout a graph.

Enters: a region and a map from old values to new. Leaves: the region with every read replaced,
chains of replacements followed to their end.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.ir import Graph, Op, Region, Value


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


def remove(region: Region, dropped: Collection[Op]) -> None:
    """Take operations out of a region and those inside it; nothing may read them any more."""
    region.ops = [op for op in region.ops if op not in dropped]
    for op in region.ops:
        for inner in op.regions:
            remove(inner, dropped)


def carry_too(loop: Op, start: Value, param: Value, end: Value, result: Value) -> None:
    """Let a `for` carry one more value.

    It is `start` before the loop, `param` in an iteration, `end` behind it, and `result` after all.
    """
    body = loop.regions[0]
    loop.inputs.append(start)
    body.params.append(param)
    body.yields.append(end)
    loop.outputs.append(result)
    result.op = loop


def carry_no_longer(loop: Op, k: int) -> None:
    """Let a `for` carry one value less; nothing may use its names any more."""
    body = loop.regions[0]
    del loop.inputs[3 + k], loop.outputs[k], body.params[1 + k], body.yields[k]
