"""What the text says of a loop, and where an operation stands in a nest of loops."""

from __future__ import annotations

from adcompile.graph.ir import Op, Region, Value


def steps_by_one(loop: Op) -> bool:
    """Whether a loop counts up or down without gaps."""
    return abs(loop.inputs[2].constant or 0) == 1


def iterations(loop: Op, unknown: int) -> int:
    """How many iterations a loop has, if the text says so."""
    start, stop, step = (v.constant for v in loop.inputs[:3])
    if start is None or stop is None or not step:
        return unknown
    return len(range(start, stop, step))


def has_loops(loop: Op) -> bool:
    """Whether there is a `for` inside a loop."""
    return any(op.name == "for" for op in loop.regions[0].walk())


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
