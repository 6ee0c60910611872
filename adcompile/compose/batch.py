"""A function applied along an axis of its arguments: a loop over its elements.

Enters: the graph of a function of single elements, and which axis of each argument counts them.
Leaves: a function of whole arrays that runs the graph once per element, so that branches are taken
element by element, and puts the results side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.compose.host import Host, with_own_extents
from adcompile.errors import ShapeError
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Value, resolved
from adcompile.graph.prune import prune
from adcompile.graph.trees import leaves
from adcompile.graph.types import Array, Symbol, Type, shape_of
from adcompile.ops import memory


def batched(graph: Graph, axes: Sequence[int | None], out_axis: int) -> Graph:
    """`graph` along `axes` (one per parameter, None for arguments that all elements share)."""
    axis_of = {
        v: None if axis is None else axis % (len(shape_of(v.type)) + 1)
        for p, axis in zip(graph.parameters, axes, strict=True)
        for v in leaves(p.structure)
    }
    count = Symbol("n")

    def whole(value: Value) -> Type:
        axis = axis_of[value]
        if axis is None:
            return value.type
        shape = list(shape_of(value.type))
        shape.insert(axis, count if not batched_types else Symbol("n"))
        batched_types.append(value)
        return Array(value.type.dtype, tuple(shape), "A")

    batched_types: list[Value] = []
    host = Host(graph, whole)
    builder = host.builder
    with builder:
        arguments = dict(zip(axis_of, host.arguments, strict=True))
        lengths = [shape_of(arguments[v].type)[axis_of[v] or 0] for v in batched_types]

        def element(index: Value | int) -> list[Value]:
            return [
                arguments[v] if axis is None else _taken(host, arguments[v], axis, index)
                for v, axis in axis_of.items()
            ]

        extents = iter(host.call(_extents_alone(graph), element(0)))
        for length in lengths[1:]:
            builder.unify(lengths[0], length, "vmap")
        extent = builder.extent(lengths[0])
        results = []
        for value in graph.outputs:
            shape = [next(extents) for _ in shape_of(value.type)]
            for k, dim in enumerate(shape_of(value.type)):
                own = resolved(graph.body.same, dim)
                if not isinstance(own, Symbol) or builder.knows(own):  # also without an element
                    shape[k] = builder.extent(own)
            place = out_axis if out_axis >= 0 else out_axis + len(shape) + 1
            if not 0 <= place <= len(shape):
                raise ShapeError(f"out_axes={out_axis} for a result of {len(shape)} axes")
            shape.insert(place, extent)
            results.append(host.buffer(shape, value.type.dtype))

        def body(index: Value, _: list[Value]) -> list[Value]:
            for buffer, value in zip(results, host.call(graph, element(index)), strict=True):
                wanted = list(shape_of(buffer.type))
                del wanted[out_axis]
                for dim, common in zip(shape_of(value.type), wanted, strict=True):
                    builder.unify(dim, common, "the result of each element of vmap")
                _put(host, buffer, index, value, out_axis)
            return []

        builder.loop(0, extent, 1, [], body)
    host.graph.body.yields = results
    host.graph.result = graph.result
    return host.graph


def _extents_alone(graph: Graph) -> Graph:
    """A copy that computes the extents of the results and has no effects."""
    copy = with_own_extents(graph)
    with Builder(copy) as builder:
        copy.body.yields = [e for value in copy.outputs for e in builder.shape(value)]
    prune(copy, effects=False)
    copy.body.same.clear()  # which extents are equal is checked with each element
    return copy


def _taken(host: Host, array: Value, axis: int, index: Value | int) -> Value:
    """One element along an axis: a number of a vector, a view of anything else."""
    assert isinstance(array.type, Array)
    if array.type.ndim == 1:
        result: Value = host.builder.op("load", array, index)
        return result
    spec = tuple("index" if k == axis else memory.FULL for k in range(array.type.ndim))
    view: Value = host.builder.op("slice", array, index, spec=spec)
    return view


def _put(host: Host, buffer: Value, index: Value, value: Value, out_axis: int) -> None:
    if not isinstance(value.type, Array):
        host.builder.op("store", buffer, value, index)
        return
    ndim = value.type.ndim + 1
    spec = tuple("index" if k == out_axis % ndim else memory.FULL for k in range(ndim))
    host.builder.op("assign", host.builder.op("slice", buffer, index, spec=spec), value)
