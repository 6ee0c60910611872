"""Refuses programs whose meaning depends on whether NumPy made a view or a copy.

Enters: the graph of a user's function. Leaves: nothing, or an UnsupportedOperation error where an
array that may be a view, or the array it may be a view of, is written afterwards.
"""

from __future__ import annotations

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import Array


def refuse_stale_views(graph: Graph) -> None:
    """NumPy may give a view where the graph has a copy; that matters if its source is written."""
    aliases = Aliases(graph)
    for op in graph.body.walk():
        if op.name not in ("broadcast_to", "reshape"):
            continue
        source = op.inputs[0]
        if not isinstance(source.type, Array) or (op.name == "reshape" and _contiguous(source)):
            continue
        if any(aliases.may_be_written_after(op, v) for v in (source, op.result)):
            raise UnsupportedOperation(
                f"this may be a view of `{source.hint or 'an array'}`, and one of them is written",
                op.location,
                "make a copy first: a.copy()",
            )


def _contiguous(value: Value) -> bool:
    return isinstance(value.type, Array) and value.type.layout == "C"
