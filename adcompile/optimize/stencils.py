"""Each element gathers what the iterations of a nest around it add to it, as soon as all is known.

Enters: a graph of loops. Leaves: the same graph where a nest that adds to `a[i - 1, j]`,
`a[i, j - 1]`, `a[i + 1, j]` and so on, as the adjoint of a stencil does, keeps what it adds, or the
few numbers of which that comes, in rings of a few rows. When an iteration of the outer loop has
computed the last share of a row of `a`, loops of their own add up the shares of each element: the
row is written once, where it was read and written for each neighbour, and the compiler computes
several elements at a time. Around the rows of a ring are zeros, for the elements at the borders,
which not all iterations reach.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial, reduce

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import index_of
from adcompile.graph.filling import fill
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.types import Array, Scalar, Symbol, shape_of
from adcompile.ops import memory
from adcompile.optimize.fold import place_in_ring, ring_of
from adcompile.optimize.loads import share_loads
from adcompile.optimize.nests import iterations, steps_by_one
from adcompile.optimize.shares import Share, Shares, merge_shares
from adcompile.optimize.zeros import Span, are_equal, number_of, span_of

_FARTHEST = 7  # between the shares of one element, along each axis
_FEWEST = 8  # iterations of each loop


def gather_stencils(graph: Graph) -> None:
    """Rewrite nests in place, the outer ones first."""
    with Builder(graph) as builder:
        while _any(graph.body, Aliases(graph), Bounds(graph), builder):
            pass


def may_gather_stencils(graph: Graph) -> bool:
    """Whether nests, which may be joined yet, add to one array at several offsets."""
    sums: dict[Value, set[Op]] = {}
    for loop in graph.body.walk():
        for op in _sums_in(loop):
            sums.setdefault(op.inputs[0], set()).add(op)
    return any(len(found) > 1 and any(map(_has_offset, found)) for found in sums.values())


def _has_offset(op: Op) -> bool:
    makers = [value.op for value in index_of(op) if value.op is not None]
    return any(
        maker.name in ("add", "sub") and any(v.constant is not None for v in maker.inputs)
        for maker in makers
    )


def _any(region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> bool:
    """Rewrite one nest, if there is any to rewrite."""
    for op in region.ops:
        with builder.inside(region), builder.before(op):
            for array in dict.fromkeys(inner.inputs[0] for inner in _sums_in(op)):
                if _rewrite(_Stencil(op, region, array, aliases, bounds, builder)):
                    return True
            if any(_any(inner, aliases, bounds, builder) for inner in op.regions):
                return True
    return False


def _rewrite(stencil: _Stencil) -> bool:
    """Gather the sums into one array, or bring them together, so that they can be."""
    if not stencil.is_known():
        return False
    graph = stencil.builder.graph
    if stencil.is_apart() and merge_shares(graph, stencil.loop, stencil.array):
        share_loads(graph)
        return True
    if not stencil.is_worth():
        return False
    stencil.rewrite()
    return True


def _sums_in(loop: Op) -> list[Op]:
    """The sums in loops inside one, into arrays of several axes."""
    if loop.name != "for" or not steps_by_one(loop) or "parallel" in loop.attrs:
        return []
    inner = [o for op in loop.regions[0].ops if op.name == "for" for o in op.walk()]
    return [o for o in inner if o.name == "accumulate_at" and len(index_of(o)) > 1]


class _Stencil:
    """A nest, and an array to whose neighbouring rows it adds."""

    def __init__(
        self, loop: Op, region: Region, array: Value, aliases: Aliases, bounds: Bounds,
        builder: Builder,
    ) -> None:  # fmt: skip
        self.loop, self.region, self.array, self.builder = loop, region, array, builder
        self.aliases, self.bounds, self.body = aliases, bounds, loop.regions[0]
        self.shares = [Share(op, loops) for op, loops in self._sums(self.body, [loop])]
        self.made = Shares(loop, self.shares, self._is_outside, aliases, bounds)
        self.own = self.made.own
        self.spans: list[Span] = []  # of the counters
        self.axes: list[int] = []  # of the array, along which the loops run
        self.fixed: list[Sum] = []  # the index on each axis, but for counter and offset
        self.kept: dict[Value, Share] = {}
        self.rings: dict[Value, Value] = {}

    def _sums(self, region: Region, loops: list[Op]) -> Iterator[tuple[Op, list[Op]]]:
        for op in region.ops:
            if op.name == "accumulate_at" and op.inputs[0] is self.array:
                yield op, loops
            for inner in op.regions:
                yield from self._sums(inner, [*loops, op])

    # -- whether --------------------------------------------------------------------------------

    def is_known(self) -> bool:
        """Whether the nest only adds to the array, at offsets from its counters."""
        return (
            self.array not in self.own and self._only_adds() and self._have_ranges()
            and self._have_offsets() and self._count_up()
        )  # fmt: skip

    def _only_adds(self) -> bool:
        sums = [share.op for share in self.shares]
        return all(
            op.name == "dim" or not self.aliases.shared_at_once(value, self.array)
            for op in self.body.walk()
            for value in (op.inputs[1:] if op in sums else op.used)
        )

    def _have_ranges(self) -> bool:
        """Whether all sums stand in loops over the same ranges, which the outer one leaves."""
        for share in self.shares:
            if not all(
                op.name == "for" and iterations(op, _FEWEST) >= _FEWEST for op in share.loops
            ):
                return False
            homes = [self.region, *(loop.regions[0] for loop in share.loops)]
            found = [
                span_of(op, self.bounds, home) for op, home in zip(share.loops, homes, strict=False)
            ]
            spans = [span for span in found if span is not None]
            self.spans = self.spans or spans
            if len(spans) < len(found) or not _equal_spans(spans, self.spans):
                return False
        ends = [end for span in self.spans for end in (span.low, span.high)]
        return all(map(self._is_outside, ends))

    def _is_outside(self, found: Sum) -> bool:
        """Whether the nest makes no part of a sum."""
        return all(
            atom not in self.own
            if isinstance(atom, Value)
            else self.builder.resolve(atom) in self._extents
            for atom in found.factors
        )

    @cached_property
    def _extents(self) -> Collection[Symbol]:
        """The extents that can be had before the nest."""
        with self.builder.inside(Region()):
            self._learn_extents()
            return self.builder.known_extents().keys()

    def _learn_extents(self) -> None:
        """Append the extents of arguments and of arrays that the nest uses, if not known yet."""
        used = [v for op in self.body.walk() for v in op.inputs if v not in self.own]
        for value in [*self.builder.graph.params, *used]:
            if isinstance(value.type, Array):
                self.builder.record_extents(value)

    def _have_offsets(self) -> bool:
        """Whether each loop runs along an axis of its own, and all sums reach few elements."""
        for share in self.shares:
            rests = [self.bounds.sum_of(v, share.home) for v in index_of(share.op)]
            axes: list[int] = []
            for counter in share.counters:
                found = [axis for axis, rest in enumerate(rests) if counter in rest.factors]
                if len(found) != 1 or found[0] in axes:
                    return False
                rests[found[0]] = rests[found[0]].plus(Sum(0, {counter: 1}), -1)
                axes += found
            share.offset = [rests[axis].constant for axis in axes]
            fixed = [
                Sum(0 if axis in axes else rest.constant, rest.factors)
                for axis, rest in enumerate(rests)
            ]
            self.axes, self.fixed = self.axes or axes, self.fixed or fixed
            if axes != self.axes or not are_equal(fixed, self.fixed):
                return False
        reaches = map(self._reach, range(len(self.spans)))
        near = all(largest - least <= _FARTHEST for least, largest in reaches)
        return near and all(map(self._is_outside, self.fixed))

    def _reach(self, level: int) -> tuple[int, int]:
        """The least and the largest offset along one loop."""
        offsets = [share.offset[level] for share in self.shares]
        return min(offsets), max(offsets)

    def _rows(self) -> int:
        """How many rows lie between the first share of one and the last."""
        low, high = self._reach(0)
        return high - low

    def _count_up(self) -> bool:
        """Whether no index counts from the end."""
        return all(
            self.bounds.never_negative(v, share.home)
            for share in self.shares for v in index_of(share.op)
        )  # fmt: skip

    def _fits(self, axis: int) -> bool:
        """Whether elements exist along an axis where the outer loop runs, but none inside may."""
        dim = shape_of(self.array.type)[axis]
        return all(
            self.bounds.fits(index_of(share.op)[axis], dim, share.home, self.made.outer)
            for share in self.shares
        )

    def is_apart(self) -> bool:
        """Whether the sums stand in several loops."""
        return len({share.home for share in self.shares}) > 1

    def is_worth(self) -> bool:
        """Whether few numbers are kept: each takes about as long as a row that is added to.

        Two rows that meet are in the nearest cache.
        """
        if self._rows() < 2:
            return False
        self.kept = self.made.kept()
        return len(self.kept) <= self._rows()

    # -- rewriting ------------------------------------------------------------------------------

    def rewrite(self) -> None:
        """Keep numbers in rings, and add up behind each iteration, and behind the nest."""
        builder, counter = self.builder, self.body.params[0]
        place = self.region.ops.index(self.loop)
        with builder.at(self.loop.location):
            with builder.inside(Region()) as early:
                self._learn_extents()
                self._prepare()
            self.region.extents.update(early.extents)
            with builder.inside(self.body):
                with builder.inside(Region()) as first:
                    row = self._row(counter)
                for value, share in self.kept.items():
                    self._keep(value, share, row)
                for share in self.shares:
                    share.home.ops.remove(share.op)
                self.body.ops[:0] = first.ops
                self._gather(counter)
            with builder.inside(Region()) as late:
                self._finish()
        self.region.ops[place : place + 1] = [*early.ops, self.loop, *late.ops]
        why = f"the loop over `{counter.hint}` writes each row once, behind the last share of it"
        note = Note("gathered", self.array.hint, why, self.loop.location)
        builder.graph.notes.append(note)

    def _prepare(self) -> None:
        """What is known before the nest: ranges, and rings of zeros."""
        add = self.builder.op
        self.ring = ring_of(self._rows())
        self.rest = [number_of(found, self.builder) for found in self.fixed]
        self.low = [number_of(span.low, self.builder) for span in self.spans]
        self.high = [number_of(span.high, self.builder) for span in self.spans]
        self.ranges = [self._range(level) for level in range(1, len(self.spans))]
        self.margins = []  # zeros before and behind what is kept
        for level in range(1, len(self.spans)):
            least, largest = self._reach(level)
            self.margins.append(largest - least)
        self.extents = [
            add("maximum", add("sub", high, low), 0) + 2 * margin
            for low, high, margin in zip(self.low[1:], self.high[1:], self.margins, strict=True)
        ]
        self.made.prepare(self._runs, self.builder)
        for value in self.kept:
            extents = [self.ring, *self.extents]
            self.rings[value] = memory.zeros(self.builder, extents, value.type.dtype)
            self.rings[value].hint = value.hint

    def _runs(self, outside: int = 0) -> Value:
        """Whether there is any iteration of the loops from a level inwards."""
        pairs = list(zip(self.low, self.high, strict=True))[outside:]
        runs = [self.builder.op("gt", high, low) for low, high in pairs]
        return reduce(lambda one, other: self.builder.op("logical_and", one, other), runs)

    def _range(self, level: int) -> tuple[Value, Value]:
        """From which to which element all sums reach along one axis.

        No more than there are elements, and none if there may be no such row: where loops do not
        run, nothing tells that they exist.
        """
        (least, largest), axis = self._reach(level), self.axes[level]
        start, stop = self._moved(self.low[level], least), self._moved(self.high[level], largest)
        others = [k for k in range(len(self.fixed)) if k not in self.axes[1:]]
        if not all(map(self._fits, others)):
            return start, self.builder.op("where", self._runs(1), stop, start)
        if not self._fits(axis):
            end = self.builder.op("sub", self.builder.shape(self.array)[axis], self.rest[axis])
            start = self.builder.op("maximum", start, self.builder.op("neg", self.rest[axis]))
            stop = self.builder.op("minimum", stop, end)
        return start, stop

    def _moved(self, value: Value, by: int) -> Value:
        """An integer plus a number."""
        return number_of(Sum(by, {value: 1}), self.builder)

    def _row(self, iteration: Value) -> Value:
        """The row of a ring for an iteration of the outer loop."""
        return place_in_ring(iteration, self.ring, self.builder)

    def _place(self, places: Sequence[Value], offset: Sequence[int]) -> list[Value]:
        """Where in a row what iterations keep lies, with an offset from elements."""
        found, known = [], zip(self.low[1:], places, offset, self.margins, strict=True)
        for low, place, by, margin in known:
            start = low.constant
            if start is None:
                place = self.builder.op("sub", place, low)
            found.append(self._moved(place, margin - by - (start or 0)))
        return found

    def _keep(self, value: Value, share: Share, row: Value) -> None:
        """Store a number in its ring."""
        inside, at = self.builder.inside, self.builder.at
        with inside(share.home), inside(Region()) as storing, at(share.op.location):
            place = self._place(share.counters[1:], [0] * len(self.extents))
            self.builder.op("store", self.rings[value], value, row, *place)
        position = share.home.ops.index(share.op)
        share.home.ops[position:position] = storing.ops

    def _gather(self, iteration: Value) -> None:
        """Append the loops over the row to which no later iteration of the outer loop adds."""
        edge = self._reach(0)[0 if self.loop.inputs[2].constant == 1 else 1]
        offsets = dict.fromkeys(share.offset[0] for share in self.shares)
        rows = {by: self._row(self._moved(iteration, edge - by)) for by in offsets}
        hints = [counter.hint or "i" for counter in self.shares[0].counters]

        def inner(before: list[Value], place: Value, _: Sequence[Value] = ()) -> list[Value]:
            places = [*before, place]
            if len(places) < len(self.spans):
                start, stop = self.ranges[len(before)]
                self.builder.loop(start, stop, 1, [], partial(inner, places), hints[len(places)])
            else:
                self._add_up(places, rows)
            return []

        inner([], self._moved(iteration, edge))

    def _add_up(self, places: Sequence[Value], rows: Mapping[int, Value]) -> None:
        """Append the sum of all shares of an element."""
        builder, index = self.builder, list(self.rest)
        for axis, place in zip(self.axes, places, strict=True):
            index[axis] = builder.op("add", index[axis], place)
        total: Value | None = None
        for share in self.shares:
            kept_at = [rows[share.offset[0]], *self._place(places[1:], share.offset[1:])]
            kept = {v: builder.op("load", ring, *kept_at) for v, ring in self.rings.items()}
            value = self.made.made(share, kept, index, builder)
            with builder.at(value.op.location if value.op else None):
                total = value if total is None else builder.op("add", total, value)
        builder.op("accumulate_at", self.array, total, *index)

    def _finish(self) -> None:
        """Append the loop over the rows that the last iterations reach; nothing more is kept."""
        builder, up = self.builder, self.loop.inputs[2].constant == 1
        low, high = self.low[0], self.high[0]
        start = high if up else builder.op("sub", low, 1)
        end = self._moved(start, self._rows() if up else -self._rows())
        stop = builder.op("where", builder.op("gt", high, low), end, start)

        def row(iteration: Value, _: list[Value]) -> list[Value]:
            for ring in self.rings.values():
                zero = builder.constant(0, Scalar(ring.type.dtype))
                fill(builder, ring, zero, self.extents, [self._row(iteration)])
            self._gather(iteration)
            return []

        builder.loop(start, stop, 1 if up else -1, [], row, self.body.params[0].hint or "i")


def _equal_spans(some: Sequence[Span], others: Sequence[Span]) -> bool:
    ends = [[end for span in spans for end in (span.low, span.high)] for spans in (some, others)]
    return len(some) == len(others) and are_equal(*ends)
