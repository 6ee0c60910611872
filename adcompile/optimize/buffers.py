"""Arrays that every iteration of a loop makes anew are made once, before the loop.

Enters: a graph of loops over elements. Leaves: the same graph where the memory of an array that
does not outlive its iteration is allocated outside and used again; what it was filled with is
stored in every iteration, by loops or, where the host starts kernels, as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.filling import fill, given_extents
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value
from adcompile.graph.outside import COUNTING
from adcompile.graph.types import Scalar, Symbol, shape_of
from adcompile.optimize.loads import defined

SMALL = 4096  # elements that are made for a branch that may not be taken


def reuse_buffers(graph: Graph, whole: bool = False) -> None:
    """Move allocations in place, out of the inner loops first; fill arrays as a whole, or not."""
    with Builder(graph) as builder:
        _region(graph.body, Aliases(graph), Bounds(graph), builder, whole)


def _region(
    region: Region, aliases: Aliases, bounds: Bounds, builder: Builder, whole: bool
) -> None:  # fmt: skip
    for op in list(region.ops):
        for inner in op.regions:
            with builder.before(op), builder.inside(inner):
                _region(inner, aliases, bounds, builder, whole)
        if op.name in ("for", "while"):
            _Loop(op, region, aliases, bounds, builder, whole).empty()


def empty_loop(loop: Op, region: Region, builder: Builder) -> list[Value]:
    """Move allocations out of one loop, and of those in it; gives the arrays now made before it."""
    aliases, bounds = Aliases(builder.graph), Bounds(builder.graph)
    with builder.before(loop), builder.inside(loop.regions[0]):
        _region(loop.regions[0], aliases, bounds, builder, False)
    position = region.ops.index(loop)
    _Loop(loop, region, aliases, bounds, builder, False).empty()
    made = region.ops[position : region.ops.index(loop)]
    return [op.result for op in made if op.name == "empty"]


class _Loop:
    def __init__(
        self, loop: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder,
        whole: bool,
    ) -> None:  # fmt: skip
        self.loop, self.region, self.builder, self.whole = loop, region, builder, whole
        self.aliases, self.bounds = aliases, bounds
        self.body = loop.regions[0]
        self.own = {v for r in loop.regions for v in defined(r)}
        self.moved: dict[Value, Op] = {}

    def empty(self) -> None:
        """Move what can be moved out of the loop; of what only branches make, small scratch."""
        for op in [o for o in self.body.ops if o.name in ("empty", "full")]:
            extents = given_extents(op)
            known = all(self.bounds.never_negative(v, self.body) for v in extents)
            if known and all(map(self._counted, extents)) and not self._escapes(op.result):
                self._move(op, self.body, [self._extent(v) for v in extents])
        for side in _sides(self.body):
            for op in [o for o in side.ops if o.name == "empty"]:
                if _size(op) <= SMALL and not self._escapes(op.result):
                    self._move(op, side, [self._outside(v) for v in op.inputs])
        for op in [o for o in self.body.ops if o.name == "stack"]:
            if not self._escapes(op.result):  # each iteration takes off what it puts on
                self.body.ops.remove(op)
                self.region.ops.insert(self.region.ops.index(self.loop), op)

    def _escapes(self, array: Value) -> bool:
        """Whether the memory is needed after the iteration."""
        roots = self.aliases.roots
        kept = [v for r in self.loop.regions for v in r.yields]
        kept += [o.inputs[1] for o in self.body.walk() if o.name == "push"]
        return any(array in roots.get(v, ()) for v in kept)

    def _counted(self, value: Value) -> bool:
        """Whether an extent is the same in every iteration."""
        if value not in self.own:
            return True
        op = value.op
        return (
            op is not None and op.name in COUNTING and isinstance(value.type, Scalar)
            and all(self._counted(v) for v in op.inputs)
        )  # fmt: skip

    def _extent(self, value: Value) -> Value:
        """An extent before the loop, which may not run where it would be negative."""
        outside = self._outside(value)
        if self.bounds.never_negative(outside, self.region):
            return outside
        with self.builder.inside(Region()) as made, self.builder.at(self.loop.location):
            extent: Value = self.builder.op("maximum", outside, 0)
        place = self.region.ops.index(self.loop)
        self.region.ops[place:place] = made.ops
        return extent

    def _outside(self, value: Value) -> Value:
        """The value computed before the loop."""
        if value not in self.own or value.op is None:
            return value
        if value not in self.moved:
            mapping = {v: self._outside(v) for v in value.op.inputs}
            copy = clone_op(value.op, mapping)
            self.moved[value] = copy
            self.region.ops.insert(self.region.ops.index(self.loop), copy)
        return self.moved[value].result

    def _move(self, op: Op, home: Region, extents: list[Value]) -> None:
        array = op.result
        attrs = {"dtype": array.type.dtype, "shape": shape_of(array.type)}
        made = Op(RECORDS["empty"], extents, attrs, [array], location=op.location)
        self.region.ops.insert(self.region.ops.index(self.loop), made)
        with self.builder.inside(Region()) as filling, self.builder.at(op.location):
            if op.name == "full" and self.whole:
                self.builder.op("assign", array, op.inputs[0])
            elif op.name == "full":
                fill(self.builder, array, op.inputs[0], op.inputs[1:])
        position = home.ops.index(op)
        home.ops[position : position + 1] = filling.ops
        for symbol, extent in zip(shape_of(array.type), extents, strict=True):
            if isinstance(symbol, Symbol) and symbol in home.extents:
                self.region.extents.setdefault(symbol, extent)


def _sides(region: Region) -> Iterator[Region]:
    """The sides of the branches in a region."""
    for op in region.ops:
        if op.name == "if":
            for side in op.regions:
                yield side
                yield from _sides(side)


def _size(empty: Op) -> float:
    """How many elements an array has whose extents are in the text."""
    return prod(inf if v.constant is None else v.constant for v in empty.inputs)
