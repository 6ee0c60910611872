"""Arrays of which an iteration uses only its own row are rows that each iteration makes.

Enters: a graph of loops. Leaves: the same graph where an array that is made before a loop, without
contents, and that iteration `i` reads and writes at index `i` of one axis only, is made by the
iteration without that axis: it stays in the cache.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.dependence import INDEX_STARTS
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, shape_of
from adcompile.optimize.loads import touched


def keep_rows(graph: Graph) -> None:
    """Rewrite in place, the outer loops first."""
    _measure(graph)
    _region(graph.body, Aliases(graph), Bounds(graph))


def _measure(graph: Graph) -> None:
    """Read extents of new arrays of what they were made with."""
    known: dict[Value, Value] = {}
    for region in graph.regions:
        for op in [op for op in region.ops if op.name == "dim"]:
            made = op.inputs[0].op
            if made is not None and made.name == "empty":
                known[op.result] = made.inputs[op.attrs["axis"]]
                region.ops.remove(op)
    replace(graph, known)


def _region(region: Region, aliases: Aliases, bounds: Bounds) -> None:
    new = [op for op in region.ops if op.name == "empty"]
    touches = [(op, touched(op, aliases)) for op in region.ops] if new else []
    for made in new:
        users = [op for op, roots in touches if made.result in roots and op is not made]
        if len(users) == 1 and users[0].name == "for":
            _narrow(made, region, users[0], bounds)
    for op in region.ops:
        for inner in op.regions:
            _region(inner, aliases, bounds)


def _narrow(made: Op, region: Region, loop: Op, bounds: Bounds) -> None:
    """Move an array into the loop, if its iterations have rows of their own."""
    array, body = made.result, loop.regions[0]
    assert isinstance(array.type, Array)
    using = _users(array, loop)
    if using is None or len(array.type.shape) < 2 or array in region.yields:
        return
    axes = [
        k
        for k, extent in enumerate(made.inputs)
        if bounds.is_below(body.params[0], extent, body)
        and all(op.inputs[INDEX_STARTS[op.name] + k] is body.params[0] for op in using)
    ]
    if not axes:
        return
    axis = axes[0]
    for op in using:
        del op.inputs[INDEX_STARTS[op.name] + axis]
    del made.inputs[axis]
    shape = tuple(d for k, d in enumerate(shape_of(array.type)) if k != axis)
    array.type = Array(array.type.dtype, shape)
    made.attrs["shape"] = shape
    region.ops.remove(made)
    body.ops.insert(0, made)


def _users(array: Value, loop: Op) -> list[Op] | None:
    """What reads and writes elements of an array; None where anything else is done with it."""
    if array in loop.inputs or array in loop.regions[0].yields:
        return None
    found = []
    for op in loop.regions[0].walk():
        if any(array in r.yields for r in op.regions):
            return None
        if array in op.inputs:
            if op.name not in INDEX_STARTS or op.inputs.index(array) or op.inputs.count(array) > 1:
                return None
            found.append(op)
    return found
