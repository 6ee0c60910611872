"""How large tapes are beside each other, as far as that is known before the program runs.

Enters: loops, and the extents of arrays. Leaves: for each a number and the unknown extents that it
is multiplied by. A loop whose length is not that of an extent, but for a constant or the counter of
another loop, may be short: it counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from adcompile.graph.bounds import Atom, Bounds, Sum
from adcompile.graph.ir import Op, Region
from adcompile.graph.types import Symbol

_TYPICAL = 16.0  # what stands for an extent that is not known


@dataclass(frozen=True)
class Size:
    """A number times extents that only the run knows."""

    number: float = 1.0
    extents: Counter[Atom] = field(default_factory=Counter)

    def times(self, other: Size) -> Size:
        """The product."""
        return Size(self.number * other.number, self.extents + other.extents)

    def contains(self, other: Size) -> bool:
        """Whether every extent of another is one of this."""
        return other.extents <= self.extents

    @property
    def typical(self) -> float:
        """The number where extents are neither small nor large."""
        return self.number * _TYPICAL ** self.extents.total()


class Estimates:
    """The sizes in one graph."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds

    def rounds(self, loops: Iterable[tuple[Op, Region]]) -> Size:
        """How often the innermost of nested loops runs, given each with its body."""
        size = Size()
        for loop, body in loops:
            size = size.times(self._trips(loop, body))
        return size

    def _trips(self, loop: Op, body: Region) -> Size:
        if loop.name != "for":
            return Size()
        start, stop, step = (self.bounds.sum_of(v, body) for v in loop.inputs[:3])
        if step.factors or not step.constant:
            return Size()
        span = stop.plus(start, -1) if step.constant > 0 else start.plus(stop, -1)
        return self._of(span, body, abs(step.constant)) or Size()

    def _of(self, found: Sum, region: Region, step: int = 1) -> Size | None:
        rising = [atom for atom, factor in found.factors.items() if factor > 0]
        falling = [atom for atom, factor in found.factors.items() if factor < 0]
        if any(self._loop(atom) is None for atom in falling) or len(rising) > 1:
            return None
        if not rising:
            return None if falling else Size(max(found.constant / step, 1.0))
        (atom,) = rising
        loop = self._loop(atom)
        if loop is not None:  # a triangle: about half as many as the other loop has
            return self._trips(loop, loop.regions[0])
        return Size(found.factors[atom] / step, Counter({atom: 1}))

    def _loop(self, atom: Atom) -> Op | None:
        return None if isinstance(atom, Symbol) else self.bounds.counted_by(atom)

    def extent(self, extent: Sum, region: Region) -> Size | None:
        """An extent of an array; None where nothing is known of it."""
        return self._of(extent, region)
