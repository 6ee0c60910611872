"""Refuses writes whose effect would not be NumPy's.

Enters: the graph of a user's function. Leaves: nothing, or an UnsupportedOperation error where an
array that may be a view, or the array it may be a view of, is written afterwards, and where a
global array is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.procedures import Procedure, python_memory, shared_results
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
            procedure: Procedure = op.attrs["procedure"]
            _refuse_written(op, aliases, memory)
            _refuse_shared(op, procedure.name, procedure.shares, aliases)
        elif op.name == "call":
            called: Graph = op.attrs["graph"]
            _refuse_shared(op, called.name, shared_results(called), aliases)
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


def _refuse_written(op: Op, aliases: Aliases, memory: dict[Value, frozenset[Value]]) -> None:
    """What a procedure writes, it knows by one name."""
    nothing: frozenset[Value] = frozenset()
    for written in op.written:
        for k, other in enumerate(op.inputs):
            if other is not written or op.inputs.index(other) != k:
                if memory.get(written, nothing) & memory.get(other, nothing):
                    raise UnsupportedOperation(
                        f"`{op.attrs['procedure'].name}` calls itself and writes "
                        f"`{written.hint or 'an array'}`, which it may also know by another name",
                        op.location,
                        "pass the array once, with the indices of its parts, or a copy of it",
                    )


def _refuse_shared(op: Op, name: str, shares: Sequence[frozenset[int]], aliases: Aliases) -> None:
    """Results that a call gives are arrays of their own, which in Python may be arguments."""
    for output, places in zip(op.outputs, shares, strict=True):
        for k in places:
            partner = op.inputs[k] if k >= 0 else op.outputs[-1 - k]
            if any(aliases.may_be_written_after(op, v) for v in (output, partner)):
                raise UnsupportedOperation(
                    f"`{name}` may return the memory of `{partner.hint or 'an array'}`, and one of "
                    "them is written",
                    op.location,
                    "return a copy: a.copy()",
                )


def _contiguous(value: Value) -> bool:
    return isinstance(value.type, Array) and value.type.layout == "C"
