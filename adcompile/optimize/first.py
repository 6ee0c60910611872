"""Buffers of zeros that a loop adds to once are made by that loop.

Enters: a graph of loops. Leaves: the same graph where a loop over the elements of an array of
zeros, which adds one number to each before anything else is done with them, stores the number:
nobody has to write the zeros first, nor to read them. A loop along one axis may be as long as
another array: what lies behind its last element is set to zero before it. Loops that do not begin
at 0 would gain nothing.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Atom, Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value
from adcompile.graph.types import Array
from adcompile.optimize.nests import home_of
from adcompile.optimize.zeros import Span, Zeros, are_equal, ends_of, number_of


def store_first(graph: Graph) -> None:
    """Rewrite in place."""
    with Builder(graph) as builder:
        _region(graph.body, Aliases(graph), Bounds(graph), builder)


def _region(region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> None:
    with builder.inside(region):
        for op in list(region.ops):
            for inner in op.regions:
                _region(inner, aliases, bounds, builder)
            if op.name == "full" and op.inputs[0].constant == 0:
                _First(op, region, aliases, bounds, builder).store()


class _First:
    """One array of zeros."""

    def __init__(
        self, made: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder
    ) -> None:
        self.made, self.array, self.region = made, made.result, region
        self.aliases, self.bounds, self.builder = aliases, bounds, builder
        assert isinstance(self.array.type, Array)
        self.spans = [Span(Sum(), bounds.extent(d, region)) for d in self.array.type.shape]

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
        ends = ends_of(add, loop, self.bounds, self.region)
        if ends is None:
            return
        if not are_equal(ends, [span.high for span in self.spans]):
            if len(ends) > 1 or not self._is_another(ends[0], loop):
                return
            self._set_beyond(ends[0], loop)
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

    def _is_another(self, end: Sum, loop: Op) -> bool:
        """Whether an end is a number from before the loop, and not a small one."""
        if any(map(self._is_cut, end.factors)):
            return False
        with self.builder.before(loop):
            return all(isinstance(a, Value) or self.builder.knows(a) for a in end.factors)

    def _is_cut(self, atom: Atom) -> bool:
        """Whether a number is at most one in the text: where a loop beside gathered sums ends."""
        op = atom.op if isinstance(atom, Value) else None
        if op is None or op.name != "minimum":
            return False
        return not all(self.bounds.sum_of(v, self.region).factors for v in op.inputs)

    def _set_beyond(self, end: Sum, loop: Op) -> None:
        """Put zeros before the loop into the elements behind those that it reaches."""
        zeros = Zeros(self.array, self.spans, self.aliases, self.bounds, self.builder)
        inside, before, at = self.builder.inside, self.builder.before, self.builder.at
        with before(loop), inside(Region()) as made, at(loop.location):
            start = self.builder.op("maximum", 0, number_of(end, self.builder))
            zeros.fill([], [(start, number_of(self.spans[0].high, self.builder))])
        place = self.region.ops.index(loop)
        self.region.ops[place:place] = made.ops
