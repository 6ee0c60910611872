"""Short loops over the columns of an array are written out.

Enters: a graph of loops over elements, and in a loop over `j`, that is in another, loops such as
`for k in range(3)` that use `a[j, k]`, or in any loop such that use `a[p[j], k]`, rows that data
chooses. Leaves: the same graph where the operations of these stand once for each `k`, so that
nothing but the loop over `j` is left, and columns are known by number.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import final, replace

ROUNDS = 4
LONGEST = 24  # operations of one round


def unroll_columns(graph: Graph) -> None:
    """Write out short loops in place, if all loops inside another are such loops."""
    bounds, mapping = Bounds(graph), dict[Value, Value]()
    with Builder(graph) as builder:
        nested = {op for outer in _loops(graph.body) for op in _nested(outer)}
        for loop in [op for op in _loops(graph.body) if op.name == "for"]:
            body = loop.regions[0]
            short = [op for op in body.walk() if op.regions]
            if short and all(op in body.ops and is_short(op) for op in short):
                columns = loop in nested and all(_uses_columns(op, body, bounds) for op in short)
                if columns or all(_uses_chosen_rows(op, body) for op in short):
                    with builder.inside(body):
                        _write_out(body, builder, mapping)
    replace(graph, mapping)


def _loops(region: Region) -> Iterator[Op]:
    return (op for op in region.walk() if op.name in ("for", "while"))


def _nested(loop: Op) -> Iterator[Op]:
    """The loops next inside another, or inside its branches."""
    for region in loop.regions:
        yield from _next(region)


def _next(region: Region) -> Iterator[Op]:
    for op in region.ops:
        if op.name == "for":
            yield op
        elif op.name == "if":
            for inner in op.regions:
                yield from _next(inner)


def is_short(op: Op) -> bool:
    """Whether an operation is a loop of a few rounds, with little in each."""
    if op.name != "for" or not 0 < len(_rounds(op)) <= ROUNDS:
        return False
    body = op.regions[0]
    return len(body.ops) <= LONGEST and not body.extents and not body.same


def _rounds(loop: Op) -> range:
    """What a loop counts; nothing where that is not known."""
    start, stop, step = (v.constant for v in loop.inputs[:3])
    if start is None or stop is None or not step:
        return range(0)
    return range(int(start), int(stop), int(step))


def _uses_columns(loop: Op, around: Region, bounds: Bounds) -> bool:
    """Whether a loop uses columns of rows that the loop around it counts."""
    counter, outer = loop.regions[0].params[0], around.params[0]
    return any(
        op.name in INDEX_STARTS
        and len(index_of(op)) > 1
        and index_of(op)[-1] is counter
        and abs(bounds.sum_of(index_of(op)[-2], around).factors.get(outer, 0)) == 1
        for op in loop.regions[0].ops
    )


def _uses_chosen_rows(loop: Op, around: Region) -> bool:
    """Whether a loop uses columns of rows whose numbers are read in the loop around it."""
    counter = loop.regions[0].params[0]
    inside = {v for op in around.ops for v in op.outputs}
    return any(
        op.name in INDEX_STARTS
        and len(index_of(op)) > 1
        and index_of(op)[-1] is counter
        and _is_read(index_of(op)[-2], inside)
        for op in loop.regions[0].ops
    )


def _is_read(value: Value, inside: set[Value]) -> bool:
    op = value.op
    if op is None or value not in inside or op.regions:
        return False
    return op.name == "load" or any(_is_read(v, inside) for v in op.inputs)


def _write_out(body: Region, builder: Builder, replaced: dict[Value, Value]) -> None:
    """The operations of each round, in place of the loops of a region."""
    kept: list[Op] = []
    for op in body.ops:
        if op.name != "for":
            kept.append(op)
            continue
        inner, numbers = op.regions[0], op.inputs[3:]
        with builder.at(op.location), builder.inside(Region()) as written:
            for number in _rounds(op):
                mapping = dict(zip(inner.params, [builder.constant(number), *numbers], strict=True))
                written.ops += [clone_op(o, mapping) for o in inner.ops]
                numbers = [mapping.get(v, v) for v in inner.yields]
        kept += written.ops
        replaced.update(zip(op.outputs, (final(v, replaced) for v in numbers), strict=True))
    body.ops = kept
