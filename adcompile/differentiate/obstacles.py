"""Which values the reverse sweep can have again without saving them.

Enters: a forward value. Leaves: nothing if indices, memory that stays as it is, and what is saved
in any case give it again at little cost, for one because the program itself stores it; else the
value that keeps it from that, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from adcompile.graph.dependence import Dependence, index_of
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Array, Scalar, is_continuous

if TYPE_CHECKING:
    from adcompile.differentiate.mirror import Mirror


# operations in a row that take no longer than to write a number to a tape and to read it back
_MOST = 5
_MORE = 3  # and so many more from a copy of an array: its tape is smaller by an extent


class Obstacles:
    """The answers for one graph, each found once."""

    def __init__(self, mirror: Mirror, counter: Callable[[Value], object]) -> None:
        self.mirror = mirror
        self._counter = counter
        self._dependence = Dependence(mirror.graph, mirror.aliases)
        self._known: dict[Value, tuple[Value, str] | None] = {}
        self._stays: dict[Op, bool] = {}
        self._stores: dict[Value, list[Op]] = {}
        for op in mirror.graph.body.walk():
            if op.name == "store":
                self._stores.setdefault(op.inputs[1], []).append(op)
        self.stored: dict[Value, Op] = {}  # by what, where that gives back what nothing else does
        self.saved: set[Value] = set()
        self._of_saved: dict[Value, int] = {}  # how many operations after what is saved
        self._copied: Collection[Op] = ()

    def plan(self, requested: Sequence[Value], copied: Collection[Op]) -> set[Value]:
        """What must be saved of the forward values that the reverse sweep reads.

        requested    these values, in the order of the forward sweep
        copied       reads of elements that are done again of a copy
        """
        self._known, self.stored, self._copied = {}, {}, copied
        self.saved, self._of_saved = set(), {}
        for value in requested:
            if self.of(value) is not None:
                self.saved.add(value)
        return self.saved

    def stays(self, load: Op) -> bool:
        """Whether the element that is read keeps its value to the end."""
        if load not in self._stays:
            self._stays[load] = self._dependence.stays(load)
        return self._stays[load]

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
        if value in self.mirror.known or value in self.mirror.found:
            return None
        op = value.op
        if op is None:
            return value, f"is carried around the loop {at_line(self.mirror.parents[home][0])}"
        if op.name == "array_constant":
            return None
        if op.regions:
            return value, f"comes out of the `{op.name}` {at_line(op)}"
        needed = op.inputs
        seldom = self.mirror.is_seldom(home)
        if op in self._copied:
            needed = _places(op)
        elif op.name == "load":
            if not self.stays(op):
                return value, f"is read of `{op.inputs[0].origin}`, which is overwritten"
        elif isinstance(value.type, Array):
            if not op.record.view and not self._stays_the_same(op):
                return value, "is an array: computing it again costs more than reading it back"
        elif (not _cheap(op) and not seldom) or (op.record.reads and not op.record.view):
            return value, f"takes `{op.name}`, which costs more than reading it back"
        inside = [v for v in needed if v not in self.saved and self._in_loop(v)]
        found = next((found for v in inside if (found := self.of(v)) is not None), None)
        if found is None and _decides(op) and any(map(self._is_rounded, inside)):
            return value, "decides what follows, and could be rounded otherwise the second time"
        if op in self._copied or any(v in self.saved or v in self._of_saved for v in needed):
            steps = 1 + max((self._of_saved.get(v, 0) for v in needed), default=0)
            if op in self._copied:
                steps = 1 - _MORE
            if found is None and steps > _MOST and not seldom:
                return value, "takes many operations from what is saved"
            self._of_saved[value] = steps
        return found

    def _stays_the_same(self, op: Op) -> bool:
        """Whether elementwise arithmetic gives the same array as long as the program runs."""
        aliases = self.mirror.aliases
        return op.record.cheap and not any(
            isinstance(v.type, Array) and aliases.may_be_written_after(op, v)
            for v in (*op.inputs, *op.outputs)
        )

    def _is_rounded(self, value: Value) -> bool:
        """Whether arithmetic gives a value: with numbers that are saved, or in several steps.

        One step alone is rounded the same way whenever it is done.
        """
        if not self._is_computed(value):
            return False
        inputs = value.op.inputs if value.op is not None else ()
        return value in self._of_saved or any(map(self._is_computed, inputs))

    def _is_computed(self, value: Value) -> bool:
        exact = value.op is None or value.op.name in ("load", "constant", "cast", "neg")
        number = isinstance(value.type, (Array, Scalar)) and is_continuous(value.type)
        return number and not exact and self._in_loop(value)

    def _in_loop(self, value: Value) -> bool:
        """Whether it has many values; the one value of a branch can be handed out of it."""
        home = self.mirror.home.get(value)
        return home is not None and bool(self.mirror.loops(home))


def _decides(op: Op) -> bool:
    """Whether a result jumps where its inputs change a little."""
    return op.name in ("floordiv", "mod", "sign") or not is_continuous(op.result.type)


def _places(load: Op) -> list[Value]:
    """What an element that is read of a copy of its array is chosen by."""
    found = index_of(load)
    array = load.inputs[0]
    while array.op is not None and array.op.record.view and not array.op.regions:
        found += array.op.inputs[1:]
        array = array.op.inputs[0]
    return found


def at_line(op: Op) -> str:
    """Where the user wrote it, for sentences."""
    return f"at line {op.location.line}" if op.location is not None else "around it"


def _cheap(op: Op) -> bool:
    """Whether computing again costs less than storing."""
    return op.record.cheap or (op.name == "pow" and op.inputs[1].constant in (2, 3))
