"""Refuses writes whose effect would not be NumPy's.

Enters: the graph of a user's function. Leaves: nothing, or an UnsupportedOperation error where an
array that may be a view, or the array it may be a view of, is written afterwards, and where a
global array is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.procedures import Procedure, python_memory
from adcompile.graph.types import Array


def refuse_stale_views(graph: Graph, procedures: Collection[Procedure] = ()) -> None:
    """NumPy may give a view where the graph has a copy; that matters if its source is written.

    `procedures` are those of the user's own functions.
    """
    aliases = Aliases(graph)
    memory = python_memory(graph)
    copied = _copied_at_once(graph.body, count_uses(graph.body))
    for op in graph.body.walk():
        _refuse_global(op, aliases)
        if op.attrs.get("procedure") in procedures:
            _refuse_shared(op, aliases, memory)
        if not _may_be_view(op) or op in copied:
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


def _may_be_view(op: Op) -> bool:
    return op.name in ("broadcast_to", "reshape") or bool(op.attrs.get("view_in_numpy"))


def _copied_at_once(region: Region, uses: dict[Value, int]) -> set[Op]:
    """The operations whose result is copied by the next one and read by nothing else."""
    found: set[Op] = set()
    ops = [op for op in region.ops if op.name != "dim"]
    for op, following in itertools.pairwise(ops):
        if following.name == "copy" and following.inputs[0] in op.outputs:
            if uses.get(following.inputs[0]) == 1:
                found.add(op)
    for op in region.ops:
        for inner in op.regions:
            found |= _copied_at_once(inner, uses)
    return found


def _refuse_global(op: Op, aliases: Aliases) -> None:
    """Globals are constants of the compiled function: a write would be lost."""
    for root in (r for array in op.written for r in aliases.roots[array]):
        if root.op is not None and root.op.name == "array_constant":
            raise UnsupportedOperation(
                f"the global array `{root.hint}` is written",
                op.location,
                f"write a copy: a = {root.hint}.copy(); or pass it as an argument",
            )


def _refuse_shared(op: Op, aliases: Aliases, memory: dict[Value, frozenset[Value]]) -> None:
    """Of a procedure, arguments are different arrays if it writes one, and results are fresh."""
    procedure = op.attrs["procedure"]
    nothing: frozenset[Value] = frozenset()
    for written in op.written:
        for k, other in enumerate(op.inputs):
            if other is not written or op.inputs.index(other) != k:
                if memory.get(written, nothing) & memory.get(other, nothing):
                    raise UnsupportedOperation(
                        f"`{procedure.name}` calls itself and writes `{written.hint or 'an array'}`"
                        ", which it may also know by another name",
                        op.location,
                        "pass the array once, with the indices of its parts, or a copy of it",
                    )
    for output, places in zip(op.outputs, procedure.shares, strict=True):
        for k in places:
            partner = op.inputs[k] if k >= 0 else op.outputs[-1 - k]
            if any(aliases.may_be_written_after(op, v) for v in (output, partner)):
                raise UnsupportedOperation(
                    f"`{procedure.name}` calls itself and may return the memory of "
                    f"`{partner.hint or 'an array'}`, and one of them is written",
                    op.location,
                    "return a copy: a.copy()",
                )


def _contiguous(value: Value) -> bool:
    return isinstance(value.type, Array) and value.type.layout == "C"
