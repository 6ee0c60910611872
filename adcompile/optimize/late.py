"""Zeros are written late, and not where something is added to them first.

Enters: a graph of loops. Leaves: the same graph where the first sum into each element of an array
of zeros is a store, if a loop adds to almost all elements of the array, or to almost all of the
row that it meets first in each iteration: the adjoint of a stencil adds to row `i + 1` before any
other iteration does. The few elements that the loop leaves out are set to zero beforehand.

An array that a loop hands to its next iteration may be zeros, too: the adjoints of two buffers that
change places are, for an iteration sets to zero what it has read. Where it is zeros at first, and
the next iteration stores before it adds, the zeros are written once, after the loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value
from adcompile.graph.types import Array, shape_of
from adcompile.optimize.loads import defined
from adcompile.optimize.nests import holds
from adcompile.optimize.zeros import Span, Zeros, leaves_of, offset_of, span_of


def zero_late(graph: Graph) -> None:
    """Rewrite in place, one array after the other."""
    with Builder(graph) as builder:
        while _one(graph.body, Aliases(graph), Bounds(graph), builder):
            pass


def _one(region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> bool:
    with builder.inside(region):
        for place, op in enumerate(region.ops):
            if op.name == "full" and op.inputs[0].constant == 0:
                if _made_late(op, region, aliases, bounds, builder):
                    return True
            if op.name == "for":
                for k in range(len(op.outputs)):
                    handed = _Handed(region, place, k, aliases, bounds, builder)
                    if handed.is_zeros() and handed.rewrite():
                        return True
        inner = [r for op in region.ops for r in op.regions]
        return any(_one(r, aliases, bounds, builder) for r in inner)


def _made_late(
    made: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder
) -> bool:  # fmt: skip
    array = made.result
    assert isinstance(array.type, Array)
    if array.type.ndim < 2 and region is builder.graph.body:
        return False  # zeros cost next to nothing where there is one row, and loops a little
    spans = [Span(Sum(), bounds.extent(dim, region)) for dim in array.type.shape]
    zeros = Zeros(array, spans, aliases, bounds, builder)
    place = region.ops.index(made) + 1
    levels = zeros.plan(region, place)
    if levels is None:
        return False
    zeros.store(levels, place)
    made.record = RECORDS["empty"]
    del made.inputs[0]
    return True


class _Handed:
    """An array that a loop carries: what it hands on is zeros in some range."""

    def __init__(
        self, region: Region, place: int, k: int, aliases: Aliases, bounds: Bounds,
        builder: Builder,
    ) -> None:  # fmt: skip
        self.region, self.place, self.loop = region, place, region.ops[place]
        self.body, self.k = self.loop.regions[0], k
        self.aliases, self.bounds, self.builder = aliases, bounds, builder
        self.start, self.end = self.loop.inputs[3 + k], self.loop.outputs[k]
        self.taken, self.handed = self.body.params[1 + k], self.body.yields[k]

    def is_zeros(self) -> bool:
        """Whether the loop starts with zeros, and hands on an array that it carries."""
        made, params, yields = self.start.op, self.body.params[1:], self.body.yields
        if not isinstance(self.start.type, Array) or self.handed not in params:
            return False
        if made is None or made.name != "full" or made.inputs[0].constant != 0:
            return False
        if made not in self.region.ops or self.loop.inputs.count(self.start) != 1:
            return False
        if yields.count(self.handed) != 1 or not self._is_untouched(made):
            return False
        others = (self.handed, self.taken)
        return self.handed is self.taken or not self.aliases.shared_at_once(*others)

    def _is_untouched(self, made: Op) -> bool:
        """Whether nothing uses the zeros between where they are made and the loop."""
        between = self.region.ops[self.region.ops.index(made) + 1 : self.place]
        for op in between:
            for inner in op.walk():
                used = any(self.start in self.aliases.roots.get(v, ()) for v in inner.used)
                if used and inner.name != "dim":
                    return False
        return True

    def rewrite(self) -> bool:
        """Write the zeros after the loop only, if the next iteration stores before it adds."""
        for outer in self.body.ops:
            for store, home in leaves_of(outer, self.body):
                zero = store.name == "store" and store.inputs[1].constant == 0
                if not zero or store.inputs[0] is not self.handed:
                    continue
                spans = self._cleared(store, home)
                if spans is not None and self._store(store, home, spans):
                    return True
        return False

    def _store(self, store: Op, home: Region, spans: Sequence[Span]) -> bool:
        place = home.ops.index(store)
        del home.ops[place]
        tools = self.aliases, self.bounds, self.builder
        zeros = Zeros(self.taken, spans, *tools)
        with self.builder.inside(self.body):
            levels = zeros.plan(self.body, 0)
        within = [
            zeros.ends_within(span, self.bounds.extent(dim, self.region), self.region)
            and self.bounds.sum_never_negative(span.low, self.region)
            for span, dim in zip(spans, shape_of(self.start.type), strict=True)
        ]
        if levels is None or not all(within):
            home.ops.insert(place, store)
            return False
        zeros.store(levels, 0)
        inside, at = self.builder.inside, self.builder.at
        with inside(self.region), inside(Region()) as made, at(store.location):
            Zeros(self.end, spans, *tools).fill([])
        self.region.ops[self.place + 1 : self.place + 1] = made.ops
        return True

    def _cleared(self, store: Op, home: Region) -> list[Span] | None:
        """The elements that a store in loops sets to zero, if nothing touches them afterwards."""
        loops, region = [], self.body
        while region is not home:
            loop = next((o for o in region.ops if holds(o, home)), None)
            if loop is None or loop.name != "for" or self._is_late(loop, region):
                return None
            loops.append(loop)
            region = loop.regions[0]
        if self._is_late(store, home):
            return None
        spans: list[Span] = []
        for value in index_of(store):
            span = self._along(value, store, home, loops)
            if span is None:
                return None
            spans.append(span)
        return None if loops else spans

    def _along(self, value: Value, store: Op, home: Region, loops: list[Op]) -> Span | None:
        """The range of one index; takes the loop that counts it out of the list."""
        found = self.bounds.sum_of(value, home)
        for loop in loops:
            counter = loop.regions[0].params[0]
            offset = offset_of(found, counter)
            if offset is None:
                continue
            axis = index_of(store).index(value)
            span = span_of(loop, self.bounds, self.body)
            if span is None or not self._same_place(loop, axis, found, store):
                return None
            loops.remove(loop)
            known = self._is_known(span.low) and self._is_known(span.high)
            return span.moved(offset) if known else None
        return None

    def _is_known(self, found: Sum) -> bool:
        """Whether a sum is that of numbers from outside the loop."""
        own, after = defined(self.body), self.region.ops[self.place :]
        with self.builder.inside(self.region):
            if not all(isinstance(a, Value) or self.builder.knows(a) for a in found.factors):
                return False
            atoms = (a if isinstance(a, Value) else self.builder.extent(a) for a in found.factors)
            return all(a not in own and a.op not in after for a in atoms)

    def _is_late(self, op: Op, region: Region) -> bool:
        """Whether anything behind an operation touches the array."""
        after = region.ops[region.ops.index(op) + 1 :]
        return any(self._touches(inner) for o in after for inner in o.walk())

    def _same_place(self, loop: Op, axis: int, place: Sum, store: Op) -> bool:
        """Whether each iteration touches the array at one index of an axis."""
        for op, home in leaves_of(loop, loop.regions[0]):
            if op is store or not self._touches(op):
                continue
            if op.name not in INDEX_STARTS or op.inputs[0] is not self.handed:
                return False
            value = index_of(op)[axis]
            gap = self.bounds.sum_of(value, home).plus(place, -1)
            if gap.factors or gap.constant or not self.bounds.never_negative(value, home):
                return False
        return True

    def _touches(self, op: Op) -> bool:
        return op.name != "dim" and any(
            self.aliases.shared_at_once(v, self.handed) for v in op.used
        )
