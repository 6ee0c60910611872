"""Which arrays are scratch of one iteration of a loop.

Enters: an array that is made before a loop. Leaves: whether only that loop uses it, and whether
every iteration writes all that it reads of it: then each iteration may have one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.dependence import index_of
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Array


class Scratch:
    """The answer for the loops of one graph."""

    def __init__(self, graph: Graph, aliases: Aliases, bounds: Bounds) -> None:
        self.graph, self.aliases, self.bounds = graph, aliases, bounds

    def is_scratch(self, root: Value, loop: Op) -> bool:
        """Whether every iteration of a loop may have this array for itself."""
        return self._only_in(root, loop) and self._written_first(root, loop.regions[0])

    def _only_in(self, root: Value, loop: Op) -> bool:
        """Whether an array is made for this loop and used by nothing else."""
        if root.op is None or root.op.name not in ("full", "empty"):
            return False
        inside = {id(op) for op in loop.regions[0].walk()}
        for op in self.graph.body.walk():
            if op.name == "dim" or id(op) in inside:
                continue
            if any(root in self.aliases.roots.get(v, ()) for v in op.inputs):
                return False
            if op is not loop and any(
                root in self.aliases.roots.get(v, ()) for r in op.regions for v in r.yields
            ):
                return False
        return not any(root in self.aliases.roots.get(v, ()) for v in self.graph.outputs)

    # -- written before it is read --------------------------------------------------------------

    def _written_first(self, root: Value, body: Region) -> bool:
        return self._covers(root, body, [], False) is not None

    def _covers(
        self, root: Value, region: Region, known: list[Sequence[Value]], covered: bool
    ) -> bool | None:
        """Whether a region surely writes all of an array; None if it may read what it did not.

        `known` are the elements written before in the same iteration.
        """
        known = list(known)
        for op in region.ops:
            if op.name == "dim" or not self._uses(op, root):
                continue
            if op.name == "for":
                inner = self._covers(root, op.regions[0], known, covered)
                if inner is None:
                    return None
                covered = covered or self._fills(root, op, [], region)
            elif op.name == "if":
                sides = [self._covers(root, r, known, covered) for r in op.regions]
                if None in sides:
                    return None
                covered = all(sides)
            elif op.regions:
                if not covered:
                    return None
            elif op.name == "store" and op.inputs[0] is root and root not in op.inputs[1:]:
                known.append(op.inputs[2:])
            elif op.name == "assign" and op.inputs[0] is root:
                if root in self.aliases.roots.get(op.inputs[1], ()) and not covered:
                    return None
                covered = True
            elif op.name == "matmul_into" and op.inputs[0] is root and not self._reads(op, root):
                covered = True
            elif not covered and _element(op, root) not in known:
                return None
        return covered

    def _reads(self, product: Op, root: Value) -> bool:
        return any(root in self.aliases.roots.get(v, ()) for v in product.inputs[1:])

    def _uses(self, op: Op, root: Value) -> bool:
        ops: Iterator[Op] = iter([op])
        if op.regions:
            ops = (o for region in op.regions for o in region.walk())
        return any(
            root in self.aliases.roots.get(v, ()) for o in ops if o.name != "dim" for v in o.inputs
        )

    def _fills(self, root: Value, loop: Op, indices: list[Value], region: Region) -> bool:
        """Whether a nest of loops stores every element of the array."""
        assert isinstance(root.type, Array) and root.op is not None
        axis = len(indices)
        extent = _steps(given_extents(root.op)[axis])
        start, stop, step = (self.bounds.sum_of(v, region) for v in loop.inputs[:3])
        size = self.bounds.sum_of(extent, region)
        first, last = (start, stop) if step.constant == 1 else (stop, start)
        if step.factors or abs(step.constant) != 1:
            return False
        low = 0 if step.constant == 1 else -1
        if first.factors or first.constant != low:
            return False
        gap = last.plus(size, -1)
        if gap.factors or gap.constant != low:
            return False
        body = loop.regions[0]
        indices = [*indices, body.params[0]]
        for op in body.ops:
            if op.name == "for" and axis + 1 < root.type.ndim:
                if self._fills(root, op, indices, body):
                    return True
            elif op.name == "store" and op.inputs[0] is root and op.inputs[2:] == indices:
                return True
        return False


def _steps(extent: Value) -> Value:
    """What a loop counts to that takes as many steps as an array has elements."""
    op = extent.op
    if op is not None and op.name == "maximum" and op.inputs[1].constant == 0:
        return op.inputs[0]  # if it is negative, there are none of either
    return extent


def _element(op: Op, root: Value) -> list[Value] | None:
    """The index of the one element of an array that an operation reads."""
    if op.inputs[0] is not root or op.name not in ("load", "accumulate_at"):
        return None
    return index_of(op)
