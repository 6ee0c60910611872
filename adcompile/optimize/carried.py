"""An array that a loop computes anew from the last one is written in place.

Enters: a graph of loops. Leaves: the same graph where `a = a * b`, which every iteration stores in
memory of its own and hands on to the next, is stored in the memory of the array that the loop
started with: one array stays in the cache where two took turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_no_longer, replace
from adcompile.graph.types import Array
from adcompile.optimize.takeover import in_order, same_kind

_FRESH = frozenset({"empty", "full", "matmul"})
_KEEP = frozenset({"push", "invoke"})
_READ = frozenset({"load", "store", "accumulate_at", "dim", "matmul", "matmul_into"})


def write_carried(graph: Graph) -> None:
    """Rewrite in place, one carried array after the other."""
    while (found := first_carried(graph, _fits)) is not None:
        replace(graph, found.drop())


def _fits(carried: Carried) -> bool:
    alone = carried.is_replaced() and carried.is_alone()
    return alone and carried.is_left() and carried.ends_before()


def first_carried(graph: Graph, fits: Callable[[Carried], bool]) -> Carried | None:
    """The first value that a loop carries and that fits."""
    known = Builder(graph), Aliases(graph), Bounds(graph)
    for region in graph.regions:
        for loop in [op for op in region.ops if op.name == "for"]:
            for k in range(len(loop.outputs)):
                carried = Carried(region, loop, k, *known)
                if fits(carried):
                    return carried
    return None


class Carried:
    """What a loop starts with, what an iteration sees, what it hands on, and what is left."""

    def __init__(
        self, region: Region, loop: Op, k: int, builder: Builder, aliases: Aliases, bounds: Bounds
    ) -> None:
        self.region, self.loop, self.k = region, loop, k
        self.builder, self.aliases, self.bounds = builder, aliases, bounds
        self.body = loop.regions[0]
        self.start, self.old = loop.inputs[3 + k], self.body.params[1 + k]
        self.new, self.end = self.body.yields[k], loop.outputs[k]

    def is_replaced(self) -> bool:
        """Whether each iteration makes an array, in place of one like it."""
        made = [(self.new.op, self.body), (self.start.op, self.region)]
        fresh = all(op and op.name in _FRESH and op in home.ops for op, home in made)
        return fresh and self.starts_like(self.new)

    def starts_like(self, array: Value) -> bool:
        """Whether the loop starts with a new array of the same dtype and extents."""
        return self.is_like(array) and self.aliases.roots[self.start] == {self.start}

    def is_like(self, array: Value) -> bool:
        """Whether all are arrays of the same dtype and extents, row after row in memory."""
        arrays = self.start, self.old, array, self.end
        if not all(isinstance(v.type, Array) and v.type.layout == "C" for v in arrays):
            return False
        with self.builder.inside(self.region):
            return same_kind(self.builder, self.start, array)

    def is_alone(self) -> bool:
        """Whether each of them has no other name, and is not kept."""
        before = self.region.ops[: self.region.ops.index(self.loop)]
        rest = self.region.ops[len(before) + 1 :]
        if not only_elements(self.start, before) or _names(self.start, rest):
            return False
        handed = [*self.loop.inputs, *self.region.yields]
        if handed.count(self.start) != 1 or _names(self.start, self.body.ops):
            return False
        return self.start not in self.body.yields and self.has_one_name()

    def has_one_name(self) -> bool:
        """Whether the new array is not kept, nor handed on by another name."""
        others = [v for v in self.body.yields if v not in (self.new, *self.body.params)]
        others += [v for op in self.body.walk() if op.name in _KEEP for v in op.inputs]
        return not any(self.new in self.aliases.roots.get(v, ()) for v in others)

    def start_stays(self) -> bool:
        """Whether nobody writes what the loop starts with once it has begun."""
        aliases, start = self.aliases, self.start
        written = aliases.written_in(self.loop.walk())
        if not written.isdisjoint(aliases.roots[start]):
            return False
        return not aliases.may_be_written_after(self.loop, start)

    def is_left(self) -> bool:
        """Whether the old array is not handed on, and the new one under one name."""
        yields = self.body.yields
        return self.old not in yields and yields.count(self.new) == 1

    def beside(self, k: int) -> Carried:
        """Another array that the loop carries."""
        return Carried(self.region, self.loop, k, self.builder, self.aliases, self.bounds)

    def ends_before(self) -> bool:
        """Whether the old array is read before the new one is written, element by element."""
        ops = self.body.ops
        if self.new.op is None or self.new.op.name != "empty":
            return False
        reads = [k for k, op in enumerate(ops) if _names(self.old, [op])]
        writes = [k for k, op in enumerate(ops) if self._touches_new(op)]
        last, first = max(reads, default=-1), min(writes, default=len(ops))
        if last < first:
            return only_elements(self.old, ops)
        if last > first or ops[last].name != "for" or not only_elements(self.old, ops[:last]):
            return False
        roots, nest = self.aliases.roots, ops[last]
        inner = [
            op for op in nest.regions[0].walk()
            if op.name != "dim"
            and any(v is self.old or self.new in roots.get(v, ()) for v in op.used)
        ]  # fmt: skip
        return in_order(inner, nest, self.old, self.new, self.bounds)

    def _touches_new(self, op: Op) -> bool:
        return any(
            v is not self.old and self.new in self.aliases.roots.get(v, ())
            for inner in op.walk() if inner.name != "dim"
            for v in inner.used
        )  # fmt: skip

    def drop(self) -> dict[Value, Value]:
        """Carry it no longer; gives what stands for the values that are gone."""
        assert self.new.op is not None
        self.body.ops.remove(self.new.op)
        carry_no_longer(self.loop, self.k)
        if self.old.named and not self.start.named:
            self.start.hint, self.start.named = self.old.hint, True
        return dict.fromkeys((self.old, self.new, self.end), self.start)


def _all(ops: list[Op]) -> Iterator[Op]:
    for op in ops:
        yield from op.walk()


def _names(value: Value, ops: list[Op]) -> bool:
    """Whether operations, or those inside them, use an array by this name."""
    return any(value in op.used for op in _all(ops))


def only_elements(value: Value, ops: list[Op]) -> bool:
    """Whether operations only read and write elements of an array, or multiply it."""
    using = [op for op in _all(ops) if value in op.used]
    return all(op.name in _READ for op in using)
