"""The sizes of what a graph allocates, worked out without running it.

Enters: a graph, the arguments of a call, and some allocating operations. Leaves: the bytes of each,
the most at one time. Only what the sizes depend on is computed: extents, arguments, the indices of
loops; where they depend on more, the size is not known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.graph.aliases import Aliases
from adcompile.graph.interpret import execute
from adcompile.graph.ir import Graph, Op, Region, Value, extent_in
from adcompile.graph.types import Array, StackOf, Type, shape_of


class Unknown(Exception):
    """Only a run can tell."""


def item_size(type_: Type) -> int:
    """Bytes of one element."""
    return np.dtype(type_.dtype).itemsize


def extents_of(type_: Type, regions: Sequence[Region]) -> list[int | Value | None]:
    """The extents of an array as seen from the last of nested regions."""
    return [extent_in(dim, regions) for dim in shape_of(type_)]


class Sizes:
    """The sizes in one graph for one call."""

    def __init__(self, graph: Graph, arguments: Sequence[Any]) -> None:
        self.graph = graph
        self.aliases = Aliases(graph)
        self._frame = dict(zip(graph.params, arguments, strict=True))
        self._indices: set[Value] = set()  # those of loops that a size depends on
        self._found: dict[Op, int | None] = {}

    def of(self, ops: Sequence[Op]) -> dict[Op, int | None]:
        """The bytes of each operation's result; None where only a run can tell."""
        self._found = {op: 0 for op in ops if op.outputs}
        self._region([self.graph.body])
        return self._found

    def _region(self, regions: list[Region]) -> None:
        for op in regions[-1].ops:
            if op in self._found:
                self._allocation(op, regions)
            if any(inner in self._found for region in op.regions for inner in region.walk()):
                self._structured(op, regions)

    def _structured(self, op: Op, regions: list[Region]) -> None:
        if op.name == "for":
            self._loop(op, regions)
            return
        try:
            chosen = [self._taken(op)] if op.name == "if" else op.regions
        except Unknown:
            self._give_up(op)
            return
        for region in chosen:
            self._region([*regions, region])

    def _taken(self, branch: Op) -> Region:
        return branch.regions[0 if self.value(branch.inputs[0]) else 1]

    def _loop(self, op: Op, regions: list[Region]) -> None:
        try:
            bounds = [self.value(v) for v in op.inputs[:3]]
        except Unknown:
            self._give_up(op)
            return
        index, outer = op.regions[0].params[0], self._frame
        for number in range(*bounds):
            self._frame = {**outer, index: number}
            self._region([*regions, op.regions[0]])
            if index not in self._indices:
                break  # every iteration allocates the same
        self._frame = outer

    def _give_up(self, op: Op) -> None:
        inside = {inner for region in op.regions for inner in region.walk()}
        self._found.update(dict.fromkeys(inside & self._found.keys()))

    def _allocation(self, op: Op, regions: list[Region]) -> None:
        before = self._found[op]
        if before is None:
            return
        type_ = op.outputs[0].type
        if isinstance(type_, StackOf):
            self._found[op] = None
            return
        try:
            extents = op.inputs if op.name == "empty" else extents_of(type_, regions)
            numbers = [self._extent(e) for e in extents]
            self._found[op] = max(before, math.prod(numbers) * item_size(type_))
        except Unknown:
            self._found[op] = None

    def _extent(self, extent: int | Value | None) -> int:
        if isinstance(extent, Value):
            return int(self.value(extent))
        if extent is None:
            raise Unknown
        return extent

    def value(self, value: Value) -> Any:
        """A value of this call; raises Unknown where it takes a run."""
        if value in self._frame:
            if value.op is None:
                self._indices.add(value)
        elif value.op is None:
            raise Unknown
        else:
            self._compute(value, value.op)
        return self._frame[value]

    def _compute(self, value: Value, op: Op) -> None:
        if op.name == "if":
            found = self.value(self._taken(op).yields[op.outputs.index(value)])
            self._frame[value] = found
        elif op.name == "dim":
            self._frame[value] = self._shape(op.inputs[0])[op.attrs["axis"]]
        elif not _is_pure(op) or any(self._is_written(v) for v in op.inputs):
            raise Unknown
        else:
            for v in op.inputs:
                self.value(v)
            execute(op, self._frame)

    def _shape(self, value: Value) -> tuple[int, ...]:
        """The shape of an array, whatever it holds."""
        op = value.op
        if value in self._frame:
            return np.shape(self._frame[value])
        if op is None or not _is_pure(op) or op.name == "nonzero" or op.record.library:
            raise Unknown
        frame: dict[Value, Any] = {}
        for v in op.inputs:
            if isinstance(v.type, Array):  # one element stands for all
                frame[v] = np.broadcast_to(np.zeros((), v.type.dtype), self._shape(v))
            else:
                frame[v] = self.value(v)
        if op.name == "empty":
            return tuple(frame[v] for v in op.inputs)
        execute(op, frame)
        return np.shape(frame[value])

    def _is_written(self, value: Value) -> bool:
        return bool(self.aliases.roots.get(value, frozenset()) & self.aliases.written)


def _is_pure(op: Op) -> bool:
    record = op.record
    return not (op.regions or op.keeps or op.written or record.evaluate is None)
