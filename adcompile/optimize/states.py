"""The states of a loop that its reverse sweep reads stand in the rows of one array.

Enters: a graph of loops. Leaves: the same graph where a loop that makes a new array in each step,
as in `new = np.empty(n); ...; u = new`, and saves its elements, reads `u` in one row of an array
and makes `new` in the next: nothing is copied to a tape, and no step makes an array. What several
tapes would hold, as that of `u` and that of `new`, is held once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adcompile.graph.bounds import Sum
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.filling import copy_elements, fill_as_made
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_no_longer, remove, replace
from adcompile.graph.types import Array, shape_of
from adcompile.ops.memory import FULL
from adcompile.optimize.carried import Carried, first_carried, only_elements
from adcompile.optimize.nests import home_of
from adcompile.optimize.takeover import same_kind
from adcompile.optimize.tapes import is_tape
from adcompile.optimize.turns import MADE, turn_of
from adcompile.optimize.zeros import are_equal

_NEARLY = 2  # elements of a state, on one axis, that no tape holds


def keep_states(graph: Graph) -> None:
    """Rewrite in place, one loop after the other."""
    while True:
        users = _users_of_tapes(graph)
        found = first_carried(graph, lambda c: bool(_States(c, users).tapes())) if users else None
        if found is None:
            return
        replace(graph, _States(found, users).keep())


def _users_of_tapes(graph: Graph) -> dict[Value, list[Op]]:
    """What uses each array to which numbers are saved for the reverse sweep."""
    users: dict[Value, list[Op]] = {}
    for op in graph.body.walk():
        if is_tape(op):
            users[op.result] = []
        for value in {v for v in op.used if v in users}:
            users[value].append(op)
    for value in graph.body.yields:
        users.pop(value, None)
    return users


@dataclass
class _Tape:
    """An array to which each step saves the elements of one state.

    offset  in which row they are, counted from that of the oldest state that the step sees
    """

    array: Value
    stores: list[Op]
    loads: list[Op]
    offset: int


class _States:
    """The arrays that go through a loop: the new one, and those it was handed, the oldest last."""

    def __init__(self, carried: Carried, users: dict[Value, list[Op]]) -> None:
        self.carried, self.builder, self.users = carried, carried.builder, users
        self.region, self.loop, self.body = carried.region, carried.loop, carried.body
        self.turn = turn_of(carried)
        self.new, self.counter = carried.new, self.body.params[0]
        self.olds = [c.old for c in self.turn]

    # -- whether it can be done -----------------------------------------------------------------

    def tapes(self) -> list[_Tape]:
        """The tapes that the rows stand for, none if one is needed for something else."""
        if not self._is_new() or not all(map(self._stays, self.turn)):
            return []
        inside = set(self.loop.walk())
        found = [
            tape for array in self.users
            if (tape := self._tape(array, inside)) is not None
        ]  # fmt: skip
        return found if any(self._is_whole(tape.array) for tape in found) else []

    def _is_new(self) -> bool:
        """Whether each step makes an array, of which it uses nothing but elements."""
        made, (start, _, step) = self.new.op, self.loop.inputs[:3]
        if made is None or made.name not in MADE or made not in self.body.ops:
            return False
        ends = self.body.yields
        return (
            start.constant == 0
            and step.constant == 1
            and isinstance(self.new.type, Array)
            and self.new.type.layout == "C"
            and all(ends.count(c.new) == 1 for c in self.turn)
            and self.turn[-1].old not in ends
            and only_elements(self.new, self.body.ops)
        )

    def _stays(self, carried: Carried) -> bool:
        """Whether a state is only read once it has been handed on, and so is what it began with."""
        start, old = carried.start, carried.old
        with self.builder.inside(self.region):
            if not same_kind(self.builder, start, self.new):
                return False
        reading = [op for op in self.body.walk() if old in op.used and op.name != "dim"]
        if any(old in op.written or op.name not in ("load", "matmul_into") for op in reading):
            return False
        return carried.start_stays()

    def _tape(self, array: Value, inside: set[Op]) -> _Tape | None:
        """An array as a tape of states, if it is one."""
        users = self.users[array]
        stores = [op for op in users if op in inside]
        loads = [op for op in users if op not in inside]
        if array.op not in self.region.ops or array.type.dtype != self.new.type.dtype:
            return None
        if not stores or any(op.name != "store" for op in stores):
            return None
        if any(op.name != "load" for op in loads) or not self._is_count(array.op.inputs[0]):
            return None
        rank = 1 + len(shape_of(self.new.type))
        if any(len(op.inputs) != 2 + rank or op.inputs[2] is not self.counter for op in stores):
            return None
        if not all(map(self._counts_from_the_start, users)):
            return None  # what counts from the end would count from another one
        offset = self._offset(stores)
        return None if offset is None else _Tape(array, stores, loads, offset)

    def _is_count(self, rows: Value) -> bool:
        """Whether a tape has a row for each step."""
        stop = self.loop.inputs[1]
        if rows.op is not None and rows.op.name == "maximum":
            ends = [v for v in rows.op.inputs if v.constant != 0]
            return len(ends) == 1 and are_equal([self._sum(ends[0])], [self._sum(stop)])
        is_stop = are_equal([self._sum(rows)], [self._sum(stop)])
        return is_stop and self.carried.bounds.never_negative(stop, self.region)

    def _counts_from_the_start(self, access: Op) -> bool:
        home = home_of(self.builder.graph.body, access)
        bounds = self.carried.bounds
        return home is not None and all(bounds.never_negative(v, home) for v in index_of(access))

    def _offset(self, stores: Sequence[Op]) -> int | None:
        """Which state's elements are saved, if all are those of one state as it stays."""
        arrays = {_copied(op) for op in stores}
        if len(arrays) == 1:
            (array,) = arrays
            if array in self.olds:
                return len(self.olds) - 1 - self.olds.index(array)
        of_new = arrays == {self.new}
        saved = {store.inputs[1].op if of_new else store for store in stores}
        first = next(k for k, op in enumerate(self.body.ops) if not saved.isdisjoint(op.walk()))
        writes = [
            op for later in self.body.ops[first:] for op in later.walk() if self.new in op.written
        ]  # fmt: skip
        if of_new and not writes:
            return len(self.olds)
        beside = [self._beside(op, stores) for op in writes]
        return len(self.olds) if None not in beside and len(set(beside)) == len(stores) else None

    def _beside(self, write: Op, stores: Sequence[Op]) -> Op | None:
        """What saves the number that is written into the new array, in the same iterations."""
        home = home_of(self.body, write)
        assert home is not None
        same = (
            op for op in stores
            if write.name == "store" and op in home.ops
            and op.inputs[1] is write.inputs[1] and index_of(op)[1:] == index_of(write)
        )  # fmt: skip
        return next(same, None)

    def _is_whole(self, tape: Value) -> bool:
        """Whether a tape has hardly fewer elements for each step than a state."""
        assert tape.op is not None
        builder = self.builder
        with builder.inside(self.region), builder.before(self.loop), builder.inside(Region()):
            extents = builder.shape(self.turn[0].start)
        return all(map(self._is_nearly, tape.op.inputs[1:], extents))

    def _is_nearly(self, saved: Value, extent: Value) -> bool:
        """Whether a number is hardly less than an extent, but for the bounds that it is kept in."""
        while saved.op is not None and saved.op.name in ("maximum", "minimum"):
            bound = Sum() if saved.op.name == "maximum" else self._sum(extent)
            rest = [v for v in saved.op.inputs if not are_equal([self._sum(v)], [bound])]
            if len(rest) != 1:
                break
            (saved,) = rest
        gap = self._sum(extent).plus(self._sum(saved), -1)
        return not gap.factors and gap.constant <= _NEARLY

    def _sum(self, value: Value) -> Sum:
        return self.carried.bounds.sum_of(value, self.region)

    # -- how it is done -------------------------------------------------------------------------

    def keep(self) -> dict[Value, Value]:
        """Rewrite the loop and what reads its tapes; gives what stands for values that are gone."""
        tapes, builder, made = self.tapes(), self.builder, self.new.op
        tape = tapes[0].array.op
        assert made is not None and tape is not None
        with builder.inside(self.region):
            with (
                builder.before(self.loop),
                builder.inside(Region()) as before,
                builder.at(tape.location),
            ):
                extents = builder.shape(self.turn[0].start)
                rows = self._rows(tape, extents)
            with builder.inside(Region()) as filling, builder.at(made.location):
                fill_as_made(builder, made, self.new)
        _insert(self.body, made, filling.ops)
        self.body.ops.remove(made)
        known = self._in_rows(rows, extents)
        for saved in tapes:
            self._redirect(saved, rows)
        known.update(self._leave(rows, extents, tape.inputs[0]))
        _insert(self.region, self.loop, before.ops)
        return known

    def _rows(self, tape: Op, extents: Sequence[Value]) -> Value:
        """An array with a row for each state, and in it the states that the loop starts with."""
        builder = self.builder
        count = builder.op("add", tape.inputs[0], len(self.turn))
        shape = (builder.dim_of(count), *shape_of(self.turn[0].start.type))
        dtype = self.new.type.dtype
        rows: Value = builder.op("empty", count, *extents, dtype=dtype, shape=shape)
        rows.hint, rows.named = tape.result.hint, tape.result.named
        for k, carried in enumerate(reversed(self.turn)):
            row = builder.constant(k)
            copy_elements(builder, (carried.start, []), (rows, [row]), extents)
        return rows

    def _in_rows(self, rows: Value, extents: Sequence[Value]) -> dict[Value, Value]:
        """Let a step read and write rows; gives what stands for values that are gone."""
        known: dict[Value, Value] = {}
        with self.builder.inside(Region()) as head, self.builder.at(self.new.location):
            for k, array in enumerate([*reversed(self.olds), self.new]):
                row = self.builder.op("add", self.counter, k) if k else self.counter
                known.update(self._put(array, self.body.walk(), (rows, row), extents))
        self.body.ops[:0] = head.ops
        return known

    def _put(
        self, array: Value, ops: Iterable[Op], place: tuple[Value, Value], extents: Sequence[Value]
    ) -> dict[Value, Value]:
        """Let operations use a row in place of an array; gives what stands for its extents."""
        rows, row = place
        known: dict[Value, Value] = {}
        for op in [op for op in ops if array in op.inputs]:
            if op.name == "dim":
                known[op.result] = extents[op.attrs["axis"]]
            elif op.name in INDEX_STARTS:
                start = INDEX_STARTS[op.name]
                op.inputs = [rows, *op.inputs[1:start], row, *op.inputs[start:]]
            elif array not in known:
                spec = ("index", *[FULL] * len(extents))
                known[array] = self.builder.op("slice", rows, row, spec=spec)
        return known

    def _redirect(self, tape: _Tape, rows: Value) -> None:
        """Save nothing, and read the states where they are."""
        assert tape.array.op is not None
        remove(self.region, {tape.array.op, *tape.stores})
        for load in tape.loads:
            home = home_of(self.builder.graph.body, load)
            assert home is not None
            _, row, *index = load.inputs
            with self.builder.inside(Region()) as before, self.builder.at(load.location):
                if tape.offset:
                    row = self.builder.op("add", row, tape.offset)
            load.inputs = [rows, row, *index]
            _insert(home, load, before.ops)

    def _leave(self, rows: Value, extents: Sequence[Value], count: Value) -> dict[Value, Value]:
        """Carry the states no longer: what is left of them is in the last rows.

        A state that is used as a whole is copied, so that nobody holds all of them for one.
        """
        builder, loop = self.builder, self.loop
        known: dict[Value, Value] = {}
        after = self.region.ops[self.region.ops.index(loop) + 1 :]
        behind: list[Op] = []
        for k, carried in enumerate(reversed(self.turn)):
            end = carried.end
            using = [op for later in after for op in later.walk() if end in op.used]
            with builder.inside(Region()) as last, builder.at(loop.location):
                row = builder.op("add", count, k) if k else count
                if all(op.name in ("load", "dim") for op in using) and not self._leaves(end):
                    known.update(self._put(end, using, (rows, row), extents))
                else:
                    shape = shape_of(carried.start.type)
                    copy = builder.op("empty", *extents, dtype=end.type.dtype, shape=shape)
                    copy_elements(builder, (rows, [row]), (copy, []), extents)
                    known[end] = copy
            behind += last.ops
        _insert(self.region, after[0] if after else None, behind)
        for carried in sorted(self.turn, key=lambda c: -c.k):
            carry_no_longer(loop, carried.k)
        return known

    def _leaves(self, end: Value) -> bool:
        return end in self.region.yields or end in self.builder.graph.kept


def _copied(store: Op) -> Value | None:
    """The array of which an element is stored at the same index, behind the number of the row."""
    load = store.inputs[1].op
    same = load is not None and load.name == "load" and index_of(load) == index_of(store)[1:]
    return load.inputs[0] if load is not None and same else None


def _insert(region: Region, op: Op | None, ops: Sequence[Op]) -> None:
    """Put operations before one of a region, or at its end."""
    place = len(region.ops) if op is None else region.ops.index(op)
    region.ops[place:place] = ops
