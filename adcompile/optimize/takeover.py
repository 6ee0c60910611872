"""A new array is written into the memory of one that is read for the last time.

Enters: a graph of loops. Leaves: the same graph where a loop that reads each element of a dying
array just before it stores the same element of a new one stores into the old one: memory that is
there already costs less than memory that the system has yet to give.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, shape_of
from adcompile.optimize.loads import touched
from adcompile.optimize.nests import counters_to, home_of


def take_over(graph: Graph) -> None:
    """Rewrite in place, one array after the other."""
    while _one(graph, graph.body, Builder(graph), Aliases(graph), Bounds(graph)):
        pass


def _one(graph: Graph, region: Region, builder: Builder, aliases: Aliases, bounds: Bounds) -> bool:
    made = [op.result for op in region.ops if op.name in ("empty", "full")]
    spans = _spans(region, made, aliases)
    with builder.inside(region):
        for new in [v for v in spans if v.op is not None and v.op.name == "empty"]:
            for old in [v for v in spans if spans[v][1] == spans[new][0]]:
                loop = region.ops[spans[old][1]]
                pair = _Pair(region, old, new, aliases, bounds)
                if same_kind(builder, old, new) and pair.fits(loop):
                    assert new.op is not None
                    region.ops.remove(new.op)
                    if new.named:
                        old.hint, old.named = new.hint, True
                    replace(graph, {new: old})
                    return True
        return any(
            _one(graph, inner, builder, aliases, bounds)
            for op in region.ops
            for inner in op.regions
        )


def _spans(region: Region, arrays: list[Value], aliases: Aliases) -> dict[Value, tuple[int, int]]:
    """The places of the first and the last operation that touches each array, if any does."""
    spans: dict[Value, tuple[int, int]] = {}
    for place, op in enumerate(region.ops):
        roots = touched(op, aliases)
        for array in arrays:
            if array in roots:
                spans[array] = (spans.get(array, (place, place))[0], place)
    return spans


def same_kind(builder: Builder, old: Value, new: Value) -> bool:
    """Whether two arrays are different ones with the same elements and extents."""
    if old is new or not isinstance(old.type, Array) or not isinstance(new.type, Array):
        return False
    shapes = ([builder.resolve(d) for d in shape_of(v.type)] for v in (old, new))
    first, second = shapes
    return old.type.dtype == new.type.dtype and first == second


class _Pair:
    """Two arrays that are made in one region."""

    def __init__(
        self, region: Region, old: Value, new: Value, aliases: Aliases, bounds: Bounds
    ) -> None:
        self.region, self.old, self.new = region, old, new
        self.aliases, self.bounds = aliases, bounds

    def fits(self, loop: Op) -> bool:
        """Whether the loop that reads the old array last and writes the new one first may do."""
        if loop.name != "for" or self._leaves():
            return False
        inner = [o for o in loop.regions[0].walk() if self._touches_itself(o)]
        return in_order(inner, loop, self.old, self.new, self.bounds)

    def _leaves(self) -> bool:
        """Whether the old array is handed out of the region, or is kept on a stack."""
        kept = [o.inputs[1] for o in self.region.walk() if o.name == "push"]
        return any(self._is(v, self.old) for v in [*self.region.yields, *kept])

    def _is(self, value: Value, array: Value) -> bool:
        return array in self.aliases.roots.get(value, ())

    def _touches_itself(self, op: Op) -> bool:
        values = op.used
        return op.name != "dim" and any(
            self._is(v, a) for v in values for a in (self.old, self.new)
        )


def in_order(ops: list[Op], loop: Op, old: Value, new: Value, bounds: Bounds) -> bool:
    """Whether every element is read of the old array before it is stored in the new one.

    ops      all operations in the loop that touch either
    """
    stores = [op for op in ops if op.name == "store" and op.inputs[0] is new]
    if len(stores) != 1:
        return False
    (store,) = stores
    index = store.inputs[2:]
    home = home_of(loop.regions[0], store)
    counters = counters_to(loop, home) if home is not None else None
    if home is None or counters is None or set(index) != counters:
        return False
    if not all(bounds.never_negative(v, home) for v in index):
        return False
    before = home.ops[: home.ops.index(store)]
    return all(
        op.name == "load" and op in before and op.inputs[0] is old and op.inputs[1:] == index
        for op in ops
        if op is not store
    )
