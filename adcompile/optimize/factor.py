"""What a loop carries is multiplied once a step.

Enters: a graph of loops. Leaves: the same graph where a number that each step turns into a multiple
of itself, or into that and a rest, is multiplied by one factor which does not depend on it:
`x_bar + x_bar * 1e-6 * c` is `x_bar * (1.0 + 1e-6 * c)`. The next step waits for one operation
then. This is how adjoints go back through a recurrence. Where the way there is used for something
else, too, it would be more work, and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import is_real


@dataclass
class _Multiple:
    """`factor * x + rest` of the number x that a loop carries; None for what is zero.

    steps  the operations that lead from x to this
    """

    factor: Value | None
    rest: Value | None
    steps: int = 0


def factor_carried(graph: Graph) -> None:
    """Rewrite the loops in place."""
    with Builder(graph) as builder:
        for op in list(graph.body.walk()):
            if op.name == "for":
                for k, carried in enumerate(op.regions[0].params[1:]):
                    if is_real(carried.type):
                        _factor(builder, op.regions[0], carried, k)


def _factor(builder: Builder, body: Region, carried: Value, k: int) -> None:
    """Compute the k-th number that a loop carries by one product, if that takes fewer steps."""
    end = body.yields[k]
    with builder.inside(Region()) as made, builder.at(end.op.location if end.op else None):
        search = _Search(builder, body, carried)
        found = search.of(end)
        if found is None or found.factor is None or found.factor.constant == 1:
            return
        if search.is_shared(end):
            return
        if found.steps < (2 if found.rest is None else 3):
            return
        result = builder.op("mul", carried, found.factor)
        if found.rest is not None:
            result = builder.op("add", result, found.rest)
    if result.type.dtype == end.type.dtype:
        result.hint, result.named = end.hint, end.named
        body.ops += made.ops
        body.yields[k] = result


class _Search:
    """How values of a region depend on a number; the factors are made where the builder is."""

    def __init__(self, builder: Builder, body: Region, carried: Value) -> None:
        self.builder = builder
        self.body, self.own = body, set(body.ops)
        self.depends = {carried}
        for op in body.ops:
            if not self.depends.isdisjoint(v for inner in op.walk() for v in inner.used):
                self.depends.update(op.outputs)
        self.known: dict[Value, _Multiple | None] = {
            carried: _Multiple(builder.constant(1.0), None)
        }

    def of(self, value: Value) -> _Multiple | None:
        """The multiple that a value is, None if it is none."""
        if value not in self.depends:
            return _Multiple(None, value)
        if value not in self.known:
            self.known[value] = self._made_by(value.op) if value.op in self.own else None
        return self.known[value]

    def is_shared(self, end: Value) -> bool:
        """Whether something on the way to a multiple is used for something else, too."""
        way = {v for v in self.known if v.op in self.own}
        others = (op for op in self.body.ops if way.isdisjoint(op.outputs))
        used = [v for op in others for inner in op.walk() for v in inner.used]
        used += [v for v in self.body.yields if v is not end]
        return not way.isdisjoint(used) or self.body.yields.count(end) > 1

    def _made_by(self, op: Op) -> _Multiple | None:
        if not all(is_real(v.type) for v in [*op.outputs, *op.inputs]):
            return None
        if op.name in ("add", "sub"):
            return self._sum(op.name, *map(self.of, op.inputs))
        if op.name == "neg":
            return self._each("neg", op.inputs[0])
        if op.name == "mul":
            one, other = op.inputs
            return self._each("mul", one, other) or self._each("mul", other, one)
        if op.name == "div":
            return self._each("div", *op.inputs)
        return None

    def _sum(self, name: str, one: _Multiple | None, other: _Multiple | None) -> _Multiple | None:
        if one is None or other is None:
            return None
        factor = self._joined(name, one.factor, other.factor)
        rest = self._joined(name, one.rest, other.rest)
        return _Multiple(factor, rest, 1 + max(one.steps, other.steps))

    def _joined(self, name: str, one: Value | None, other: Value | None) -> Value | None:
        if other is None:
            return one
        if one is None:
            return other if name == "add" else self._applied("neg", other)
        return self._applied(name, one, other)

    def _each(self, name: str, value: Value, *by: Value) -> _Multiple | None:
        """The same done to factor and rest, by what does not depend on the number."""
        before = self.of(value)
        if before is None or not self.depends.isdisjoint(by):
            return None
        factor, rest = (p and self._applied(name, p, *by) for p in (before.factor, before.rest))
        return _Multiple(factor, rest, before.steps + 1)

    def _applied(self, name: str, *values: Value) -> Value:
        if name == "neg" and values[0].constant is not None:
            return self.builder.constant(-values[0].constant)
        if name == "mul" and values[0].constant == 1:
            return values[1]
        return self.builder.op(name, *values)
