"""Shadows that start with a whole contribution need no zeros.

Enters: a graph in which a buffer is filled with zeros and then added to. Leaves: the buffer made of
its first contribution; a store of zero followed by an addition becomes a store.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.equal import are_same
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value, count_uses
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, Scalar, shape_of


def merge_accumulations(graph: Graph) -> None:
    """Rewrite `zeros; +=` and `= 0; +=` pairs in place."""
    builder = Builder(graph)
    with builder:
        _region(graph, graph.body, builder)


def _region(graph: Graph, region: Region, builder: Builder) -> None:
    for op in region.ops:
        for inner in op.regions:
            _region(graph, inner, builder)
    _stores(region)
    for op in list(region.ops):
        if op.name == "full" and op.inputs[0].constant == 0:
            _start_with_contribution(graph, region, op, builder)


def _stores(region: Region) -> None:
    """`a[i] = 0; a[i] += v` becomes `a[i] = v`."""
    zeroed: Op | None = None
    for op in list(region.ops):
        if op.name == "store" and op.inputs[1].constant == 0:
            zeroed = op
        elif zeroed is not None and op.name == "accumulate_at":
            same = op.inputs[0] is zeroed.inputs[0] and are_same(op.inputs[2:], zeroed.inputs[2:])
            if same:
                region.ops.remove(zeroed)
                position = region.ops.index(op)
                region.ops[position] = Op(RECORDS["store"], op.inputs, {}, [], location=op.location)
            zeroed = None
        elif op.regions or op.record.writes or op.record.reads:
            zeroed = None


def _start_with_contribution(graph: Graph, region: Region, zeros: Op, builder: Builder) -> None:
    shadow = zeros.result
    aliases = Aliases(graph)
    first = next((op for op in region.ops if _touches(op, shadow, aliases)), None)
    if first is None or first.name != "accumulate" or first.inputs[0] is not shadow:
        return
    value = first.inputs[1]
    if value.type.dtype != shadow.type.dtype:
        return
    position = region.ops.index(first)
    with builder.inside(Region()) as made, builder.at(first.location):
        new = _whole_contribution(builder, value, shadow, graph, region, aliases)
    if new is None:
        return
    new.hint, new.named = shadow.hint, shadow.named
    region.ops[position : position + 1] = made.ops
    region.extents.update(made.extents)
    region.ops.remove(zeros)
    if new.op is not None and new.op.note is None:
        new.op.note = zeros.note
    replace(graph, {shadow: new})


def _whole_contribution(
    builder: Builder, value: Value, shadow: Value, graph: Graph, region: Region, aliases: Aliases
) -> Value | None:
    shapes = [[builder.resolve(d) for d in shape_of(v.type)] for v in (value, shadow)]
    if isinstance(value.type, Scalar):
        assert shadow.op is not None
        extents, shape = shadow.op.inputs[1:], shape_of(shadow.type)
        result: Value = builder.op("full", value, *extents, dtype=shadow.type.dtype, shape=shape)
        return result
    if shapes[0] != shapes[1]:
        return None
    op = value.op
    fresh = op is not None and not op.record.view and not op.regions and op in region.ops
    alone = count_uses(graph.body)[value] == 1 and not value.named
    contiguous = isinstance(value.type, Array) and value.type.layout == "C"
    if fresh and alone and contiguous and aliases.roots[value] == frozenset([value]):
        if op is not None and op.name not in ("broadcast_to", "array_constant"):
            return value
    copied: Value = builder.op("copy", value)
    return copied


def _touches(op: Op, shadow: Value, aliases: Aliases) -> bool:
    inner = [o for region in op.regions for o in region.walk()]
    for o in [op, *inner]:
        if o.name == "dim":
            continue
        if any(shadow in aliases.roots.get(v, frozenset()) for v in o.inputs):
            return True
        if any(shadow in aliases.roots.get(v, ()) for r in o.regions for v in r.yields):
            return True
    return False
