"""What a sum over iterations is made of.

Enters: a loop whose iterations stand alone. Leaves: for a number of an iteration, how its sum over
all iterations follows from the sums of others, its terms. Where a number is a linear map of others,
with factors that are the same in every iteration, its sum is that map of their sums: that of
`x - y` is the sum of `x` less that of `y`, and that of `w[j] * x` is `w[j]` times the sum of `x`.
So it goes through loops inside that run alike in every iteration, and arrays that these fill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

from adcompile.graph.bounds import Bounds
from adcompile.graph.concurrency import Plan
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.magnitude import Product, trips
from adcompile.graph.types import Array, Scalar, is_continuous
from adcompile.optimize.lanes import Lanes, carried
from adcompile.optimize.nests import iterations

ZERO, LINEAR, TERM = "zero", "linear", "term"
_MADE = ("empty", "full")
_PARTS = ("real", "imag", "conj")
_EXACT = frozenset(
    {
        "add", "sub", "neg", "abs", "sign", "cast", "where", "maximum", "minimum", "floor", "ceil",
        "rint", "trunc", "complex", *_PARTS,
    }
)  # fmt: skip
_DOUBLE = ("float64", "complex128")
_MANY = 8  # iterations that a loop is taken to have


@dataclass
class Reached:
    """What sums are made of.

    ops      operations that map sums, and those that write arrays of them
    terms    numbers whose sums are taken in the loop
    carried  numbers that loops inside carry, and whose sums they carry
    """

    ops: set[Op] = field(default_factory=set)
    terms: dict[Value, None] = field(default_factory=dict)
    carried: set[Value] = field(default_factory=set)


class Images:
    """The answer for one loop.

    outer    arrays of one iteration that are made before the loop, and how
    homes    the regions that stand in no branch, each with the loops around it
    home     the region in which an operation of these, or a value, stands
    """

    def __init__(self, loop: Op, region: Region, plan: Plan, bounds: Bounds) -> None:
        self.loop, self.body = loop, loop.regions[0]
        made = [op.result for op in self.body.walk() if op.name in _MADE]
        self.lanes = Lanes(loop, region, Plan(plan.sums, plan.near, [*plan.scratch, *made]), bounds)
        self.outer = {array: array.op for array in plan.scratch if array.op is not None}
        self.scratch = {*plan.scratch, *made}
        self.homes: dict[Region, tuple[Op, ...]] = {}
        self.home: dict[Op | Value, Region] = {}
        self._enter(self.body, ())
        inside = [op for loops in self.homes.values() for op in loops[-1:]]
        self._carries = {v: c for op in inside for c in carried(op) for v in (c[0], c[3])}
        self._loop_of = {c[0]: op for op in inside for c in carried(op)}
        self._accesses: dict[Value, list[Op]] = {}
        self._uses: dict[Value, list[Op]] = {}
        for op in self.body.walk():
            for value in op.inputs:
                users = self._accesses if value in self.scratch else self._uses
                users.setdefault(value, []).append(op)
        self._kinds: dict[Value, str] = {}
        self._elementwise: dict[Value, bool] = {}

    def _enter(self, region: Region, loops: tuple[Op, ...]) -> None:
        self.homes[region] = loops
        self.home.update((v, region) for v in region.params)
        for op in region.ops:
            self.home[op] = region
            self.home.update((v, region) for v in op.outputs)
            if self.lanes.in_step(op):
                self._enter(op.regions[0], (*loops, op))

    def possible(self) -> bool:
        """Whether arrays have one name each, and those of an iteration are used by element."""
        for op in self.body.walk():
            regions = (v for r in op.regions for v in (*r.params, *r.yields))
            if not all(isinstance(v.type, Scalar) for v in regions):
                return False
            if op.name in _MADE:
                if self.home.get(op) is None or any(v in self.varying for v in op.inputs):
                    return False
            elif op.name != "dim" and not op.regions:
                elements = op.inputs[1:] if op.name in INDEX_STARTS else op.inputs
                whole = [v for v in elements if v in self.scratch]
                scalars = all(isinstance(v.type, Scalar) for v in op.outputs)
                if whole or not (scalars or op.record.view):
                    return False
        return True

    @property
    def varying(self) -> set[Value]:
        """The values that differ from iteration to iteration."""
        return self.lanes.varying

    def addends(self) -> list[Op]:
        """What is added to arrays that the iterations share, where no branch decides about it."""
        common = (op for region in self.homes for op in region.ops if self.lanes.is_common(op))
        return [op for op in common if is_continuous(op.inputs[1].type)]

    # -- how the sum of a number follows from others --------------------------------------------

    def kind(self, value: Value) -> str:
        """Whether the sum is zero, follows from others by the operation, or is taken as it is."""
        if value not in self._kinds:
            self._kinds[value] = LINEAR  # while it is asked about what it is made of
            self._kinds[value] = self._kind_of(value)
        return self._kinds[value]

    def _kind_of(self, value: Value) -> str:
        if value not in self.varying:
            return ZERO if value.constant == 0 else TERM
        if not is_continuous(value.type):
            return TERM
        if value in self._carries:
            return self._kind_of_carried(value)
        op = value.op
        if op is None or op not in self.home:
            return TERM
        if op.name == "load":
            return LINEAR if self._is_mapped(op) else TERM
        operands = self.operands(op)
        if op.name not in _PARTS and any(v.type.dtype != value.type.dtype for v in operands):
            return TERM
        if LINEAR in map(self.kind, operands):
            return LINEAR
        terms = [v for v in operands if self.kind(v) == TERM]
        beside = any(self.home.get(v) is self.home[op] for v in terms)
        return TERM if beside or not terms else LINEAR

    def operands(self, op: Op) -> list[Value]:
        """The operands of which an operation is linear, the others being the same for all."""
        varying = [v for v in op.inputs if v in self.varying]
        if op.name in ("add", "sub", "neg", *_PARTS):
            return op.inputs
        if op.name == "mul" and len(varying) == 1:
            return varying
        return varying if op.name == "div" and varying == op.inputs[:1] else []

    def _kind_of_carried(self, value: Value) -> str:
        param, first, last, _ = self._carries[value]
        if value is param:
            return LINEAR
        for made in (first, last):
            self.kind(made)
        inside = self._loop_of[param]
        terms = self.reached([last]).terms
        deep = any(inside in self.around(v) for v in terms)
        return TERM if deep else LINEAR

    def _is_mapped(self, load: Op) -> bool:
        """Whether a load reads an array whose elements are known at one place in each iteration."""
        array = load.inputs[0]
        alike = not any(v in self.varying for v in index_of(load))
        return alike and array in self.lanes.own and self._is_elementwise(array)

    def _is_elementwise(self, array: Value) -> bool:
        if array not in self._elementwise:
            self._elementwise[array] = is_continuous(array.type) and all(
                op in self.home
                and op.inputs[1].type.dtype == array.type.dtype
                and not any(v in self.varying for v in index_of(op))
                for op in self.writes(array)
                if op.name != "full"
            )
        return self._elementwise[array]

    def writes(self, array: Value) -> Iterator[Op]:
        """The operations that give an array of one iteration its elements."""
        yield from (op for op in self._accesses.get(array, ()) if op.record.writes)
        if array.op is not None and array.op.name == "full" and array.op in self.home:
            yield array.op

    def around(self, value: Value) -> tuple[Op, ...]:
        """The loops around the place where a number becomes known."""
        home = self.home.get(value)
        return () if home is None else self.homes[home]

    def reached(self, values: Sequence[Value]) -> Reached:
        """What the sums of some numbers are made of."""
        found, seen, left = Reached(), set[Value](), list(values)
        while left:
            value = left.pop()
            if value in seen or self.kind(value) == ZERO:
                continue
            seen.add(value)
            if self.kind(value) == TERM:
                found.terms[value] = None
            elif value in self._carries:
                param, first, last, _ = self._carries[value]
                found.carried.add(param)
                left += [first, last]
            else:
                assert value.op is not None
                found.ops.add(value.op)
                if value.op.name != "load":
                    left += self.operands(value.op)
                else:
                    for op in self.writes(value.op.inputs[0]):
                        found.ops.add(op)
                        left.append(op.inputs[op.name != "full"])
        return found

    # -- whether it pays ------------------------------------------------------------------------

    def pays(self, addend: Op) -> bool:
        """Whether the loop does less when it sums up the terms in place of what is made of them.

        There must be one term, computed in the loop in double precision. Sums of two kinds of terms
        may be large where each iteration's difference is small, such as a residual: nothing would
        be left of it.
        """
        value = addend.inputs[1]
        found = self.reached([value])
        if not self._is_accurate(found) or not self._has_room(addend, found):
            return False
        gone = found.ops | {addend}
        size = -1
        while size != len(gone):
            size = len(gone)
            gone -= {op for op in gone if op is not addend and self._is_used(op, gone, found)}
        saved = sum(self._often(self.home[op]) for op in gone)
        return saved > sum(self._often(self.home.get(v, self.body)) for v in found.terms)

    def _is_accurate(self, found: Reached) -> bool:
        """Whether the sum of the terms loses no more than what each of them has lost."""
        if not found.ops:
            return True
        return len(found.terms) == 1 and all(map(self._is_rounded, found.terms))

    def _is_rounded(self, value: Value) -> bool:
        """Whether a number in double precision is computed, and no datum or difference of data."""
        op = value.op
        while op is not None and op in self.home and value.type.dtype in _DOUBLE:
            varying = [v for v in op.inputs if v in self.varying]
            if op.name in ("mul", "div", "neg") and len(varying) == 1:
                op = varying[0].op
            else:
                return op.record.scalar is not None and op.name not in _EXACT
        return False

    def _has_room(self, addend: Op, found: Reached) -> bool:
        """Whether the terms of all places are no more than what is added in one iteration."""
        target, own = addend.inputs[0].type, self._trips(self.homes[self.home[addend]])
        assert isinstance(target, Array)
        return all(
            len(self.around(term)) <= target.ndim and self._trips(self.around(term)) <= own
            for term in found.terms
        )

    def _trips(self, loops: tuple[Op, ...]) -> Product:
        total: Product = Counter()
        for loop in loops:
            total += trips(loop, self.home[loop], self.lanes.bounds)
        return total

    def _is_used(self, op: Op, gone: set[Op], found: Reached) -> bool:
        """Whether the loop does an operation for something else, too."""
        if op.record.writes or op.name == "full":
            array = op.result if op.name == "full" else op.inputs[0]
            return any(o.name == "load" and o not in gone for o in self._accesses[array])
        yielded = [v for v in self._carries if self._carries[v][2] in op.outputs]
        return any(o not in gone for v in op.outputs for o in self._uses.get(v, ())) or any(
            self._carries[v][0] not in found.carried for v in yielded
        )

    def _often(self, region: Region) -> int:
        return prod(min(_MANY, iterations(loop, _MANY)) for loop in self.homes[region])
