"""Elements that are stored twice are stored once, and none that is there already.

Enters: a graph of loops. Leaves: the same graph without a store to an element that the next use of
the array stores to again, nor of a number that has just been loaded from there: joined loops, and
the adjoints of `u[i] = u[i] - ...`, leave such stores behind.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Graph, Op, Region


def drop_overwritten(graph: Graph) -> None:
    """Remove stores in place."""
    aliases = Aliases(graph)
    for region in graph.regions:
        for is_idle in (_is_lost, _is_there):
            stores = [op for op in region.ops if op.name == "store"]
            idle = {op for op in stores if is_idle(op, region, aliases)}
            region.ops = [op for op in region.ops if op not in idle]


def _is_lost(store: Op, region: Region, aliases: Aliases) -> bool:
    """Whether the next use of an array is a store to the same element."""
    array = store.inputs[0]
    for op in region.ops[region.ops.index(store) + 1 :]:
        again = op.name == "store" and op.inputs[0] is array and op.inputs[1] is not array
        if again and index_of(op) == index_of(store):
            return True
        if op.regions or any(
            aliases.roots[array] & aliases.roots.get(v, frozenset()) for v in op.used
        ):
            return False
    return False


def _is_there(store: Op, region: Region, aliases: Aliases) -> bool:
    """Whether what is stored was loaded from the same element, and nothing was written since."""
    array, load = store.inputs[0], store.inputs[1].op
    if load is None or load.name != "load" or load not in region.ops:
        return False
    if load.inputs[0] is not array or index_of(load) != index_of(store):
        return False
    between = region.ops[region.ops.index(load) : region.ops.index(store)]
    written = aliases.written_in(inner for op in between for inner in op.walk())
    return aliases.roots[array].isdisjoint(written)
