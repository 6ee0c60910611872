"""Whether an element that was accessed is written later, or read after it was written.

Enters: an access to one element, in loops. Leaves: no, if the index arithmetic shows that every
other write, or read, of that element comes before it. Both indices are sums of the counters of the
loops around them. Where a write is of the same element, they say how many iterations later it runs:
`y[i]` is written one iteration before `y[i - 1]` is read, and `-1` iterations later is earlier.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Atom, Bounds, Sum
from adcompile.graph.ir import Graph, Op, Region, Value

INDEX_STARTS = {"load": 1, "store": 2, "accumulate_at": 2}  # where their index begins


def index_of(access: Op) -> list[Value]:
    """The index of the element that a load reads, or a store writes or adds to."""
    return access.inputs[INDEX_STARTS[access.name] :]


class Dependence:
    """The answers for one graph; build it anew after a change."""

    def __init__(self, graph: Graph, aliases: Aliases) -> None:
        self.aliases = aliases
        self.bounds = Bounds(graph)
        self._home: dict[Op, Region] = {}
        self._scan(graph.body)

    def _scan(self, region: Region) -> None:
        for op in region.ops:
            self._home[op] = region
            for inner in op.regions:
                self._scan(inner)

    def stays(self, access: Op, added: bool = False) -> bool:
        """Whether the element that a load reads, or a store writes, keeps its value to the end.

        With `added` something may be added to it.
        """
        return all(
            (added and write.name == "accumulate_at") or self._is_earlier(write, access)
            for write in self.aliases.writes_after(access, access.inputs[0])
        )

    def is_last(self, store: Op, user: Op) -> bool:
        """Whether the element that a store writes is nothing to another operation afterwards."""
        root = store.inputs[0]
        if not self.aliases.follows(store, user) and not self.aliases.repeats(store, user, root):
            return True
        return self._is_earlier(user, store)

    def _is_earlier(self, user: Op, access: Op) -> bool:
        """Whether a use of the element runs before the access, if it runs at all."""
        if user.name not in INDEX_STARTS or user.inputs[0] is not access.inputs[0]:
            return False
        loops = self._common(access, user)
        later = self._iterations_later(access, user, loops)
        if later is None:
            return True
        for loop in loops:
            step = loop.inputs[2].constant if loop.name == "for" else None
            distance = later.get(loop)
            if not step or distance is None or distance * step > 0:
                return False
            if abs(distance) >= 1:
                return True
        return user is access or not self.aliases.follows(access, user)

    def _common(self, one: Op, other: Op) -> list[Op]:
        """The loops around both, from the outside, in which the array is one and the same."""
        pairs = zip(self.aliases.around(one), self.aliases.around(other), strict=False)
        roots = self.aliases.roots[one.inputs[0]]
        found = []
        for a, b in pairs:
            if a is not b:
                break
            made_inside = all(self._inside(self.aliases.home[root], a) for root in roots)
            if a.name in ("for", "while") and not made_inside:
                found.append(a)
        return found

    def _iterations_later(self, access: Op, user: Op, loops: list[Op]) -> dict[Op, float] | None:
        """By how much a counter is larger where the other use is of the element that is accessed.

        Where only the sign is sure: 1 or -1, and if it may be zero as well, half of that. None if
        it never is of that element; a loop that the indices say nothing about is left out.
        """
        counters: dict[Atom, Op] = {
            loop.regions[0].params[0]: loop for loop in loops if loop.name == "for"
        }
        found: dict[Op, float] = {}
        sides: dict[Op, float] = {}
        for own, other in zip(index_of(access), index_of(user), strict=True):
            places = (own, self._home[access]), (other, self._home[user])
            if not all(self.bounds.never_negative(v, region) for v, region in places):
                continue  # -1 and n - 1 are one element
            first, second = (self.bounds.sum_of(v, region) for v, region in places)
            gap = first.plus(second, -1)
            moving = {c: k for c, k in first.factors.items() if c in counters}
            known = all(c in counters or self._is_fixed(c, loops) for c in first.factors)
            if gap.factors:
                region = places[0][1]
                for loop, side in self._sides(first, second, counters, loops, region).items():
                    known_side = _both(sides.get(loop, side), side)
                    if known_side is None:
                        return None
                    sides[loop] = known_side
            if gap.factors or not known or len(moving) > 1:
                continue
            if not moving:
                if gap.constant:
                    return None
                continue
            ((counter, factor),) = moving.items()
            if gap.constant % factor:
                return None
            loop = counters[counter]
            distance = gap.constant // factor
            if found.setdefault(loop, distance) != distance:
                return None
        for loop, side in sides.items():
            both = _both(found.get(loop, side), side)
            if both is None:
                return None
            found[loop] = both
        return found

    def _sides(
        self, own: Sum, other: Sum, counters: dict[Atom, Op], loops: list[Op], region: Region
    ) -> dict[Op, float]:
        """Loops in which one side is sure, in the words of `_iterations_later`.

        Where the indices are equal, one counter of the other use is known from `own`, which holds
        in the iteration of the access, and so is what its loop starts or ends with.
        """
        moving = [(c, k) for c, k in other.factors.items() if c in counters]
        rest = (c for c in other.factors if c not in counters)
        if len(moving) != 1 or not all(self._is_fixed(c, loops) for c in rest):
            return {}
        ((counter, factor),) = moving
        found: dict[Op, float] = {}
        gap = own.plus(other, -1)
        for sign in (-1, 1):
            side = self._side(gap, sign * factor, region)
            if side:
                found[counters[counter]] = sign * side
        if factor == 1:
            for end, sign in self._ends(counters[counter]):
                outer = [c for c in end.factors if c in counters]
                rest = (c for c in end.factors if c not in counters)
                if len(outer) == 1 and end.factors[outer[0]] == 1:
                    beyond = gap.plus(Sum(0, {counter: 1})).plus(end, -1)
                    side = self._side(beyond, sign, region)
                    if side and all(self._is_fixed(c, loops) for c in rest):
                        found[counters[outer[0]]] = sign * side
        return found

    def _ends(self, loop: Op) -> list[tuple[Sum, int]]:
        """The least (-1) and the largest (1) number that a loop counts."""
        region, step = self._home[loop], loop.inputs[2].constant
        start, stop = (self.bounds.sum_of(v, region) for v in loop.inputs[:2])
        if step == 1:
            return [(start, -1), (stop.plus(Sum(-1)), 1)]
        return [(stop.plus(Sum(1)), -1), (start, 1)] if step == -1 else []

    def _side(self, found: Sum, times: int, region: Region) -> float:
        """1 if a sum, or its negative if `times` is negative, is at least 1; 0.5 if at least 0."""
        sum_ = Sum().plus(found, 1 if times > 0 else -1)
        if self.bounds.sum_never_negative(sum_.plus(Sum(-1)), region):
            return 1.0
        return 0.5 if self.bounds.sum_never_negative(sum_, region) else 0.0

    def _is_fixed(self, atom: object, loops: list[Op]) -> bool:
        """Whether a part of an index is the same in all iterations of the loops."""
        if not isinstance(atom, Value):
            return True
        home = self.aliases.home.get(atom)
        return not loops or home is None or not self._inside(home, loops[0])

    def _inside(self, region: Region, loop: Op) -> bool:
        return any(self.aliases.is_inside(region, r) for r in loop.regions)


def _both(one: float, other: float) -> float | None:
    """What is known of a distance by two answers, None if they exclude each other."""
    if one * other > 0:
        return one if abs(one) >= abs(other) else other
    return None if max(abs(one), abs(other)) >= 1 else 0.0
