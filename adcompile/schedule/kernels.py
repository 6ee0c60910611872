"""Loops as kernels: what one thread of the device does.

Enters: a loop whose iterations stand alone, or operations on numbers. Leaves: a procedure that any
number of threads run together. Four shapes:

elements   each thread takes iterations of one loop, or of a nest of two or three
columns    threads side by side take the columns of a nest of two, each adds up several rows
rows       each block takes iterations, its threads those of the loops inside
serial     one block; its threads take the iterations of loops, and do all else alike

What the threads only add to is added to by atomic operations, or folded within the block first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from adcompile.errors import Location, UnsupportedOperation
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, clone_region, clone_value
from adcompile.graph.closures import closed, free_values
from adcompile.graph.dependence import index_of
from adcompile.graph.filling import fill, settle_memory
from adcompile.graph.folds import fold_of
from adcompile.graph.ir import Graph, Op, Region, Value, is_undefined
from adcompile.graph.procedures import Procedure, note_effects
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, Scalar, is_integer
from adcompile.ops.device import FOLDS
from adcompile.ops.memory import FULL
from adcompile.schedule.placement import Placement

# the places of a thread along the loops of a nest, from the outside: neighbours share the last
_AXES = {
    1: [("thread", "threads")],
    2: [("row", "rows"), ("column", "columns")],
    3: [("layer", "layers"), ("row of layer", "rows of layer"), ("cell", "cells")],
}
_ATOMIC = frozenset({"float32", "float64", "int32", "int64", "uint32", "uint64"})
_SHORT = 8  # iterations of an inner loop that a thread does rather alone


class Kernel:
    """One kernel under construction.

    numbers   the arrays of one element that hold numbers of the device
    """

    def __init__(
        self, name: str, placement: Placement, outer: Builder, numbers: Mapping[Value, Value],
        location: Location | None,
    ) -> None:  # fmt: skip
        self.name, self.placement, self.outer, self.numbers = name, placement, outer, numbers
        self.known = placement.known
        self.graph = Graph(name, [], Region())
        self.builder = Builder(self.graph)
        self.mapping: dict[Value, Value] = {}
        self.location = location
        self._alone: set[Op] = set()  # branches that one thread of a block takes
        self._touched: dict[str, set[Value]] = {"read": set(), "written": set()}

    @contextmanager
    def _building(self, ops: Sequence[Op]) -> Iterator[None]:
        with self.builder, self.builder.at(self.location):
            self.builder.borrow(self.outer)
            free = dict.fromkeys(free_values(Region(ops=list(ops))))
            for value in free:
                if value.op is not None and value.op.name == "dim" and value.op.inputs[0] in free:
                    self.builder.region.ops.append(clone_op(value.op, self.mapping))
                elif value in self.numbers:
                    self.mapping[value] = self.builder.op("load", self.numbers[value], 0)
                    self.mapping[value].hint = value.hint
            yield

    def finished(self) -> tuple[Procedure, list[Value]]:
        """The procedure, and the values of the host that it is called with."""
        result = closed(self.graph, self.outer)
        captured = [outer for outer, _ in result.captured]
        for outer, inner in result.captured:
            inner.hint = outer.hint or ("n" if is_integer(outer.type) else "")
        result.captured = []
        procedure = Procedure(self.name)
        procedure.settle(result)
        note_effects([procedure])
        return procedure, captured

    # -- elements -------------------------------------------------------------------------------

    def elements(
        self, nest: Sequence[Op], parts: Sequence[Value], own: Mapping[Value, Value]
    ) -> None:
        """Threads for the iterations of a nest of up to three loops.

        parts   arrays for what each block folds, one for each number that the loops carry
        own     arrays with one part for each thread, in place of those that are made inside
        """
        loop = nest[0]
        with self._building([loop]):
            axes = _AXES[len(nest)]
            slices = self._take_own(own, *axes)
            copy = self._strided(loop, *axes[0])
            self._mark_atomics(loop, copy, nest)
            made = {
                new.result: slices[old.result]
                for old, new in zip(loop.walk(), copy.walk(), strict=True)
                if old.outputs and old.outputs[0] in slices
            }
            region = copy.regions[0]
            for which in axes[1:]:
                twin = next(op for op in region.ops if op.name == "for")
                self._stride_in_place(twin, region, *which)
                region = twin.regions[0]
            settle_memory(copy.regions[0], made, self.builder)
            replace(self.graph, made)
            self._keep_parts(parts, copy.outputs, loop)

    def _keep_parts(self, parts: Sequence[Value], values: Sequence[Value], loop: Op) -> None:
        for part, value, fold in zip(parts, values, folds(loop), strict=True):
            self.builder.op("fold_part", part, value, fold=fold)

    def nest(self, loop: Op) -> list[Op]:
        """The loops inside one another of which each does all that an iteration does."""
        found = [loop]
        while len(found) < len(_AXES) and (inner := self._only_loop(found[-1])) is not None:
            found.append(inner)
        return found

    def _only_loop(self, loop: Op) -> Op | None:
        """The loop that does all that an iteration does, if its iterations stand alone."""
        body = loop.regions[0]
        loops = [op for op in body.ops if op.regions]
        if len(loops) != 1 or loops[0].name != "for":
            return None
        (inner,) = loops
        plan = self.known.plan(inner)
        if isinstance(plan, str) or plan.scratch or is_short(inner):
            return None
        if inner.inputs[3:] != body.params[1:] or body.yields != inner.outputs:
            return None
        rest = [op for op in body.ops if op is not inner]
        used = {v for op in rest for v in op.inputs}
        if used & {*body.params[1:], *inner.outputs}:
            return None
        if any(op.keeps or op.record.writes or op.name in ("empty", "full") for op in rest):
            return None
        return inner

    # -- columns --------------------------------------------------------------------------------

    def column_sums(self, nest: Sequence[Op]) -> list[Op]:
        """The operations of a nest of two that add, for all rows, to an element of the column."""
        if len(nest) != 2:
            return []
        outer, inner = nest
        own = {v for op in outer.regions[0].walk() for v in op.outputs} | {
            outer.regions[0].params[0]
        }
        bounds = [v for v in inner.inputs[:3] if v.constant is None]
        if any(v in own for v in bounds) or any(map(_makes_arrays, outer.walk())):
            return []
        return [
            op
            for op in inner.regions[0].ops
            if self._atomic(op, [outer]) and not any(v in own for v in index_of(op))
        ]

    def columns(
        self, nest: Sequence[Op], sums: Sequence[Op], parts: Sequence[Value]
    ) -> None:  # fmt: skip
        """Threads side by side for columns; each adds up its rows before it adds to an element."""
        outer, inner = nest
        with self._building([outer]):
            kinds = folds(outer)
            first = [self._neutral(v, f) for v, f in zip(outer.outputs, kinds, strict=True)]
            zeros = [self.builder.constant(0, Scalar(op.inputs[1].type.dtype)) for op in sums]
            column, row = (self._turned(loop) for loop in (inner, outer))
            column.params += [clone_value(v, self.mapping) for v in outer.regions[0].params[1:]]
            across = self._share(inner, "column", "columns")
            with self.builder.inside(column):
                down = self._share(outer, "row", "rows")
                with self.builder.inside(row):
                    row.params += [
                        clone_value(v, self.mapping) for v in inner.regions[0].params[1:]
                    ]
                    totals = [Value(op.inputs[1].type, op.inputs[0].hint) for op in sums]
                    row.params += totals
                    for op in [*outer.regions[0].ops, *inner.regions[0].ops]:
                        if op in sums:
                            added = self.mapping.get(op.inputs[1], op.inputs[1])
                            k = list(sums).index(op)
                            totals[k] = self.builder.op("add", totals[k], added)
                        elif op is not inner:
                            copy = clone_op(op, self.mapping)
                            self.builder.region.ops.append(copy)
                            for old, new in zip(op.walk(), copy.walk(), strict=True):
                                new.attrs.update(self._atomic(old, nest))
                    ends = inner.regions[0].yields
                    row.yields = [*(self.mapping.get(v, v) for v in ends), *totals]
                outputs = [Value(v.type, v.hint) for v in row.yields]
                starts = [*down, *column.params[1:], *zeros]
                self.builder.region.ops.append(
                    Op(inner.record, starts, {}, outputs, [row], outer.location)
                )
                count = len(outer.outputs)
                for op, total in zip(sums, outputs[count:], strict=True):
                    index = [self.mapping.get(v, v) for v in index_of(op)]
                    target = self.mapping.get(op.inputs[0], op.inputs[0])
                    self.builder.op("accumulate_at", target, total, *index)
                    self.builder.region.ops[-1].attrs["atomic"] = True
                column.yields = outputs[:count]
            results = [clone_value(v, self.mapping) for v in outer.outputs]
            self.builder.region.ops.append(
                Op(outer.record, [*across, *first], {}, results, [column], outer.location)
            )
            self._keep_parts(parts, results, outer)

    def _turned(self, loop: Op) -> Region:
        """A region for a loop that changes places with another."""
        body = loop.regions[0]
        return Region([clone_value(body.params[0], self.mapping)], same=dict(body.same))

    def _strided(self, loop: Op, first: str, step: str) -> Op:
        """A copy of a loop of which each worker takes its share, folding from nothing."""
        inputs = self._share(loop, first, step)
        carried = [self._neutral(v, f) for v, f in zip(loop.outputs, folds(loop), strict=True)]
        outputs = [clone_value(v, self.mapping) for v in loop.outputs]
        region = clone_region(loop.regions[0], self.mapping)
        copy = Op(loop.record, [*inputs, *carried], {}, outputs, [region], loop.location)
        self.builder.region.ops.append(copy)
        return copy

    def _stride_in_place(self, loop: Op, region: Region, first: str, step: str) -> None:
        with self.builder.inside(Region()) as made:
            loop.inputs[:3] = self._share(loop, first, step)
        place = region.ops.index(loop)
        region.ops[place:place] = made.ops

    def _share(self, loop: Op, first: str, step: str) -> list[Value]:
        start, stop, stride = (self.mapping.get(v, v) for v in loop.inputs[:3])
        mine, workers = (self._place(which) for which in (first, step))
        if stride.constant == -1:  # alone, iterations may run in any order
            start, stop, stride = stop + 1, start + 1, self.builder.constant(1)
        if stride.constant != 1:
            mine, workers = mine * stride, workers * stride
        return [mine if start.constant == 0 else start + mine, stop, workers]

    def _place(self, which: str) -> Value:
        """Which thread or block this is, or how many there are."""
        value: Value = self.builder.op("place", which=which)
        value.hint = which.split()[0]
        return value

    def _neutral(self, value: Value, fold: str) -> Value:
        """What changes no number that it is folded with."""
        assert isinstance(value.type, Scalar)
        dtype = np.dtype(value.type.dtype)
        known: dict[str, Any] = {"sum": 0, "product": 1, "any": False, "all": True}
        found = known.get(fold)
        if found is None and dtype.kind == "f":
            found = np.inf if fold == "minimum" else -np.inf
        elif found is None and dtype.kind == "b":
            found = fold == "minimum"
        elif found is None:
            limits = np.iinfo(dtype)
            found = limits.max if fold == "minimum" else limits.min
        return self.builder.constant(found, Scalar(dtype.name))

    # -- rows -----------------------------------------------------------------------------------

    def rows(self, loop: Op, parts: Sequence[Value], own: Mapping[Value, Value]) -> None:
        """A block for an iteration of a loop, its threads for those of the loops inside."""
        with self._building([loop]):
            self._take_own(own, ("block", "blocks"))
            inputs = self._share(loop, "block", "blocks")
            kinds = folds(loop)
            carried = [self._neutral(v, f) for v, f in zip(loop.outputs, kinds, strict=True)]
            body = loop.regions[0]
            region = Region([clone_value(v, self.mapping) for v in body.params])
            outputs = [clone_value(v, self.mapping) for v in loop.outputs]
            with self.builder.inside(region):
                region.same = dict(body.same)
                self._alike(body.ops, [loop])
                region.extents |= {s: self.mapping.get(v, v) for s, v in body.extents.items()}
                region.yields = [self.mapping.get(v, v) for v in body.yields]
                if own:
                    self.builder.op("meet")
            copy = Op(loop.record, [*inputs, *carried], {}, outputs, [region], loop.location)
            self.builder.region.ops.append(copy)
            for part, value in zip(parts, outputs, strict=True):
                self._by_one("store", part, value, self._place("block"))

    def are_rows(self, loop: Op) -> bool:
        """Whether the threads of a block can share the loops inside a loop."""
        found = False
        for op in loop.regions[0].ops:
            if op.name == "for":
                plan = self.known.plan(op)
                if isinstance(plan, str) or plan.scratch or any(map(_makes_arrays, op.walk())):
                    return False
                found = found or not is_short(op)
            elif op.regions or op.name == "matmul_into":
                return False
        return found

    # -- one block ------------------------------------------------------------------------------

    def serial(self, ops: Sequence[Op], results: Mapping[Value, Value]) -> None:
        """One block for operations on numbers; `results` are arrays for what is needed later."""
        with self._building(ops):
            self._alike(ops, [])
            for value, array in results.items():
                self._by_one("store", array, self.mapping.get(value, value), 0)

    def _alike(self, ops: Sequence[Op], around: list[Op]) -> None:
        """All threads of a block do the same, but share the iterations of loops."""
        for op in ops:
            with self.builder.at(op.location):
                self._meet_before(op)
                if op.name == "for":
                    self._shared(op, around)
                elif op.name == "if":
                    self._branch(op, around)
                elif op.name in ("empty", "full"):
                    self._fill_together(op)
                elif op.record.writes:
                    inputs = [self.mapping.get(v, v) for v in op.inputs]
                    self._by_one(op.name, *inputs, **self._atomic(op, around))
                else:
                    self.builder.region.ops.append(clone_op(op, self.mapping))

    def _shared(self, loop: Op, around: list[Op]) -> None:
        starts = [self.mapping.get(v, v) for v in loop.inputs[3:]]
        copy = self._strided(loop, "lane", "lanes")
        self._mark_atomics(loop, copy, [*around, loop])
        for value, start, fold in zip(loop.outputs, starts, folds(loop), strict=True):
            folded = self.builder.op("fold_lanes", self.mapping[value], fold=fold)
            if start.constant != self._neutral(value, fold).constant:
                folded = self.builder.op(FOLDS[fold], start, folded)
            folded.hint, self.mapping[value] = value.hint, folded
        if loop.outputs:
            self._forget()

    def _fill_together(self, op: Op) -> None:
        """The array is a part of one that the host makes; all threads of the block fill it."""
        if op.name == "full":
            with self.builder.inside(Region()) as made:
                fill(self.builder, op.result, op.inputs[0], op.inputs[1:])
            self._meet_before(made.ops[-1])
            self.builder.region.ops += [clone_op(part, self.mapping) for part in made.ops]
            self._stride_in_place(self.builder.region.ops[-1], self.builder.region, "lane", "lanes")

    def _branch(self, op: Op, around: list[Op]) -> None:
        regions, before, after = [], self._touched, []
        for old in op.regions:
            self._touched = {kind: set(values) for kind, values in before.items()}
            with self.builder.inside(Region(same=dict(old.same))) as region:
                self._alike(old.ops, around)
                region.yields = [self._set(self.mapping.get(v, v)) for v in old.yields]
            regions.append(region)
            after.append(self._touched)
        self._touched = {kind: set().union(*(t[kind] for t in after)) for kind in before}
        condition = self.mapping.get(op.inputs[0], op.inputs[0])
        outputs = [clone_value(v, self.mapping) for v in op.outputs]
        self.builder.region.ops.append(
            Op(op.record, [condition], {}, outputs, regions, op.location)
        )

    def _set(self, value: Value) -> Value:
        """A number that may be stored for later kernels, also where nobody will read it."""
        if not is_undefined(value):
            return value
        assert isinstance(value.type, Scalar)
        return self.builder.constant(0, value.type)

    def _by_one(self, name: str, *inputs: Value | int, **attrs: bool) -> None:
        """One thread of the block does it, with what it has just done alone."""
        ops = self.builder.region.ops
        if not ops or ops[-1] not in self._alone:
            first = self.builder.op("eq", self._place("lane"), 0)
            self.builder.branch(first, list, list)
            self._alone.add(ops[-1])
        with self.builder.inside(ops[-1].regions[0]):
            self.builder.op(name, *inputs)
            self.builder.region.ops[-1].attrs.update(attrs)

    def _meet_before(self, op: Op) -> None:
        """Wait for the others where one may use what another has written, or the other way."""
        read, written = self._uses(op)
        if self._touched["written"] & (read | written) or self._touched["read"] & written:
            self.builder.op("meet")
            self._forget()
        self._touched["read"] |= read
        self._touched["written"] |= written

    def _forget(self) -> None:
        self._touched = {"read": set(), "written": set()}

    def _uses(self, op: Op) -> tuple[set[Value], set[Value]]:
        roots = self.known.aliases.roots
        read = {r for o in op.walk() if o.name != "dim" for v in o.inputs for r in roots.get(v, ())}
        written = {r for o in op.walk() for v in o.written for r in roots.get(v, ())}
        return read, written

    # -- memory ---------------------------------------------------------------------------------

    def _atomic(self, op: Op, around: Sequence[Op]) -> dict[str, bool]:
        """Whether several workers may add to one element at the same time."""
        if op.name != "accumulate_at":
            return {}
        plans = [self.placement.plans.get(loop) or self.known.plan(loop) for loop in around]
        shared = [v for plan in plans if not isinstance(plan, str) for v in plan.sums]
        roots = self.known.aliases.roots
        if not any(roots[op.inputs[0]] & roots[v] for v in shared):
            return {}
        if op.inputs[0].type.dtype not in _ATOMIC:
            raise UnsupportedOperation(
                f"several threads add to one {op.inputs[0].type.dtype}", op.location,
                "add float32, float64 or integers of 32 or 64 bits",
            )  # fmt: skip
        return {"atomic": True}

    def _mark_atomics(self, loop: Op, copy: Op, around: Sequence[Op]) -> None:
        for old, new in zip(loop.walk(), copy.walk(), strict=True):
            new.attrs.update(self._atomic(old, around))

    def _take_own(
        self, own: Mapping[Value, Value], *axes: tuple[str, str]
    ) -> dict[Value, Value]:  # fmt: skip
        """Each worker has its part of an array in place of one that it would make."""
        for array, parts in own.items():
            assert isinstance(array.type, Array)
            me = self._place(axes[0][0])
            for which, count in axes[1:]:
                along, own_place = (self._place(w) for w in (count, which))
                me = me * along + own_place
            spec = ("index", *[FULL] * array.type.ndim)
            mine = self.builder.op("slice", parts, me, spec=spec)
            mine.hint, mine.type = array.hint, Array(array.type.dtype, array.type.shape)
            self.mapping[array] = mine
        return {array: self.mapping[array] for array in own}


def folds(loop: Op) -> list[str]:
    """How a loop folds each number that it carries."""
    body = loop.regions[0]
    pairs = zip(body.params[1:], body.yields, strict=True)
    return [fold_of(body, param, end) or "sum" for param, end in pairs]


def is_short(loop: Op) -> bool:
    """Whether a loop is known to have few iterations."""
    start, stop, step = (v.constant for v in loop.inputs[:3])
    if None in (start, stop, step) or not step:
        return False
    return len(range(start, stop, step)) <= _SHORT


def _makes_arrays(op: Op) -> bool:
    return op.name in ("empty", "full")
