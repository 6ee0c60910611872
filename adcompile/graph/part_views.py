"""Real and imaginary parts of arrays, which are views in NumPy and values in a graph.

Enters: the graph of a function as it was written. Leaves: nothing, or an error where the difference
could be seen: where a part is written, or read after the array that it is a part of was written.
"""

from __future__ import annotations

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.types import Array


def refuse_stale_parts(graph: Graph) -> None:
    """Raise UnsupportedOperation for `z.real` that would have to change with `z`, or `z` with it.

    Operations that stand for such a view have the attribute `shared`.
    """
    ops = list(graph.body.walk())
    parts = [op for op in ops if op.attrs.get("shared") and isinstance(op.result.type, Array)]
    if not parts:
        return
    aliases = Aliases(graph)
    for op in parts:
        for other in ops:
            if any(op.result in aliases.roots[v] for v in other.written):
                raise UnsupportedOperation(
                    f"`z.{op.name}` is a view of the array, and is written",
                    other.location, "write the array: z[...] = a + 1j * b",
                )  # fmt: skip
        writes = [w for w in ops if w.written and _changes(aliases, op, w)]
        if any(_is_seen(graph, aliases, op.result, write) for write in writes):
            raise UnsupportedOperation(
                f"`z.{op.name}` is a view of the array, which is written before the view is read",
                op.location, f"take a copy: z.{op.name}.copy()",
            )  # fmt: skip


def _changes(aliases: Aliases, op: Op, write: Op) -> bool:
    """Whether a write may change the array after its part was taken."""
    written = frozenset(r for v in write.written for r in aliases.roots[v])
    return aliases.reaches(op, write, aliases.roots[op.inputs[0]] & written)


def _is_seen(graph: Graph, aliases: Aliases, part: Value, write: Op) -> bool:
    """Whether the part may be read after a write; where it is handed on, it is taken to be."""

    def reaches(value: Value) -> bool:
        return part in aliases.roots.get(value, frozenset())

    if any(map(reaches, graph.outputs)):
        return True
    for op in graph.body.walk():
        params = (v for region in op.regions for v in region.params)
        if op.regions and any(map(reaches, [*op.outputs, *params])):
            return True
        read = op.name != "dim" and any(map(reaches, op.inputs))
        if read and (aliases.follows(write, op) or aliases.repeats(write, op, part)):
            return True
    return False
