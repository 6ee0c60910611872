"""Where an operation stands in a nest of loops."""

from __future__ import annotations

from adcompile.graph.ir import Op, Region, Value


def home_of(region: Region, op: Op) -> Region | None:
    """The region that an operation stands in."""
    if op in region.ops:
        return region
    found = (home_of(inner, op) for o in region.ops for inner in o.regions)
    return next((r for r in found if r is not None), None)


def counters_to(loop: Op, home: Region) -> set[Value] | None:
    """The counters of the loops from one to the region of an operation; None beside a branch."""
    body = loop.regions[0]
    if home is body:
        return {body.params[0]}
    for op in body.ops:
        if op.name == "for" and holds(op, home):
            inner = counters_to(op, home)
            return None if inner is None else {body.params[0], *inner}
    return None


def holds(op: Op, region: Region) -> bool:
    """Whether a region is one of those inside an operation."""
    return any(r is region or any(holds(o, region) for o in r.ops) for r in op.regions)
