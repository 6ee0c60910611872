"""Tables of which a loop uses a few rows at a time become rings of a few rows.

Enters: a graph of loops. Leaves: the same graph where an array that is made before a loop, and of
which iteration `i` uses rows `i - 1` to `i + 1` or the like, has as many rows as that, rounded up
to a power of two: row `r` of a ring of four lies at `r & 3`. Each iteration fills the row that it
meets first, where the table was filled. Before the loop only rows of the first iteration may be
used, and of the last one behind it. The ring stays in the cache, where the table would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.equal import are_same
from adcompile.graph.filling import fill
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, Dim, Scalar, Symbol, shape_of
from adcompile.optimize.nests import counters_to
from adcompile.optimize.zeros import leaves_of, number_of, offset_of

MOST = 4  # rows of a ring
_ROW = {**INDEX_STARTS, "slice": 1}  # where the index of the row is


def fold_rows(graph: Graph) -> None:
    """Rewrite in place, one table after the other."""
    with Builder(graph) as builder:
        while (tables := _tables(graph)) and _one(tables, Bounds(graph), builder):
            pass


def _tables(graph: Graph) -> list[tuple[Op, Region]]:
    """What makes arrays of several axes and many rows, each with its region."""
    every = chain.from_iterable(leaves_of(op, graph.body) for op in graph.body.ops)
    made = [(op, region) for op, region in every if op.name in ("empty", "full")]
    return [(op, region) for op, region in made if _is_long(shape_of(op.result.type))]


def _is_long(shape: Sequence[Dim]) -> bool:
    return len(shape) > 1 and not (isinstance(shape[0], int) and shape[0] <= MOST)


def _one(tables: list[tuple[Op, Region]], bounds: Bounds, builder: Builder) -> bool:
    return any(_fold(made, region, bounds, builder) for made, region in tables)


def _fold(made: Op, region: Region, bounds: Bounds, builder: Builder) -> bool:
    table = _Table(made, region, bounds)
    if not table.is_known():
        return False
    for loop in {use.top: None for use in table.uses if use.top.name == "for"}:
        window = table.window(loop)
        if window is not None:
            table.fold(window, builder)
            return True
    return False


@dataclass(frozen=True)
class _Use:
    """One operation on a row: where it stands, and in which operation beside the table."""

    op: Op
    home: Region
    top: Op

    @property
    def row(self) -> Value:
        """The index of the row."""
        return self.op.inputs[_ROW[self.op.name]]

    def set_row(self, row: Value) -> None:
        """Use another row."""
        self.op.inputs[_ROW[self.op.name]] = row


@dataclass(frozen=True)
class _Window:
    """The rows of an iteration: those of the counter, plus `low` to `high`."""

    loop: Op
    step: int
    low: int
    high: int

    @property
    def rows(self) -> int:
        """How many rows the ring has."""
        return ring_of(self.high - self.low)


class _Table:
    """An array, and what is done with its rows."""

    def __init__(self, made: Op, region: Region, bounds: Bounds) -> None:
        self.made, self.region, self.bounds = made, region, bounds
        self.array = made.result
        self.filled = made.name == "full"
        self.users = [
            _Use(op, home, top)
            for top in region.ops for op, home in leaves_of(top, region) if self.array in op.used
        ]  # fmt: skip
        self.uses = [use for use in self.users if use.op.name != "dim"]

    # -- whether --------------------------------------------------------------------------------

    def is_known(self) -> bool:
        """Whether all that happens is that elements are read and written, none of row -1."""
        if self.array in self.region.yields or not self._is_filled_alike():
            return False
        return all(self._is_row(use) and self._holds(self._row(use), use.home) for use in self.uses)

    def _is_filled_alike(self) -> bool:
        """Whether a store of what the table is filled with does the same."""
        value = self.made.inputs[0]
        return (
            not self.filled or value.constant is not None
            or value.type.dtype == self.array.type.dtype
        )  # fmt: skip

    def _is_row(self, use: _Use) -> bool:
        op = use.op
        if op.name not in _ROW or op.inputs.index(self.array) or op.used.count(self.array) > 1:
            return False
        return op.name != "slice" or self._is_lent(use)

    def _is_lent(self, use: _Use) -> bool:
        """Whether a row as an array is handed to routines of the same iteration, and not kept."""
        row, home = use.op.result, use.home
        users = [op for op in home.walk() if row in op.used]
        return (
            use.op.attrs["spec"][0] == "index"
            and row not in home.yields
            and all(op in home.ops and op.name == "matmul_into" for op in users)
        )

    def _row(self, use: _Use) -> Sum:
        """The index of a row: -1 is that of the last, others are known not to be negative."""
        op, known = use.row.op, use.row.constant
        if known is not None and known < 0:
            return self._last(use.home).plus(Sum(known + 1))
        if op is not None and op.name == "where":
            test, _, front = op.inputs
            given = test.op.inputs if test.op is not None and test.op.name == "lt" else []
            if given and given[0] is front and given[1].constant == 0:
                row = self._sum(front, use.home)
                if self._holds(row, use.home):
                    return row
        return self._sum(use.row, use.home)

    def _sum(self, value: Value, region: Region) -> Sum:
        """An integer as a sum, the extent of the table as what it was made with."""
        found = self.bounds.sum_of(value, region)
        (atom, *others) = self.bounds.extent(shape_of(self.array.type)[0], region).factors or [None]
        factor = found.factors.get(atom) if atom is not None and not others else None
        if isinstance(atom, Symbol) and factor:
            found = found.plus(Sum(0, {atom: 1}), -factor)
            found = found.plus(self._last(region).plus(Sum(1)), factor)
        return found

    def _last(self, region: Region) -> Sum:
        return self.bounds.sum_of(self.made.inputs[self.filled], region).plus(Sum(-1))

    def _holds(self, found: Sum, region: Region, row: Sum | None = None) -> bool:
        """Whether a sum is 0 or more, given that the table has a row, and a certain one."""
        behind = [self._last(region).plus(k, -1) for k in (Sum(), row) if k is not None]
        sums = (found, *(found.plus(k, -1) for k in behind))
        return any(self.bounds.sum_never_negative(s, region) for s in sums)

    def window(self, loop: Op) -> _Window | None:
        """What a loop uses in each iteration, if a ring of that many rows does."""
        found = self._moving(loop)
        if found is None or found.rows > MOST:
            return None
        start, stop = (self.bounds.sum_of(v, self.region) for v in loop.inputs[:2])
        place = self.region.ops.index
        before = [use for use in self.uses if place(use.top) < place(loop)]
        after = [use for use in self.uses if place(use.top) > place(loop)]
        low, high = start.plus(Sum(found.low)), start.plus(Sum(found.high))
        if self.filled and found.step > 0:  # the first iteration fills that row
            high = high.plus(Sum(-1))
        elif self.filled:
            low = low.plus(Sum(1))
        if not all(self._lies(use, low, high) for use in before):
            return None
        end = stop.plus(Sum(-found.step))
        low, high = end.plus(Sum(found.low)), end.plus(Sum(found.high))
        if not all(self._lies(use, low, high) for use in after):
            return None
        spare = found.rows - 1 - found.high + found.low
        trips = Sum(spare).plus(stop, found.step).plus(start, -found.step)
        # else the rows used on both sides of a loop that does not run may be far apart
        runs = not after or all(self._holds(trips, use.home, self._row(use)) for use in before)
        return found if runs else None

    def _moving(self, loop: Op) -> _Window | None:
        step = loop.inputs[2].constant
        if step not in (1, -1) or "parallel" in loop.attrs:
            return None
        counter, inside = loop.regions[0].params[0], [u for u in self.uses if u.top is loop]
        offsets = [offset_of(self._row(u), counter) for u in inside]
        known = [k for k in offsets if k is not None]
        if len(known) < len(offsets):
            return None
        return _Window(loop, step, min(known), max(known))

    def _lies(self, use: _Use, low: Sum, high: Sum) -> bool:
        """Whether a row lies between two others."""
        row = self._row(use)
        return all(self._holds(s, use.home) for s in (row.plus(low, -1), high.plus(row, -1)))

    # -- rewriting ------------------------------------------------------------------------------

    def fold(self, window: _Window, builder: Builder) -> None:
        """Make the ring in place of the table."""
        self._drop(window)
        self._turn(window, builder)
        self._shrink(window, builder)
        counter = window.loop.regions[0].params[0].hint
        count = window.high - window.low + 1
        why = f"the loop over `{counter}` uses {count} {'row' if count == 1 else 'rows'} at a time"
        note = Note("folded", self.array.hint, why, window.loop.location)
        builder.graph.notes.append(note)

    def _drop(self, window: _Window) -> None:
        """Leave out the store of zero in an adjoint that was read, if its row is used no more."""
        rising = window.step > 0
        end = self._sum(window.loop.inputs[1], self.region).plus(Sum(-window.step))
        leaving = window.low if rising else window.high
        low, high = end.plus(Sum(window.low + rising)), end.plus(Sum(window.high - (not rising)))
        counter, place = window.loop.regions[0].params[0], self.region.ops.index
        uses = [u for u in self.uses if u.top is window.loop]
        parting = [u for u in uses if offset_of(self._row(u), counter) == leaving]
        stores = [u for u in parting if u.op.name == "store"]
        after = (u for u in self.uses if place(u.top) > place(window.loop))
        if len(stores) == 1 and all(self._lies(u, low, high) for u in after):
            (store,) = stores
            if all(u is store or self._is_read_before(u, store) for u in parting):
                if self._is_single(store, window.loop):
                    store.home.ops.remove(store.op)
                    self.uses.remove(store)

    def _is_read_before(self, use: _Use, store: _Use) -> bool:
        """Whether an element is read, in the same iteration before it is stored."""
        if use.op.name != "load" or use.home is not store.home:
            return False
        ops = use.home.ops
        same = are_same(index_of(use.op)[1:], index_of(store.op)[1:])
        return same and ops.index(use.op) < ops.index(store.op)

    def _is_single(self, store: _Use, loop: Op) -> bool:
        """Whether no other iteration of the loops inside one uses the element."""
        counters = counters_to(loop, store.home)
        axes = [v for v in index_of(store.op)[1:] if self.bounds.never_negative(v, store.home)]
        sums = [self.bounds.sum_of(v, store.home) for v in axes]
        return counters is not None and all(
            counter is loop.regions[0].params[0]
            or any(offset_of(found, counter) is not None for found in sums)
            for counter in counters
        )

    def _turn(self, window: _Window, builder: Builder) -> None:
        """Use rows of the ring, and fill those that an iteration meets first."""
        body, slots = window.loop.regions[0], dict[int, Value]()
        counter, location = body.params[0], window.loop.location

        def slot(offset: int) -> Value:
            if offset not in slots:
                row = number_of(Sum(offset, {counter: 1}), builder)
                slots[offset] = place_in_ring(row, window.rows, builder)
            return slots[offset]

        with builder.inside(body), builder.inside(Region()) as early, builder.at(location):
            if self.filled:
                value, *extents = self.made.inputs
                new = slot(window.high if window.step > 0 else window.low)
                if value.constant is not None:
                    value = builder.constant(value.constant, Scalar(self.array.type.dtype))
                fill(builder, self.array, value, extents[1:], [new])
            for use in self.uses:
                if use.top is window.loop:
                    offset = offset_of(self._row(use), counter)
                    assert offset is not None
                    use.set_row(slot(offset))
        body.ops[:0] = early.ops
        for use in self.uses:
            if use.top is not window.loop:
                with builder.inside(use.home), builder.inside(Region()) as made:
                    row = use.row
                    if row.constant is not None and row.constant < 0:
                        row = builder.op("sub", self.made.inputs[self.filled], -row.constant)
                    use.set_row(place_in_ring(row, window.rows, builder))
                place = use.home.ops.index(use.op)
                use.home.ops[place:place] = made.ops

    def _shrink(self, window: _Window, builder: Builder) -> None:
        """Make as many rows as the ring has; the extent of the table stays what it was."""
        made, axis = self.made, int(self.filled)
        rows = made.inputs[axis]
        for use in self.users:
            if use.op.name == "dim" and not use.op.attrs["axis"]:
                use.home.ops.remove(use.op)
                replace(builder.graph, {use.op.result: rows})
        with builder.inside(self.region), builder.inside(Region()) as early:
            few = builder.constant(window.rows)
            if not self.bounds.never_negative(rows, self.region):  # an error stays one
                few = builder.op("minimum", rows, few)
            dim = builder.dim_of(few)
        self.region.extents.update(early.extents)
        place = self.region.ops.index(made)
        self.region.ops[place:place] = early.ops
        made.inputs[axis] = few
        made.attrs["shape"] = dim, *shape_of(self.array.type)[1:]
        self.array.type = Array(self.array.type.dtype, made.attrs["shape"])


def ring_of(distance: int) -> int:
    """How many rows a ring has for rows that are so far apart."""
    return 1 << distance.bit_length()


def place_in_ring(row: Value, rows: int, builder: Builder) -> Value:
    """Where a row lies in a ring."""
    mask = rows - 1
    if row.constant is not None or not mask:
        return builder.constant(int(row.constant or 0) & mask)
    place: Value = builder.op("bitwise_and", row, mask)
    return place
