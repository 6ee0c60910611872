"""Local algebra: constants folded, neutral elements dropped, needless broadcasts removed.

Enters: a graph. Leaves: an equal graph with fewer operations. No rule changes the value of a
floating-point result: `x * 0` stays, for `x` may be infinite.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator

import numpy as np

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses, is_undefined
from adcompile.graph.rewrite import final, replace
from adcompile.graph.types import (
    Array,
    Scalar,
    Type,
    is_continuous,
    is_integer,
    is_single_precision,
    promote,
    shape_of,
)


def simplify(graph: Graph) -> None:
    """Apply all local rules once, in order of operations."""
    _Simplifier(graph).run()


_CONVERTING = frozenset(["add", "sub", "mul", "div", "pow", "where", "maximum", "minimum"])


class _Simplifier:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.aliases = Aliases(graph)
        self.uses = count_uses(graph.body)
        self.single = any(map(is_single_precision, (v.type for v in _values(graph.body))))
        self.builder = Builder(graph)
        self.mapping: dict[Value, Value] = {}

    def run(self) -> None:
        with self.builder:
            self._region(self.graph.body)
        replace(self.graph, self.mapping)

    def _region(self, region: Region) -> None:
        old, region.ops = region.ops, []
        with self.builder.inside(region):
            for op in old:
                op.inputs = [final(v, self.mapping) for v in op.inputs]
                self._drop_unchanged(op)
                for inner in op.regions:
                    self._region(inner)
                if op.name == "if" and op.inputs[0].constant is not None:
                    self._take_side(op)
                    continue
                if op.name == "if":
                    self._join_outputs(op)
                with self.builder.at(op.location):
                    new = self._rewritten(op)
                if new is None:
                    region.ops.append(op)
                else:
                    self._take(op.result, new)
        region.yields = [final(v, self.mapping) for v in region.yields]

    def _take(self, old: Value, new: Value) -> None:
        self.mapping[old] = new
        roots = self.aliases.roots
        if old in roots:  # what is written in the old memory is from now on written in the new
            roots[new] = roots.get(new, frozenset()) | roots[old]
        fresh = new.op is not None and new.op.name != "dim" and new.constant is None
        if fresh and old.named and not new.named:
            new.hint, new.named = old.hint, True

    def _drop_unchanged(self, op: Op) -> None:
        """A value carried around a loop unchanged is the value before the loop."""
        if op.name not in ("for", "while"):
            return
        skip, first = (3, 1) if op.name == "for" else (0, 0)
        body = op.regions[0]
        for k in reversed(range(len(op.outputs))):
            param, end = body.params[first + k], final(body.yields[k], self.mapping)
            initial = op.inputs[skip + k]
            if end is param or end is initial:
                for region in op.regions:
                    self.mapping[region.params[first + k]] = initial
                    del region.params[first + k]
                self.mapping[op.outputs[k]] = initial
                del op.inputs[skip + k], body.yields[k], op.outputs[k]

    def _take_side(self, op: Op) -> None:
        """A branch that is decided is what its side does."""
        side, region = op.regions[0 if op.inputs[0].constant else 1], self.builder.region
        region.ops += side.ops
        region.extents = {**side.extents, **region.extents}
        region.same = {**side.same, **region.same}
        for output, value in zip(op.outputs, side.yields, strict=True):
            self._take(output, value)

    def _join_outputs(self, op: Op) -> None:
        """A number that a branch leaves twice is left once, wherever either of them is defined."""
        for k in reversed(range(1, len(op.outputs))):
            twin = next((j for j in range(k) if _same_number(op, j, k)), None)
            if twin is None:
                continue
            for region in op.regions:
                other = region.yields.pop(k)
                if is_undefined(region.yields[twin]):
                    region.yields[twin] = other
            self._take(op.outputs.pop(k), op.outputs[twin])

    def _rewritten(self, op: Op) -> Value | None:
        if len(op.outputs) != 1 or op.regions:
            return None
        folded = self._fold(op)
        if folded is not None:
            return folded
        rule: Callable[[Op], Value | None] | None = getattr(self, f"_{op.name}", None)
        if rule is not None:
            new = rule(op)
            if new is not None:
                return new
        if op.record.scalar is not None:
            self._drop_broadcasts(op)
            self._drop_casts(op)
        return None

    def _fold(self, op: Op) -> Value | None:
        record, type_ = op.record, op.result.type
        if record.scalar is None or not isinstance(type_, Scalar) or not op.inputs:
            return None
        constants = [v.constant for v in op.inputs]
        if None in constants or record.evaluate is None or op.name == "cast":
            return None
        if not all(isinstance(v.type, Scalar) and v.type.weak for v in op.inputs):
            if not _same_dtype(op):
                return None
            dtype = np.dtype(type_.dtype).type
            constants = [dtype(c) for c in constants]
        try:
            value = record.evaluate(*constants)
        except (ArithmeticError, ValueError):
            return None
        return self.builder.constant(value, type_) if np.isfinite(value) else None

    def _maker(self, value: Value) -> Op | None:
        """The operation that says what `value` is; None where memory may have changed since."""
        op = value.op
        if op is None or any(self._written(v) for v in [value, *op.inputs]):
            return None
        return op

    def _written(self, value: Value) -> bool:
        op = value.op
        if value not in self.aliases.roots and op is not None and op.record.view:
            return self._written(op.inputs[0])  # a view made by a rule
        return bool(self.aliases.roots.get(value, frozenset()) & self.aliases.written)

    def _negated(self, value: Value) -> Value | None:
        op = self._maker(value)
        return op.inputs[0] if op is not None and op.name == "neg" else None

    # -- neutral elements -----------------------------------------------------------------------

    def _same(self, op: Op, value: Value) -> Value | None:
        """`value`, if it has the type of the result, and stays equal to it."""
        if not self._equal_types(value.type, op.result.type):
            return None
        return None if self._written(value) or self._written(op.result) else value

    def _copied(self, op: Op, value: Value) -> Value | None:
        """A copy of an array that has the type of the result, but may be written later."""
        if isinstance(value.type, Array) and self._equal_types(value.type, op.result.type):
            copy: Value = self.builder.op("copy", value)
            return copy
        return None

    def _equal_types(self, one: Type, other: Type) -> bool:
        if type(one) is not type(other) or one.dtype != other.dtype:
            return False
        if isinstance(one, Scalar) and isinstance(other, Scalar):
            # weak or strong makes a difference only beside another precision
            return one.weak == other.weak or (
                one.dtype in ("float64", "complex128") and not self.single
            )
        resolve = self.builder.resolve
        shapes = ([resolve(d) for d in shape_of(t)] for t in (one, other))
        return operator.eq(*shapes)

    def _add(self, op: Op) -> Value | None:
        a, b = op.inputs
        if b.constant == 0 or a.constant == 0:
            return self._same(op, a if b.constant == 0 else b)
        if a is b and is_continuous(a.type):
            return self._like(op, "mul", self.builder.constant(2.0), a)
        negative = self._negated(b)
        if negative is not None and self._equal_types(b.type, negative.type):
            return self._like(op, "sub", a, negative)
        return self._collected(op, a, b, 1)

    def _sub(self, op: Op) -> Value | None:
        a, b = op.inputs
        if b.constant == 0:
            return self._same(op, a)
        if a.constant == 0 and self._equal_types(b.type, op.result.type):
            return self._like(op, "neg", b)
        negative = self._negated(b)
        if negative is not None and self._equal_types(b.type, negative.type):
            return self._like(op, "add", a, negative)
        if a is b and is_integer(op.result.type) and isinstance(op.result.type, Scalar):
            return self.builder.constant(0, op.result.type)
        return self._collected(op, a, b, -1)

    def _collected(self, op: Op, a: Value, b: Value, sign: int) -> Value | None:
        """(x + 1) - 2 of integers becomes x - 1."""
        inner, type_ = a.op, op.result.type
        if not is_integer(type_) or b.constant is None or inner is None:
            return None
        if inner.name not in ("add", "sub") or inner.inputs[1].constant is None:
            return None
        if not isinstance(type_, Scalar) or inner.inputs[0].type != type_:
            return None
        shift = inner.inputs[1].constant * (1 if inner.name == "add" else -1) + sign * b.constant
        if shift == 0:
            return inner.inputs[0]
        name = "add" if shift > 0 else "sub"
        return self._like(op, name, inner.inputs[0], self.builder.constant(abs(shift)))

    def _mul(self, op: Op) -> Value | None:
        a, b = op.inputs
        for factor, other in ((a, b), (b, a)):
            if factor.constant == 1:
                return self._same(op, other) or self._copied(op, other)
            if factor.constant == -1 and self._equal_types(other.type, op.result.type):
                return self._like(op, "neg", other)
        for factor, product in ((a, b), (b, a)):
            new = self._moved_factor(op, factor, product) or self._quotient(op, factor, product)
            if new is not None:
                return new
        return None

    def _quotient(self, op: Op, factor: Value, inverse: Value) -> Value | None:
        """x * (1 / y) becomes x / y where the inverse is used once, and not in a loop."""
        maker, ops = inverse.op, self.builder.region.ops
        if maker is None or maker.name != "div" or maker.inputs[0].constant != 1:
            return None
        if self.uses.get(inverse) != 1 or inverse.named or maker not in ops:
            return None
        if self._maker(inverse) is None and any(
            later.written or later.regions for later in ops[ops.index(maker) :]
        ):
            return None
        return self._like(op, "div", factor, maker.inputs[1])

    def _moved_factor(self, op: Op, share: Value, product: Value) -> Value | None:
        """(c / n) * (2 * x) becomes (2 c / n) * x: a power of two does not round."""
        quotient, inner = share.op, self._maker(product)
        if inner is None or inner.name != "mul":
            return None
        factor, rest = inner.inputs
        if _power_of_two(factor) and isinstance(share.constant, float):
            assert isinstance(share.type, Scalar)
            outer = self.builder.constant(share.constant * factor.constant, share.type)
            return self._like(op, "mul", outer, rest)
        if quotient is None or quotient.name != "div":
            return None
        if not _power_of_two(factor) or not self._equal_types(rest.type, product.type):
            return None
        numerator = quotient.inputs[0].constant
        if numerator is None or not isinstance(share.type, Scalar):
            return None
        numerator_type = quotient.inputs[0].type
        assert isinstance(numerator_type, Scalar)
        scaled = self.builder.constant(numerator * factor.constant, numerator_type)
        new: Value = self.builder.op("div", scaled, quotient.inputs[1])
        if not self._equal_types(new.type, share.type):
            return None
        return self._like(op, "mul", new, rest)

    def _div(self, op: Op) -> Value | None:
        return self._same(op, op.inputs[0]) if op.inputs[1].constant == 1 else None

    def _floordiv(self, op: Op) -> Value | None:
        return self._div(op) if is_integer(op.result.type) else None

    def _pow(self, op: Op) -> Value | None:
        return self._div(op)

    def _neg(self, op: Op) -> Value | None:
        inner = self._negated(op.inputs[0])
        return None if inner is None else self._same(op, inner)

    def _maximum(self, op: Op) -> Value | None:
        a, b = op.inputs
        if b.constant == 0 and a.op is not None and a.op.name == "dim":
            return self._same(op, a)
        return None

    def _where(self, op: Op) -> Value | None:
        condition, yes, no = op.inputs
        if condition.constant is not None:
            return self._same(op, yes if condition.constant else no)
        chosen = self._chosen(condition, yes, 1), self._chosen(condition, no, 2)
        return None if chosen == (yes, no) else self._like(op, "where", condition, *chosen)

    def _chosen(self, condition: Value, side: Value, place: int) -> Value:
        """The side of a choice inside a choice by the same condition."""
        inner = self._maker(side)
        if inner is None or inner.name != "where" or inner.inputs[0] is not condition:
            return side
        return inner.inputs[place]

    def _logical_or(self, op: Op) -> Value | None:
        return self._decided(op, by=True)

    def _logical_and(self, op: Op) -> Value | None:
        return self._decided(op, by=False)

    def _decided(self, op: Op, by: bool) -> Value | None:
        """One known side of `or` (decided by True) or `and` decides, or leaves the other."""
        for known, other in (op.inputs, reversed(op.inputs)):
            if known.constant is not None and isinstance(op.result.type, Scalar):
                return self._same(op, known if bool(known.constant) is by else other)
        return None

    def _cast(self, op: Op) -> Value | None:
        source = op.inputs[0]
        if isinstance(source.type, Scalar) and source.type.dtype == op.result.type.dtype:
            return self._same(op, source) if self.single else source
        return self._same(op, source)

    def _transpose(self, op: Op) -> Value | None:
        axes = op.attrs["axes"]
        return op.inputs[0] if axes == tuple(range(len(axes))) else None

    def _identity(self, op: Op) -> Value | None:
        return op.inputs[0]

    def _like(self, op: Op, name: str, *inputs: Value) -> Value | None:
        """A new operation that must have the type of the old."""
        value: Value = self.builder.op(name, *inputs)
        if self._equal_types(value.type, op.result.type):
            return value
        self.builder.region.ops.pop()
        return None

    # -- broadcasts -----------------------------------------------------------------------------

    def _broadcast_to(self, op: Op) -> Value | None:
        source = op.inputs[0]
        same = self._same(op, source)
        if same is not None:
            return same
        if isinstance(source.type, Scalar):
            shape = shape_of(op.result.type)
            value: Value = self.builder.op(
                "full", source, *op.inputs[1:], dtype=op.result.type.dtype, shape=shape
            )
            return value
        return None

    def _drop_broadcasts(self, op: Op) -> None:
        """Operands stretched to the shape that the other operands give anyway."""
        if not isinstance(op.result.type, Array):
            return
        wanted = self._shape(op.result)
        for k, value in enumerate(op.inputs):
            maker = self._maker(value)
            if maker is None or maker.name not in ("broadcast_to", "full"):
                continue
            source = maker.inputs[0]
            if source.type.dtype != value.type.dtype:
                continue
            others = [self._shape(v) for j, v in enumerate(op.inputs) if j != k]
            others.append(self._shape(source))
            new = [source if j == k else v for j, v in enumerate(op.inputs)]
            if _known_broadcast(others) == wanted and _promoted(new) == _promoted(op.inputs):
                op.inputs[k] = source

    def _drop_casts(self, op: Op) -> None:
        """Weak scalars converted to the dtype that the other operands give them anyway."""
        if op.name not in _CONVERTING or not isinstance(op.result.type, Array):
            return
        for k, value in enumerate(op.inputs):
            if value.op is None or value.op.name != "cast" or not isinstance(value.type, Scalar):
                continue
            source = value.op.inputs[0]
            if not (
                isinstance(source.type, Scalar) and source.type.weak and is_continuous(source.type)
            ):
                continue
            others = [v.type for j, v in enumerate(op.inputs) if j != k]
            others = others[1:] if op.name == "where" and k > 0 else others
            strong = [t for t in others if not (isinstance(t, Scalar) and t.weak)]
            if strong and all(t.dtype == value.type.dtype for t in strong):
                op.inputs[k] = source

    def _shape(self, value: Value) -> tuple[object, ...]:
        return tuple(self.builder.resolve(d) for d in shape_of(value.type))


def _values(region: Region) -> Iterator[Value]:
    yield from region.params
    for op in region.walk():
        yield from op.outputs


def _promoted(values: list[Value]) -> str:
    return promote([v.type for v in values])[0]


def _known_broadcast(shapes: list[tuple[object, ...]]) -> tuple[object, ...] | None:
    ndim = max(len(s) for s in shapes)
    result: list[object] = []
    for axis in range(ndim):
        dims = {s[axis - ndim] for s in shapes if len(s) >= ndim - axis} - {1}
        if len(dims) > 1:
            return None
        result.append(dims.pop() if dims else 1)
    return tuple(result)


def _same_number(branch: Op, j: int, k: int) -> bool:
    """Whether two outputs are one number on a side, and on the other, too, if both are defined."""
    if not isinstance(branch.outputs[k].type, Scalar):
        return False
    pairs = [(region.yields[j], region.yields[k]) for region in branch.regions]
    return (
        branch.outputs[j].type == branch.outputs[k].type
        and any(one is other for one, other in pairs)
        and all(one is other or any(map(is_undefined, (one, other))) for one, other in pairs)
    )


def _power_of_two(value: Value) -> bool:
    number = value.constant
    return isinstance(number, float) and number > 0 and math.frexp(number)[0] == 0.5


def _same_dtype(op: Op) -> bool:
    dtype = op.result.type.dtype
    return is_continuous(op.result.type) and all(
        v.type.dtype == dtype or (isinstance(v.type, Scalar) and v.type.weak) for v in op.inputs
    )
