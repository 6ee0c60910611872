"""NumPy's names for the axes of arrays: their order, new ones, grids, diagonals.

Enters: calls such as `np.swapaxes(x, 0, 1)` and `np.meshgrid(x, y)`. Leaves: views where NumPy
gives some, appended with the builder in force.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Scalar, shape_of
from adcompile.ops import memory, shapes
from adcompile.ops.ones import fit_together
from adcompile.ops.shape_spellings import (
    broadcast_to,
    copy,
    diag,
    expand_dims,
    flip,
    ravel,
    transpose,
)
from adcompile.ops.spellings import ATTRIBUTES, CALLS, as_value, normal_axes, spelled, static


def ndim_of(value: Value) -> int:
    """How many axes."""
    return len(shape_of(value.type))


def one_axis(axis: Any, ndim: int) -> int:
    """One axis, counted from the front."""
    return normal_axes(static(axis, "axis"), ndim)[0]


def part(value: Value, axis: int, start: Any = None, stop: Any = None) -> Value:
    """The view of a range of one axis."""
    spec: list[Any] = [memory.FULL] * ndim_of(value)
    spec[axis] = ("slice", start is not None, stop is not None, 1)
    bounds = [current().value(b) for b in (start, stop) if b is not None]
    result: Value = current().op("slice", value, *bounds, spec=tuple(spec))
    return result


# -- the order of axes ---------------------------------------------------------------------------


@spelled(np.swapaxes, method="swapaxes")
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Value:
    """Two axes change places."""
    value = as_value(a)
    order = list(range(ndim_of(value)))
    i, j = (one_axis(k, len(order)) for k in (axis1, axis2))
    order[i], order[j] = order[j], order[i]
    return transpose(value, tuple(order))


@spelled(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Value:
    """Axes move to other places, the rest keep their order."""
    value = as_value(a)
    ndim = ndim_of(value)
    sources, places = (
        [one_axis(k, ndim) for k in (item if isinstance(item, (tuple, list)) else (item,))]
        for item in (source, destination)
    )
    order = [k for k in range(ndim) if k not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return transpose(value, tuple(order)) if ndim > 1 else value


@spelled(np.rollaxis)
def rollaxis(a: Any, axis: Any, start: Any = 0) -> Value:
    """An axis moves before the axis `start`."""
    value = as_value(a)
    ndim = ndim_of(value)
    k, place = one_axis(axis, ndim), static(start, "start")
    place = place + ndim if place < 0 else place
    return moveaxis(value, k, place - 1 if k < place else place)


@spelled(np.rot90)
def rot90(m: Any, k: Any = 1, axes: Any = (0, 1)) -> Value:
    """Turned by quarters, from the first towards the second axis."""
    value = as_value(m)
    first, second = (one_axis(a, ndim_of(value)) for a in axes)
    turns = static(k, "k") % 4
    if turns == 0:
        return value
    if turns == 2:
        return flip(flip(value, first), second)
    if turns == 1:
        return swapaxes(flip(value, second), first, second)
    return flip(swapaxes(value, first, second), second)


CALLS[np.fliplr], CALLS[np.flipud] = (lambda m: flip(m, 1)), (lambda m: flip(m, 0))


# -- more axes -----------------------------------------------------------------------------------


def _at_least(axes: int) -> Callable[..., Any]:
    def one(item: Any) -> Value:
        value = as_value(item)
        have = ndim_of(value)
        if have >= axes:
            return value
        if have == 2:
            return expand_dims(value, 2)
        if have == 1:
            return expand_dims(value, 0 if axes == 2 else (0, 2))
        return expand_dims(value, tuple(range(axes)))

    def apply(*arys: Any) -> Any:
        items = tuple(one(a) for a in arys)
        return items[0] if len(items) == 1 else items

    return apply


at_least_1d, at_least_2d, at_least_3d = (_at_least(k) for k in (1, 2, 3))
CALLS[np.atleast_1d], CALLS[np.atleast_2d] = at_least_1d, at_least_2d
CALLS[np.atleast_3d] = at_least_3d


@spelled(np.broadcast_shapes)
def broadcast_shapes(*shapes_: Any) -> tuple[Any, ...]:
    """The shape that all broadcast to."""
    builder = current()
    items = [s if isinstance(s, (tuple, list)) else (s,) for s in shapes_]
    dims = [tuple(builder.dim_of(builder.value(e)) for e in item) for item in items]
    return tuple(builder.extent(d) for d in builder.broadcast(dims, "broadcast_shapes"))


@spelled(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> tuple[Value, ...]:
    """Each stretched to the shape that all have in common."""
    builder = current()
    values = fit_together(builder, [as_value(a) for a in args], "broadcast_arrays")
    common = builder.broadcast([shape_of(v.type) for v in values], "broadcast_arrays")
    return tuple(broadcast_to(v, tuple(builder.extent(d) for d in common)) for v in values)


@spelled(np.meshgrid)
def meshgrid(*xi: Any, indexing: str = "xy", copy: bool = True, sparse: bool = False) -> Any:
    """Coordinates of a grid, from the coordinates along each axis."""
    values = [ravel(x) for x in xi]
    count = len(values)
    swap = indexing == "xy" and count > 1
    grids = []
    for k, value in enumerate(values):
        place = 1 - k if swap and k < 2 else k
        grids.append(expand_dims(value, tuple(j for j in range(count) if j != place)))
    grids = grids if sparse else list(broadcast_arrays(*grids))
    return [CALLS[np.copy](grid) for grid in grids] if static(copy, "copy") else grids


@spelled(np.ix_)
def open_mesh(*args: Any) -> tuple[Value, ...]:
    """Index arrays that choose the product of what each chooses."""
    count = len(args)
    return tuple(
        expand_dims(as_value(a), tuple(j for j in range(count) if j != k))
        for k, a in enumerate(args)
    )


@spelled(np.indices)
def indices(dimensions: Any) -> Value:
    """The index of every element of a grid, along each axis."""
    builder = current()
    extents = tuple(builder.value(d) for d in dimensions)
    lines = [builder.op("iota", e, shape=(builder.dim_of(e),)) for e in extents]
    return CALLS[np.stack](tuple(meshgrid(*lines, indexing="ij")))  # type: ignore[no-any-return]


# -- memory order --------------------------------------------------------------------------------


def _in_order(layout: str) -> Callable[..., Value]:
    def apply(a: Any, dtype: Any = None) -> Value:
        value = at_least_1d(CALLS[np.asarray](a, dtype))
        assert isinstance(value.type, Array)
        if value.type.layout == layout or (ndim_of(value) == 1 and value.type.layout == "C"):
            return value
        if value.type.layout != "A":
            return copy(value)
        return shapes.reshape(current(), value, current().shape(value))  # the run may copy

    return apply


CALLS[np.ascontiguousarray], CALLS[np.asfortranarray] = _in_order("C"), _in_order("F")


# -- diagonals -----------------------------------------------------------------------------------


@spelled(np.diagflat)
def diagflat(v: Any, k: Any = 0) -> Value:
    """A matrix with the given elements on a diagonal."""
    return diag(ravel(at_least_1d(v)), k)


@spelled(np.tri)
def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = np.float64) -> Value:  # noqa: N803
    """Ones on and below a diagonal."""
    ones = CALLS[np.ones]((N, N if M is None else M), dtype)
    return CALLS[np.tril](ones, k)  # type: ignore[no-any-return]


def _triangle_indices(name: str) -> Callable[..., Any]:
    def apply(n: Any, k: Any = 0, m: Any = None) -> Any:
        ones = CALLS[np.ones]((n, n if m is None else m), np.bool_)
        return CALLS[np.nonzero](CALLS[getattr(np, name)](ones, k))

    def of_array(arr: Any, k: Any = 0) -> Any:
        value = as_value(arr)
        if ndim_of(value) != 2:
            raise ShapeError("input array must be 2-d")
        rows, columns = current().shape(value)
        return apply(rows, k, columns)

    CALLS[getattr(np, f"{name}_indices_from")] = of_array
    return apply


CALLS[np.tril_indices], CALLS[np.triu_indices] = map(_triangle_indices, ("tril", "triu"))


@spelled(np.diag_indices)
def diag_indices(n: Any, ndim: Any = 2) -> tuple[Value, ...]:
    """Index arrays of the main diagonal."""
    count = as_value(n)
    line = current().op("iota", count, shape=(current().dim_of(count),))
    return (line,) * static(ndim, "ndim")


# -- attributes ----------------------------------------------------------------------------------


def _itemsize(x: Value) -> int:
    return np.dtype(x.type.dtype).itemsize


ATTRIBUTES["itemsize"] = _itemsize
ATTRIBUTES["nbytes"] = lambda x: ATTRIBUTES["size"](x) * _itemsize(x)
ATTRIBUTES["flat"] = ravel


def python_number(value: Value) -> Value:
    """A number that takes its partner's precision."""
    name = {"f": "float64", "b": "bool"}.get(np.dtype(value.type.dtype).kind, "int64")
    result: Value = current().op("cast", value, dtype=name, weak=True)
    return result


def _item(a: Any, *index: Any) -> Value:
    value, builder = as_value(a), current()
    if isinstance(value.type, Scalar):
        return python_number(value)
    if not index:
        for dim in shape_of(value.type):
            builder.unify(dim, 1, "`item` of an array of several elements")
        index = (0,) * ndim_of(value)
    elif len(index) == 1:
        value = ravel(value)
    if len(index) != ndim_of(value):
        raise UnsupportedOperation("`item` needs one index, or one for each axis")
    return python_number(builder.op("load", value, *map(as_value, index)))


spelled(method="item")(_item)
