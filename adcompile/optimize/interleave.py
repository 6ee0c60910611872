"""Iterations of a loop that each wait for steps of their own run side by side.

Enters: a graph of loops, all else done but for the memory that iterations can share. Leaves: the
same graph where a loop whose iterations stand alone takes several of them at a time: each step of
an inner loop is done for all of them, one after the other, before the next step. In a chain of
steps the processor waits for each result; the same step of several iterations it computes at once,
and the compiler with one instruction. A number that lasts from step to step is kept once for each
iteration, and so is an array that each iteration fills for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, keep_extents
from adcompile.graph.concurrency import Concurrency, Plan
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import RECORDS, Graph, Note, Op, Region, Value
from adcompile.graph.types import Scalar
from adcompile.ops.memory import empty
from adcompile.optimize.buffers import empty_loop
from adcompile.optimize.lanes import (
    LONG,
    Item,
    Lanes,
    Segment,
    Steps,
    carried,
    chained,
    elements,
    segments,
    shape_key,
)
from adcompile.optimize.nests import has_loops, steps_by_one
from adcompile.optimize.turn import can_turn, turn

LANES = 16  # enough for the vectors of a processor and its waits; more outgrow its near cache
LANES_OF_NEIGHBOURS = 128  # numbers in the near cache, for which a step is begun once
LANES_IN_NEST = 32  # the memory of all is read once for so many, which outweighs that
FEWEST = 8  # iterations for which it pays to keep numbers in memory
FEWEST_DOWN_ROWS = 16  # of neighbours, where elements one by one are far apart
FEWEST_OF_SHORT = 24  # of neighbours, where loops inside are short
MOST = 2**16  # numbers of one iteration: those of all lanes together outgrow the caches
MOST_IN_NEST = 2**18
LONG_OF_TRIANGLE = 64  # its largest number, where it changes from run to run
FAR = 2**18  # numbers that are read again for each iteration; they outgrow the second cache


def interleave_iterations(graph: Graph) -> None:
    """Rewrite in place the innermost loops whose iterations wait for their own steps."""
    with Builder(graph) as builder:
        _region(graph.body, builder)


def may_interleave(graph: Graph) -> bool:
    """Whether there is a loop to ask about."""
    return any(op.name == "for" and _is_candidate(op) for op in graph.body.walk())


def _is_candidate(loop: Op) -> bool:
    """Whether iterations have steps of their own, nests inside, or neighbours in memory.

    Asked first, as it costs least.
    """
    inside = [op for op in loop.regions[0].walk() if op.name == "for"]
    return any(chained(op) or has_loops(op) for op in inside) or _goes_on(loop, inside)


def _goes_on(loop: Op, inside: Sequence[Op]) -> bool:
    """Whether loops inside use elements that the counter of the loop goes on to."""
    reached = {loop.regions[0].params[0]}
    for op in loop.regions[0].walk():
        if op.record.scalar is not None and not reached.isdisjoint(op.inputs):
            reached.update(op.outputs)
    used = (op for inner in inside for op in inner.regions[0].ops if op.name in INDEX_STARTS)
    return any(not reached.isdisjoint(index_of(op)[-1:]) for op in used)


def _region(region: Region, builder: Builder) -> bool:
    """Rewrite loops of a region, or else those inside; gives whether any was."""
    changed = False
    for op in list(region.ops):
        inside = False
        for inner in op.regions:
            with builder.before(op), builder.inside(inner):
                inside |= _region(inner, builder)
        if not inside and op.name == "for":
            with builder.at(op.location):
                inside = _interleave(op, region, builder)
        changed |= inside
    return changed


def _interleave(loop: Op, region: Region, builder: Builder) -> bool:
    """Rewrite one loop of the region at hand, if that is worth while."""
    lanes = _lanes(loop, region, builder)
    if lanes is None:
        return False
    _choose_order(lanes, region, builder)
    if not lanes.worth():
        return False
    for array, axis in lanes.turned.items():
        turn(array, axis, builder.graph)
    way = _way(lanes)
    _rewrite(loop, lanes, way, builder)
    what = f"the loop over `{lanes.body.params[0].hint}`"
    why = f"{way.why}: {way.width} run side by side, with tapes of their own"
    builder.graph.notes.append(Note("interleaved", what, why, loop.location))
    return True


@dataclass(frozen=True)
class _Way:
    """Why iterations run side by side, and when.

    width     how many
    fewest    iterations for which it pays
    most      numbers that each of them may have in arrays of its own
    pays      gives what else has to hold when the loop runs, None for nothing
    """

    why: str
    width: int
    fewest: int
    most: int
    pays: Callable[[Lanes, Builder], Value | None]


def _way(lanes: Lanes) -> _Way:
    if lanes.has_long_chains():
        return _Way("each waits for steps of its own", LANES, FEWEST, MOST, _always)
    if lanes.shares_memory():
        why = "they use the same memory"
        return _Way(why, LANES_IN_NEST, FEWEST, MOST_IN_NEST, _is_read_anew)
    why = "their elements lie side by side"
    width = LANES_IN_NEST if lanes.own else LANES_OF_NEIGHBOURS
    if lanes.goes_down_rows():
        return _Way(why, width, FEWEST_DOWN_ROWS, MOST_IN_NEST, _always)
    return _Way(why, width, FEWEST_OF_SHORT, MOST_IN_NEST, _are_short)


def _lanes(loop: Op, region: Region, builder: Builder) -> Lanes | None:
    """How the body of a loop is split, if it can be."""
    if not steps_by_one(loop) or not _is_candidate(loop):
        return None
    plan = Concurrency(builder.graph).plan(loop)
    if not isinstance(plan, Plan):
        return None
    plan.scratch += empty_loop(loop, region, builder)
    lanes = Lanes(loop, region, plan, Bounds(builder.graph))
    return lanes if lanes.possible() else None


def _choose_order(lanes: Lanes, region: Region, builder: Builder) -> None:
    """Decide which arrays are turned: those of which all loops that use them go the same way.

    A loop that writes a tape, say, and the one that reads it.
    """
    apart = {v: axis for v, axis in lanes.lying_apart().items() if can_turn(v, builder.graph)}
    loops = [op for op in region.ops if op.name == "for" and any(v in apart for v in elements(op))]
    found = (lanes if op is lanes.loop else _lanes(op, region, builder) for op in loops)
    ways = [way for way in found if way is not None]
    if len(ways) < len(loops):
        return
    known = [way.lying_apart() for way in ways]
    used = [elements(op) for op in loops]
    inside = Counter(array for arrays in used for array in arrays.elements())
    everywhere = Counter(v for op in builder.graph.body.ops for v in elements(op).elements())
    apart = {
        array: axis for array, axis in apart.items()
        if inside[array] == everywhere[array]
        and all(array not in u or k.get(array) == axis for u, k in zip(used, known, strict=True))
    }  # fmt: skip
    for way in ways:
        way.turned = apart
    if not all(way.worth() for way in ways):
        lanes.turned = {}


def _rewrite(loop: Op, lanes: Lanes, way: _Way, builder: Builder) -> None:
    """Choose by the number of iterations between the loop as it is and several at a time."""
    with builder.in_place_of(loop):
        low, high = loop.inputs[:2]
        if loop.inputs[2].constant == -1:  # alone, iterations may run in any order
            low, high = high + 1, low + 1
        several = builder.op("ge", high - low, way.fewest)
        numbers = builder.count(lanes.own)
        if numbers.constant != 0:
            several = builder.op("logical_and", several, builder.op("le", numbers, way.most))
        if (pays := way.pays(lanes, builder)) is not None:
            several = builder.op("logical_and", several, pays)
        emission = _Emission(lanes, way.width, builder)
        run_when(several, lambda: emission.run(low, high), loop, builder)


def run_when(
    condition: Value, several: Callable[[], Sequence[Value]], loop: Op, builder: Builder
) -> None:  # fmt: skip
    """Under a condition run several iterations at a time, otherwise the loop as it is."""

    def one_by_one() -> list[Value]:
        loop.outputs = [Value(v.type, v.hint, v.named) for v in loop.outputs]
        for value in loop.outputs:
            value.op = loop
        builder.region.ops.append(loop)
        return loop.outputs

    # a call of few iterations may be there to compile, before those that count
    builder.branch(condition, several, one_by_one, chosen=[True])


def rows_for(
    numbers: Iterable[Value], width: int, hint: str, builder: Builder
) -> dict[Value, tuple[Value, Value]]:  # fmt: skip
    """For each number an array and the row in it that holds the number of `width` iterations.

    There is one array for each dtype.
    """
    groups: dict[str, list[Value]] = {}
    for value in numbers:
        groups.setdefault(value.type.dtype, []).append(value)
    rows: dict[Value, tuple[Value, Value]] = {}
    for dtype, values in groups.items():
        array = empty(builder, [len(values), width], dtype)
        array.hint = hint
        rows.update((value, (array, builder.constant(row))) for row, value in enumerate(values))
    return rows


def _always(lanes: Lanes, builder: Builder) -> None:
    """Nothing else."""


def _is_read_anew(lanes: Lanes, builder: Builder) -> Value:
    """Whether the loops inside are short, or use more memory than the near caches keep."""
    large: Value = builder.op("ge", builder.count(lanes.shared()), FAR)
    short = _are_short(lanes, builder)
    return large if short is None else builder.op("logical_or", short, large)


def _are_short(lanes: Lanes, builder: Builder) -> Value | None:
    """Whether the loops with most work are short, None where their lengths are in the text."""
    short: Value | None = None
    for array in lanes.used():
        builder.shape(array)
    runs = lanes.runs()
    for run, whole in runs.items():
        if isinstance(run, Value) or builder.knows(run):
            value = run if isinstance(run, Value) else builder.extent(run)
            few = builder.op("le", value, LONG if whole else LONG_OF_TRIANGLE)
            short = few if short is None else builder.op("logical_and", short, few)
    return builder.constant(False) if short is None and runs else short


class _Emission:
    """Appends the loop over blocks of lanes.

    mapping   what stands for a value of the loop's body: of those that vary, inside a segment only
    places    array and row that keep a number for each lane
    rows      the further index, if any, of an array that each iteration has for itself
    """

    def __init__(self, lanes: Lanes, width: int, builder: Builder) -> None:
        self.lanes, self.width, self.builder = lanes, width, builder
        self.items = lanes.items(lanes.loop)
        self.mapping: dict[Value, Value] = {}
        self.places: dict[Value, tuple[Value, Value]] = {}
        self.rows: dict[Value, list[Value]] = {}

    def run(self, low: Value, high: Value) -> list[Value]:
        """All iterations; gives the sums that the loop carries."""
        builder, body = self.builder, self.lanes.body
        self._keep_numbers()
        self._keep_arrays()

        def clear(lane: Value, _: list[Value]) -> list[Value]:
            for param in body.params[1:]:
                self._store(param, lane, builder.constant(0, Scalar(param.type.dtype)))
            return []

        def block(first: Value, _: list[Value]) -> list[Value]:
            self.first = first
            self.count = builder.op("minimum", self.width, high - first)
            self.count.hint = "count"
            self._emit(self.items)
            keep_extents(body, self.builder, self.mapping, self.lanes.varying)
            return []

        def add(lane: Value, sums: list[Value]) -> list[Value]:
            return [s + self._load(p, lane) for p, s in zip(body.params[1:], sums, strict=True)]

        sums = self.lanes.loop.inputs[3:]
        if sums:
            builder.loop(0, self.width, 1, [], clear, "lane")
        builder.loop(low, high, self.width, [], block, f"{body.params[0].hint}_first")
        return builder.loop(0, self.width, 1, sums, add, "lane") if sums else []

    def _of(self, value: Value) -> Value:
        return self.mapping.get(value, value)

    # -- what each lane keeps -------------------------------------------------------------------

    def _keep_numbers(self) -> None:
        """Make the memory of all numbers that outlive a loop over the lanes.

        The rows of one array, as the compiler knows how far apart these are.
        """
        kept: dict[Value, None] = {}
        for segment in segments(self.items):
            kept.update((self.lanes.place_of(v), None) for v in self._brought(segment))
            kept.update((self.lanes.place_of(param), None) for param, _ in segment.moves)
        self.places.update(rows_for(kept, self.width, "lanes", self.builder))

    def _brought(self, segment: Segment) -> list[Value]:
        """The numbers of each lane that a segment reads of others."""
        counter, varying = self.lanes.body.params[0], self.lanes.varying
        made = segment.makes()
        read = (v for v in segment.reads() if v in varying and v is not counter)
        return [v for v in dict.fromkeys(read) if v not in made]

    def _load(self, value: Value, lane: Value) -> Value:
        found: Value = self.builder.op("load", *self.places[self.lanes.place_of(value)], lane)
        found.hint = value.hint
        return found

    def _store(self, value: Value, lane: Value, item: Value) -> None:
        array, row = self.places[self.lanes.place_of(value)]
        self.builder.op("store", array, item, row, lane)

    def _keep_arrays(self) -> None:
        """Make the arrays that each lane has for itself; those of one shape in one, as above."""
        groups: dict[tuple[object, ...], list[Value]] = {}
        for array in self.lanes.own:
            groups.setdefault(shape_key(array), []).append(array)
        for group in groups.values():
            rows = [len(group)] if len(group) > 1 else []
            extents = [*self.builder.shape(group[0]), *rows, self.width]
            made = empty(self.builder, extents, group[0].type.dtype)
            made.hint = group[0].hint
            for row, array in enumerate(group):
                self.mapping[array] = made
                self.rows[array] = [self.builder.constant(row) for _ in rows]

    # -- the body -------------------------------------------------------------------------------

    def _emit(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Segment):
                self._segment(item)
            elif isinstance(item, Steps):
                with self.builder.at(item.loop.location):
                    self._steps(item)
            else:
                self._append(item)

    def _steps(self, steps: Steps) -> None:
        body = steps.loop.regions[0]
        once = [c for c in carried(steps.loop) if c[0] not in self.lanes.varying]

        def step(counter: Value, numbers: list[Value]) -> list[Value]:
            self.mapping[body.params[0]] = counter
            self.mapping.update((c[0], v) for c, v in zip(once, numbers, strict=True))
            self._emit(steps.items)
            keep_extents(body, self.builder, self.mapping, self.lanes.varying)
            return [self._of(end) for _, _, end, _ in once]

        start, stop, width = map(self._of, steps.loop.inputs[:3])
        initial = [self._of(first) for _, first, _, _ in once]
        ends = self.builder.loop(start, stop, width, initial, step, body.params[0].hint)
        self.mapping.update((c[3], v) for c, v in zip(once, ends, strict=True))

    def _segment(self, segment: Segment) -> None:
        builder, body = self.builder, self.lanes.body
        common = [op for op in segment.ops if self.lanes.is_common(op)]

        def lane_of(lane: Value, sums: list[Value]) -> list[Value]:
            outside = dict(self.mapping)
            self.mapping[body.params[0]] = self.first + lane
            self.mapping.update((v, self._load(v, lane)) for v in self._brought(segment))
            for op in segment.ops:
                if op not in common:
                    self._operation(op, lane)
            for param, source in segment.moves:
                with builder.at(source.location):
                    self._store(param, lane, self._of(source))
            added = [self._of(op.inputs[1]) for op in common]
            self.mapping = outside
            return [total + value for total, value in zip(sums, added, strict=True)]

        zeros = [builder.constant(0, Scalar(op.inputs[0].type.dtype)) for op in common]
        sums = builder.loop(0, self.count, 1, zeros, lane_of, "lane")
        for op, total in zip(common, sums, strict=True):
            array, _, *index = map(self._of, op.inputs)
            total.hint = array.hint
            with builder.at(op.location):
                builder.op("accumulate_at", array, total, *index)

    def _operation(self, op: Op, lane: Value) -> None:
        copy = self._append(op)
        for old, new in zip(op.walk(), copy.walk(), strict=True):
            if old.name in INDEX_STARTS and old.inputs[0] in self.rows:
                new.inputs += [*self.rows[old.inputs[0]], lane]
        for value in op.outputs:
            if value in self.places:
                with self.builder.at(op.location):
                    self._store(value, lane, self._of(value))

    def _append(self, op: Op) -> Op:
        """A copy, in which a number that has no value on one side of a branch is 0: it is kept."""
        copy = clone_op(op, self.mapping)
        for inner in copy.walk():
            if inner.name == "undefined" and isinstance(inner.result.type, Scalar):
                inner.record = RECORDS["constant"]
                inner.attrs = {"value": 0, "type": inner.result.type}
        self.builder.region.ops.append(copy)
        return copy
