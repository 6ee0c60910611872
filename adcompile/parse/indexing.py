"""Subscripts: element reads, views, index arrays, and writes in place.

Enters: an array value and the lowered index items. Leaves: `load`, `slice`, `gather` operations, or
the writes `store`, `assign`, `accumulate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedSyntax
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Scalar, is_integer
from adcompile.ops import memory
from adcompile.ops.spellings import as_value, static


def normal_items(builder: Builder, array: Value, index: Any) -> list[Any]:
    """Index items, one per axis (or new axis): ellipsis and missing axes written out."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [as_value(i) if isinstance(i, list) else i for i in items]
    assert isinstance(array.type, Array)
    taken = 0
    for item in items:
        if isinstance(item, Value) and item.type.dtype == "bool":
            taken += item.type.ndim if isinstance(item.type, Array) else 0
        elif item is not None and item is not Ellipsis:
            taken += 1
    missing = array.type.ndim - taken
    if missing < 0:
        raise ShapeError(f"{taken} indices for an array of {array.type.ndim} axes")
    whole = [slice(None)] * missing
    places = [k for k, item in enumerate(items) if item is Ellipsis]
    if places:
        return [*items[: places[0]], *whole, *items[places[0] + 1 :]]
    return items + whole


def read(builder: Builder, array: Value, index: Any) -> Any:
    """`array[index]`."""
    if isinstance(array.type, Scalar):
        raise TypeMismatch("a scalar cannot be indexed")
    items = normal_items(builder, array, index)
    if any(_is_index_array(item) for item in items):
        return _gather(builder, array, items)
    if all(_is_integer(item) for item in items):
        return builder.op("load", array, *(as_value(i) for i in items))
    return view(builder, array, items)


def _is_index_array(item: Any) -> bool:
    return isinstance(item, Value) and isinstance(item.type, Array)


def _is_integer(item: Any) -> bool:
    if isinstance(item, Value):
        if isinstance(item.type, Scalar) and is_integer(item.type):
            return True
        raise TypeMismatch("an index must be an integer", hint="convert it: int(i)")
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return True
    if item is None or isinstance(item, slice):
        return False
    raise TypeMismatch(f"`{item}` cannot index an array")


def view(builder: Builder, array: Value, items: Sequence[Any]) -> Value:
    """The view that basic indexing gives."""
    spec: list[Any] = []
    bounds: list[Value] = []
    for item in items:
        if item is None:
            spec.append("new")
        elif isinstance(item, slice):
            step = 1 if item.step is None else static(item.step, "step")
            if step == 0:
                raise ShapeError("a slice step cannot be 0")
            start, stop = item.start, item.stop
            if step > 0 and not isinstance(start, Value) and start == 0:
                start = None
            spec.append(("slice", start is not None, stop is not None, step))
            bounds += [as_value(bound) for bound in (start, stop) if bound is not None]
        else:
            _is_integer(item)
            spec.append("index")
            bounds.append(as_value(item))
    if all(s == memory.FULL for s in spec):
        return array
    result: Value = builder.op("slice", array, *bounds, spec=tuple(spec))
    return result


def _gather(builder: Builder, array: Value, items: list[Any]) -> Value:
    indices: list[Value] = []
    places: list[int] = []
    for place, item in enumerate(items):
        if isinstance(item, slice) and item == slice(None):
            continue
        if item is None or isinstance(item, slice):
            raise UnsupportedSyntax(
                "slices beside index arrays", hint="slice first, then index: a[1:][:, idx]"
            )
        value = as_value(item)
        places.append(place)
        if value.type.dtype == "bool":
            found = builder.op("nonzero", value)
            indices += found if isinstance(found, tuple) else (found,)
            _check_mask(builder, array, value, place)
        else:
            indices.append(value)
    if places != list(range(places[0], places[0] + len(places))):
        raise UnsupportedSyntax("index arrays with whole axes between them", hint="transpose first")
    result: Value = builder.op("gather", array, *indices, axis=places[0])
    return result


def _check_mask(builder: Builder, array: Value, mask: Value, place: int) -> None:
    assert isinstance(array.type, Array)
    assert isinstance(mask.type, Array)
    for have, want in zip(mask.type.shape, array.type.shape[place:], strict=False):
        builder.unify(want, have, "boolean index")


def write(builder: Builder, array: Value, index: Any, value: Value) -> None:
    """`array[index] = value`."""
    target = _target(builder, array, index)
    if isinstance(target, list):
        _scalar_only(value)
        builder.op("store", array, value, *target)
    else:
        builder.op("assign", target, value)


def update(builder: Builder, array: Value, index: Any, operation: str, value: Value) -> None:
    """`array[index] op= value`; sums accumulate without reading the old element."""
    target = _target(builder, array, index)
    if isinstance(target, list):
        _scalar_only(value)
        if operation in ("add", "sub"):
            change = value if operation == "add" else -value
            builder.op("accumulate_at", array, change, *target)
        else:
            old = builder.op("load", array, *target)
            builder.op("store", array, builder.op(operation, old, value), *target)
    else:
        update_array(builder, target, operation, value)


def update_array(builder: Builder, target: Value, operation: str, value: Value) -> None:
    """`target op= value` for a whole array or view."""
    if operation in ("add", "sub"):
        builder.op("accumulate", target, value if operation == "add" else -value)
    else:
        builder.op("assign", target, builder.op(operation, target, value))


def _scalar_only(value: Value) -> None:
    if isinstance(value.type, Array):
        raise ShapeError("an array does not fit into one element")


def _target(builder: Builder, array: Value, index: Any) -> Any:
    """Integer indices as a list, or the view that is written."""
    if isinstance(array.type, Scalar):
        raise TypeMismatch("a scalar cannot be indexed")
    items = normal_items(builder, array, index)
    if any(_is_index_array(item) for item in items):
        raise UnsupportedSyntax(
            "writing through an index array or mask",
            hint="write elements in a loop, or use np.where and assign the whole array",
        )
    if all(_is_integer(item) for item in items):
        return [as_value(item) for item in items]
    return view(builder, array, items)
