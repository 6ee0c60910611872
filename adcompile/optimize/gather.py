"""What a loop adds to neighbouring elements is gathered by each element instead.

Enters: a graph of loops. Leaves: the same graph where a loop that adds to `a[i - 1]`, `a[i]` and
`a[i + 1]`, as the adjoint of a stencil does, is a loop over the elements of `a`, each of which adds
up what the iterations around it give. The first loop has to run element by element, for iterations
meet in one element; the second computes several at once. The few elements at either end that not
all iterations reach have loops of their own.

Where only two iterations meet, and computing their shares twice would take too long, each hands its
share of the next element on to the next iteration: that, too, is computed for several at once, and
needs no array of shares.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import reduce

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_too
from adcompile.graph.types import Scalar, is_continuous
from adcompile.ops import memory
from adcompile.optimize.neighbours import LONGEST, Neighbours, innermost_loops, numbers_before
from adcompile.optimize.zeros import number_of

_MOST = 12  # operations that one contribution may take, but for the longest: others need them, too
_MOST_AGAIN = 16  # operations on numbers that all contributions take, where one number is saved


def gather_sums(graph: Graph) -> None:
    """Rewrite innermost loops in place."""
    for loop in innermost_loops(graph, _Gathering):
        loop.gather()


def gather_but_pairs(graph: Graph) -> None:
    """Rewrite innermost loops in place, but for sums that two iterations after one another share.

    These can be handed on.
    """
    for loop in innermost_loops(graph, _Gathering):
        loop.gather(pairs=False)


def hand_on_sums(graph: Graph) -> None:
    """Rewrite in place the innermost loops that `gather_but_pairs` has left."""
    for loop in innermost_loops(graph, _Gathering):
        loop.hand_on()


class _Gathering(Neighbours):
    """One innermost loop."""

    def __init__(
        self, loop: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder
    ) -> None:
        super().__init__(loop, region, aliases, bounds, builder)
        self.low = self.high = self.counter  # of the range, once it is known
        self.saved: dict[Value, Value] = {}

    def gather(self, pairs: bool = True) -> None:
        """Take the sums that can be gathered out of the loop, and put loops for them beside it."""
        for groups in self._meeting():
            sums = [op for group in groups for op, _ in group]
            left = not pairs and _is_pair(groups)
            computed_twice = self._may_compute_twice(sums, 0 if left else 1)
            if left and not computed_twice:
                continue
            with self.builder.inside(Region()) as before, self.builder.at(self.loop.location):
                self.low, self.high = self._range()
                self.saved = {} if computed_twice else self._save(sums)
            with self.builder.inside(Region()) as made, self.builder.at(self.loop.location):
                for group in groups:
                    self._gathered(group)
            place = self.region.ops.index(self.loop)
            around = [*made.ops, self.loop] if computed_twice else [self.loop, *made.ops]
            self.region.ops[place : place + 1] = [*before.ops, *around]
            self.body.ops = [op for op in self.body.ops if op not in sums]

    def hand_on(self) -> None:
        """Let each iteration hand its share of an element on to the next, which adds up both."""
        for groups in self._meeting():
            if _is_pair(groups):
                self._hand_on(groups[0])

    def _meeting(self) -> Iterator[list[list[tuple[Op, int]]]]:
        """For each array that iterations add to in one element: the sums, as `_groups` has them."""
        for array in list(dict.fromkeys(o.inputs[0] for o in self._sums())):
            groups = self._groups(array)
            if groups and max(map(len, groups)) > 1:
                yield groups

    def _save(self, sums: Sequence[Op]) -> dict[Value, Value]:
        """Arrays of what each iteration adds, where that is too long to be computed twice.

        Of one number instead, if the rest is a few operations on it: memory is slower than they.
        """
        size = self.builder.op("maximum", self.builder.op("sub", self.high, self.low), 0)
        wanted = {op.inputs[1]: op for op in sums if self._is_computed(op.inputs[1])}
        origin = self._origin(sums) if len(wanted) > 1 else None
        saved: dict[Value, Value] = {}
        for value, op in wanted.items() if origin is None else [(origin, self._first(sums))]:
            saved[value] = memory.empty(self.builder, [size], value.type.dtype)
            saved[value].hint = value.hint
            with self.builder.inside(Region()) as storing, self.builder.at(op.location):
                place = self.builder.op("sub", self.counter, self.low)
                self.builder.op("store", saved[value], value, place)
            position = self.body.ops.index(op)
            self.body.ops[position:position] = storing.ops
        return saved

    def _is_computed(self, value: Value) -> bool:
        return value in self.own and value.constant is None

    def _first(self, sums: Sequence[Op]) -> Op:
        return min(sums, key=self.body.ops.index)

    def _origin(self, sums: Sequence[Op]) -> Value | None:
        """The last number, before all sums, of which few operations make all that they add."""
        made = numbers_before(self.body.ops, self._first(sums))
        return next((value for value in made if self._suffices(value, sums)), None)

    def _suffices(self, value: Value, sums: Sequence[Op]) -> bool:
        """Whether few operations make all that is added of one number."""
        again = 0
        for op in sums:
            found = self._slice(op, op.inputs[1:2], {value})
            if found is None or not all(map(self._stays, found)):
                return False
            again += sum(map(_numbers, found))
            if again > _MOST_AGAIN:
                return False
        return True

    def _stays(self, op: Op) -> bool:
        """Whether an operation gives the same when the loop has ended."""
        reads = op.name == "load" and op.inputs[0]
        return not reads or not any(
            self.aliases.shared_at_once(v, reads) for o in self.body.ops for v in o.written
        )

    def _sums(self) -> list[Op]:
        return [op for op in self.body.ops if op.name == "accumulate_at"]

    # -- what may be gathered -------------------------------------------------------------------

    def _groups(self, array: Value) -> list[list[tuple[Op, int]]]:
        """The sums into one array by the elements they meet in, with their offsets.

        Nothing where the loop does anything else with the array, or they cannot be computed anew.
        """
        sums = [op for op in self._sums() if op.inputs[0] is array]
        sums.sort(key=lambda op: self.counter not in op.inputs[2:])  # the plainest index first
        for op in self.body.ops:
            touches = any(self.aliases.shared_at_once(v, array) for v in op.inputs)
            if touches and op not in sums and op.name != "dim":
                return []
        groups: list[list[tuple[Op, int]]] = []
        for op in sums:
            if self._slice(op, op.inputs[2:]) is None or not self._by_counter(index_of(op)):
                return []
            for group in groups:
                offset = self._offset(index_of(op), index_of(group[0][0]))
                if offset is not None:
                    group.append((op, offset))
                    break
            else:
                groups.append([(op, 0)])
        return groups

    def _may_compute_twice(self, sums: Sequence[Op], long: int) -> bool:
        """Whether what sums share may be computed for each: all but `long` are few operations."""
        slices = [self._slice(op, op.inputs[1:2]) for op in sums]
        sizes = [LONGEST + 1 if found is None else len(found) for found in slices]
        return max(sizes) <= LONGEST and sum(size > _MOST for size in sizes) <= long

    # -- the new loops --------------------------------------------------------------------------

    def _gathered(self, group: list[tuple[Op, int]]) -> None:
        """The loops over the elements that the sums of one group add to."""
        add, low, high = self.builder.op, self.low, self.high
        offsets = [offset for _, offset in group]
        first = add("add", low, max(offsets))
        last = add("maximum", first, add("add", high, min(offsets)))
        for op, offset in group:
            if offset != max(offsets):
                end = add("minimum", first, add("add", high, offset))
                self._loop([(op, offset)], add("add", low, offset), end, group[0][0])
        self._loop(group, first, last, group[0][0])
        for op, offset in group:
            if offset != min(offsets):
                self._loop([(op, offset)], last, add("add", high, offset), group[0][0])

    def _loop(
        self, sums: Sequence[tuple[Op, int]], start: Value, stop: Value, target: Op
    ) -> None:  # fmt: skip
        """Adds to the element of `target` in iteration `k` what each sum adds to it."""

        def body(index: Value, _: list[Value]) -> list[Value]:
            total = None
            for op, offset in sums:
                iteration = number_of(Sum(-offset, {index: 1}), self.builder)
                value = self._contribution(op, iteration)
                total = value if total is None else self.builder.op("add", total, value)
            place = self._copied(target, index, target.inputs[2:])
            self.builder.op("accumulate_at", target.inputs[0], total, *place)
            return []

        self.builder.loop(start, stop, 1, [], body, self.counter.hint or "i")

    def _hand_on(self, group: list[tuple[Op, int]]) -> None:
        """Add to the elements that no later iteration adds to; the last has a loop of its own."""
        builder, body, up = self.builder, self.body, self.loop.inputs[2].constant == 1
        last = (min if up else max)(offset for _, offset in group)
        now = [op for op, offset in group if offset == last]
        later = [op for op, offset in group if offset != last]
        array, number = now[0].inputs[0], Scalar(now[0].inputs[0].type.dtype)
        handed, rest = Value(number, array.hint), Value(number, array.hint)

        def add_rest(iteration: Value, _: list[Value]) -> list[Value]:
            place = self._copied(now[0], iteration, now[0].inputs[2:])
            builder.op("accumulate_at", array, rest, *place)
            return []

        with builder.inside(Region()) as before, builder.at(self.loop.location):
            low, high = self._range()
            none = builder.constant(0, number)
        with builder.inside(Region()) as after, builder.at(now[0].location):
            if up:  # one iteration beyond the last, if there is any
                beyond = builder.op("maximum", low + 1, high), high + 1
            else:
                beyond = low - 1, builder.op("minimum", low, high - 1)
            builder.loop(*beyond, 1, [], add_rest, self.counter.hint or "i")
        with builder.inside(Region()) as sums, builder.at(now[0].location):
            total = reduce(operator.add, (op.inputs[1] for op in now), handed)
            builder.op("accumulate_at", array, total, *now[0].inputs[2:])
            share = reduce(operator.add, (op.inputs[1] for op in later))
        body.ops = [op for op in body.ops if op not in (*now, *later)] + sums.ops
        carry_too(self.loop, none, handed, share, rest)
        place = self.region.ops.index(self.loop)
        self.region.ops[place : place + 1] = [*before.ops, self.loop, *after.ops]

    def _contribution(self, op: Op, iteration: Value) -> Value:
        """What an iteration adds by one of the sums."""
        known: dict[Value, Value] = {}
        for value, saved in self.saved.items():
            # one number alone is what all come of, or what is added
            if len(self.saved) == 1 or value is op.inputs[1]:
                place = self.builder.op("sub", iteration, self.low)
                known[value] = self.builder.op("load", saved, place)
        return self._copied(op, iteration, op.inputs[1:2], known)[0]


def _is_pair(groups: list[list[tuple[Op, int]]]) -> bool:
    """Whether iterations add to an element and to the next, as numbers of its own dtype."""
    if len(groups) != 1:
        return False
    dtypes = {op.inputs[1].type.dtype for op, _ in groups[0]}
    offsets = [offset for _, offset in groups[0]]
    return max(offsets) - min(offsets) == 1 and dtypes == {groups[0][0][0].inputs[0].type.dtype}


def _numbers(op: Op) -> bool:
    """Whether an operation computes a number, and no index."""
    return any(is_continuous(v.type) for v in op.outputs)
