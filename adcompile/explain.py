"""What the compiler decided about a derivative, and why.

Enters: an optimised graph, its loops as scheduled, and the arguments of a call if there are any.
Leaves: the notes that the stages left where they decided, with the sizes of what they allocate: as
formulas, and in bytes for concrete arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adcompile.emit.formula import formula, product
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.sizes import Sizes, extents_of, item_size
from adcompile.graph.types import StackOf

_TITLES = {
    "saved": "saved for the reverse sweep",
    "kept": "kept for the reverse sweep, where it was computed",
    "segments": "loops that are run again in pieces",
    "recomputed": "computed again",
    "winner": "loops of which few iterations are reversed",
    "adjoint": "adjoint buffers",
    "copied": "arguments that are copied",
    "in place": "arguments that are written in place",
    "fused": "computed in the loops of what reads it",
    "parallel": "loops that several threads share",
    "sequential": "loops that one thread runs",
    "mapped": "sums that are multiplied once, after the loop",
    "interleaved": "loops that run several iterations side by side",
    "distributed": "loops that compute several iterations before they write",
    "columns": "arrays whose columns are copied around loops",
    "folded": "tables of which a few rows are kept",
    "gathered": "arrays that each iteration of a nest would add to in several rows",
    "factored": "matrices that are factored once",
    "kernel": "loops that became kernels",
    "product": "products of matrices",
    "transfer": "arguments that are copied to the GPU in every call",
    "temporary": "arrays of the compiled code",
}


@dataclass(frozen=True)
class Decision:
    """One decision.

    kind       "saved", "kept", "segments", "recomputed", "winner", "adjoint", "copied", "in place",
               "fused", "parallel", "sequential", "mapped", "interleaved", "distributed", "columns",
               "folded", "gathered", "factored", "kernel", "product", "transfer" or "temporary"
    what       the user's variable, or the expression as written
    line       where, in the user's file; 0 if it has no place of its own
    because    why
    storage    "array", "stack" or "copy" for what is saved
    dtype      of what is allocated
    size       the bytes as a formula; of what is saved, for one iteration of the innermost loop
    loops      line and number of iterations of each loop around what is saved, from the outside
    nbytes     the bytes for concrete arguments, the most at one time; None if only a run can tell
    """

    kind: str
    what: str
    line: int
    because: str
    storage: str = ""
    dtype: str = ""
    size: str = ""
    loops: tuple[tuple[int, str], ...] = ()
    nbytes: int | None = None

    def __str__(self) -> str:
        parts = [f"line {self.line}: " if self.line else "", self.what]
        if self.dtype:
            parts.append(f", {self.dtype}")
        if self.size:
            parts.append(f", {self._size()}")
        if self.nbytes is not None:
            parts.append(f": {self.nbytes} bytes")
        return "".join(parts) + f"\n    {self.because}"

    def _size(self) -> str:
        if self.kind == "saved" and self.storage == "stack" and not self.loops:
            return f"{self.size} bytes per run of the function, in a growing stack"
        if self.kind != "saved" or not self.loops:
            return f"{self.size} bytes"
        rounds = []
        for line, trips in self.loops[::-1]:
            times = f" ({trips} iterations)" if trips else ""
            rounds.append(f"the loop at line {line}{times}")
        kind = "a growing stack" if self.storage == "stack" else "an indexed array"
        return f"{self.size} bytes per iteration of {' in '.join(rounds)}, in {kind}"


class Explanation:
    """All decisions about one derivative; prints as a report."""

    def __init__(
        self, name: str, decisions: Sequence[Decision], concrete: bool, passes: Sequence[str]
    ) -> None:
        self.name = name
        self.passes = list(passes)  # those that ran, by the names that `passes=` takes
        self.decisions = list(decisions)
        self.concrete = concrete

    def of(self, kind: str) -> list[Decision]:
        """The decisions of one kind; see `Decision`."""
        return [d for d in self.decisions if d.kind == kind]

    @property
    def saved(self) -> list[Decision]:
        """What the forward sweep saves for the reverse sweep."""
        return self.of("saved")

    @property
    def tape_bytes(self) -> int | None:
        """The bytes of all saved arrays together, the most at one time; stacks come on top.

        None if types were given instead of arguments, or if only a run can tell.
        """
        sizes = [d.nbytes for d in self.saved if d.storage != "stack"]
        return None if not self.concrete or None in sizes else sum(filter(None, sizes))

    def __str__(self) -> str:
        lines = [self.name]
        for kind, title in _TITLES.items():
            found = self.of(kind)
            if not found:
                continue
            total = f": {self.tape_bytes} bytes" if kind == "saved" and self.tape_bytes else ""
            if kind == "saved" and any(d.storage == "stack" for d in found):
                total += ", and stacks" if total else ""
            lines.append(f"\n{title}{total}")
            lines += [f"  {decision}".replace("\n", "\n  ") for decision in found]
        if not self.saved:
            lines.append("\nnothing is saved for the reverse sweep")
        lines.append(f"\npasses: {', '.join(self.passes)}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(
    graph: Graph, scheduled: Graph, arguments: Sequence[Any] | None, passes: Sequence[str]
) -> Explanation:
    """The decisions behind a graph.

    arguments    the leaves of a call's arguments, None where only their types are known
    passes       the names of the passes that ran and could be switched off
    """
    notes = _noted(graph.body, [graph.body])
    sizes = Sizes(graph, arguments).of([op for op, _ in notes]) if arguments is not None else {}
    found = [_decision(op, regions, sizes.get(op)) for op, regions in notes]
    found += [_plain(note) for note in scheduled.notes]
    return Explanation(graph.name, _distinct(found), arguments is not None, passes)


def _noted(region: Region, regions: list[Region]) -> list[tuple[Op, list[Region]]]:
    """The operations with notes, each with the regions around it."""
    found = []
    for op in region.ops:
        if op.note is not None:
            found.append((op, regions))
        for inner in op.regions:
            found += _noted(inner, [*regions, inner])
    return found


def _plain(note: Note) -> Decision:
    line = note.location.line if note.location else 0
    return Decision(note.kind, note.what, line, note.because)


def _decision(op: Op, regions: list[Region], nbytes: int | None) -> Decision:
    note = op.note
    assert note is not None
    plain = _plain(note)
    if note.kind in ("recomputed", "segments", "winner") or not op.outputs:
        return plain
    type_ = op.outputs[0].type
    item = type_.item if isinstance(type_, StackOf) else type_
    loops: list[Value] = []
    factors: Sequence[int | Value | None] = extents_of(item, regions)
    if op.name == "empty":
        loops, factors = op.inputs[: len(note.loops)], op.inputs[len(note.loops) :]
    storage = {"empty": "array", "stack": "stack"}.get(op.name, "copy")
    if note.kind != "saved":
        storage = ""
    trips = [formula(v) for v in loops] or [""] * len(note.loops)
    lines = [place.line if place else 0 for place in note.loops]
    size = product(factors, item_size(item))
    return replace(
        plain, storage=storage, dtype=item.dtype, size=size, nbytes=nbytes,
        loops=tuple(zip(lines, trips, strict=True)),
    )  # fmt: skip


def _distinct(decisions: list[Decision]) -> list[Decision]:
    """Each once; what is allocated counts every time."""
    return [d for k, d in enumerate(decisions) if d.size or d not in decisions[:k]]
