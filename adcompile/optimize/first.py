"""Buffers of zeros that a loop adds to once are made by that loop.

Enters: a graph of loops. Leaves: the same graph where a loop over all elements of an array of
zeros, which adds one number to each before anything else is done with them, stores the number:
nobody has to write the zeros first, nor to read them.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value
from adcompile.graph.types import Array
from adcompile.optimize.nests import counters_to, home_of


def store_first(graph: Graph) -> None:
    """Rewrite in place."""
    _region(graph.body, Aliases(graph), Bounds(graph))


def _region(region: Region, aliases: Aliases, bounds: Bounds) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, aliases, bounds)
        if op.name == "full" and op.inputs[0].constant == 0:
            _First(op, region, aliases, bounds).store()


class _First:
    """One array of zeros."""

    def __init__(self, made: Op, region: Region, aliases: Aliases, bounds: Bounds) -> None:
        self.made, self.array, self.region = made, made.result, region
        self.aliases, self.bounds = aliases, bounds

    def store(self) -> None:
        """Turn the sum into a store, if there is one that comes first and is complete."""
        after = self.region.ops[self.region.ops.index(self.made) + 1 :]
        loop = next((op for op in after if self._touches(op)), None)
        if loop is None or loop.name != "for":
            return
        touching = [o for o in loop.regions[0].walk() if not o.regions and self._touches(o)]
        if any(self._is(v) for o in loop.regions[0].walk() for r in o.regions for v in r.yields):
            return
        if len(touching) != 1 or any(map(self._is, (*loop.inputs, *loop.regions[0].yields))):
            return
        (add,) = touching
        if (
            add.name != "accumulate_at"
            or add.inputs[0] is not self.array
            or self._is(add.inputs[1])
        ):
            return
        if not self._reaches_all(add, loop):
            return
        home = home_of(loop.regions[0], add)
        assert home is not None
        stored = Op(RECORDS["store"], add.inputs, dict(add.attrs), [], location=add.location)
        home.ops[home.ops.index(add)] = stored
        self.made.record = RECORDS["empty"]
        del self.made.inputs[0]

    def _is(self, value: Value) -> bool:
        return self.array in self.aliases.shared_at_once(value, self.array)

    def _touches(self, op: Op) -> bool:
        return any(self._is(v) for o in op.walk() if o.name != "dim" for v in o.used)

    def _reaches_all(self, add: Op, loop: Op) -> bool:
        """Whether the loops run once through all elements."""
        home = home_of(loop.regions[0], add)
        counters = counters_to(loop, home) if home is not None else None
        index = add.inputs[2:]
        if counters is None or set(index) != counters or len(set(index)) != len(index):
            return False
        assert isinstance(self.array.type, Array)
        nest = [loop, *(o for o in loop.regions[0].walk() if o.name == "for")]
        loops = {o.regions[0].params[0]: o for o in nest}
        for counter, dim in zip(index, self.array.type.shape, strict=True):
            start, stop, step = (
                self.bounds.sum_of(v, self.region) for v in loops[counter].inputs[:3]
            )
            if step.factors or abs(step.constant) != 1:
                return False
            if step.constant == -1:
                start, stop = stop.plus(Sum(1)), start.plus(Sum(1))
            gap = stop.plus(self.bounds.extent(dim, self.region), -1)
            if any(s.factors or s.constant for s in (start, gap)):
                return False
        return True
