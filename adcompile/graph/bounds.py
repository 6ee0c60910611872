"""What is known of integers before the program runs: signs, differences, indices within extents.

Enters: a graph. Leaves: answers about its index arithmetic. An integer is a sum of multiples of
loop indices, extents and other integers; the least value of such a sum follows by putting the first
or last iteration in place of each loop index, the inner loops first.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from adcompile.graph.ir import Graph, Op, Region, Value, joined, resolved
from adcompile.graph.types import Array, Dim, Scalar, Symbol, is_integer

Atom = Value | Symbol


class Sum:
    """`constant` plus integer multiples of atoms."""

    __slots__ = ("constant", "factors")

    def __init__(self, constant: int = 0, factors: dict[Atom, int] | None = None) -> None:
        self.constant = constant
        self.factors = factors or {}

    def plus(self, other: Sum, times: int = 1) -> Sum:
        """The sum of this and a multiple of another."""
        factors = dict(self.factors)
        for atom, factor in other.factors.items():
            factors[atom] = factors.get(atom, 0) + times * factor
        kept = {atom: factor for atom, factor in factors.items() if factor}
        return Sum(self.constant + times * other.constant, kept)


class Bounds:
    """The answer to questions about the integers of one graph; build it anew after a change."""

    def __init__(self, graph: Graph) -> None:
        self._same: dict[Region, dict[Symbol, Dim]] = {}
        self._extents: dict[Region, dict[Symbol, Value]] = {}
        self._loops: dict[Value, Op] = {}
        self._carried: dict[Value, tuple[Op, int]] = {}
        self._number: dict[Value, int] = {}
        self._rising: dict[tuple[Op, int], bool] = {}
        self._around: dict[Region, tuple[Op, ...]] = {}
        self._stores: dict[Value, list[tuple[Value, Region]] | None] = {}
        self._filled: dict[Value, bool] = {}
        self._scan(graph.body, {}, {}, ())

    def _scan(
        self, region: Region, same: dict[Symbol, Dim], extents: dict[Symbol, Value],
        around: tuple[Op, ...],
    ) -> None:  # fmt: skip
        self._around[region] = around
        self._same[region] = same = joined(same, region.same)
        self._extents[region] = extents = {**extents, **region.extents}
        for value in region.params:
            self._number[value] = len(self._number)
        for value in region.yields:
            self._stores[value] = None
        for op in region.ops:
            self._note_stores(op, region)
            if op.record.name == "for":
                self._loops[op.regions[0].params[0]] = op
                for k, value in enumerate(op.regions[0].params[1:]):
                    self._carried[value] = (op, k)
                for k, value in enumerate(op.outputs):
                    self._carried[value] = (op, k)
                self._scan(op.regions[0], same, extents, (*around, op))
            else:
                for inner in op.regions:
                    self._scan(inner, same, extents, around)
            for value in op.outputs:
                self._number[value] = len(self._number)

    def _note_stores(self, op: Op, region: Region) -> None:
        """What is stored in arrays that are used for nothing but to read and write elements."""
        stored, name = self._stores, op.record.name
        others = op.inputs[1:] if name in ("load", "store", "dim") else op.inputs
        stored.update(dict.fromkeys(others))
        known = stored.setdefault(op.inputs[0], []) if name == "store" else None
        if known is not None:
            known.append((op.inputs[1], region))

    def same(self, region: Region) -> dict[Symbol, Dim]:
        """The extents that are equal in a region."""
        return self._same[region]

    # -- questions ------------------------------------------------------------------------------

    def never_negative(self, value: Value, region: Region) -> bool:
        """Whether an integer read in a region is known to be 0 or more."""
        return self._never_negative(self.sum_of(value, region), region)

    def sum_never_negative(self, found: Sum, region: Region) -> bool:
        """Whether a sum of integers read in a region is known to be 0 or more."""
        if self._never_negative(found, region):
            return True
        for atom, factor in found.factors.items():
            op = atom.op if isinstance(atom, Value) else None
            if op is not None and op.name == ("minimum" if factor > 0 else "maximum"):
                rest = found.plus(Sum(0, {atom: 1}), -factor)
                sums = (rest.plus(self.sum_of(v, region), factor) for v in op.inputs)
                return all(self.sum_never_negative(s, region) for s in sums)
        return False

    def within(
        self, array: Value, index: list[Value], region: Region,
        loops: Sequence[Op] | None = None,
    ) -> bool:  # fmt: skip
        """Whether an index read in a region is known to be that of an element of the array.

        With `loops`, of those around the region only these need to run for it to be so.
        """
        assert isinstance(array.type, Array)
        pairs = zip(index, array.type.shape, strict=True)
        return all(self.fits(place, dim, region, loops) for place, dim in pairs)

    def fits(
        self, place: Value, dim: Dim, region: Region, loops: Sequence[Op] | None = None
    ) -> bool:  # fmt: skip
        """Whether an integer read in a region is known to be 0 or more, and less than an extent."""
        return self._fits(self.sum_of(place, region), self.extent(dim, region), region, loops)

    def is_below(self, place: Value, extent: Value, region: Region) -> bool:
        """Whether an integer read in a region is known to be 0 or more, and less than another."""
        return self._fits(self.sum_of(place, region), self.sum_of(extent, region), region)

    def _fits(
        self, place: Sum, extent: Sum, region: Region, loops: Sequence[Op] | None = None
    ) -> bool:
        room = extent.plus(place, -1).plus(Sum(1), -1)
        return all(self._never_negative(s, region, loops) for s in (place, room))

    def differ(self, first: list[Value], second: list[Value], region: Region) -> bool:
        """Whether two indices read in one iteration are known to be of different elements.

        Neither may be negative: -1 and n - 1 are the same element.
        """
        for one, other in zip(first, second, strict=True):
            sums = self.sum_of(one, region), self.sum_of(other, region)
            gap = sums[0].plus(sums[1], -1)
            if gap.constant and not gap.factors:
                if all(self._never_negative(s, region) for s in sums):
                    return True
        return False

    # -- sums -----------------------------------------------------------------------------------

    def sum_of(self, value: Value, region: Region) -> Sum:
        """An integer as a sum, as far as its arithmetic goes back."""
        constant = value.constant
        if constant is not None:
            return Sum(int(constant))
        op = value.op
        if op is None or value.type.dtype != "int64" or not isinstance(value.type, Scalar):
            return Sum(0, {value: 1})  # what is narrower may overflow
        if op.name == "dim":
            return self.extent(op.inputs[0].type.shape[op.attrs["axis"]], region)  # type: ignore[union-attr]
        if op.name in ("add", "sub"):
            first, second = (self.sum_of(v, region) for v in op.inputs)
            return first.plus(second, 1 if op.name == "add" else -1)
        if op.name == "neg":
            return Sum().plus(self.sum_of(op.inputs[0], region), -1)
        if op.name == "mul":
            for factor, other in (op.inputs, reversed(op.inputs)):
                if factor.constant is not None:
                    return Sum().plus(self.sum_of(other, region), int(factor.constant))
        if op.name in ("identity", "cast") and op.inputs[0].type.dtype == "int64":
            return self.sum_of(op.inputs[0], region)
        return Sum(0, {value: 1})

    def extent(self, dim: Dim, region: Region) -> Sum:
        """An extent as a sum."""
        dim = resolved(self._same[region], dim)
        if isinstance(dim, int):
            return Sum(dim)
        holder = self._extents[region].get(dim)
        if holder is None or (holder.op is not None and holder.op.name == "dim"):
            return Sum(0, {dim: 1})
        return self.sum_of(holder, region)

    def _never_negative(
        self, found: Sum, region: Region, loops: Sequence[Op] | None = None
    ) -> bool:
        """Whether a sum is 0 or more: by itself, or because a loop around would not run else."""
        if self._least_is_positive(found, region):
            return True
        around = self._around[region] if loops is None else loops
        spans = [span for op in around if (span := self._span(op, region)) is not None]
        if any(self._least_is_positive(found.plus(span, -1), region) for span in spans):
            return True
        taken = list(self._taken(spans, region))
        least = self.least(found, region) if taken else None
        if least is None:
            return False
        others = (
            least.plus(Sum(0, {atom: 1}), -factor).plus(value, factor)
            for atom, value in taken if (factor := least.factors.get(atom, 0))
        )  # fmt: skip
        return any(self._least_is_positive(other, region) for other in others)

    def _taken(self, spans: Sequence[Sum], region: Region) -> Iterator[tuple[Atom, Sum]]:
        """What maxima are, with which loops would not run if they were the number beside it."""
        for span in spans:
            for atom, factor in span.factors.items():
                op = atom.op if isinstance(atom, Value) else None
                if op is not None and op.name == "maximum" and factor == 1:
                    rest = span.plus(Sum(0, {atom: 1}), -1)
                    for value, other in (op.inputs, op.inputs[::-1]):
                        without = rest.plus(self.sum_of(other, region))
                        if not without.factors and without.constant < 0:
                            yield atom, self.sum_of(value, region)

    def _span(self, loop: Op, region: Region) -> Sum | None:
        """How far the last item of a range is from the first: 0 or more inside the loop."""
        start, stop, step = (self.sum_of(v, region) for v in loop.inputs[:3])
        if step.factors or abs(step.constant) != 1:
            return None
        return Sum(-1).plus(stop, step.constant).plus(start, -step.constant)

    def _least_is_positive(self, found: Sum, region: Region) -> bool:
        """Whether the least value of a sum is 0 or more."""
        least = self.least(found, region)
        if least is None:
            return False
        if least.constant >= 0 and all(
            factor > 0 and (isinstance(atom, Symbol) or _counts(atom) or self._holds(atom))
            for atom, factor in least.factors.items()
        ):
            return True
        return any(self._least_is_positive(s, region) for s in self._chosen(least, region))

    def _chosen(self, found: Sum, region: Region) -> Iterator[Sum]:
        """Bounds from below: a maximum is no less than either operand, a minimum no more."""
        for atom, factor in found.factors.items():
            op = atom.op if isinstance(atom, Value) else None
            if op is not None and op.name == ("maximum" if factor > 0 else "minimum"):
                rest = found.plus(Sum(0, {atom: 1}), -factor)
                yield from (rest.plus(self.sum_of(v, region), factor) for v in op.inputs)

    def _holds(self, value: Value) -> bool:
        """Whether an integer was read from an array in which none is negative."""
        op = value.op
        if op is None or op.name != "load" or not is_integer(value.type):
            return False
        array = op.inputs[0]
        stored = self._stores.get(array)
        if array.op is None or array.op.name != "empty" or not stored:
            return False
        if array not in self._filled:
            self._filled[array] = False  # while it is being found out
            self._filled[array] = all(self.never_negative(v, r) for v, r in stored)
        return self._filled[array]

    def least(self, found: Sum, region: Region) -> Sum | None:
        """A bound from below that no loop changes; None where there is none."""
        while True:
            movable = [a for a in found.factors if isinstance(a, Value) and self._bounded(a)]
            if not movable:
                return found
            atom = max(movable, key=lambda a: self._number[a])
            factor = found.factors[atom]
            bound = self._bound(atom, factor > 0, region)
            if bound is None:
                return None
            found = found.plus(Sum(0, {atom: 1}), -factor).plus(bound, factor)

    def greatest(self, found: Sum, region: Region) -> Sum | None:
        """A bound from above that no loop changes; None where there is none."""
        least = self.least(Sum().plus(found, -1), region)
        return None if least is None else Sum().plus(least, -1)

    def reach(self, value: Value, region: Region, own: Container[Value]) -> tuple[Sum, Sum] | None:
        """The first and the last of all integers that a value is while the loops in `own` run.

        None where that is not known, or where so many others may lie between.
        """
        ends = [
            self._end(self.sum_of(value, region), region, own, least) for least in (True, False)
        ]
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    def _end(self, found: Sum, region: Region, own: Container[Value], least: bool) -> Sum | None:
        while True:
            moving = [a for a in found.factors if isinstance(a, Value) and a in own]
            if not moving:
                return found
            atom = max(moving, key=lambda a: self._number[a])
            factor, loop = found.factors[atom], self._loops.get(atom)
            if loop is None or abs(factor) != 1 or abs(loop.inputs[2].constant or 0) != 1:
                return None
            bound = self._bound(atom, (factor > 0) is least, region)
            if bound is None:
                return None
            found = found.plus(Sum(0, {atom: 1}), -factor).plus(bound, factor)

    def counted_by(self, value: Value) -> Op | None:
        """The `for` whose index a value is."""
        return self._loops.get(value)

    # -- what loops carry -----------------------------------------------------------------------

    def carried(self, value: Value) -> tuple[Op, int] | None:
        """The `for` that carries an integer, as a value inside or as its result."""
        return self._carried.get(value) if is_integer(value.type) else None

    def step(self, op: Op, k: int) -> int | None:
        """What every iteration adds to a carried integer, if that is one number."""
        body = op.regions[0]
        start = Sum(0, {body.params[1 + k]: 1})
        gained = self.sum_of(body.yields[k], body).plus(start, -1)
        return None if gained.factors else gained.constant

    def _bounded(self, value: Value) -> bool:
        return value in self._loops or value in self._carried

    def _bound(self, value: Value, least: bool, region: Region) -> Sum | None:
        """The least or greatest value of a loop index, the least of what a loop only adds to."""
        loop = self._loops.get(value)
        if loop is not None:
            start, stop, step = (self.sum_of(v, region) for v in loop.inputs[:3])
            strided = _is_place(loop.inputs[2])
            if not strided and (step.factors or not step.constant):
                return None
            if strided or step.constant > 0:
                return start if least else stop.plus(Sum(1), -1)
            return stop.plus(Sum(1)) if least else start
        op, k = self._carried[value]
        return self.sum_of(op.inputs[3 + k], region) if least and self._rises(op, k) else None

    def _rises(self, op: Op, k: int) -> bool:
        """Whether no iteration makes a carried integer smaller."""
        if (op, k) not in self._rising:
            self._rising[op, k] = False  # while it is being found out
            body = op.regions[0]
            if is_integer(op.outputs[k].type):
                step = self.sum_of(body.yields[k], body).plus(Sum(0, {body.params[1 + k]: 1}), -1)
                self._rising[op, k] = self._gains(step, body.params[1 + k], body)
        return self._rising[op, k]

    def _gains(self, step: Sum, start: Value, body: Region) -> bool:
        """Whether `step` is never negative, where inner loops start from the carried value."""
        for atom, factor in step.factors.items():
            inner = self._carried.get(atom) if isinstance(atom, Value) else None
            if inner is not None and atom is not start and factor == 1:
                op, k = inner
                if op in body.ops and self._rises(op, k):
                    first = self.sum_of(op.inputs[3 + k], body)
                    return self._gains(step.plus(Sum(0, {atom: 1}), -1).plus(first), start, body)
        return self._never_negative(step, body)


def _counts(value: Value) -> bool:
    """Whether an integer is 0 or more by the way it is made."""
    op = value.op
    if _unsigned(value) or _is_place(value):
        return True
    if op is None or op.name not in ("maximum", "minimum", "bitwise_and"):
        return False
    known = [(v.constant is not None and v.constant >= 0) or _counts(v) for v in op.inputs]
    return all(known) if op.name == "minimum" else any(known)


def _is_place(value: Value) -> bool:
    """Whether it counts threads."""
    return value.op is not None and value.op.name == "place"


def _unsigned(value: Value) -> bool:
    """Whether the type has no negative numbers."""
    return value.type.dtype.startswith("uint")
