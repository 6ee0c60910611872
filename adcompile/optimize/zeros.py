"""Elements of an array that are zero, and what is added to them first.

Enters: an array that is zero in ranges of its indices, and a place in a graph of loops. Leaves: a
plan, if a loop behind that place adds to almost all of these elements before anything else touches
them, or to almost all of the row that it meets first in each iteration; and the graph in which that
sum is a store, and the few elements that the loop leaves out are set to zero beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.filling import fill
from adcompile.graph.ir import RECORDS, Op, Region, Value
from adcompile.graph.types import Scalar
from adcompile.optimize.loads import changed, touched
from adcompile.optimize.nests import counters_to, home_of

_FEW = 8  # elements, or rows, that a loop may leave out


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


def ends_of(access: Op, loop: Op, bounds: Bounds, region: Region) -> list[Sum] | None:
    """Where loops that reach each element of an access once, from 0, end on each axis."""
    home = home_of(loop.regions[0], access)
    counters = counters_to(loop, home) if home is not None else None
    index = index_of(access)
    if counters is None or set(index) != counters or len(set(index)) != len(index):
        return None
    nest = [loop, *(o for o in loop.regions[0].walk() if o.name == "for")]
    loops = {o.regions[0].params[0]: o for o in nest}
    spans = [span_of(loops[counter], bounds, region) for counter in index]
    ends = [s.high for s in spans if s is not None and not (s.low.factors or s.low.constant)]
    return ends if len(ends) == len(spans) else None


def are_equal(one: Sequence[Sum], other: Sequence[Sum]) -> bool:
    """Whether sums are the same numbers."""
    return all(map(_equal, one, other))


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
    def place(self) -> int:
        """The place of the loop in its region."""
        return self.region.ops.index(self.loop)

    @property
    def row(self) -> Sum:
        """The index of the row."""
        return Sum(self.offset, {self.loop.regions[0].params[0]: 1})


class Zeros:
    """Elements that are zero, of one array: one range along each axis."""

    def __init__(
        self, array: Value, spans: Sequence[Span], aliases: Aliases, bounds: Bounds,
        builder: Builder,
    ) -> None:  # fmt: skip
        self.array, self.spans = array, spans
        self.aliases, self.bounds, self.builder = aliases, bounds, builder
        self.added: Op | None = None  # the sum that comes first
        self._outer: list[_Level] = []  # around the one that is looked at

    # -- what comes first -----------------------------------------------------------------------

    def plan(self, region: Region, place: int, prefix: Sequence[Sum] = ()) -> list[_Level] | None:
        """The loops around the first sum, from the outside, if that reaches almost all elements.

        place    from here on in the region they are zero
        prefix   the index of the row that is looked at, on the axes before
        """
        axis = len(prefix)
        earlier: list[Span] = []
        if not self.spans:
            return None
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
        self._outer.append(level)
        with self.builder.inside(body):
            inner = self.plan(body, 0, [*prefix, level.row])
        self._outer.pop()
        return None if inner is None else [level, *inner]

    def _accesses(self, op: Op, region: Region, prefix: Sequence[Sum]) -> list[Op] | None:
        """What in an operation touches a row; None if it may do so in other ways than by index."""
        found: list[Op] = []
        for inner, home in leaves_of(op, region):
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
        return bool(self.aliases.shared_at_once(value, self.array))

    def _offset(self, access: Op, axis: int, loop: Op) -> int | None:
        """Which row an operation in a loop touches: that of the counter, plus a number."""
        home = next(h for o, h in leaves_of(loop, loop.regions[0]) if o is access)
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
        if any(v.op in outer.region.ops[outer.place :] for outer in self._outer for v in needed):
            return None
        found: list[Op] = []
        for op in reversed(level.region.ops[0 if axis else place :]):
            if needed.isdisjoint(op.outputs):
                continue
            if not _is_arithmetic(op):
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
        if len(levels) == 2:  # in space, LLVM compares too many rows for short ones to gain
            self._advance(levels[-1].loop, levels[-1].region, stored)

    def _advance(self, loop: Op, region: Region, stored: Op) -> None:
        """Move the loop that stores a row towards the one that computes it, to be joined with it.

        What stands before it in the iteration touches other rows only.
        """
        own = self.aliases.roots[self.array]
        inner = [op for op in loop.regions[0].walk() if op is not stored]
        uses = frozenset(r for op in inner for r in touched(op, self.aliases))
        writes = frozenset(r for op in inner for r in changed(op, self.aliases))
        if uses & own:
            return
        place = region.ops.index(loop)
        moved, rest = [loop], region.ops[place + 1 :]
        passed: list[Op] = []
        inputs = {v for op in loop.walk() for v in op.used}
        while place:
            op = region.ops[place - 1]
            needed = not inputs.isdisjoint(op.outputs)
            if needed and _is_arithmetic(op):
                moved.insert(0, op)
                inputs.update(op.inputs)
            elif (
                needed
                or any(o.keeps and not o.written for o in op.walk())
                or changed(op, self.aliases) & uses
                or touched(op, self.aliases) & writes
            ):
                break
            else:
                passed.insert(0, op)
            place -= 1
        region.ops = [*region.ops[:place], *moved, *passed, *rest]

    def _left_out(self, reached: Span, span: Span, prefix: Sequence[Sum], loop: Op) -> None:
        """Append zeros for what is before the rows that a loop reaches, and behind them."""
        add, number = self.builder.op, partial(number_of, builder=self.builder)
        with self.builder.at(loop.location):
            if not _equal(reached.low, span.low):
                stop = add("minimum", number(reached.low), number(span.high))
                self.fill(prefix, [(number(span.low), stop)])
            if not _equal(reached.high, span.high):
                start = add("maximum", number(reached.low), number(reached.high))
                self.fill(prefix, [(start, number(span.high))])

    def fill(self, prefix: Sequence[Sum], ranges: Sequence[tuple[Value, Value]] = ()) -> None:
        """Append zeros of the rows with a given index, in ranges of the axes behind."""
        number = partial(number_of, builder=self.builder)
        rest = self.spans[len(prefix) + len(ranges) :]
        index = [number(s) for s in prefix]
        every = [*ranges, *((number(s.low), number(s.high)) for s in rest)]
        zero = self.builder.constant(0, Scalar(self.array.type.dtype))
        fill(self.builder, self.array, zero, every, index)


def number_of(found: Sum, builder: Builder) -> Value:
    """The value of a sum; appends what computes it."""
    total: Value | None = None
    for atom, factor in found.factors.items():
        value = atom if isinstance(atom, Value) else builder.extent(atom)
        term = value if factor == 1 else builder.op("mul", value, factor)
        total = term if total is None else builder.op("add", total, term)
    if total is None:
        return builder.constant(found.constant)
    if found.constant:
        change = "add" if found.constant > 0 else "sub"
        total = builder.op(change, total, abs(found.constant))
    return total


def leaves_of(op: Op, region: Region) -> Iterator[tuple[Op, Region]]:
    """An operation and those inside it, with the regions that they stand in."""
    yield op, region
    for inner in op.regions:
        for o in inner.ops:
            yield from leaves_of(o, inner)


def _equal(one: Sum, other: Sum) -> bool:
    gap = one.plus(other, -1)
    return not gap.factors and not gap.constant


def _is_arithmetic(op: Op) -> bool:
    """Whether an operation computes a number of numbers and extents alone."""
    known = op.record.scalar is not None or op.name in ("dim", "constant")
    return known and not (op.regions or op.written or op.keeps)
