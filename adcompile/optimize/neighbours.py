"""What iterations of an innermost loop, which are neighbours, have to do with each other.

Enters: a graph of loops. Leaves: for each innermost loop up or down a range, how many iterations
lie between two accesses to one element, and what an iteration computes, computed by another one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Scalar, is_continuous
from adcompile.optimize.loads import defined

CHEAP = frozenset({"add", "sub", "mul", "neg", "load", "constant", "cast", "dim"})
LONGEST = 40  # operations that may be computed twice


class Neighbours:
    """The iterations of one innermost loop."""

    def __init__(
        self, loop: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder
    ) -> None:
        self.loop, self.region, self.body = loop, region, loop.regions[0]
        self.counter = self.body.params[0]
        self.own = defined(self.body)
        self.aliases, self.bounds, self.builder = aliases, bounds, builder

    def _by_counter(self, index: Sequence[Value]) -> bool:
        """Whether iterations after one another reach elements after one another."""
        moving = 0
        for value in index:
            found = self.bounds.sum_of(value, self.body)
            factor = found.factors.get(self.counter, 0)
            others = [a for a in found.factors if a in self.own and a is not self.counter]
            if factor not in (0, 1) or others or not self.bounds.never_negative(value, self.body):
                return False
            moving += factor
        return moving == 1

    def _offset(self, index: Sequence[Value], first: Sequence[Value]) -> int | None:
        """By how much the counter is larger where `first` is the element at `index`, if ever."""
        offset = 0
        for one, other in zip(index, first, strict=True):
            gap = self._sum(one).plus(self._sum(other), -1)
            if gap.factors:
                return None
            if gap.constant:
                if self.counter not in self._sum(one).factors:
                    return None
                offset = gap.constant
        return offset

    def _sum(self, value: Value) -> Sum:
        return self.bounds.sum_of(value, self.body)

    def _slice(
        self, op: Op, values: Sequence[Value], known: Collection[Value] = ()
    ) -> list[Op] | None:  # fmt: skip
        """The operations of the loop that compute what `op` reads, if they are few and cheap.

        known   values that are at hand
        """
        needed = {v for v in values if v in self.own and v not in known}
        found: list[Op] = []
        for maker in reversed(self.body.ops[: self.body.ops.index(op)]):
            if not needed.isdisjoint(maker.outputs):
                if maker.name not in CHEAP or not self._lasts(maker):
                    return None
                found.append(maker)
                needed.difference_update(maker.outputs)
                needed.update(v for v in maker.inputs if v in self.own and v not in known)
        if needed - {self.counter} or len(found) > LONGEST:
            return None
        return found[::-1]

    def _lasts(self, op: Op) -> bool:
        """Whether an iteration reads what was there before the loop."""
        if op.name != "load":
            return True
        place = self.body.ops.index(op)
        for other in self.body.ops:
            array = op.inputs[0]
            if not any(self.aliases.shared_at_once(v, array) for v in other.written):
                continue
            if other.name != "store" or self.body.ops.index(other) < place:
                return False
            if other.inputs[0] is not op.inputs[0] or other.inputs[2:] != op.inputs[1:]:
                return False
            if not any(map(self._is_own, op.inputs[1:])):
                return False
        return True

    def _is_own(self, value: Value) -> bool:
        """Whether an index is another one in each iteration."""
        rest = self._sum(value).plus(Sum(0, {self.counter: 1}), -1)
        fixed = not any(a in self.own for a in rest.factors)
        return fixed and self.bounds.never_negative(value, self.body)

    def _range(self) -> tuple[Value, Value]:
        """The first item of the range, from below, and the one after the last."""
        start, stop = self.loop.inputs[:2]
        if self.loop.inputs[2].constant == 1:
            return start, stop
        return self.builder.op("add", stop, 1), self.builder.op("add", start, 1)

    def _copied(
        self, op: Op, iteration: Value, values: Sequence[Value],
        known: Mapping[Value, Value] = MappingProxyType({}),
    ) -> list[Value]:  # fmt: skip
        """Values that an operation reads, as another iteration has them.

        known   what some values are in that iteration
        """
        mapping = {self.counter: iteration, **known}
        makers = self._slice(op, values, known) or []
        self.builder.region.ops += [clone_op(maker, mapping) for maker in makers]
        return [mapping.get(v, v) for v in values]


def numbers_before(ops: Sequence[Op], op: Op) -> Iterator[Value]:
    """The floats, or complex numbers, that the operations before one make, the last ones first."""
    for maker in ops[: ops.index(op)][: -LONGEST - 1 : -1]:
        for value in maker.outputs:
            if isinstance(value.type, Scalar) and is_continuous(value.type):
                yield value


_Loop = TypeVar("_Loop", bound=Neighbours)


def innermost_loops(graph: Graph, kind: type[_Loop]) -> Iterator[_Loop]:
    """The innermost loops over ranges up or down; they may be rewritten meanwhile."""
    aliases, bounds = Aliases(graph), Bounds(graph)
    with Builder(graph) as builder:

        def found(region: Region) -> Iterator[_Loop]:
            for op in list(region.ops):
                for inner in op.regions:
                    yield from found(inner)
                if op.name == "for" and not any(o.regions for o in op.regions[0].ops):
                    if op.inputs[2].constant in (1, -1):
                        with builder.inside(region):
                            yield kind(op, region, aliases, bounds, builder)

        yield from found(graph.body)
