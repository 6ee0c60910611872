"""Zeros are written late, and not where something is added to them first.

Enters: a graph of loops. Leaves: the same graph where the first sum into each element of an array
of zeros is a store, if a loop adds to almost all elements of the array, or to almost all of the
row that it meets first in each iteration: the adjoint of a stencil adds to row `i + 1` before any
other iteration does. The few elements that the loop leaves out are set to zero beforehand.

An array that a loop hands to its next iteration may be zeros, too: the adjoints of two buffers that
change places are, for an iteration sets to zero what it has read. Where it is zeros at first, and
the next iteration stores before it adds, the zeros are written once, after the loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value
from adcompile.graph.types import Array, Scalar
from adcompile.optimize.loads import defined

_FEW = 8  # elements, or rows, that a loop may leave out


def zero_late(graph: Graph) -> None:
    """Rewrite in place, one array after the other."""
    with Builder(graph) as builder:
        while _one(graph.body, Aliases(graph), Bounds(graph), builder):
            pass


def _one(region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> bool:
    with builder.inside(region):
        for place, op in enumerate(region.ops):
            if op.name == "full" and op.inputs[0].constant == 0:
                if _made_late(op, region, aliases, bounds, builder):
                    return True
            if op.name == "for":
                for k in range(len(op.outputs)):
                    handed = _Handed(region, place, k, aliases, bounds, builder)
                    if handed.is_zeros() and handed.rewrite():
                        return True
        inner = [r for op in region.ops for r in op.regions]
        return any(_one(r, aliases, bounds, builder) for r in inner)


def _made_late(
    made: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder
) -> bool:  # fmt: skip
    array = made.result
    assert isinstance(array.type, Array)
    spans = [Span(Sum(), bounds.extent(dim, region)) for dim in array.type.shape]
    zeros = _Zeros(array, spans, aliases, bounds, builder)
    place = region.ops.index(made) + 1
    levels = zeros.plan(region, place)
    if levels is None:
        return False
    zeros.store(levels, place)
    made.record = RECORDS["empty"]
    del made.inputs[0]
    return True


@dataclass(frozen=True)
class Span:
    """Integers from `low`, those below `high`."""

    low: Sum
    high: Sum

    def moved(self, offset: int) -> Span:
        """The same integers, each plus a number."""
        return Span(self.low.plus(Sum(offset)), self.high.plus(Sum(offset)))


def span_of(loop: Op, bounds: Bounds, region: Region) -> Span | None:
    """What the counter of a loop is, if it takes on all integers of a range."""
    start, stop, step = (bounds.sum_of(v, region) for v in loop.inputs[:3])
    if step.factors or abs(step.constant) != 1:
        return None
    if step.constant == 1:
        return Span(start, stop)
    return Span(stop.plus(Sum(1)), start.plus(Sum(1)))


def offset_of(found: Sum, counter: Value) -> int | None:
    """What an index adds to a counter, if it is a number."""
    gap = found.plus(Sum(0, {counter: 1}), -1)
    return None if gap.factors else gap.constant


@dataclass
class _Level:
    """One axis: the loop that runs along it, and what it reaches.

    loop     adds to, or finds, one row of zeros in each iteration
    offset   the row is that of the counter, plus this
    reached  all these rows
    region   where the loop stands
    """

    loop: Op
    offset: int
    reached: Span
    region: Region

    @property
    def row(self) -> Sum:
        """The index of the row."""
        return Sum(self.offset, {self.loop.regions[0].params[0]: 1})


class _Zeros:
    """Elements that are zero, of one array: one range along each axis."""

    def __init__(
        self, array: Value, spans: Sequence[Span], aliases: Aliases, bounds: Bounds,
        builder: Builder,
    ) -> None:  # fmt: skip
        self.array, self.spans = array, spans
        self.aliases, self.bounds, self.builder = aliases, bounds, builder
        self.added: Op | None = None  # the sum that comes first

    # -- what comes first -----------------------------------------------------------------------

    def plan(self, region: Region, place: int, prefix: Sequence[Sum] = ()) -> list[_Level] | None:
        """The loops around the first sum, from the outside, if that reaches almost all elements.

        place    from here on in the region they are zero
        prefix   the index of the row that is looked at, on the axes before
        """
        axis = len(prefix)
        earlier: list[Span] = []
        for op in region.ops[place:]:
            accesses = self._accesses(op, region, prefix)
            if accesses is None:
                return None
            if not accesses:
                continue
            level = self._level(op, region, accesses, axis)
            if level is None or self._early(level, axis, place) is None:
                return None
            if axis + 1 < len(self.spans):
                return self._row(level, prefix)
            if len(accesses) != 1 or not self._adds(accesses[0], op):
                return None
            if self._fits(level, axis) and all(
                self._apart(span, level.reached, region) for span in earlier
            ):
                self.added = accesses[0]
                return [level]
            earlier.append(level.reached)
        return None

    def _level(
        self, op: Op, region: Region, accesses: Sequence[Op], axis: int
    ) -> _Level | None:  # fmt: skip
        """How an operation runs along an axis, if it is a loop over rows next to one another.

        Of those that an iteration touches, no earlier one touches that which lies ahead.
        """
        found = span_of(op, self.bounds, region) if op.name == "for" else None
        if found is None:
            return None
        offsets = [self._offset(o, axis, op) for o in accesses]
        known = [k for k in offsets if k is not None]
        if len(known) < len(offsets):
            return None
        rising = self.bounds.sum_of(op.inputs[2], region).constant > 0
        offset = max(known) if rising else min(known)
        return _Level(op, offset, found.moved(offset), region)

    def _row(self, level: _Level, prefix: Sequence[Sum]) -> list[_Level] | None:
        """The levels from a loop that meets a new row in each iteration."""
        if not self._fits(level, len(prefix)):
            return None
        body = level.loop.regions[0]
        with self.builder.inside(body):
            inner = self.plan(body, 0, [*prefix, level.row])
        return None if inner is None else [level, *inner]

    def _accesses(self, op: Op, region: Region, prefix: Sequence[Sum]) -> list[Op] | None:
        """What in an operation touches a row; None if it may do so in other ways than by index."""
        found: list[Op] = []
        for inner, home in _leaves(op, region):
            if inner.name == "dim" or not any(map(self._is, inner.used)):
                continue
            values = inner.inputs[1 : INDEX_STARTS.get(inner.name, 1)]
            if inner.name not in INDEX_STARTS or inner.inputs[0] is not self.array:
                return None
            if any(map(self._is, values)):
                return None
            apart = self._is_apart(inner, home, prefix)
            if apart is None:
                return None
            if not apart:
                found.append(inner)
        return found

    def _is_apart(self, access: Op, home: Region, prefix: Sequence[Sum]) -> bool | None:
        """Whether an element is of another row; None where that is not known."""
        unknown = False
        for value, place in zip(index_of(access), prefix, strict=False):
            if not self.bounds.never_negative(value, home):
                return None
            gap = self.bounds.sum_of(value, home).plus(place, -1)
            if gap.constant and not gap.factors:
                return True
            unknown = unknown or bool(gap.factors)
        return None if unknown else False

    def _is(self, value: Value) -> bool:
        if self.array in self.aliases.roots.get(self.array, ()):
            return self.array in self.aliases.roots.get(value, ())
        return bool(self.aliases.shared_at_once(value, self.array))

    def _offset(self, access: Op, axis: int, loop: Op) -> int | None:
        """Which row an operation in a loop touches: that of the counter, plus a number."""
        home = next(h for o, h in _leaves(loop, loop.regions[0]) if o is access)
        value = index_of(access)[axis]
        if not self.bounds.never_negative(value, home):
            return None
        return offset_of(self.bounds.sum_of(value, home), loop.regions[0].params[0])

    def _adds(self, access: Op, loop: Op) -> bool:
        return access.name == "accumulate_at" and access in loop.regions[0].ops

    # -- ranges ---------------------------------------------------------------------------------

    def _fits(self, level: _Level, axis: int) -> bool:
        """Whether a loop reaches almost all of a range, and nothing else, and that is a lot."""
        span, reached, region = self.spans[axis], level.reached, level.region
        few = Sum(_FEW)
        before, after = reached.low.plus(span.low, -1), span.high.plus(reached.high, -1)
        return (
            self._holds(before, region)
            and self.ends_within(reached, span.high, region)
            and self._holds(few.plus(before, -1), region)
            and self._holds(few.plus(after, -1), region)
            and not self._holds(few.plus(reached.low).plus(reached.high, -1), region)
        )

    def ends_within(self, span: Span, high: Sum, region: Region) -> bool:
        """Whether no integer of a range is as large as `high`, be it for there is none."""
        if any(self._holds(end.plus(span.high, -1), region) for end in (high, span.low)):
            return True
        for atom, factor in span.high.factors.items():
            op = atom.op if isinstance(atom, Value) else None
            if op is not None and op.name == "maximum" and factor == 1:
                rest = span.high.plus(Sum(0, {atom: 1}), -1)
                ends = [rest.plus(self.bounds.sum_of(v, region)) for v in op.inputs]
                return all(self.ends_within(Span(span.low, end), high, region) for end in ends)
        return False

    def _apart(self, one: Span, other: Span, region: Region) -> bool:
        """Whether two ranges have no integer in common."""
        return self._holds(other.low.plus(one.high, -1), region) or self._holds(
            one.low.plus(other.high, -1), region
        )

    def _holds(self, found: Sum, region: Region) -> bool:
        return self.bounds.sum_never_negative(found, region)

    # -- rewriting ------------------------------------------------------------------------------

    def _early(self, level: _Level, axis: int, place: int) -> list[Op] | None:
        """The operations that compute ranges, and come after the place where these are needed.

        None where they cannot be moved there.
        """
        sums = [s for span in (level.reached, *self.spans[axis:]) for s in (span.low, span.high)]
        atoms = [a for found in sums for a in found.factors]
        if not all(isinstance(a, Value) or self.builder.knows(a) for a in atoms):
            return None
        needed = {a if isinstance(a, Value) else self.builder.extent(a) for a in atoms}
        found: list[Op] = []
        for op in reversed(level.region.ops[0 if axis else place :]):
            if needed.isdisjoint(op.outputs):
                continue
            if op.regions or (op.record.scalar is None and op.name not in ("dim", "constant")):
                return None
            found.append(op)
            needed.update(op.inputs)
        return found[::-1]

    def store(self, levels: Sequence[_Level], place: int) -> None:
        """Store what is added first; `place` is where the elements would have to be zero."""
        prefix: list[Sum] = []
        with ExitStack() as stack:
            for axis, level in enumerate(levels):
                stack.enter_context(self.builder.inside(level.region))
                early = self._early(level, axis, place) or []
                with self.builder.inside(Region()) as made:
                    self._left_out(level.reached, self.spans[axis], prefix, level.loop)
                rest = [op for op in level.region.ops if op not in early]
                where = 0 if axis else place
                level.region.ops = [*rest[:where], *early, *made.ops, *rest[where:]]
                prefix.append(level.row)
        added, home = self.added, levels[-1].loop.regions[0]
        assert added is not None
        stored = Op(RECORDS["store"], added.inputs, dict(added.attrs), [], location=added.location)
        home.ops[home.ops.index(added)] = stored

    def _left_out(self, reached: Span, span: Span, prefix: Sequence[Sum], loop: Op) -> None:
        """Append zeros for what is before the rows that a loop reaches, and behind them."""
        add = self.builder.op
        with self.builder.at(loop.location):
            if not _equal(reached.low, span.low):
                stop = add("minimum", self.number(reached.low), self.number(span.high))
                self.fill(prefix, [(self.number(span.low), stop)])
            if not _equal(reached.high, span.high):
                start = add("maximum", self.number(reached.low), self.number(reached.high))
                self.fill(prefix, [(start, self.number(span.high))])

    def fill(self, prefix: Sequence[Sum], ranges: Sequence[tuple[Value, Value]] = ()) -> None:
        """Append zeros of the rows with a given index, in ranges of the axes behind."""
        index = [self.number(s) for s in prefix]
        rest = self.spans[len(prefix) + len(ranges) :]
        every = [*ranges, *((self.number(s.low), self.number(s.high)) for s in rest)]
        self._fill(index, every)

    def _fill(self, index: Sequence[Value], ranges: Sequence[tuple[Value, Value]]) -> None:
        if not ranges:
            zero = self.builder.constant(0, Scalar(self.array.type.dtype))
            self.builder.op("store", self.array, zero, *index)
            return

        def body(counter: Value, _: list[Value]) -> list[Value]:
            self._fill([*index, counter], ranges[1:])
            return []

        self.builder.loop(*ranges[0], 1, [], body, "ijklmn"[len(index) % 6])

    def number(self, found: Sum) -> Value:
        """The value of a sum."""
        total: Value | None = None
        for atom, factor in found.factors.items():
            value = atom if isinstance(atom, Value) else self.builder.extent(atom)
            term = value if factor == 1 else self.builder.op("mul", value, factor)
            total = term if total is None else self.builder.op("add", total, term)
        if total is None:
            return self.builder.constant(found.constant)
        if found.constant:
            change = "add" if found.constant > 0 else "sub"
            total = self.builder.op(change, total, abs(found.constant))
        return total


class _Handed:
    """An array that a loop carries: what it hands on is zeros in some range."""

    def __init__(
        self, region: Region, place: int, k: int, aliases: Aliases, bounds: Bounds,
        builder: Builder,
    ) -> None:  # fmt: skip
        self.region, self.place, self.loop = region, place, region.ops[place]
        self.body, self.k = self.loop.regions[0], k
        self.aliases, self.bounds, self.builder = aliases, bounds, builder
        self.start, self.end = self.loop.inputs[3 + k], self.loop.outputs[k]
        self.taken, self.handed = self.body.params[1 + k], self.body.yields[k]

    def is_zeros(self) -> bool:
        """Whether the loop starts with zeros, and hands on an array that it carries."""
        made, params, yields = self.start.op, self.body.params[1:], self.body.yields
        if not isinstance(self.start.type, Array) or self.handed not in params:
            return False
        if made is None or made.name != "full" or made.inputs[0].constant != 0:
            return False
        if made not in self.region.ops or self.loop.inputs.count(self.start) != 1:
            return False
        if yields.count(self.handed) != 1 or not self._is_untouched(made):
            return False
        others = (self.handed, self.taken)
        return self.handed is self.taken or not self.aliases.shared_at_once(*others)

    def _is_untouched(self, made: Op) -> bool:
        """Whether nothing uses the zeros between where they are made and the loop."""
        between = self.region.ops[self.region.ops.index(made) + 1 : self.place]
        for op in between:
            for inner in op.walk():
                used = any(self.start in self.aliases.roots.get(v, ()) for v in inner.used)
                if used and inner.name != "dim":
                    return False
        return True

    def rewrite(self) -> bool:
        """Write the zeros after the loop only, if the next iteration stores before it adds."""
        for outer in self.body.ops:
            for store, home in _leaves(outer, self.body):
                zero = store.name == "store" and store.inputs[1].constant == 0
                if not zero or store.inputs[0] is not self.handed:
                    continue
                spans = self._cleared(store, home)
                if spans is not None and self._store(store, home, spans):
                    return True
        return False

    def _store(self, store: Op, home: Region, spans: Sequence[Span]) -> bool:
        place = home.ops.index(store)
        del home.ops[place]
        tools = self.aliases, self.bounds, self.builder
        zeros = _Zeros(self.taken, spans, *tools)
        with self.builder.inside(self.body):
            levels = zeros.plan(self.body, 0)
        within = [
            zeros.ends_within(span, self.bounds.extent(dim, self.region), self.region)
            and self.bounds.sum_never_negative(span.low, self.region)
            for span, dim in zip(spans, self.start.type.shape, strict=True)  # type: ignore[union-attr]
        ]
        if levels is None or not all(within):
            home.ops.insert(place, store)
            return False
        zeros.store(levels, 0)
        after, place = self.builder.inside(Region()), self.builder.at(store.location)
        with self.builder.inside(self.region), after as made, place:
            _Zeros(self.end, spans, *tools).fill([])
        self.region.ops[self.place + 1 : self.place + 1] = made.ops
        return True

    def _cleared(self, store: Op, home: Region) -> list[Span] | None:
        """The elements that a store in loops sets to zero, if nothing touches them afterwards."""
        loops, region = [], self.body
        while region is not home:
            loop = next((o for o in region.ops if _holds(o, home)), None)
            if loop is None or loop.name != "for" or self._is_late(loop, region):
                return None
            loops.append(loop)
            region = loop.regions[0]
        if self._is_late(store, home):
            return None
        spans: list[Span] = []
        for value in index_of(store):
            span = self._along(value, store, home, loops)
            if span is None:
                return None
            spans.append(span)
        return None if loops else spans

    def _along(self, value: Value, store: Op, home: Region, loops: list[Op]) -> Span | None:
        """The range of one index; takes the loop that counts it out of the list."""
        found = self.bounds.sum_of(value, home)
        for loop in loops:
            counter = loop.regions[0].params[0]
            offset = offset_of(found, counter)
            if offset is None:
                continue
            axis = index_of(store).index(value)
            span = span_of(loop, self.bounds, self.body)
            if span is None or not self._same_place(loop, axis, found, store):
                return None
            loops.remove(loop)
            known = self._is_known(span.low) and self._is_known(span.high)
            return span.moved(offset) if known else None
        return None

    def _is_known(self, found: Sum) -> bool:
        """Whether a sum is that of numbers from outside the loop."""
        own, after = defined(self.body), self.region.ops[self.place :]
        with self.builder.inside(self.region):
            if not all(isinstance(a, Value) or self.builder.knows(a) for a in found.factors):
                return False
            atoms = (a if isinstance(a, Value) else self.builder.extent(a) for a in found.factors)
            return all(a not in own and a.op not in after for a in atoms)

    def _is_late(self, op: Op, region: Region) -> bool:
        """Whether anything behind an operation touches the array."""
        after = region.ops[region.ops.index(op) + 1 :]
        return any(self._touches(inner) for o in after for inner in o.walk())

    def _same_place(self, loop: Op, axis: int, place: Sum, store: Op) -> bool:
        """Whether each iteration touches the array at one index of an axis."""
        for op, home in _leaves(loop, loop.regions[0]):
            if op is store or not self._touches(op):
                continue
            if op.name not in INDEX_STARTS or op.inputs[0] is not self.handed:
                return False
            value = index_of(op)[axis]
            gap = self.bounds.sum_of(value, home).plus(place, -1)
            if gap.factors or gap.constant or not self.bounds.never_negative(value, home):
                return False
        return True

    def _touches(self, op: Op) -> bool:
        return op.name != "dim" and any(
            self.aliases.shared_at_once(v, self.handed) for v in op.used
        )


def _leaves(op: Op, region: Region) -> Iterator[tuple[Op, Region]]:
    """An operation and those inside it, with the regions that they stand in."""
    yield op, region
    for inner in op.regions:
        for o in inner.ops:
            yield from _leaves(o, inner)


def _holds(op: Op, region: Region) -> bool:
    return any(r is region or any(_holds(o, region) for o in r.ops) for r in op.regions)


def _equal(one: Sum, other: Sum) -> bool:
    gap = one.plus(other, -1)
    return not gap.factors and not gap.constant
