"""A new function around a graph: the same parameters, and the graph to be called inside.

Enters: a graph. Leaves: an empty function with its parameters, in which the graph, or one derived
of it, is called any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_graph, inline
from adcompile.graph.ir import Graph, Parameter, Region, Value
from adcompile.graph.trees import leaves, rebuild
from adcompile.graph.types import Array, Symbol, Type, shape_of
from adcompile.ops import memory


class Host:
    """A function that will call `graph`; use its builder as a context manager."""

    def __init__(
        self, graph: Graph, types: Callable[[Value], Type] = lambda value: value.type
    ) -> None:
        self.inner = graph
        self.graph = Graph(graph.name, [], Region(), doc=graph.doc)
        self.builder = Builder(self.graph)
        for p in graph.parameters:
            own = [self.builder.parameter(types(v), v.hint) for v in leaves(p.structure)]
            tree = rebuild(p.structure, iter(own))
            self.graph.parameters.append(Parameter(p.name, tree, p.default))
        self.captured = [
            (outer, inner, self.builder.parameter(inner.type, inner.hint))
            for outer, inner in graph.captured
        ]
        self.graph.captured = [(outer, mine) for outer, _, mine in self.captured]

    @property
    def arguments(self) -> list[Value]:
        """The values of the parameters."""
        return [v for p in self.graph.parameters for v in leaves(p.structure)]

    def call(self, piece: Graph, arguments: Sequence[Value]) -> list[Value]:
        """Call the graph, or one derived of it, here; gives its flattened results."""
        given = {outer: mine for outer, _, mine in self.captured}
        captured = piece.captured
        piece.captured = [(given[outer], inner) for outer, inner in captured]
        results = inline(self.builder, piece, list(arguments))
        piece.captured = captured
        return results

    def buffer(self, shape: Sequence[Value], dtype: str) -> Value:
        """Zeros of the given extents."""
        return memory.full(self.builder, shape, 0, dtype)

    def over_elements(self, array: Value, body: Callable[[list[Value]], None]) -> None:
        """Run `body` for each index of an array: one loop per axis."""
        self.builder.each(self.builder.shape(array), body)

    def put(self, target: Value, index: Sequence[Value], value: Value, last: bool) -> None:
        """Write a scalar or array into `target` at an index of its first or last axes."""
        if not isinstance(value.type, Array):
            self.builder.op("store", target, value, *index)
            return
        places = ("index",) * len(index)
        rest = (memory.FULL,) * value.type.ndim
        spec = rest + places if last else places + rest
        view = self.builder.op("slice", target, *index, spec=spec)
        self.builder.op("assign", view, value)


def first_parameters(graph: Graph, count: int) -> None:
    """Move the last parameters, which have one value each, to the front."""
    parameters, values = graph.parameters, graph.body.params
    graph.parameters = parameters[-count:] + parameters[:-count]
    graph.body.params = values[-count:] + values[:-count]


def with_own_extents(graph: Graph) -> Graph:
    """A copy whose extents, except those of its parameters, are not taken for the graph's."""
    copy, _ = clone_graph(graph)
    fixed = {d for v in copy.params for d in shape_of(v.type)}
    fresh: dict[Symbol, Symbol] = {}

    def dim(old: Any) -> Any:
        if isinstance(old, tuple):
            return tuple(map(dim, old))
        if not isinstance(old, Symbol) or old in fixed:
            return old
        return fresh.setdefault(old, Symbol(old.name))

    def region(body: Region) -> None:
        body.extents = {dim(s): v for s, v in body.extents.items()}
        body.same = {dim(s): dim(d) for s, d in body.same.items()}
        values = [*body.params, *(v for op in body.ops for v in op.outputs)]
        for value in values:
            if isinstance(value.type, Array):
                value.type = Array(value.type.dtype, dim(value.type.shape), value.type.layout)
        for op in body.ops:
            op.attrs = {k: dim(item) for k, item in op.attrs.items()}
            for inner in op.regions:
                region(inner)

    region(copy.body)
    copy.lengths = {}
    return copy
