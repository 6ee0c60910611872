"""How much work a loop is, beside another.

Enters: a loop. Leaves: for each nest inside, the extents whose product counts its iterations. Where
they are a part of those of another loop, this one is as good as free beside it.
"""

from __future__ import annotations

from collections import Counter

from adcompile.graph.bounds import Atom, Bounds
from adcompile.graph.ir import Op, Region, Value

Product = Counter[Atom | Op]

# functions that take the time of so many additions
DEAR = dict.fromkeys(("exp", "log", "pow", "sin", "cos", "tan", "tanh", "erf", "log1p"), 10)


def magnitudes(loop: Op, region: Region, bounds: Bounds) -> list[Product]:
    """The products of extents for the innermost loops of a nest that stands in `region`."""
    own, inside = trips(loop, region, bounds), _inside(loop.regions[0], bounds)
    return [own + product for product in inside] or [own]


def trips(loop: Op, region: Region, bounds: Bounds) -> Product:
    """How often a loop that stands in `region` runs its body."""
    own: Product = Counter()
    if loop.name == "for":
        start, stop, step = (bounds.sum_of(v, region) for v in loop.inputs[:3])
        count = stop.plus(start, -1) if step.constant > 0 else start.plus(stop, -1)
        atoms = [atom for atom, factor in count.factors.items() if factor > 0][:1]
        own.update(_if_any(atom, region, bounds) for atom in atoms)
    else:
        own[loop] += 1
    return own


def _if_any(atom: Atom, region: Region, bounds: Bounds) -> Atom:
    """The extent that a number is unless it is 0."""
    if isinstance(atom, Value) and atom.op is not None and atom.op.name in ("if", "where"):
        op = atom.op
        sides = op.inputs[1:] or [r.yields[op.outputs.index(atom)] for r in op.regions]
        several = [side for side in sides if side.constant != 0]
        if len(several) == 1:
            return next(iter(bounds.sum_of(several[0], region).factors), atom)
    return atom


def _inside(region: Region, bounds: Bounds) -> list[Product]:
    found: list[Product] = []
    for op in region.ops:
        if op.name in ("for", "while"):
            found += magnitudes(op, region, bounds)
        else:
            found += [product for inner in op.regions for product in _inside(inner, bounds)]
    return found


def is_small_beside(one: list[Product], other: list[Product]) -> bool:
    """Whether each nest of one loop takes fewer iterations than a nest of another, by an extent."""
    return all(any(a < b for b in other) for a in one)
