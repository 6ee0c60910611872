"""Keeps of two ways to do the same the one that the arguments of a call take.

Enters: a graph of loops in which shapes decide between ways (`Builder.branch`), and the shapes of
the arguments of one call. Leaves: the graph without the other ways, whose compiling takes as long,
and at its beginning a check, which calls of shapes that decide otherwise do not pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array

OTHER_WAYS = "compiled for arrays of other shapes"

Shapes = Mapping[Value, tuple[int, ...]]  # of parameters


def choose_ways(graph: Graph, shapes: Shapes) -> None:
    """Rewrite in place, as far as shapes decide."""
    if not shapes or not any("chosen" in op.attrs for op in graph.body.walk()):
        return
    start = Region()
    with Builder(graph) as builder, builder.inside(start):
        choices = _Choices(builder, shapes)
        choices.keep(graph.body)
    graph.body.ops[:0] = start.ops
    replace(graph, choices.mapping)


class _Choices:
    def __init__(self, builder: Builder, shapes: Shapes) -> None:
        self.builder = builder
        self.mapping: dict[Value, Value] = {}
        self._shapes = shapes
        self._again: dict[Value, Value] = {}  # numbers, as the beginning computes them
        self._numbers: dict[Value, Any] = {}

    def keep(self, region: Region) -> None:
        """Put what is chosen in the place of choices."""
        ops: list[Op] = []
        for op in region.ops:
            chosen = self._chosen(op) if "chosen" in op.attrs else None
            for inner in op.regions if chosen is None else [chosen]:
                self.keep(inner)
            if chosen is None:
                ops.append(op)
                continue
            ops += chosen.ops
            self.mapping.update(zip(op.outputs, chosen.yields, strict=True))
            region.extents = {**chosen.extents, **region.extents}
            region.same.update(chosen.same)
        region.ops = ops

    def _chosen(self, op: Op) -> Region | None:
        condition = op.inputs[0]
        taken = self._number(condition)
        if taken is None or bool(taken) not in op.attrs["chosen"]:
            return None
        holds = self._at_start(condition)
        if not taken:
            holds = self.builder.op("logical_not", holds)
        self.builder.op("require", holds, message=OTHER_WAYS, error="ValueError")
        return op.regions[0 if taken else 1]

    def _number(self, value: Value) -> Any:
        """What a number is in a call of the shapes at hand, None where these do not tell."""
        if value not in self._numbers:
            self._numbers[value] = self._computed(value)
        return self._numbers[value]

    def _computed(self, value: Value) -> Any:
        op = value.op
        if op is None or op.name == "constant":
            return value.constant
        if op.name == "dim":
            array, axis = op.inputs[0], op.attrs["axis"]
            if array in self._shapes:
                return self._shapes[array][axis]
            extent = _extent(op)
            return None if extent is None else self._number(extent)
        if op.record.scalar is None or op.record.evaluate is None or isinstance(value.type, Array):
            return None
        numbers = [self._number(v) for v in op.inputs]
        if None in numbers or not numbers or (op.attrs and op.name != "cast"):
            return None
        try:
            return op.record.evaluate(*numbers, **op.attrs)
        except (ArithmeticError, ValueError):
            return None

    def _at_start(self, value: Value) -> Value:
        """The same number, computed before everything else."""
        if value not in self._again:
            op = value.op
            assert op is not None  # a parameter's number is not known
            extent = _extent(op) if op.inputs and op.inputs[0] not in self._shapes else None
            if extent is not None:
                self._again[value] = self._at_start(extent)
            else:
                for v in op.inputs if op.name != "dim" else ():
                    self._at_start(v)
                self.builder.region.ops.append(clone_op(op, self._again))
        return self._again[value]


def _extent(dim: Op) -> Value | None:
    """The number that an extent was when its array was made, None where it was not made here."""
    made = dim.inputs[0].op if dim.name == "dim" else None
    if made is None or made.name not in ("empty", "full"):
        return None
    return given_extents(made)[dim.attrs["axis"]]
