"""What is added to an element that has just been stored is stored with it.

Enters: a graph of loops. Leaves: the same graph where an addition to an element that the last write
to its array has stored, in the same region, is the store of a sum. Joined loops leave these behind,
and what is stored can be handed on to where it is read, an addition in memory cannot.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.equal import are_same
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import is_continuous
from adcompile.optimize.loads import changed


def add_to_stored(graph: Graph) -> None:
    """Rewrite in place."""
    if not any(op.name == "accumulate_at" for op in graph.body.walk()):
        return
    aliases = Aliases(graph)
    with Builder(graph) as builder:
        for region in graph.regions:
            for op in list(region.ops):
                if op.name == "accumulate_at":
                    stored = _stored(op, region, aliases)
                    if stored is not None:
                        _store_sum(stored, op, region, builder)


def _stored(add: Op, region: Region, aliases: Aliases) -> Value | None:
    """The number that is in an element before something is added to it, if it is known."""
    array, number, *index = add.inputs
    for op in reversed(region.ops[: region.ops.index(add)]):
        if aliases.roots[array] & changed(op, aliases):
            if op.name == "store" and op.inputs[0] is array and are_same(op.inputs[2:], index):
                stored = op.inputs[1]
                # in memory as they are; of small integers the compiler adds wider ones
                alike = stored.type.dtype == number.type.dtype == array.type.dtype
                plain = is_continuous(array.type) or array.type.dtype == "int64"
                return stored if alike and plain else None
            return None
    return None


def _store_sum(stored: Value, add: Op, region: Region, builder: Builder) -> None:
    array, number, *index = add.inputs
    with builder.inside(Region()) as made, builder.at(add.location):
        total = builder.op("add", stored, number)
        total.hint, total.named = array.hint, array.named
        builder.op("store", array, total, *index)
    place = region.ops.index(add)
    region.ops[place : place + 1] = made.ops
