"""Copies that nobody could tell from their originals.

Enters: a graph. Leaves: the same graph without copies of fresh arrays that are read by the copy
alone.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.rewrite import final, replace
from adcompile.graph.types import Array

_SHARED = frozenset({"broadcast_to", "array_constant", "gather"})


def drop_copies(graph: Graph) -> None:
    """Use the original where it is not used again."""
    mapping: dict[Value, Value] = {}
    _region(graph.body, mapping, Aliases(graph), count_uses(graph.body))
    replace(graph, mapping)


def _region(
    region: Region, mapping: dict[Value, Value], aliases: Aliases, uses: dict[Value, int]
) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, mapping, aliases, uses)
        if op.name != "copy":
            continue
        if _read_at_once(op, region, uses):
            mapping[op.result] = final(op.inputs[0], mapping)
            uses[mapping[op.result]] += 1
            region.ops.remove(op)
            continue
        source = final(op.inputs[0], mapping)
        maker = source.op
        fresh = maker is not None and maker in region.ops and aliases.roots[source] == {source}
        assert isinstance(source.type, Array)
        if not fresh or uses.get(source) != 1 or source.type.layout != "C":
            continue
        if maker is not None and (maker.name in _SHARED or maker.regions):
            continue
        mapping[op.result] = source
        uses[source] = uses.get(op.result, 0)  # the copy's readers are now its own
        source.hint, source.named = op.result.hint or source.hint, op.result.named or source.named
        region.ops.remove(op)


def _read_at_once(copy: Op, region: Region, uses: dict[Value, int]) -> bool:
    """Whether the only reader of a copy computes on it before anything is written."""
    if uses.get(copy.result) != 1 or copy.result.named:
        return False
    for op in region.ops[region.ops.index(copy) + 1 :]:
        if copy.result in op.inputs:
            return op.record.scalar is not None or op.name in ("sum", "mean", "max", "min")
        if op.written or op.regions:
            return False
    return False
