"""How the body of a loop is split, to be run for several iterations side by side.

Enters: a loop whose iterations stand alone, and what each of them needs for itself. Leaves: whether
that is possible and worth while, and the body as a list of what is done once for all iterations, of
segments that are done for each of them (a lane each), and of inner loops that they go through in
step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from adcompile.graph.bounds import Atom, Bounds
from adcompile.graph.closures import free_values
from adcompile.graph.concurrency import Plan
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.filling import given_extents
from adcompile.graph.folds import fold_of
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.magnitude import DEAR, Product, is_small_beside, magnitudes, trips
from adcompile.graph.types import Array, Scalar, Symbol, is_complex, is_continuous
from adcompile.optimize.nests import iterations

UNROLLED = 16  # steps of which LLVM may make straight code
LONG = 24  # iterations of a loop inside, of which more are vectorised as well as they stand
TESTS = 8  # pairs of arrays of which LLVM tests whether they overlap; with more it gives up
APART = 8  # operations worth an element that is in a row of its own for each lane


@dataclass(eq=False)
class Segment:
    """Operations that one loop over the lanes does, then numbers that become others."""

    ops: list[Op] = field(default_factory=list)
    moves: list[tuple[Value, Value]] = field(default_factory=list)

    def reads(self) -> Iterator[Value]:
        """What is made elsewhere."""
        yield from free_values(Region([], self.ops, [source for _, source in self.moves]))

    def makes(self) -> set[Value]:
        """The numbers that others may read."""
        return {v for op in self.ops for v in op.outputs}


@dataclass(eq=False)
class Steps:
    """An inner loop that all lanes go through in step."""

    loop: Op
    items: list[Item]


Item = Op | Segment | Steps


def chained(loop: Op) -> list[Value]:
    """The numbers of which each iteration needs that of the one before, and not to fold into it."""
    body = loop.regions[0]
    pairs = zip(body.params[1:], body.yields, strict=True)
    return [p for p, end in pairs if end is not p and fold_of(body, p, end) is None]


def carried(loop: Op) -> list[tuple[Value, Value, Value, Value]]:
    """What a loop carries: its name inside, at the start, after each iteration, at the end."""
    body = loop.regions[0]
    return list(zip(body.params[1:], loop.inputs[3:], body.yields, loop.outputs, strict=True))


def segments(items: list[Item]) -> Iterator[Segment]:
    """All segments, in their order."""
    for item in items:
        if isinstance(item, Segment):
            yield item
        elif isinstance(item, Steps):
            yield from segments(item.items)


class Lanes:
    """What of a loop's body is done for each lane, and what once for all of them.

    varying   the values that differ from lane to lane
    common    arrays of one iteration in which that of each lane would hold the same
    turned    arrays, with the axis that will be their last: there lanes lie side by side in memory
    """

    def __init__(self, loop: Op, region: Region, plan: Plan, bounds: Bounds) -> None:
        self.loop, self.region, self.body = loop, region, loop.regions[0]
        self.plan, self.bounds = plan, bounds
        self.turned: dict[Value, int] = {}
        self.common = set(plan.scratch)
        size = -1
        while size != len(self.common):
            size = len(self.common)
            self.varying = set(self.body.params)
            self._vary(self.body)
            self.common -= set(self._apart(self.body))
        self.own = [array for array in plan.scratch if array not in self.common]
        # what a loop gives in the end is what it carried, and may be what one around it carries
        inside = list(self.loops(self.body))
        self.states = {end: param for op in inside for param, _, _, end in carried(op)}
        self.states.update(pair for op in inside for pair in self._handed_through(op))

    def _handed_through(self, loop: Op) -> Iterator[tuple[Value, Value]]:
        """Numbers that a loop inside only goes on with: they need no place of their own.

        That is, the loop inside starts with what this one carries, which nobody reads from then
        on, and this one goes on with what that gives in the end.
        """
        body = loop.regions[0]
        for place, inner in enumerate(body.ops):
            if not self.in_step(inner):
                continue
            behind = [v for op in body.ops[place + 1 :] for o in op.walk() for v in o.used]
            inside = {v for o in inner.regions[0].walk() for v in o.used}
            inside.update(inner.regions[0].yields)
            for param, first, _, end in carried(inner):
                if (
                    (first, end) in zip(body.params[1:], body.yields, strict=True)
                    and first in self.varying
                    and first not in inside
                    and [*behind, *body.yields, *inner.inputs].count(first) == 1
                ):
                    yield param, first

    def place_of(self, value: Value) -> Value:
        """The carried number whose memory holds a number that is kept for each lane."""
        while value in self.states:
            value = self.states[value]
        return value

    def _apart(self, region: Region) -> Iterator[Value]:
        """Arrays with which a lane does what it does not do with all others in step."""
        for op in region.ops:
            if self.in_step(op):
                yield from self._apart(op.regions[0])
            elif op.regions or any(v in self.varying for v in op.inputs):
                yield from (v for inner in op.walk() for v in inner.inputs)

    def _vary(self, region: Region) -> None:
        for op in region.ops:
            if self.in_step(op):
                self._vary_in_steps(op)
                continue
            kept = op.name == "load" and op.inputs[0] in self.plan.scratch
            own = kept and op.inputs[0] not in self.common
            if own or op.regions or any(v in self.varying for v in op.inputs):
                self.varying.update(v for o in op.walk() for v in _made(o))

    def _vary_in_steps(self, loop: Op) -> None:
        size = -1
        while size != len(self.varying):
            size = len(self.varying)
            for param, first, last, end in carried(loop):
                if first in self.varying or last in self.varying:
                    self.varying |= {param, end}
            self._vary(loop.regions[0])

    def in_step(self, op: Op) -> bool:
        """Whether all lanes go through a loop in step."""
        return op.name == "for" and not any(v in self.varying for v in op.inputs[:3])

    def loops(self, region: Region) -> Iterator[Op]:
        """The loops that all lanes go through in step."""
        for op in region.ops:
            if self.in_step(op):
                yield op
                yield from self.loops(op.regions[0])

    # -- whether --------------------------------------------------------------------------------

    def possible(self) -> bool:
        """Whether all that differs from lane to lane are numbers, and elements of known arrays."""
        bodies = [self.body, *(op.regions[0] for op in self.loops(self.body))]
        alike = (op for body in bodies for op in body.ops if not op.record.view)
        return all(isinstance(v.type, Scalar) for op in alike for v in _made(op)) and all(
            all(isinstance(v.type, Scalar) for v in _made(op) if v in self.varying)
            and self._by_element(op)
            for op in self.body.walk()
        )

    def _by_element(self, op: Op) -> bool:
        """Whether an operation uses arrays of one iteration for nothing but an element."""
        if op.name == "dim":
            return True
        elements = op.inputs[1:] if op.name in INDEX_STARTS else op.inputs
        yielded = (v for region in op.regions for v in region.yields)
        return not any(v in self.plan.scratch for v in (*elements, *yielded))

    def worth(self) -> bool:
        """Whether it pays to do the steps of several iterations together."""
        return self.has_long_chains() or self.shares_memory() or self._lies_side_by_side()

    def has_long_chains(self) -> bool:
        """Whether chains of many steps are in the body that can be vectorised.

        They must not be little beside other loops, which the compiler vectorises as they are.
        """
        chains = [op for op in self.loops(self.body) if self._is_chain(op)]
        large = self._largest()
        return any(op in large and not self._is_unrolled(op) for op in chains) and all(
            map(self._suits_lanes, chains)
        )

    def shares_memory(self) -> bool:
        """Whether a nest does most of the work, and uses elements that are the same for all lanes.

        Side by side, iterations read and add to them once. A single loop the compiler vectorises
        as it is. Where iterations have no array for themselves, or are as many as those of a loop
        inside, the matrices may be small.
        """
        inner = self._innermost()
        nested = {op for loop in self._largest() for op in self.loops(loop.regions[0])}
        own = trips(self.loop, self.region, self.bounds)
        few = any(own <= product for op in inner for product in self._sizes_of[op])
        return (
            bool(self.own and inner)
            and not few
            and all(op in nested and self._suits_lanes(op) for op in inner)
            and all(any(self._shared(op)) for op in inner)
        )

    def _lies_side_by_side(self) -> bool:
        """Whether the loops with most work use what lies side by side in memory for the lanes.

        Loops inside that go from row to row, or are short, the compiler does not vectorise.
        """
        inner = self._innermost()
        if all(map(self._is_unrolled, inner)):
            return False
        if not all(self._suits_lanes(op) and self._is_adjacent(op) for op in inner):
            return False
        return self.goes_down_rows() or all(iterations(op, LONG) <= LONG for op in inner)

    def _is_adjacent(self, loop: Op) -> bool:
        """Whether the elements that differ from lane to lane are neighbours, if there are any."""
        body = loop.regions[0]
        apart = [op for op in body.ops if self._is_of_lane(op)]
        return bool(apart) and all(self._is_neighbour(op, body) for op in apart)

    def _is_of_lane(self, op: Op) -> bool:
        """Whether an operation uses an element that differs from lane to lane."""
        known = op.name in INDEX_STARTS and op.inputs[0] not in self.plan.scratch
        return known and any(v in self.varying for v in index_of(op))

    def _is_neighbour(self, op: Op, body: Region) -> bool:
        """Whether the element of the next lane is the next in memory."""
        *rows, last = index_of(op)
        factors = self.bounds.sum_of(last, body).factors
        counter = self.body.params[0]
        array = op.inputs[0].type
        return (
            isinstance(array, Array)
            and array.layout == "C"
            and not any(v in self.varying for v in rows)
            and factors.get(counter) == 1
            and not any(atom in self.varying for atom in factors if atom is not counter)
            and self.bounds.never_negative(last, body)
        )

    def goes_down_rows(self) -> bool:
        """Whether the loops with most work step from row to row of what lies side by side."""
        return all(
            any(
                loop.regions[0].params[0] in self.bounds.sum_of(v, loop.regions[0]).factors
                for op in loop.regions[0].ops if self._is_of_lane(op)
                for v in index_of(op)[:-1]
            )
            for loop in self._innermost()
        )  # fmt: skip

    def used(self) -> list[Value]:
        """The arrays of the surroundings that the loops with most work use."""
        ops = (op for loop in self._innermost() for op in loop.regions[0].ops)
        arrays = (op.inputs[0] for op in ops if op.name in INDEX_STARTS)
        return [v for v in dict.fromkeys(arrays) if v not in self._made_inside]

    def shared(self) -> list[Value]:
        """The arrays of which the loops with most work use the same elements for all lanes."""
        return list(dict.fromkeys(a for op in self._innermost() for a in self._shared(op)))

    def runs(self) -> dict[Atom, bool]:
        """The extents that bound how often the loops with most work run, where these are known.

        With each, whether such a loop always runs so often.
        """
        made = self._made_inside
        runs: dict[Atom, bool] = {}
        for op in self._innermost():
            whole = not any(v in made and v.constant is None for v in op.inputs[:2])
            for atom in trips(op, self._around(op), self.bounds):
                if isinstance(atom, Symbol | Value) and atom not in made:
                    runs[atom] = whole or runs.get(atom, False)
        return runs

    def _suits_lanes(self, loop: Op) -> bool:
        plain = self._is_plain(loop) and self._outweighs_memory(loop)
        return plain and self._tests(loop) <= TESTS

    def _shared(self, loop: Op) -> Iterator[Value]:
        """Arrays of which a loop reads, or adds to, elements that are the same for all lanes."""
        for op in loop.regions[0].ops:
            if op.name in INDEX_STARTS and op.inputs[0] not in self.plan.scratch:
                if self.is_common(op) or (op.name == "load" and op.result not in self.varying):
                    yield op.inputs[0]

    def _around(self, loop: Op) -> Region:
        """The region that a loop inside stands in."""
        outer = (op.regions[0] for op in self.loops(self.body) if loop in op.regions[0].ops)
        return next(outer, self.body)

    def _innermost(self) -> list[Op]:
        """The loops with most work that have no such loop inside."""
        large = self._largest()
        return [op for op in large if not any(o in large for o in self.loops(op.regions[0]))]

    def _largest(self) -> list[Op]:
        """The loops that do not little work beside others."""
        sizes = self._sizes_of
        return [
            op for op, own in sizes.items()
            if not any(is_small_beside(own, other) for other in sizes.values())
        ]  # fmt: skip

    @cached_property
    def _made_inside(self) -> set[Value]:
        return {v for op in self.body.walk() for v in _made(op)}

    @cached_property
    def _sizes_of(self) -> dict[Op, list[Product]]:
        return dict(self._sizes(self.body, Counter()))

    def _sizes(self, region: Region, around: Product) -> Iterator[tuple[Op, list[Product]]]:
        """How much work the loops are that all lanes go through in step."""
        for op in region.ops:
            if self.in_step(op):
                yield op, [around + p for p in magnitudes(op, region, self.bounds)]
                yield from self._sizes(op.regions[0], around + trips(op, region, self.bounds))

    def _tests(self, loop: Op) -> int:
        """How many pairs of arrays are compared before each run of a loop over the lanes."""
        read: set[object] = set()
        written: set[object] = {"numbers"}
        for op in loop.regions[0].ops:
            if op.name not in INDEX_STARTS or self.is_common(op):
                continue
            array = op.inputs[0]
            if array in self.plan.scratch:
                (read if op.name == "load" else written).add(shape_key(array))
            elif self._is_of_lane(op):
                (read if op.name == "load" else written).add(array)
        pairs = len(written) * (len(written) - 1) // 2 + len(written) * len(read - written)
        return max([pairs, *map(self._tests, self.loops(loop.regions[0]))])

    def _is_unrolled(self, loop: Op) -> bool:
        """Whether the compiler makes straight code of a loop, and vectorises that."""
        return iterations(loop, UNROLLED + 1) <= UNROLLED

    def _outweighs_memory(self, loop: Op) -> bool:
        """Whether a step computes enough beside elements that lie far apart from lane to lane."""
        work = memory = 0
        for op in loop.regions[0].walk():
            work += DEAR.get(op.name, 1) if op.record.scalar else 0
            if op.name in INDEX_STARTS and op.inputs[0] not in self.plan.scratch:
                if self.axis(op) is not None and op.inputs[0] not in self.turned:
                    memory += 1 if op.name == "load" else 2
        return work >= APART * memory

    def lying_apart(self) -> dict[Value, int]:
        """Arrays of which all elements in the loop lie apart from lane to lane, along one axis."""
        axes: dict[Value, set[int | None]] = {}
        for op in self.body.walk():
            if op.name in INDEX_STARTS and op.inputs[0] not in self.plan.scratch:
                axes.setdefault(op.inputs[0], set()).add(self.axis(op))
        alike = {array: found.pop() for array, found in axes.items() if len(found) == 1}
        return {array: axis for array, axis in alike.items() if axis is not None}

    def axis(self, op: Op) -> int | None:
        """The axis along which the lanes lie apart, if they do so in the memory."""
        *rows, last = index_of(op)
        apart = [k for k, v in enumerate(rows) if v in self.varying]
        return apart[0] if len(apart) == 1 and last not in self.varying else None

    def _is_chain(self, loop: Op) -> bool:
        return any(p in self.varying and is_continuous(p.type) for p in chained(loop))

    def _is_plain(self, loop: Op) -> bool:
        """Whether a step has no branch, and nothing that one instruction cannot do for several."""
        for op in loop.regions[0].walk():
            if op.name == "for":
                if not self.in_step(op):
                    return False
            elif op.regions or op.record.kernel or any(is_complex(v.type) for v in op.outputs):
                return False
            elif op.name == "accumulate_at" and op.inputs[0] in self.plan.sums:
                if not self.is_common(op) and not self._is_neighbour(op, loop.regions[0]):
                    return False  # lanes may add to one element
            elif op.record.scalar is None and op.name not in (*INDEX_STARTS, "constant", "dim"):
                return False
        return True

    def is_common(self, op: Op) -> bool:
        """Whether all lanes add to one element."""
        adds = op.name == "accumulate_at" and op.inputs[0] in self.plan.sums
        return adds and not any(v in self.varying for v in op.inputs[2:])

    # -- the parts ------------------------------------------------------------------------------

    def items(self, loop: Op) -> list[Item]:
        """The parts of a loop's body, which end with what it carries for each lane."""
        items = self._parts(loop.regions[0])
        ends = loop.regions[0].yields
        at_once: list[tuple[Value, Value]] = []  # one may become what another was
        for param, _, end, _ in carried(loop):
            if param in self.varying:
                if self.place_of(param) is self.place_of(end):
                    continue
                maker = None if param in ends else _maker(items, param, end)
                (maker.moves if maker else at_once).append((param, end))
        if at_once:
            _last(items).moves += at_once
        return items

    def _for_each(self, op: Op) -> bool:
        """Whether an operation is done for each lane."""
        written = any(array not in self.common for array in op.written)
        return bool(op.regions) or written or any(v in self.varying for v in op.outputs)

    def _parts(self, region: Region) -> list[Item]:
        items: list[Item] = []
        for op in region.ops:
            if self.in_step(op):
                first = [(p, v) for p, v, *_ in carried(op) if p in self.varying]
                first = [(p, v) for p, v in first if self.place_of(p) is not self.place_of(v)]
                if first:
                    _last(items).moves += first
                items.append(Steps(op, self.items(op)))
            elif self._for_each(op):
                _last(items).ops.append(op)
            else:
                items.append(op)
        return items


