"""Subscripts that are read: elements, views, index arrays and masks.

Enters: an array value and the lowered index items. Leaves: `load`, `slice`, `gather` operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Scalar, is_integer, shape_of
from adcompile.ops import memory
from adcompile.ops.spellings import as_value, counted, counting, described, whole_number


def normal_items(builder: Builder, array: Value, index: Any) -> list[Any]:
    """Index items, one per axis (or new axis): ellipsis and missing axes written out."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [as_value(i) if isinstance(i, list) else _counting(i) for i in items]
    assert isinstance(array.type, Array)
    taken = 0
    for item in items:
        if isinstance(item, Value) and item.type.dtype == "bool":
            taken += item.type.ndim if isinstance(item.type, Array) else 0
        elif item is not None and item is not Ellipsis:
            taken += 1
    missing = array.type.ndim - taken
    if missing < 0:
        axes = counted(array.type.ndim, "axis", "axes")
        raise ShapeError(f"{taken} indices for an array of {axes}")
    whole = [slice(None)] * missing
    places = [k for k, item in enumerate(items) if item is Ellipsis]
    if len(places) > 1:
        raise TypeMismatch("an index may have one `...` only")
    if places:
        return [*items[: places[0]], *whole, *items[places[0] + 1 :]]
    return items + whole


def _counting(item: Any) -> Any:
    if isinstance(item, slice):
        return slice(counting(item.start), counting(item.stop), item.step)
    return counting(item)


def read(builder: Builder, array: Value, index: Any) -> Any:
    """`array[index]`."""
    if isinstance(array.type, Scalar):
        raise TypeMismatch("a scalar cannot be indexed")
    items = normal_items(builder, array, index)
    if any(is_index_array(item) for item in items):
        return _gather(builder, array, items)
    if all(is_integer_index(item) for item in items):
        return builder.op("load", array, *(as_value(i) for i in items))
    return view(builder, array, items)


def is_index_array(item: Any) -> bool:
    """Whether an index item is an array of indices or a mask."""
    return isinstance(item, Value) and isinstance(item.type, Array)


def is_integer_index(item: Any) -> bool:
    """Whether an index item is one integer; raises TypeMismatch for what cannot index."""
    if isinstance(item, Value):
        if isinstance(item.type, Scalar) and is_integer(item.type):
            return True
        raise TypeMismatch(
            f"an index must be an integer, not a {item.type.dtype}", hint="convert it: int(i)"
        )
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return True
    if item is None or isinstance(item, slice):
        return False
    hint = "convert it: int(i)" if isinstance(item, (float, np.floating)) else ""
    raise TypeMismatch(
        f"an array is not indexed by {described(item)}",
        hint=hint or "integers, slices, arrays of integers and masks index arrays",
    )


def view(builder: Builder, array: Value, items: Sequence[Any]) -> Value:
    """The view that basic indexing gives."""
    spec: list[Any] = []
    bounds: list[Value] = []
    for item in items:
        if item is None:
            spec.append("new")
        elif isinstance(item, slice):
            step = 1 if item.step is None else whole_number(item.step, "step")
            if step == 0:
                raise ShapeError("a slice step cannot be 0")
            start, stop = item.start, item.stop
            for bound in (start, stop):
                if bound is not None and not is_integer_index(bound):
                    raise TypeMismatch(f"a slice bound must be an integer, not {described(bound)}")
            if step > 0 and not isinstance(start, Value) and start == 0:
                start = None
            spec.append(("slice", start is not None, stop is not None, step))
            bounds += [as_value(bound) for bound in (start, stop) if bound is not None]
        else:
            is_integer_index(item)
            spec.append("index")
            bounds.append(as_value(item))
    if all(s == memory.FULL for s in spec):
        return array
    result: Value = builder.op("slice", array, *bounds, spec=tuple(spec))
    return result


def _gather(builder: Builder, array: Value, items: list[Any]) -> Value:
    reached, indices, axis = advanced(builder, array, items)
    result: Value = builder.op("gather", reached, *indices, axis=axis)
    return result


def advanced(
    builder: Builder, array: Value, items: Sequence[Any]
) -> tuple[Value, list[Value], int]:
    """A view of `array` and the indices of its adjacent axes, the first of which is given, too.

    As in NumPy, the axes of indices that are not adjacent come first in the result.
    """
    basic: list[Any] = []
    for item in items:
        is_basic = item is None or isinstance(item, slice)
        basic += [item] if is_basic else [slice(None)] * _axes(item)
    array = view(builder, array, basic)
    indices: list[Value] = []
    places: list[int] = []
    for place, item in enumerate(items):
        if item is None or isinstance(item, slice):
            continue
        value = as_value(item)
        places.append(place)
        if value.type.dtype == "bool":
            _check_mask(builder, array, value, sum(_axes(i) for i in items[:place]))
            found = builder.op("nonzero", value)
            indices += found if isinstance(found, tuple) else (found,)
        else:
            indices.append(value)
    axes = [k for place in places for k in _axes_of(items, place)]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        rest = [k for k in range(len(shape_of(array.type))) if k not in axes]
        array = builder.op("transpose", array, axes=(*axes, *rest))
        return array, indices, 0
    return array, indices, axes[0]


def _axes(item: Any) -> int:
    """How many axes an index item takes: a mask as many as it has, any other one."""
    is_mask = is_index_array(item) and item.type.dtype == "bool"
    return item.type.ndim if is_mask else 1


def _axes_of(items: Sequence[Any], place: int) -> range:
    first = sum(_axes(item) for item in items[:place])
    return range(first, first + _axes(items[place]))


def _check_mask(builder: Builder, array: Value, mask: Value, place: int) -> None:
    assert isinstance(array.type, Array)
    assert isinstance(mask.type, Array)
    for have, want in zip(mask.type.shape, array.type.shape[place:], strict=False):
        builder.unify(want, have, "boolean index")
