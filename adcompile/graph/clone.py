"""Copies operations from one graph into another.

Enters: a region and a map from its free values to values of the target. Leaves: fresh operations in
the target, the map extended by every value that was copied.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value
from adcompile.graph.types import leaves, rebuild


def clone_op(op: Op, mapping: dict[Value, Value]) -> Op:
    """A copy of one operation with its regions; outputs are entered into `mapping`."""
    regions = [clone_region(region, mapping) for region in op.regions]
    inputs = [mapping.get(v, v) for v in op.inputs]
    outputs = [clone_value(v, mapping) for v in op.outputs]
    copy = Op(op.record, inputs, dict(op.attrs), outputs, regions, op.location)
    copy.note = op.note
    return copy


def clone_value(value: Value, mapping: dict[Value, Value]) -> Value:
    """A fresh value of the same type and name, entered into `mapping`."""
    copy = Value(value.type, value.hint, value.named)
    copy.location = value.location
    mapping[value] = copy
    return copy


def clone_region(region: Region, mapping: dict[Value, Value]) -> Region:
    """A copy of a region."""
    copy = Region([clone_value(v, mapping) for v in region.params])
    copy.ops = [clone_op(op, mapping) for op in region.ops]
    copy.yields = [mapping.get(v, v) for v in region.yields]
    copy.extents = {s: mapping.get(v, v) for s, v in region.extents.items()}
    copy.same = dict(region.same)
    return copy


def keep_extents(
    region: Region, builder: Builder, mapping: dict[Value, Value], besides: Collection[Value]
) -> None:
    """What is known of extents in a region is known in what its copy has become.

    `besides` are values that have none there.
    """
    for symbol, value in region.extents.items():
        if value not in besides:
            builder.region.extents.setdefault(symbol, mapping.get(value, value))
    builder.region.same.update(region.same)


def clone_graph(graph: Graph) -> tuple[Graph, dict[Value, Value]]:
    """A copy of a whole function, and the map from old values to new."""
    mapping: dict[Value, Value] = {}
    body = clone_region(graph.body, mapping)
    copy = Graph(graph.name, [], body, graph.result, checks=dict(graph.checks), doc=graph.doc)
    for p in graph.parameters:
        items = (mapping[v] for v in leaves(p.structure))
        copy.parameters.append(Parameter(p.name, rebuild(p.structure, items), p.default))
    copy.notes = list(graph.notes)
    copy.captured = [(outer, mapping[inner]) for outer, inner in graph.captured]
    copy.kept = [mapping[v] for v in graph.kept]
    copy.owned = [mapping[v] for v in graph.owned]
    copy.overlapping = [[mapping[v] for v in group] for group in graph.overlapping]
    copy.lengths = {renamed(key, mapping): s for key, s in graph.lengths.items()}
    copy.bindings = {n: [v and mapping.get(v, v) for v in vs] for n, vs in graph.bindings.items()}
    return copy, mapping


def renamed(key: tuple[Any, ...], mapping: dict[Value, Value]) -> tuple[Any, ...]:
    """The key of a slice's extent in terms of copied values."""
    return tuple(mapping.get(k, k) if isinstance(k, Value) else k for k in key)


def inline(builder: Builder, graph: Graph, arguments: list[Value]) -> list[Value]:
    """Append the body of `graph`, called with `arguments`; gives its flattened results.

    Arguments come in the order of the leaves of the graph's parameters.
    """
    own = [v for p in graph.parameters for v in leaves(p.structure)]
    mapping = dict(zip(own, arguments, strict=True))
    mapping.update((inner, outer) for outer, inner in graph.captured)
    builder.region.ops.extend(clone_op(op, mapping) for op in graph.body.ops)
    for symbol, value in graph.body.extents.items():
        if not builder.knows(symbol):  # an extent of the arguments stays what it is outside
            builder.learn(symbol, mapping.get(value, value))
    for key, symbol in graph.lengths.items():
        builder.graph.lengths.setdefault(renamed(key, mapping), symbol)
    builder.graph.checks.update(graph.checks)
    for one, other in graph.body.same.items():
        builder.assume(one, other)
    return [mapping.get(v, v) for v in graph.outputs]
