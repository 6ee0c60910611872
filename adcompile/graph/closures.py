"""Closes the graph of a nested function over what it reads of the graph around it.

Enters: a graph whose operations read values of another graph. Leaves: a graph with a parameter for
each such value, paired with it in `captured`; constants are repeated inside instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, clone_region, renamed
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value
from adcompile.graph.trees import leaves, rebuild


def closed(graph: Graph, outer: Builder) -> Graph:
    """The graph without free values."""
    free = list(dict.fromkeys(free_values(graph.body)))
    mapping: dict[Value, Value] = {}
    constants: list[Op] = []
    result = Graph(graph.name, [], Region(), graph.result, checks=graph.checks, doc=graph.doc)
    builder = Builder(result)
    captured = []
    for value in free:
        if value.constant is not None and value.op is not None:
            constants.append(clone_op(value.op, mapping))
            continue
        inner = builder.parameter(value.type, value.hint)
        inner.named = value.named
        mapping[value] = inner
        captured.append((value, inner))
    extents = result.body.ops
    known = {s: mapping[v] for s, v in outer.known_extents().items() if v in mapping}
    body = clone_region(graph.body, mapping)
    body.params += result.body.params
    body.ops = [*constants, *extents, *body.ops]
    body.extents = {**known, **result.body.extents, **body.extents}
    result.body, result.captured = body, captured
    result.lengths = {renamed(key, mapping): s for key, s in graph.lengths.items()}
    _know_extents_of_parameters(result)
    for p in graph.parameters:
        items = (mapping[v] for v in leaves(p.structure))
        result.parameters.append(Parameter(p.name, rebuild(p.structure, items), p.default))
    result.bindings = {n: [v and mapping.get(v, v) for v in vs] for n, vs in graph.bindings.items()}
    return result


def _know_extents_of_parameters(graph: Graph) -> None:
    """Read what was known outside, and is not captured, from the parameters."""
    body, rest = graph.body, graph.body.ops
    body.ops = []
    builder = Builder(graph)
    for value in body.params:
        builder.record_extents(value)
    body.ops += rest


def free_values(body: Region) -> Iterator[Value]:
    """Values that are read in a region and defined outside of it."""
    own = set(body.params)
    for op in body.walk():
        own.update(op.outputs)
        for region in op.regions:
            own.update(region.params)
    read = [v for op in body.walk() for v in op.inputs]
    read += [v for op in body.walk() for region in op.regions for v in region.yields]
    yield from (v for v in [*read, *body.yields] if v not in own)