def shape_key(array: Value) -> tuple[object, ...]:
    """What arrays have in common that lie in one."""
    assert array.op is not None
    extents = given_extents(array.op)
    return array.type.dtype, *(v if v.constant is None else v.constant for v in extents)


def elements(op: Op) -> Counter[Value]:
    """How often an operation, or one inside, reads or writes elements of each array."""
    return Counter(inner.inputs[0] for inner in op.walk() if inner.name in INDEX_STARTS)


def _made(op: Op) -> list[Value]:
    return [*op.outputs, *(v for region in op.regions for v in region.params)]


def _last(items: list[Item]) -> Segment:
    """The segment to go on with, behind what is done once: nothing of that needs a lane."""
    for item in reversed(items):
        if isinstance(item, Steps) or (isinstance(item, Segment) and item.moves):
            break
        if isinstance(item, Segment):
            items.remove(item)
            items.append(item)
            return item
    last = Segment()
    items.append(last)
    return last


def _maker(items: list[Item], param: Value, end: Value) -> Segment | None:
    """The segment that makes what a number becomes, if none behind it reads the number."""
    for position, item in enumerate(items):
        if isinstance(item, Segment) and end in item.makes():
            behind = segments(items[position + 1 :])
            return None if any(param in s.reads() for s in behind) else item
    return None
