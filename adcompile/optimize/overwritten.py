"""Elements that are stored twice are stored once.

Enters: a graph of loops. Leaves: the same graph without a store to an element that the next use of
the array stores to again: joined loops leave such stores behind.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region


def drop_overwritten(graph: Graph) -> None:
    """Remove stores in place."""
    aliases = Aliases(graph)
    for region in graph.regions:
        region.ops = [op for k, op in enumerate(region.ops) if not _is_lost(op, k, region, aliases)]


def _is_lost(store: Op, place: int, region: Region, aliases: Aliases) -> bool:
    if store.name != "store":
        return False
    array = store.inputs[0]
    for op in region.ops[place + 1 :]:
        again = op.name == "store" and op.inputs[0] is array and op.inputs[1] is not array
        if again and op.inputs[2:] == store.inputs[2:]:
            return True
        if op.regions or any(
            aliases.roots[array] & aliases.roots.get(v, frozenset()) for v in op.used
        ):
            return False
    return False
