"""Subscripts that are written, also through index arrays and masks.

Enters: an array value, the lowered index items, a value. Leaves: the writes `store`, `assign`,
`accumulate`. What index arrays choose is written in a loop over the indices, so that of several
writes to one element the last one counts, in the derivative, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Scalar, shape_of
from adcompile.ops import memory, shapes
from adcompile.ops.ones import fit_to
from adcompile.ops.spellings import CALLS, as_value
from adcompile.parse.indexing import advanced, is_index_array, is_integer_index, normal_items, view


def write(builder: Builder, array: Value, index: Any, value: Value) -> None:
    """`array[index] = value`."""
    items = _items(builder, array, index)
    if any(is_index_array(item) for item in items):
        _write_chosen(builder, array, items, value)
    elif all(is_integer_index(item) for item in items):
        _scalar_only(value)
        builder.op("store", array, value, *map(as_value, items))
    else:
        builder.op("assign", view(builder, array, items), value)


def update(builder: Builder, array: Value, index: Any, operation: str, value: Value) -> None:
    """`array[index] op= value`; sums accumulate without reading the old element."""
    items = _items(builder, array, index)
    if any(is_index_array(item) for item in items):
        _update_chosen(builder, array, items, operation, value)
    elif all(is_integer_index(item) for item in items):
        _scalar_only(value)
        _update_element(builder, array, [as_value(i) for i in items], operation, value)
    else:
        update_array(builder, view(builder, array, items), operation, value)


def update_array(builder: Builder, target: Value, operation: str, value: Value) -> None:
    """`target op= value` for a whole array or view."""
    if operation in ("add", "sub"):
        builder.op("accumulate", target, value if operation == "add" else -value)
    else:
        builder.op("assign", target, builder.op(operation, target, value))


def _update_element(
    builder: Builder, array: Value, index: Sequence[Value], operation: str, value: Value
) -> None:
    if operation in ("add", "sub"):
        change = value if operation == "add" else -value
        builder.op("accumulate_at", array, change, *index)
    else:
        old = builder.op("load", array, *index)
        builder.op("store", array, builder.op(operation, old, value), *index)


def _items(builder: Builder, array: Value, index: Any) -> list[Any]:
    if isinstance(array.type, Scalar):
        raise TypeMismatch("a scalar cannot be indexed")
    return normal_items(builder, array, index)


def _scalar_only(value: Value) -> None:
    if isinstance(value.type, Array):
        raise ShapeError("an array does not fit into one element")


# -- index arrays and masks ----------------------------------------------------------------------


def _write_chosen(builder: Builder, array: Value, items: list[Any], value: Value) -> None:
    mask = _whole_mask(array, items)
    if mask is not None and isinstance(value.type, Scalar):
        builder.op("assign", array, builder.op("where", mask, value, array))
        return
    _each_chosen(builder, array, items, value, builder.op)


def _update_chosen(
    builder: Builder, array: Value, items: list[Any], operation: str, value: Value
) -> None:
    mask = _whole_mask(array, items)
    if mask is not None and isinstance(value.type, Scalar):
        changed = builder.op(operation, array, value)
        builder.op("assign", array, builder.op("where", mask, changed, array))
        return
    reached, indices, axis = advanced(builder, array, items)
    old = builder.op("gather", reached, *indices, axis=axis)
    _each_chosen(builder, array, items, builder.op(operation, old, value), builder.op)


def _whole_mask(array: Value, items: Sequence[Any]) -> Value | None:
    """The mask, if it is the only index and has the shape of the array."""
    ndim = len(shape_of(array.type))
    if len(items) == 1 and items[0].type.dtype == "bool" and items[0].type.ndim == ndim:
        mask: Value = items[0]
        return mask
    return None


def _each_chosen(
    builder: Builder, array: Value, items: Sequence[Any], value: Value, put: Callable[..., Any]
) -> None:
    """Put the elements of `value` where the index says, one after the other.

    `put` takes "store" or "assign", the place, a scalar or array, and the index of a scalar.
    """
    reached, indices, axis = advanced(builder, array, items)
    shape = shape_of(reached.type)
    common = builder.broadcast([shape_of(i.type) for i in indices], "indexing")
    whole = (*shape[:axis], *common, *shape[axis + len(indices) :])
    value = _fitted(builder, value, whole)
    before = (memory.FULL,) * axis
    after = (memory.FULL,) * (len(shape) - axis - len(indices))

    def inner(counters: list[Value]) -> None:
        if len(counters) < len(common):
            extent = builder.extent(common[len(counters)])

            def deeper(k: Value, _: list[Value]) -> list[Value]:
                inner([*counters, k])
                return []

            builder.loop(0, extent, 1, [], deeper, "k")
            return
        place = [_element(builder, index, counters) for index in indices]
        part = value
        if isinstance(value.type, Array):
            spec = (*before, *("index",) * len(common), *after)
            part = _part(builder, value, counters, spec)
        if before or after:
            spec = (*before, *("index",) * len(place), *after)
            put("assign", builder.op("slice", reached, *place, spec=spec), part)
        else:
            put("store", reached, part, *place)

    inner([])


def _fitted(builder: Builder, value: Value, whole: tuple[Any, ...]) -> Value:
    """A scalar, or an array of the shape that is written, which shares no memory with it."""
    if isinstance(value.type, Scalar):
        return value
    shape = shape_of(value.type)
    if len(shape) > len(whole):
        raise ShapeError(f"an array of {len(shape)} axes does not fit into {len(whole)} axes")
    value = fit_to(builder, builder.op("copy", value), [whole], "assignment")
    shape = shape_of(value.type)
    if len(shape) == len(whole) and 1 not in map(builder.resolve, shape):
        for dim, want in zip(shape, whole, strict=True):
            builder.unify(want, dim, "assignment")
        return value
    return shapes.broadcast_to(builder, value, [builder.extent(dim) for dim in whole])


def _element(builder: Builder, index: Value, counters: Sequence[Value]) -> Value:
    shape = shape_of(index.type)
    if not shape:
        return index
    own = counters[len(counters) - len(shape) :]
    place = [0 if builder.resolve(d) == 1 else k for d, k in zip(shape, own, strict=True)]
    result: Value = builder.op("load", index, *place)
    return result


def _part(builder: Builder, value: Value, counters: Sequence[Value], spec: Any) -> Value:
    name, attrs = ("slice", {"spec": spec}) if memory.FULL in spec else ("load", {})
    result: Value = builder.op(name, value, *counters, **attrs)
    return result


def _at(operation: str) -> Callable[..., None]:
    """`np.add.at` and the like: every one of several writes to one element counts."""

    def apply(array: Any, index: Any, value: Any) -> None:
        builder = current()
        items = _items(builder, array, index)
        if not any(is_index_array(item) for item in items):
            update(builder, array, index, operation, as_value(value))
            return

        def put(name: str, target: Value, part: Value, *place: Value) -> None:
            if name == "store":
                _update_element(builder, target, place, operation, part)
            else:
                update_array(builder, target, operation, part)

        _each_chosen(builder, array, items, as_value(value), put)

    return apply


for _ufunc, _name in (
    (np.add, "add"), (np.subtract, "sub"), (np.multiply, "mul"), (np.divide, "div"),
    (np.maximum, "maximum"), (np.minimum, "minimum"),
):  # fmt: skip
    CALLS[_ufunc.at] = _at(_name)
