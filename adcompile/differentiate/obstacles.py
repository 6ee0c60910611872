"""Which values the reverse sweep can have again without saving them.

Enters: a forward value. Leaves: nothing if indices and memory that stays as it is give it again
at little cost, for one because the program itself stores it; else the value that keeps it from
that, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from adcompile.graph.dependence import Dependence, index_of
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Array

if TYPE_CHECKING:
    from adcompile.differentiate.residuals import Mirror


class Obstacles:
    """The answers for one graph, each found once."""

    def __init__(self, mirror: Mirror, counter: Callable[[Value], object]) -> None:
        self.mirror = mirror
        self._counter = counter
        self._dependence = Dependence(mirror.graph, mirror.aliases)
        self._known: dict[Value, tuple[Value, str] | None] = {}
        self._stores: dict[Value, list[Op]] = {}
        for op in mirror.graph.body.walk():
            if op.name == "store":
                self._stores.setdefault(op.inputs[1], []).append(op)
        self.stored: dict[Value, Op] = {}  # by what, where that gives back what nothing else does

    def of(self, value: Value) -> tuple[Value, str] | None:
        """What keeps a value from being had again, itself or what it is computed from, and why."""
        if value not in self._known:
            found = self._find(value)
            if found is not None and (store := self._store(value)) is not None:
                self.stored[value], found = store, None
            self._known[value] = found
        return self._known[value]

    def _store(self, value: Value) -> Op | None:
        """A store of the value that runs where it is computed, into an element that stays."""
        home = self.mirror.home.get(value)
        for store in self._stores.get(value, ()) if self.mirror.run is None else ():
            array = store.inputs[0]
            if home is None or store not in home.ops or array.type.dtype != value.type.dtype:
                continue
            reachable = all(self.of(v) is None for v in (array, *index_of(store)))
            if reachable and self._dependence.stays(store):
                return store
        return None

    def _find(self, value: Value) -> tuple[Value, str] | None:
        home = self.mirror.home.get(value)
        if home is None or home is self.mirror.graph.body or value in self.mirror.index:
            return None
        if self._counter(value) is not None or value in self.mirror.extrema:
            return None
        op = value.op
        if op is None:
            return value, f"is carried around the loop {at_line(self.mirror.parents[home][0])}"
        if op.regions:
            return value, f"comes out of the `{op.name}` {at_line(op)}"
        if op.name == "load":
            if not self._dependence.stays(op):
                return value, f"is read of `{op.inputs[0].origin}`, which is overwritten"
        elif isinstance(value.type, Array):
            if not op.record.view:
                return value, "is an array: computing it again costs more than reading it back"
        elif not _cheap(op) or (op.record.reads and not op.record.view):
            return value, f"takes `{op.name}`, which costs more than reading it back"
        inside = [v for v in op.inputs if self._in_loop(v)]
        return next((found for v in inside if (found := self.of(v)) is not None), None)

    def _in_loop(self, value: Value) -> bool:
        """Whether it has many values; the one value of a branch can be handed out of it."""
        home = self.mirror.home.get(value)
        return home is not None and bool(self.mirror.loops(home))


def at_line(op: Op) -> str:
    """Where the user wrote it, for sentences."""
    return f"at line {op.location.line}" if op.location is not None else "around it"


def _cheap(op: Op) -> bool:
    """Whether computing again costs less than storing."""
    return op.record.cheap or (op.name == "pow" and op.inputs[1].constant in (2, 3))
