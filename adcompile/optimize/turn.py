"""Arrays of the compiled code alone may have their axes in another order.

Enters: a graph of loops and an array that it makes and uses for nothing but elements. Leaves: the
same graph with one axis of the array moved to the end, in its extents and in every index.
"""

from __future__ import annotations

from typing import Any

from adcompile.graph.dependence import INDEX_STARTS
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import Array


def can_turn(array: Value, graph: Graph) -> bool:
    """Whether nothing but reads and writes of elements knows the order of the axes."""
    if array.op is None or array.op.name not in ("empty", "full") or array in graph.outputs:
        return False
    return all(
        op.name == "dim" or (op.name in INDEX_STARTS and op.used.index(array) == 0)
        for op in graph.body.walk()
        if array in op.used
    )


def turn(array: Value, axis: int, graph: Graph) -> None:
    """Move an axis of an array to the end."""
    assert isinstance(array.type, Array) and array.op is not None
    _to_end(array.op.inputs, axis + (array.op.name == "full"))
    shape = list(array.type.shape)
    _to_end(shape, axis)
    array.type = Array(array.type.dtype, tuple(shape))
    array.op.attrs = {**array.op.attrs, "shape": tuple(shape)}
    places = [*range(array.type.ndim)]
    _to_end(places, axis)
    for op in graph.body.walk():
        if array not in op.inputs:
            continue
        if op.name == "dim":
            op.attrs = {**op.attrs, "axis": places.index(op.attrs["axis"])}
        else:
            _to_end(op.inputs, axis + INDEX_STARTS[op.name])


def _to_end(items: list[Any], axis: int) -> None:
    items.append(items.pop(axis))
