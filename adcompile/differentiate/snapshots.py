"""Copies of arrays before the loops that read them, for the reverse sweep to read.

Enters: a graph with its reverse sweep, and the forward values that this reads. Leaves: which reads
of elements in loops are done again, of a copy of the array. A nest of loops that only reads an
array which is overwritten later computes many numbers of few elements: where the tapes of these
numbers take more memory than the array does, the array is saved before the nest, and they are
computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from adcompile.differentiate.estimates import Estimates, Size
from adcompile.graph.aliases import is_view
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.sizes import item_size
from adcompile.graph.types import Array, Symbol
from adcompile.ops.memory import FULL

if TYPE_CHECKING:
    from adcompile.differentiate.mirror import Mirror
    from adcompile.differentiate.obstacles import Obstacles


class Snapshot:
    """A copy of an array, or of its first rows and columns, as the loops after it read it.

    region   where it is taken
    before   the first of these loops
    array    what is copied
    loads    the reads of elements that it serves
    stops    for each axis how many elements the loads can reach; None for all of them
    size     about how many elements all copies have; None if they may be far more than are read
    """

    def __init__(self, region: Region, before: Op, array: Value) -> None:
        self.region, self.before, self.array = region, before, array
        self.loads: list[Op] = []
        self.stops: list[Sum | None] = []
        self.size: Size | None = None


class Snapshots:
    """The copies that pay in one graph."""

    def __init__(
        self, mirror: Mirror, obstacles: Obstacles, bounds: Bounds,
        is_known: Callable[[Value | Symbol], bool],
    ) -> None:  # fmt: skip
        self.mirror, self.obstacles, self.bounds = mirror, obstacles, bounds
        self.estimates = Estimates(bounds)
        self._is_known = is_known

    def choose(self, requested: Sequence[Value]) -> dict[Op, Snapshot]:
        """The reads that a copy serves; leaves in `obstacles` what is saved then."""
        found = [s for s in self._candidates() if s.size is not None]
        found.sort(key=_typical, reverse=True)
        without = self.obstacles.plan(requested, ())
        chosen = list(found)
        best = self.obstacles.plan(requested, _loads(chosen))
        for snapshot in found:
            others = [s for s in chosen if s is not snapshot]
            more = self.obstacles.plan(requested, _loads(others))
            if not self._pays(snapshot, more - best):
                chosen, best = others, more
        spared = sum(self._tape(v).typical for v in without - best)
        if spared <= sum(map(_typical, chosen)):
            chosen = []
        self.obstacles.plan(requested, _loads(chosen))
        return {load: snapshot for snapshot in chosen for load in snapshot.loads}

    def _pays(self, snapshot: Snapshot, spared: Collection[Value]) -> bool:
        """Whether a copy takes less memory than the tapes that are not needed with it.

        A tape counts only if it has every extent that the copy has: then it never is much smaller.
        """
        size = snapshot.size
        assert size is not None
        tapes = [tape for tape in map(self._tape, spared) if tape.contains(size)]
        return sum(tape.typical for tape in tapes) > size.typical

    def _tape(self, value: Value) -> Size:
        rounds = self.estimates.rounds(self.mirror.loops(self.mirror.home[value]))
        return rounds.times(Size(_bytes(value)))

    # -- candidates -----------------------------------------------------------------------------

    def _candidates(self) -> list[Snapshot]:
        found: dict[object, Snapshot] = {}
        body = self.mirror.graph.body
        forward = [op for op in body.ops if op in self.mirror.forward]
        for load, home in _loads_in(forward, body):
            if home not in self.mirror.parents or not self.mirror.loops(home):
                continue
            if self.obstacles.stays(load):
                continue
            nest = self._nest(load, home)
            if nest is None:
                continue
            region, loop, array = nest
            last = self._last_write(region, loop, array)
            snapshot = found.setdefault((region, array, last), Snapshot(region, loop, array))
            snapshot.loads.append(load)
        for snapshot in found.values():
            self._measure(snapshot)
        return list(found.values())

    def _nest(self, load: Op, home: Region) -> tuple[Region, Op, Value] | None:
        """The outermost loop around a read that leaves the array alone, and where it stands."""
        around: list[tuple[Region, Op]] = []
        while home is not self.mirror.graph.body:
            owner, home = self.mirror.parents[home]
            around.insert(0, (home, owner))
        for region, owner in around:
            array = self._outside(load.inputs[0], owner)
            if owner.name in ("for", "while") and array is not None:
                if not any(self._writes(inner, array) for inner in owner.walk()):
                    return region, owner, array
        return None

    def _outside(self, array: Value, loop: Op) -> Value | None:
        """What an array is a view of that is there before a loop."""
        inside = self.mirror.aliases.is_inside
        while any(inside(self.mirror.aliases.home[array], r) for r in loop.regions):
            if array.op is None or not is_view(array):
                return None
            array = array.op.inputs[0]
        return array

    def _writes(self, op: Op, array: Value) -> bool:
        return any(self.mirror.aliases.shared_at_once(array, v) for v in op.written)

    def _last_write(self, region: Region, loop: Op, array: Value) -> Op | None:
        """What writes the array last before a loop, in one run of the region."""
        before = reversed(region.ops[: region.ops.index(loop)])
        writes = (op for op in before if any(self._writes(o, array) for o in op.walk()))
        return next(writes, None)

    # -- extents --------------------------------------------------------------------------------

    def _measure(self, snapshot: Snapshot) -> None:
        """Find which part of the array is read, and how large that is."""
        array = snapshot.array
        assert isinstance(array.type, Array)
        size = self.estimates.rounds(self.mirror.loops(snapshot.region))
        size = size.times(Size(_bytes(array)))
        direct = all(load.inputs[0] is array for load in snapshot.loads)
        for axis, dim in enumerate(array.type.shape):
            whole = self.bounds.extent(dim, snapshot.region)
            stop = self._stop(snapshot.loads, axis) if direct else None
            if stop is not None:
                gap = stop.plus(whole, -1)
                if not gap.factors and gap.constant >= 0:
                    stop = None
            snapshot.stops.append(stop)
            extent = self.estimates.extent(whole if stop is None else stop, snapshot.region)
            if extent is None:
                return
            size = size.times(extent)
        snapshot.size = size

    def _stop(self, loads: Sequence[Op], axis: int) -> Sum | None:
        """One more than the largest index along an axis."""
        largest: Sum | None = None
        for load in loads:
            home = self.mirror.aliases.home[load.result]
            index = index_of(load)[axis]
            if not self.bounds.never_negative(index, home):
                return None
            top = self.bounds.greatest(self.bounds.sum_of(index, home), home)
            if top is None or not all(map(self._is_known, top.factors)):
                return None
            gap = top if largest is None else top.plus(largest, -1)
            if largest is None or (not gap.factors and gap.constant > 0):
                largest = top
            elif gap.factors:
                return None
        return None if largest is None else largest.plus(Sum(1))


def spec_of(stops: Sequence[Sum | None]) -> tuple[object, ...]:
    """The slice that takes so many elements of each axis."""
    return tuple(FULL if stop is None else ("slice", False, True, 1) for stop in stops)


def _loads(snapshots: Sequence[Snapshot]) -> set[Op]:
    return {load for snapshot in snapshots for load in snapshot.loads}


def _typical(snapshot: Snapshot) -> float:
    return 0.0 if snapshot.size is None else snapshot.size.typical


def _bytes(value: Value) -> float:
    return float(item_size(value.type))


def _loads_in(ops: Iterable[Op], region: Region) -> Iterator[tuple[Op, Region]]:
    """The reads of elements among operations and those inside, with the region of each."""
    for op in ops:
        if op.name == "load":
            yield op, region
        for inner in op.regions:
            yield from _loads_in(inner.ops, inner)
