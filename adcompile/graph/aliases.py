"""Which arrays may share memory, and which operations may write what another reads.

Enters: a graph. Leaves: for every array value the set of roots (parameters and fresh arrays) whose
memory it may use, and for every operation whether a root may be written after it has run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Array, Scalar, StackOf

Path = tuple[tuple[Op | None, int, int], ...]  # (owner, region number, position) from the outside

_OUTSIDE = Value(StackOf(Scalar("bool")), "outside")  # all that another graph has put on stacks


class Aliases:
    """The answer to alias questions about one graph; build it anew after a change.

    The values `apart` count as memory of their own, whatever control flow hands them.
    """

    def __init__(self, graph: Graph, apart: Collection[Value] = ()) -> None:
        self.roots: dict[Value, frozenset[Value]] = {}
        self.home: dict[Value, Region] = {}
        self._around: dict[Region, Region] = {}
        self._owners: dict[Region, Op] = {}
        self._paths: dict[Op, Path] = {}
        self._writes: list[tuple[Op, frozenset[Value]]] = []
        self._root_path: dict[Value, Path] = {}
        self.roots[_OUTSIDE] = frozenset([_OUTSIDE])
        self._apart = frozenset(apart)
        for value in graph.params:
            self._fresh(value, graph.body, ())
        for group in graph.overlapping:
            self.roots.update(dict.fromkeys(group, self.roots[group[0]]))
        self._scan(graph.body, (), None, 0)
        pairs = [pair for pair in self._shared() if pair[0] in self.roots]
        self._spread([pair for pair in pairs if pair[0] not in self._apart])
        for op in self._paths:
            self._writes += [(op, self.roots[value]) for value in op.written]
        self.written = frozenset(r for _, roots in self._writes for r in roots)

    def _fresh(self, value: Value, home: Region, path: Path) -> None:
        self.home[value] = home
        if isinstance(value.type, (Array, StackOf)):
            self.roots[value] = frozenset([value])
            self._root_path[value] = path

    def _scan(self, region: Region, outer: Path, owner: Op | None, number: int) -> None:
        for position, op in enumerate(region.ops):
            path = (*outer, (owner, number, position))
            self._paths[op] = path
            for k, inner in enumerate(op.regions):
                self._around[inner] = region
                self._owners[inner] = op
                for value in inner.params:
                    self._handed(value, inner, (*path, (op, k, -1)))
                self._scan(inner, path, op, k)
            for value in op.outputs:
                if op.regions:
                    self._handed(value, region, path)
                elif op.record.view and isinstance(value.type, Array):
                    self.home[value] = region
                    self.roots[value] = self.roots.get(op.inputs[0], frozenset([value]))
                else:
                    self._fresh(value, region, path)

    def _shared(self) -> Iterator[tuple[Value, Value]]:
        """Pairs (target, source) of arrays that are, or may be, one memory.

        What comes from a stack is what was put there, which others may still use.
        """
        pushed: dict[Value, list[Value]] = {}
        for op in self._paths:
            if op.regions or op.record.view:
                yield from flows(op)
            elif op.name == "push":
                pushed.setdefault(op.inputs[0], []).append(op.inputs[1])
        for op in self._paths:
            if op.name == "pop":
                for value in pushed.get(op.inputs[0], [_OUTSIDE]):
                    yield op.result, value

    def _handed(self, value: Value, home: Region, path: Path) -> None:
        if value in self._apart:
            return self._fresh(value, home, path)
        self.home[value] = home
        if isinstance(value.type, (Array, StackOf)):
            self.roots[value] = frozenset()

    def _spread(self, pairs: list[tuple[Value, Value]]) -> None:
        """Hand roots on through control flow and views."""
        changed = True
        while changed:
            changed = False
            for target, source in pairs:
                known = self.roots.get(source, frozenset())
                if not known <= self.roots[target]:
                    self.roots[target] |= known
                    changed = True

    def written_in(self, ops: Iterable[Op]) -> frozenset[Value]:
        """The roots of what operations write."""
        return frozenset(r for op in ops for v in op.written for r in self.roots.get(v, ()))

    def may_be_written_after(self, op: Op, value: Value) -> bool:
        """Whether memory of `value` may be written once `op` has run."""
        return bool(self.writes_after(op, value))

    def writes_after(self, op: Op, value: Value) -> list[Op]:
        """The operations that may write memory of `value` once `op` has run."""
        roots = self.roots.get(value, frozenset())
        return [
            write for write, written in self._writes if self.reaches(op, write, roots & written)
        ]

    def names_from(self, op: Op, roots: frozenset[Value]) -> Iterator[Value]:
        """The values by which memory of these roots may be used once `op` has begun."""
        around = self.around(op)
        for other in self._paths:
            begun = self.follows(op, other) or any(self.repeats(op, other, r) for r in roots)
            used = other.used if begun else ()
            ends = [v for r in other.regions for v in r.yields] if begun or other in around else []
            yield from (v for v in [*used, *ends] if self.roots.get(v, frozenset()) & roots)

    def shared_at_once(self, first: Value, second: Value) -> frozenset[Value]:
        """The roots whose memory both may use in one iteration of the loops around both.

        What a loop hands to an iteration is older than what that iteration makes.
        """
        common = self.roots.get(first, frozenset()) & self.roots.get(second, frozenset())
        if common and self._swapped(base(first), base(second)):
            return frozenset()
        for handed, made in ((base(first), base(second)), (base(second), base(first))):
            region = self.home.get(handed)
            is_handed = region is not None and region in self._around and handed in region.params
            if made in common and is_handed and self.is_inside(self.home[made], region):
                common -= {made}
        return common

    def _swapped(self, first: Value, second: Value) -> bool:
        """Whether two arrays that a loop carries are different ones in every iteration.

        They are if it starts with different ones, and hands these or new ones on, each under one
        name.
        """
        region = self.home.get(first)
        if first is second or region is None or region not in self._owners:
            return False
        loop = self._owners[region]
        if loop.name != "for" or first not in region.params or second not in region.params:
            return False
        carried = [
            (self.roots.get(initial, frozenset()), end)
            for initial, param, end in zip(
                loop.inputs[3:], region.params[1:], region.yields, strict=True
            )
            if isinstance(param.type, Array)
        ]
        ends = [end for _, end in carried]
        starts = [roots for roots, _ in carried]
        return (
            len(set(ends)) == len(ends)
            and all(end in region.params or self._is_new(end, region) for end in ends)
            and len(frozenset().union(*starts)) == sum(map(len, starts))
        )

    def _is_new(self, array: Value, region: Region) -> bool:
        """Whether a region makes an array whenever it runs."""
        return self.roots[array] == {array} and self.is_inside(self.home[array], region)

    def is_inside(self, region: Region, other: Region | None) -> bool:
        """Whether a region is another, or inside it."""
        while region is not other and region in self._around:
            region = self._around[region]
        return region is other

    def around(self, op: Op) -> list[Op]:
        """The control-flow operations that hold `op`, from the outside."""
        return [owner for owner, _, _ in self._paths[op] if owner is not None]

    def repeats(self, op: Op, other: Op, root: Value) -> bool:
        """Whether both run in one loop that the root's memory outlives."""
        return self._share_loop(self._paths[op], self._paths[other], root)

    def follows(self, op: Op, other: Op) -> bool:
        """Whether `other` runs after `op` within one run of all loops around both."""
        return self._follows(self._paths[op], self._paths[other])

    def reaches(self, op: Op, other: Op, roots: frozenset[Value]) -> bool:
        """Whether `other` may run once `op` has, while memory of one of these roots lasts."""
        return bool(roots) and (
            self.follows(op, other) or any(self.repeats(op, other, root) for root in roots)
        )

    def _follows(self, first: Path, second: Path) -> bool:
        for (owner_a, number_a, place_a), (owner_b, number_b, place_b) in zip(
            first, second, strict=False
        ):
            if owner_a is not owner_b or number_a != number_b:
                return False  # the two sides of a branch
            if place_a != place_b:
                return place_b > place_a
        return len(second) > len(first)  # the second is inside the first

    def _share_loop(self, first: Path, second: Path, root: Value) -> bool:
        """Whether both run in one loop that the root's memory outlives."""
        depth = len(self._root_path.get(root, ()))
        for level, (a, b) in enumerate(zip(first, second, strict=False)):
            if a[0] is not b[0]:
                return False
            owner = a[0]
            if owner is not None and owner.name in ("for", "while") and level >= max(depth, 1):
                return True
            if a[2] != b[2]:
                return False
        return False


def base(value: Value) -> Value:
    """The array behind a chain of views."""
    while value.op is not None and is_view(value):
        value = value.op.inputs[0]
    return value


def is_view(value: Value) -> bool:
    """Whether a value is a part of the array that it is made of, or that array seen otherwise."""
    return value.op is not None and value.op.record.view and not value.op.regions


def flows(op: Op) -> Iterator[tuple[Value, Value]]:
    """Pairs (target, source): an array that is, or may be, the memory of another."""
    if op.record.view and op.outputs and op.inputs:
        yield op.outputs[0], op.inputs[0]
    if op.name == "if":
        for region in op.regions:
            yield from zip(op.outputs, region.yields, strict=True)
    elif op.name in ("for", "while"):
        initial = op.inputs[3:] if op.name == "for" else op.inputs
        skip = 1 if op.name == "for" else 0
        for region in op.regions:
            yield from zip(region.params[skip:], initial, strict=True)
        for region in op.regions:
            yield from zip(region.params[skip:], op.regions[0].yields, strict=True)
        yield from zip(op.outputs, op.regions[0].yields, strict=True)
        yield from zip(op.outputs, initial, strict=True)
