"""What iterations of a nest add to an array, made anew of a few numbers that are kept.

Enters: the sums of a nest. Leaves: the numbers to keep, if all that the sums add is made of them by
a few operations, and nothing of zeros; and these operations, with what was kept in place of the
numbers. What they read besides lies where the sum adds, and stays while the nest runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Dim, Scalar, is_continuous, shape_of
from adcompile.optimize.neighbours import LONGEST
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
    """The sums of one nest into one array."""

    def __init__(
        self, nest: Op, shares: Sequence[Share], own: Collection[Value], aliases: Aliases,
        bounds: Bounds,
    ) -> None:  # fmt: skip
        self.shares, self.own, self.aliases, self.bounds = shares, own, aliases, bounds
        self.changed = aliases.written_in(nest.regions[0].walk())
        self.outer = [*(op for op in aliases.around(nest) if op.name == "for"), nest]
        self.fixed: dict[Value, Op] = {}  # elements that are the same in all iterations

    def kept(self) -> dict[Value, Share]:
        """The numbers to keep, each with the first sum that needs it.

        One of which all come, or what is added, but for that which comes of the rest.
        """
        first = self.shares[0]
        if all(share.home is first.home for share in self.shares):
            before = first.home.ops[: first.home.ops.index(first.op)]
            for op in before[: -LONGEST - 1 : -1]:
                for value in op.outputs:
                    if is_continuous(value.type) and self._suffice({value}):
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
                found[value] = _vanishes(op, kinds)
            else:
                found[value] = False if op is not None and self._may_load(op, share) else None
        return found[value]

    def _may_load(self, op: Op, share: Share) -> bool:
        """Whether an element is read that the nest leaves, always the same or where a sum adds."""
        if op.name != "load" or self.aliases.roots[op.inputs[0]] & self.changed:
            return False
        sums = [self.bounds.sum_of(v, share.home) for v in index_of(op)]
        if not any(map(self._is_own, sums)):
            self.fixed[op.result] = op
            return True
        return all(found is not None for found in self._index(op, share))

    def _is_own(self, found: Sum) -> bool:
        return any(atom in self.own for atom in found.factors)

    def _index(self, load: Op, share: Share) -> Iterator[Sum | int | None]:
        """Each index of an element: a number, or the axis along which the sum has the same."""
        array = load.inputs[0]
        for value, dim in zip(index_of(load), shape_of(array.type), strict=True):
            found = self.bounds.sum_of(value, share.home)
            if self._is_own(found):
                yield self._axis(found, dim, share)
            else:
                inside = self.bounds.fits(value, dim, share.home, self.outer)
                yield found if inside else None

    def _axis(self, found: Sum, dim: Dim, share: Share) -> int | None:
        extents = shape_of(share.op.inputs[0].type)
        for axis, (value, extent) in enumerate(zip(index_of(share.op), extents, strict=True)):
            ends = [self.bounds.extent(d, share.home) for d in (dim, extent)]
            other = self.bounds.sum_of(value, share.home)
            if are_equal([found, ends[0]], [other, ends[1]]):
                return axis
        return None

    def read_fixed(self, runs: Callable[[], Value], builder: Builder) -> dict[Value, Value]:
        """Append reads of the elements that are always the same; 0 where no iteration reads them.

        runs   appends what tells whether any does
        """
        made = list(self.fixed.values())

        def read() -> list[Value]:
            return [
                builder.op(
                    "load", op.inputs[0],
                    *(number_of(self.bounds.sum_of(v, home), builder) for v in index_of(op)),
                )
                for op, home in ((op, self.shares[0].home) for op in made)
            ]  # fmt: skip

        def zeros() -> list[Value]:
            return [builder.constant(0, Scalar(op.result.type.dtype)) for op in made]

        if not made:
            return {}
        return dict(zip(self.fixed, builder.branch(runs(), read, zeros), strict=True))

    def made(
        self, share: Share, kept: Mapping[Value, Value], target: Sequence[Value], builder: Builder
    ) -> Value:  # fmt: skip
        """Append what makes that which a sum adds to an element, of what was kept."""
        return self._made(share.value, share, dict(kept), target, builder)

    def _made(
        self, value: Value, share: Share, known: dict[Value, Value], target: Sequence[Value],
        builder: Builder,
    ) -> Value:  # fmt: skip
        op = value.op
        if value in known or value not in self.own or op is None:
            return known.get(value, value)
        if op.name == "load":
            index = [
                target[found] if isinstance(found, int) else number_of(found, builder)
                for found in self._index(op, share) if found is not None
            ]  # fmt: skip
            with builder.at(op.location):
                known[value] = builder.op("load", op.inputs[0], *index)
        else:
            for v in op.inputs:
                self._made(v, share, known, target, builder)
            builder.region.ops.append(clone_op(op, known))
        return known[value]


def _vanishes(op: Op, kinds: Sequence[bool | None]) -> bool | None:
    """Whether the result is 0 where what is kept is, given whether the operands are."""
    if None in kinds or (op.name == "mul" and all(kinds)):
        return None
    if op.name in ("add", "sub") and kinds[0] != kinds[1]:
        return None
    return any(kinds)
