"""Which regions of the reverse sweep belong to which of the forward sweep.

Enters: a graph, as its reverse regions are built. Leaves: their pairs, with the values that repeat
the indices of loops, and the arrays whose contents the reverse sweep wants as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.differentiate.extrema import Extremum, search
from adcompile.differentiate.winners import Marked, Marking, Winner
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.closures import free_values
from adcompile.graph.ir import RECORDS, Graph, Note, Op, Region, Value
from adcompile.graph.types import Array, Scalar


class Mirror:
    """Pairs every forward region with its reverse, and remembers snapshots of written arrays.

    `run` is the region of one run of a procedure: what its reverse reads of it goes to `stacks`,
    which all runs share.
    """

    def __init__(self, graph: Graph, aliases: Aliases, run: Region | None = None) -> None:
        self.graph = graph
        self.run = run
        self.stacks: list[Value] = []
        self.aliases = aliases
        self.home = dict(aliases.home)
        self.reverse: dict[Region, Region] = {}
        self.index: dict[Value, Value] = {}
        self.parents: dict[Region, tuple[Op, Region]] = {}
        self.extrema: dict[Value, tuple[Op, int, Value]] = {}  # loop, position, first iteration
        self.found: dict[Value, Value] = {}  # what a loop inside found, and the one around it
        self.winners: dict[Op, Marked] = {}
        self.known: dict[Value, bool] = {}  # what conditions are wherever the reverse reads them
        self.snapshots: dict[Value, tuple[Op, Op, bool]] = {}
        self.forward = set(graph.body.ops)
        self._snapshot_of: dict[tuple[Op, Value], Value] = {}
        self._find_parents(graph.body)

    def _find_parents(self, region: Region) -> None:
        for op in region.ops:
            for inner in op.regions:
                self.parents[inner] = (op, region)
                self._find_parents(inner)

    def reverse_of(self, region: Region) -> Region:
        """The reverse region that runs once for every run of `region`."""
        return region if region is self.graph.body else self.reverse[region]

    def forget_pruned(self) -> None:
        """Forget the reverse regions that no result needs; they read nothing."""
        left = {region for op in self.graph.body.walk() for region in op.regions}
        self.reverse = {region: r for region, r in self.reverse.items() if r in left}

    def loops(self, region: Region) -> list[tuple[Op, Region]]:
        """The loops around a region from the outside, each with its body."""
        found: list[tuple[Op, Region]] = []
        while region is not self.graph.body:
            owner, outer = self.parents[region]
            if owner.name in ("for", "while"):
                found.insert(0, (owner, region))
            region = outer
        return found

    def pair(
        self,
        region: Region,
        reverse: Region,
        index: Value | None = None,
        reverse_index: Value | None = None,
    ) -> None:
        """Declare a reverse region, and for loops the value that repeats the index."""
        self.reverse[region] = reverse
        reverse.same, reverse.extents = dict(region.same), dict(region.extents)
        if index is not None and reverse_index is not None:
            self.index[index] = reverse_index

    def join(self, region: Region, reverse: Region) -> None:
        """Declare that a reverse region reverses one region more: a side that is known to run."""
        self.reverse[region] = reverse
        reverse.same, reverse.extents = (
            {**region.same, **reverse.same},
            {**region.extents, **reverse.extents},
        )

    def contents(self, op: Op) -> tuple[list[Value], list[Value]]:
        """Inputs and outputs as they were when `op` ran: snapshots where they are overwritten."""
        inputs = [self._content(op, v, before=True) for v in op.inputs]
        return inputs, [self._content(op, v, before=False) for v in op.outputs]

    def _content(self, op: Op, value: Value, before: bool) -> Value:
        if not isinstance(value.type, Array) or not self.aliases.may_be_written_after(op, value):
            return value
        key = (op, value)
        if key not in self._snapshot_of:
            snapshot = Value(Array(value.type.dtype, value.type.shape), value.hint)
            copy = Op(RECORDS["copy"], [value], {}, [snapshot], location=op.location)
            self.snapshots[snapshot] = (copy, op, before)
            self.home[snapshot] = self._region_of(op)
            self._snapshot_of[key] = snapshot
        return self._snapshot_of[key]

    def _region_of(self, op: Op) -> Region:
        if op.outputs:
            return self.aliases.home[op.outputs[0]]
        for region in [self.graph.body, *self.parents]:
            if op in region.ops:
                return region
        raise AssertionError(op)

    def trip_count(self, op: Op, builder: Builder) -> Value:
        """How often a `for` runs."""
        start, stop, step = op.inputs[:3]
        return self.count(start, stop, step, builder)

    def count(self, start: Value, stop: Value, step: Value, builder: Builder) -> Value:
        """The number of items of a range."""
        by = step.constant
        assert isinstance(by, int)
        span = stop - start + (by - 1 if by > 0 else by + 1)
        count: Value = builder.op("maximum", builder.op("floordiv", span, by), 0)
        return count

    def count_iterations(self, op: Op, builder: Builder) -> Value:
        """Make a `while` count its iterations; gives the count."""
        body, test = op.regions
        place = self._region_of(op)
        zero = builder.constant(0)
        zero_op = builder.region.ops.pop()
        place.ops.insert(place.ops.index(op), zero_op)
        count, again, result = (
            Value(Scalar("int64", weak=True), "count", named=True) for _ in range(3)
        )
        with builder.inside(body):
            following = count + 1
        following.hint, following.named = "count", True
        op.inputs.append(zero)
        body.params.append(count)
        test.params.append(again)
        body.yields.append(following)
        op.outputs.append(result)
        result.op = op
        self.home.update({zero: place, count: body, result: place})
        return result

    def find_extremum(self, extremum: Extremum, builder: Builder) -> tuple[Value, Value]:
        """Make a loop find the first and the last iteration that read what it looked for."""
        loop = extremum.loop
        place = self._region_of(loop)
        with builder.inside(Region()) as made, builder.at(loop.location):
            first, last = search(extremum, builder)
        position = place.ops.index(loop) + 1
        place.ops[position:position] = made.ops
        self.home.update({v: place for op in made.ops for v in op.outputs})
        if place is self.graph.body:
            self.forward.update(made.ops)
        self.extrema[extremum.param] = loop, extremum.position, first
        _note(loop, extremum.position, "the others hand the adjoint on as it is")
        return first, last

    def mark(self, winner: Winner, builder: Builder) -> Marked:
        """Make a loop, and those inside that decide for it, carry which iterations win."""
        loop = winner.loop
        place = self._region_of(loop)
        before = set(place.ops)
        marking = Marking(winner, builder)
        with builder.at(loop.location):
            whole = marking.loop(winner, place)
        made = [op for op in place.ops if op not in before]
        if place is self.graph.body:
            self.forward.update(made)
        self._find_homes([*made, loop], place)
        for marked in marking.made:
            self.winners[marked.loop] = marked
            self.known.update(marked.known)
            if marked.first is not None:
                (k,) = marked.positions
                self.extrema[marked.loop.regions[0].params[1 + k]] = marked.loop, k, marked.first
                if marked is not whole:
                    self.found[marked.loop.outputs[k]] = loop.outputs[whole.positions[0]]
        _note(loop, winner.positions[0], "no adjoint passes through the others")
        return whole

    def _find_homes(self, ops: Sequence[Op], region: Region) -> None:
        """Enter the values that were added to operations of a region and those inside."""
        for op in ops:
            for value in op.outputs:
                self.home.setdefault(value, region)
            for inner in op.regions:
                for value in inner.params:
                    self.home.setdefault(value, inner)
                self._find_homes(inner.ops, inner)

    def has_fixed_ranges(self, op: Op) -> bool:
        """Whether it is known before all loops how often an operation runs in each."""
        place = self._region_of(op)
        inside = [o for o in op.walk() if o.name in ("for", "while")]
        loops = [owner for owner, _ in self.loops(place)] + inside
        return all(o.name == "for" and all(map(self._is_outside, o.inputs[:2])) for o in loops)

    def may_leave_out(self, loop: Op) -> bool:
        """Whether the reverse may leave out iterations of a loop without saying which before it.

        A stack, which holds what no tape has a place for, gives all that was put on it.
        """
        counters = {
            o.regions[0].params[0] for o, _ in self.loops(self._region_of(loop)) if o.name == "for"
        }
        return self.has_fixed_ranges(loop) or all(
            v in counters or (self._is_outside(v) and not self._is_overwritten(v, loop))
            for v in free_values(loop.regions[0])
        )

    def _is_overwritten(self, value: Value, loop: Op) -> bool:
        return isinstance(value.type, Array) and self.aliases.may_be_written_after(loop, value)

    def _is_outside(self, value: Value) -> bool:
        home = self.home.get(value)
        if home is None or home is self.graph.body or value.constant is not None:
            return True
        op = value.op
        return op is not None and op.name == "dim" and self._is_outside(op.inputs[0])

    def is_seldom(self, region: Region) -> bool:
        """Whether the reverse runs for few iterations of the innermost loop around."""
        loops = self.loops(region)
        return bool(loops) and loops[-1][0] in self.winners

    def is_single(self, region: Region) -> bool:
        """Whether it runs for one of them at most."""
        return self.is_seldom(region) and self.winners[self.loops(region)[-1][0]].first is None


def _note(loop: Op, position: int, because: str) -> None:
    what = loop.regions[0].params[1 + position].origin
    loop.note = Note("winner", what, because, loop.location)
