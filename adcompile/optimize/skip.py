"""Steps of a reverse sweep through which no adjoint passes are left out.

Enters: a graph of loops. Leaves: the same graph where an innermost loop whose iterations need their
order, such as one back through a table of shortest paths, tests whether the adjoints it reads are
zero: all that it would add is a multiple of them. They are for all cells but those of the chosen
path, where a minimum or a maximum hands an adjoint to one of its arguments and zero to the others.
Zero times an infinite partial derivative, which would be no number, is zero then.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cached_property

from adcompile.graph.builder import Builder
from adcompile.graph.concurrency import Concurrency
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Scalar, is_complex, is_continuous

# operations whose result is zero if all of these operands are
_LINEAR = {"add": (0, 1), "sub": (0, 1), "neg": (0,), "cast": (0,), "identity": (0,),
           "div": (0,), "where": (1, 2)}  # fmt: skip
FEWEST = 6  # operations that are worth a test


def skip_zeros(graph: Graph) -> None:
    """Put the bodies of such loops into a branch, in place."""
    found = [(op, _Step(op)) for op in graph.body.walk() if op.name == "for"]
    sparse = [(loop, step) for loop, step in found if step.is_sparse()]
    if not sparse:
        return
    known = Concurrency(graph)
    with Builder(graph) as builder:
        for loop, step in sparse:
            if isinstance(known.plan(loop), str):  # the others are computed several at a time
                with builder.inside(loop.regions[0]), builder.at(loop.location):
                    step.skip(builder)


def is_multiple(op: Op, numbers: Container[Value]) -> bool:
    """Whether the result of an operation is zero if some numbers are."""
    if op.name in ("mul", "scale"):
        return any(v in numbers for v in op.inputs)
    items = [op.inputs[k] for k in _LINEAR.get(op.name, ())]
    return any(v in numbers for v in items) and all(v in numbers or v.constant == 0 for v in items)


def without(op: Op, numbers: Container[Value]) -> Value | None:
    """The part of a sum that the sum is if the other part, one of these numbers, is zero."""
    if op.name not in ("add", "sub"):
        return None
    one, other = op.inputs
    if other in numbers:
        return one
    return other if one in numbers and op.name == "add" else None


def stays(body: Region, k: int, numbers: Container[Value]) -> bool:
    """Whether an iteration hands on what it was handed, or that with something added that is one of
    these numbers."""
    param, end = body.params[1 + k], body.yields[k]
    while end is not param:
        part = without(end.op, numbers) if end.op in body.ops else None
        if part is None:
            return False
        end = part
    return True


class _Step:
    """The body of a loop, and which of its numbers are zero if the adjoints that it reads are."""

    def __init__(self, loop: Op) -> None:
        self.body = loop.regions[0]
        added = {op.inputs[0] for op in self.body.ops if op.name == "accumulate_at"}
        self.read = [
            op.result for op in self.body.ops
            if op.name == "load" and op.inputs[0] in added and is_continuous(op.result.type)
        ]  # fmt: skip
        self.zero = set(self.read)
        for op in self.body.ops:
            if is_multiple(op, self.zero):
                self.zero.update(op.outputs)

    def is_sparse(self) -> bool:
        """Whether nothing is done but to add multiples of the adjoints, some of them chosen."""
        if not self.read or any(is_complex(v.type) for v in self.zero):
            return False
        chosen = (op for op in self.body.ops if op.name == "where" and op.result in self.zero)
        return (
            self._comes_first()
            and any(v.constant == 0 for op in chosen for v in op.inputs[1:])
            and len(self.body.ops) - len(self.needed) >= FEWEST
            and all(map(self._does_nothing, self.body.ops))
            and all(stays(self.body, k, self.zero) for k in range(len(self.body.yields)))
        )

    def _comes_first(self) -> bool:
        """Whether the adjoints are read before anything is written."""
        written = next((k for k, op in enumerate(self.body.ops) if op.written), 0)
        return all(op in self.body.ops[:written] for op in self.needed if op.record.reads)

    def _does_nothing(self, op: Op) -> bool:
        """Whether an operation changes nothing if the adjoints are zero."""
        if op.name == "accumulate_at":
            return op.inputs[1] in self.zero
        if op.name == "store":  # zero in place of an adjoint that is read
            read = [v.op.inputs for v in self.read if v.op is not None]
            if op.inputs[1].constant == 0 and [op.inputs[0], *op.inputs[2:]] in read:
                return True
            return op in self.stored
        return not (op.regions or op.written or op.keeps or op.record.library)

    @cached_property
    def stored(self) -> list[Op]:
        """The multiples of adjoints that are stored where zero can be stored as well."""
        own = {v for op in self.body.ops if op not in self.needed for v in op.outputs}
        return [
            op for op in self.body.ops
            if op.name == "store" and op.inputs[1] in self.zero
            and all(v not in own or v.constant is not None for v in op.inputs[2:])
        ]  # fmt: skip

    @cached_property
    def needed(self) -> list[Op]:
        """The operations that find the adjoints."""
        needed = set(self.read)
        found = []
        for op in reversed(self.body.ops):
            if not needed.isdisjoint(op.outputs):
                found.append(op)
                needed.update(op.inputs)
        return found[::-1]

    def skip(self, builder: Builder) -> None:
        """Do all else in a branch."""
        body, first, stored = self.body, self.needed, self.stored
        rest = [op for op in body.ops if op not in first]
        ends = body.yields
        moving = [k for k, end in enumerate(ends) if end is not body.params[1 + k]]
        body.ops = first
        zero = [builder.op("ne", v, 0) for v in self.read]
        condition = zero[0]
        for another in zero[1:]:
            condition = builder.op("logical_or", condition, another)

        made = {v for op in rest for v in op.outputs}

        def step() -> list[Value]:
            builder.region.ops += rest
            for symbol in [s for s, v in body.extents.items() if v in made]:
                builder.region.extents[symbol] = body.extents.pop(symbol)
            return [ends[k] for k in moving]

        def nothing() -> list[Value]:
            for op in stored:
                array, _, *index = op.inputs
                zero = builder.constant(0, Scalar(array.type.dtype))
                places = [v if v.constant is None else builder.constant(v.constant) for v in index]
                builder.op("store", array, zero, *places)
            return [body.params[1 + k] for k in moving]

        results = builder.branch(condition, step, nothing)
        body.yields = list(ends)
        for k, value in zip(moving, results, strict=True):
            body.yields[k] = value
