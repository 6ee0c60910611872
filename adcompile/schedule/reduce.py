"""Loop nests that fold axes: reductions, running sums and matrix products.

Enters: `sum`, `max`, `min`, `argmax`, `argmin`, `cumsum` and `matmul` operations. Leaves: loops
that carry an accumulator; products of matrices and vectors that are not known to be tiny stay
calls of the algebra library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Array, Dim, Scalar, is_continuous, shape_of
from adcompile.schedule.access import Index
from adcompile.schedule.scalars import converted

_UNROLLED = 200  # products of numbers in a matrix product of known size that is no call


class ReductionLoops:
    """The part of the scheduler that folds axes."""

    builder: Builder
    values: dict[Value, Value]
    new: Graph
    region: Region

    def value(self, old: Value) -> Value:
        """The new value of an old one."""
        raise AssertionError

    def read(self, old: Value, index: Index) -> Value:
        """One element."""
        raise AssertionError

    def read_stretched(self, old: Value, index: Index) -> Value:
        """One element of a broadcast value."""
        raise AssertionError

    def extents(self, old: Value) -> list[Value]:
        """The extents of an array."""
        raise AssertionError

    def extent(self, dim: Dim) -> Value:
        """One extent."""
        raise AssertionError

    def nest(self, extents: Sequence[Value], body: Callable[[Index], Any]) -> None:
        """A loop nest."""
        raise AssertionError

    def contiguous(self, old: Value, layouts: str) -> Value:
        """An array in memory with one of the layouts."""
        raise AssertionError

    def allocated(self, old: Value) -> Value:
        """A fresh array."""
        raise AssertionError

    def _name(self, old: Value, new: Value) -> None:
        raise AssertionError

    # -- folding --------------------------------------------------------------------------------

    def _sum(self, op: Op) -> None:
        axes, ndim = op.attrs["axes"], len(shape_of(op.inputs[0].type))
        if isinstance(op.result.type, Array) and ndim - 1 not in axes:
            self._sum_rows(op)
            return
        zero = self.builder.constant(0, Scalar(op.result.type.dtype))

        def step(element: Value, index: Index, carried: list[Value]) -> list[Value]:
            term = converted(self.builder, element, op.result.type.dtype)
            total = carried[0] + term
            total.hint = op.result.hint or "total"
            return [total]

        self._reduce(op, [zero], step)

    def _sum_rows(self, op: Op) -> None:
        """Sums whose last axis stays: whole rows are added, in the order of memory."""
        source, axes, out = op.inputs[0], op.attrs["axes"], op.result
        new = self.builder.op(
            "full", 0, *self.extents(out), dtype=out.type.dtype, shape=shape_of(out.type)
        )
        self._name(out, new)
        zero = self.builder.constant(0)

        def body(index: Index) -> None:
            if op.attrs["keepdims"]:
                kept = [zero if k in axes else i for k, i in enumerate(index)]
            else:
                kept = [i for k, i in enumerate(index) if k not in axes]
            element = converted(self.builder, self.read(source, index), out.type.dtype)
            self.builder.op("accumulate_at", new, element, *kept)

        self.nest(self.extents(source), body)

    def _max(self, op: Op) -> None:
        self._extremum(op, "maximum")

    def _min(self, op: Op) -> None:
        self._extremum(op, "minimum")

    def _extremum(self, op: Op, name: str) -> None:
        start = self.builder.constant(*worst(op.result.type.dtype, name))

        def step(element: Value, index: Index, carried: list[Value]) -> list[Value]:
            best: Value = self.builder.op(name, carried[0], element)
            best.hint, best.named = op.result.hint or "best", True
            return [best]

        self._reduce(op, [start], step)

    def _argmax(self, op: Op) -> None:
        self._arg_extremum(op, "gt", "maximum")

    def _argmin(self, op: Op) -> None:
        self._arg_extremum(op, "lt", "minimum")

    def _arg_extremum(self, op: Op, better: str, name: str) -> None:
        source = op.inputs[0]
        start = self.builder.constant(*worst(source.type.dtype, name))
        axes, extents = op.attrs["axes"], self.extents(source)

        def step(element: Value, index: Index, carried: list[Value]) -> list[Value]:
            best, place = carried
            wins = self.builder.op(better, element, best)
            if is_continuous(source.type):  # the first that is no number wins over all numbers
                number = self.builder.op("eq", best, best)
                nan = self.builder.op("ne", element, element)
                wins = self.builder.op(
                    "logical_or", wins, self.builder.op("logical_and", nan, number)
                )
            here = self.builder.constant(0)
            for axis in axes:
                here = here * extents[axis] + index[axis]
            return [
                self.builder.op("where", wins, element, best),
                self.builder.op("where", wins, here, place),
            ]

        self._reduce(op, [start, self.builder.constant(0)], step, result=1)

    def _reduce(self, op: Op, initial: list[Value], step: Any, result: int = 0) -> None:
        self.reduced(op, lambda kept: self.folded(op, kept, initial, step)[result])

    def folded(self, op: Op, kept: Index, initial: list[Value], step: Any) -> list[Value]:
        """What loops over the axes of a reduction carry to their end, for one element of it."""
        source, axes = op.inputs[0], op.attrs["axes"]
        extents = self.extents(source)

        def body(inner: Index, carried: list[Value]) -> list[Value]:
            rest_kept, rest_inner = iter(kept), iter(inner)
            index = [
                next(rest_inner) if k in axes else next(rest_kept) for k in range(len(extents))
            ]
            ends: list[Value] = step(self.read(source, index), index, carried)
            return ends

        return self.builder.nest([extents[k] for k in axes], body, initial, len(kept))

    def reduced(self, op: Op, at: Callable[[Index], Value]) -> None:
        """The result of a reduction, of which `at` gives the elements."""
        axes, out = op.attrs["axes"], op.result
        extents = self.extents(op.inputs[0])
        if isinstance(out.type, Scalar):
            self._name(out, at([]))
        else:
            new = self.allocated(out)
            self._name(out, new)
            outer = [e for k, e in enumerate(extents) if k not in axes]
            zero = self.builder.constant(0)

            def store(kept: Index) -> None:
                place, rest = [], iter(kept)
                for k in range(len(extents)):
                    if k not in axes:
                        place.append(next(rest))
                    elif op.attrs["keepdims"]:
                        place.append(zero)
                self.builder.op("store", new, at(kept), *place)

            self.nest(outer, store)

    def _cumsum(self, op: Op) -> None:
        source, axis, out = op.inputs[0], op.attrs["axis"], op.result
        extents = self.extents(source)
        new = self.allocated(out)
        self._name(out, new)
        zero = self.builder.constant(0, Scalar(out.type.dtype))

        def line(kept: Index) -> None:
            def body(inner: Index, carried: list[Value]) -> list[Value]:
                index = [*kept[:axis], *inner, *kept[axis:]]
                element = converted(self.builder, self.read(source, index), out.type.dtype)
                total = carried[0] + element
                total.hint, total.named = "total", True
                self.builder.op("store", new, total, *index)
                return [total]

            if op.attrs.get("backwards"):
                last, hint = extents[axis] - 1, "ijklmn"[len(kept) % 6]
                self.builder.loop(last, -1, -1, [zero], lambda i, c: body([i], c), hint)
            else:
                self.builder.nest([extents[axis]], body, [zero], len(kept))

        self.nest([e for k, e in enumerate(extents) if k != axis], line)

    def _argsort(self, op: Op) -> None:
        """Lines are sorted one by one, in memory of their own."""
        source, axis, out = op.inputs[0], op.attrs["axis"], op.result
        extents = self.extents(source)
        if len(extents) == 1:
            self._name(out, self.builder.op("argsort", self.contiguous(source, "C"), axis=0))
            return
        new = self.allocated(out)
        self._name(out, new)
        dim = shape_of(source.type)[axis]
        line = self.builder.op("empty", extents[axis], dtype=source.type.dtype, shape=(dim,))

        def sort_line(kept: Index) -> None:
            def place(inner: Index) -> Index:
                return [*kept[:axis], *inner, *kept[axis:]]

            self.nest(
                [extents[axis]],
                lambda i: self.builder.op("store", line, self.read(source, place(i)), *i),
            )
            order = self.builder.op("argsort", line, axis=0)
            self.nest(
                [extents[axis]],
                lambda i: self.builder.op(
                    "store", new, self.builder.op("load", order, *i), *place(i)
                ),
            )

        self.nest([e for k, e in enumerate(extents) if k != axis], sort_line)

    # -- products -------------------------------------------------------------------------------

    def _matmul(self, op: Op) -> None:
        a, b = op.inputs
        ranks = len(shape_of(a.type)), len(shape_of(b.type))
        dtype = op.result.type.dtype
        if ranks == (1, 1):
            self._dot(op)
        elif max(ranks) > 2 or {a.type.dtype, b.type.dtype} != {dtype} or self._is_tiny(op):
            self._matmul_loops(op)
        else:
            factors = self.contiguous(a, "CF"), self.contiguous(b, "CF")
            product = self.allocated(op.result)  # so that its memory can be used again
            self.builder.op("matmul_into", product, *factors)
            self._name(op.result, product)

    def _is_tiny(self, op: Op) -> bool:
        """Whether a product is known to be of a few numbers: the compiler unrolls its loops."""
        a, b = (shape_of(v.type) for v in op.inputs)
        sizes = [self.builder.resolve(dim) for dim in (*a, *b[-1:] * (len(b) - 1))]
        return all(isinstance(n, int) for n in sizes) and math.prod(sizes) <= _UNROLLED  # type: ignore[arg-type]

    def _dot(self, op: Op) -> None:
        a, b = op.inputs
        dtype = op.result.type.dtype
        zero = self.builder.constant(0, Scalar(dtype))

        def body(index: Index, carried: list[Value]) -> list[Value]:
            first, second = (converted(self.builder, self.read(v, index), dtype) for v in (a, b))
            return [carried[0] + first * second]

        (total,) = self.builder.nest(self.extents(a), body, [zero])
        self._name(op.result, total)

    def _matmul_loops(self, op: Op) -> None:
        """Stacks of matrices, and tiny ones, by loops."""
        a, b = op.inputs
        out = op.result
        dtype = out.type.dtype
        vector_a, vector_b = (len(shape_of(v.type)) == 1 for v in (a, b))
        inner = self.extents(a)[-1]
        new = self.allocated(out)
        self._name(out, new)
        zero = self.builder.constant(0, Scalar(dtype))

        def element(index: Index) -> None:
            rest = list(index)
            column = [] if vector_b else [rest.pop()]
            row = [] if vector_a else [rest.pop()]

            def body(k: Index, carried: list[Value]) -> list[Value]:
                first = self.read_stretched(a, [*rest, *row, *k] if not vector_a else k)
                second = self.read_stretched(b, [*rest, *k, *column] if not vector_b else k)
                first, second = (converted(self.builder, v, dtype) for v in (first, second))
                return [carried[0] + first * second]

            (total,) = self.builder.nest([inner], body, [zero], len(index))
            self.builder.op("store", new, total, *index)

        self.nest(self.extents(out), element)


def worst(dtype: str, name: str) -> tuple[Any, Scalar]:
    """What every element is at least as good as, and its type."""
    low = name == "maximum"
    if np.dtype(dtype).kind == "f":
        return (-np.inf if low else np.inf), Scalar(dtype)
    if dtype == "bool":
        return not low, Scalar(dtype)
    limits = np.iinfo(dtype)
    return (limits.min if low else limits.max), Scalar(dtype)
