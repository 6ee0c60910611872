"""What iterations of a nest add to an array, made anew of a few numbers that are kept.

Enters: the sums of a nest. Leaves: the numbers to keep, if all that the sums add is made of them by
a few operations, and nothing of zeros; and these operations, with what was kept in place of the
numbers. What they read besides lies where the sum adds, and stays while the nest runs; where no
iteration adds it is not looked at, for it may be no number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Dim, Scalar, shape_of
from adcompile.optimize.loads import defined
from adcompile.optimize.merge import Merging
from adcompile.optimize.neighbours import numbers_before
from adcompile.optimize.zeros import are_equal, number_of

_MOST_AGAIN = 32  # operations, of all sums together
_LINEAR = frozenset({"add", "sub", "neg", "mul", "cast"})


@dataclass
class Share:
    """One sum of a nest.

    loops    those around it, the outer loop of the nest first
    offset   what the index of the element adds to the counter of each of them
    """

    op: Op
    loops: list[Op]
    offset: list[int] = field(default_factory=list)

    @property
    def value(self) -> Value:
        """What is added."""
        return self.op.inputs[1]

    @property
    def home(self) -> Region:
        """The region of the innermost loop."""
        return self.loops[-1].regions[0]

    @property
    def counters(self) -> list[Value]:
        """The counters of the loops."""
        return [loop.regions[0].params[0] for loop in self.loops]


class Shares:
    """The sums of one nest into one array.

    outside   tells whether an integer can be computed before the nest
    """

    def __init__(
        self, nest: Op, shares: Sequence[Share], outside: Callable[[Sum], bool], aliases: Aliases,
        bounds: Bounds,
    ) -> None:  # fmt: skip
        self.shares, self.outside, self.aliases, self.bounds = shares, outside, aliases, bounds
        self.own = defined(nest.regions[0])
        self.changed = aliases.written_in(nest.regions[0].walk())
        self.outer = [*(op for op in aliases.around(nest) if op.name == "for"), nest]
        self.fixed: dict[Value, Op] = {}  # elements that are the same in all iterations
        self.known: dict[Value, Value] = {}  # what stands for them
        self.index: dict[tuple[Op, Op], list[Sum | int]] = {}  # of elements, for each sum
        self.places: dict[tuple[Op, Op], list[Value | int]] = {}

    def kept(self) -> dict[Value, Share]:
        """The numbers to keep, each with the first sum that needs it.

        One of which all come, or what is added, but for that which comes of the rest.
        """
        first = self.shares[0]
        if all(share.home is first.home for share in self.shares):
            for value in numbers_before(first.home.ops, first.op):
                if self._suffice({value}):
                    return {value: first}
        kept = {share.value: share for share in reversed(self.shares)}
        for value in list(kept):
            rest = {v: share for v, share in kept.items() if v is not value}
            if rest and self._suffice(rest):
                kept = rest
        return kept

    def _suffice(self, kept: Collection[Value]) -> bool:
        """Whether few operations make what each sum adds, and nothing of zeros."""
        again = 0
        for share in self.shares:
            found: dict[Value, bool | None] = dict.fromkeys(kept, True)
            if not self._vanishes(share.value, share, found):
                return False
            again += sum(v not in kept and v not in self.fixed for v in found)
        return again <= _MOST_AGAIN

    def _vanishes(
        self, value: Value, share: Share, found: dict[Value, bool | None]
    ) -> bool | None:  # fmt: skip
        """Whether a number is 0 where all that is kept is; None where it cannot be made anew."""
        if value not in found:
            op = value.op
            if value.constant is not None or value not in self.own:
                return False
            if op is not None and op.name in _LINEAR:
                kinds = [self._vanishes(v, share, found) for v in op.inputs]
                found[value] = _result_vanishes(op, kinds)
            else:
                found[value] = False if op is not None and self._may_load(op, share) else None
        return found[value]

    def _may_load(self, op: Op, share: Share) -> bool:
        """Whether an element is read that the nest leaves, always the same or where a sum adds."""
        if op.name != "load" or self.aliases.roots[op.inputs[0]] & self.changed:
            return False
        sums = [self.bounds.sum_of(v, share.home) for v in index_of(op)]
        if all(map(self.outside, sums)):
            self.fixed[op.result] = op
            return True
        index = [found for found in self._index(op, share) if found is not None]
        self.index[op, share.op] = index
        return len(index) == len(sums)

    def _index(self, load: Op, share: Share) -> Iterator[Sum | int | None]:
        """Each index of an element: a number, or the axis along which the sum has the same."""
        array = load.inputs[0]
        for value, dim in zip(index_of(load), shape_of(array.type), strict=True):
            found = self.bounds.sum_of(value, share.home)
            if self.outside(found):
                inside = self.bounds.fits(value, dim, share.home, self.outer)
                yield found if inside else None
            else:
                yield self._axis(found, dim, share)

    def _axis(self, found: Sum, dim: Dim, share: Share) -> int | None:
        extents = shape_of(share.op.inputs[0].type)
        for axis, (value, extent) in enumerate(zip(index_of(share.op), extents, strict=True)):
            ends = [self.bounds.extent(d, share.home) for d in (dim, extent)]
            other = self.bounds.sum_of(value, share.home)
            if are_equal([found, ends[0]], [other, ends[1]]):
                return axis
        return None

    def prepare(self, runs: Callable[[], Value], builder: Builder) -> None:
        """Append indices, and reads of what is always the same; 0 where no iteration reads it.

        runs   appends what tells whether any does
        """
        for key, index in self.index.items():
            self.places[key] = [
                found if isinstance(found, int) else number_of(found, builder) for found in index
            ]
        home = self.shares[0].home

        def read(op: Op) -> Value:
            index = [number_of(self.bounds.sum_of(v, home), builder) for v in index_of(op)]
            found: Value = builder.op("load", op.inputs[0], *index)
            return found

        def zero(op: Op) -> Value:
            return builder.constant(0.0, Scalar(op.result.type.dtype))

        if made := list(self.fixed.values()):
            read_all, zeros = lambda: list(map(read, made)), lambda: list(map(zero, made))
            found = builder.branch(runs(), read_all, zeros)
            self.known.update(zip(self.fixed, found, strict=True))

    def made(
        self, share: Share, kept: Mapping[Value, Value], target: Sequence[Value], builder: Builder
    ) -> Value:  # fmt: skip
        """Append what makes that which a sum adds to an element, of what was kept.

        target   the index of the element
        """
        known = {**self.known, **kept}
        used = [v for v in kept if v in self._makers(share.value, kept)]

        def made(value: Value) -> Value:
            op = value.op
            if value in known or value not in self.own or op is None:
                return known.get(value, value)
            if op.name == "load":
                known[value] = read(op)
            else:
                for v in op.inputs:
                    made(v)
                builder.region.ops.append(clone_op(op, known))
            return known[value]

        def read(load: Op) -> Value:
            """An element, 0 where nothing is kept: there it may be no number."""
            places = self.places[load, share.op]
            index = [target[place] if isinstance(place, int) else place for place in places]
            with builder.at(load.location):
                found: Value = builder.op("load", load.inputs[0], *index)
                found.hint = f"{load.inputs[0].hint}_here"
                found.named = True  # read before the choice, so that several are at once
                tests = [builder.op("ne", kept[v], 0.0) for v in used]
                test = reduce(partial(builder.op, "logical_or"), tests)
                zero = builder.constant(0.0, Scalar(load.result.type.dtype))
                chosen: Value = builder.op("where", test, found, zero)
            return chosen

        return made(share.value)

    def _makers(self, value: Value, kept: Collection[Value]) -> set[Value]:
        """The values of which one is made, itself included, back to those that are kept."""
        inputs = value.op.inputs if value.op is not None and value not in kept else ()
        return {value}.union(*(self._makers(v, kept) for v in inputs if v in self.own))


def merge_shares(graph: Graph, nest: Op, array: Value) -> bool:
    """Join loops inside one that only adds to an array, in place; gives whether any were joined.

    They may add to different rows of it.
    """
    return _MergingShares(graph, array).join(nest.regions[0])


class _MergingShares(Merging):
    """Joins what adds to one array, where iterations keep what they add, and add later."""

    def __init__(self, graph: Graph, array: Value) -> None:
        super().__init__(graph)
        self.roots = self.aliases.roots[array]

    def _worth(self, first: Op, second: Op) -> bool:
        return all(self._changed(loop) & self.roots for loop in (first, second))

    def _apart(self, first: Op, second: Op) -> bool:
        shared = self._shared(first, second) - self.roots
        return all(self._by_counter(root, first, second) for root in shared)


def _result_vanishes(op: Op, kinds: Sequence[bool | None]) -> bool | None:
    """Whether the result is 0 where what is kept is, given whether the operands are."""
    if None in kinds or (op.name == "mul" and all(kinds)):
        return None
    if op.name in ("add", "sub") and kinds[0] != kinds[1]:
        return None
    return any(kinds)
