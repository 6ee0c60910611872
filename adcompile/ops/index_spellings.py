"""NumPy's names for choosing elements: by index, by order, by condition.

Enters: calls such as `np.take(x, i, axis=1)`, `np.sort(x)` and `np.select(conditions, choices)`.
Leaves: gathers and selections appended with the builder in force.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import Scalar, is_integer, promote
from adcompile.ops import memory
from adcompile.ops.joining_spellings import repeat_each
from adcompile.ops.moving_spellings import at_least_1d, ndim_of, one_axis
from adcompile.ops.number_spellings import op
from adcompile.ops.shape_spellings import (
    astype,
    copy,
    expand_dims,
    flip,
    ravel,
    reshape,
    stack,
)
from adcompile.ops.spellings import CALLS, as_value, spelled, static

# -- by index ------------------------------------------------------------------------------------


@spelled(np.take, method="take")
def take(a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Value:
    """Elements, or slices along an axis, at the given places."""
    value, places = at_least_1d(a), as_value(indices)
    if axis is None:
        value, axis = ravel(value), 0
    k = one_axis(axis, ndim_of(value))
    places = _within(places, current().shape(value)[k], mode)
    if not isinstance(places.type, Scalar):
        return op("gather", value, places, axis=k)  # type: ignore[no-any-return]
    if ndim_of(value) == 1:
        return op("load", value, places)  # type: ignore[no-any-return]
    spec = tuple("index" if j == k else memory.FULL for j in range(ndim_of(value)))
    return copy(op("slice", value, places, spec=spec))


def _within(places: Value, extent: Value, mode: str) -> Value:
    if not is_integer(places.type):
        raise TypeMismatch("an index must be an integer", hint="convert it: i.astype(np.int64)")
    if mode == "clip":
        return op("minimum", op("maximum", places, 0), extent - 1)  # type: ignore[no-any-return]
    if mode == "wrap":
        return op("mod", places, extent)  # type: ignore[no-any-return]
    return places


@spelled(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any) -> Value:
    """For each line along an axis, the elements at places of its own."""
    value, places = as_value(arr), as_value(indices)
    if axis is None:
        value, axis = ravel(value), 0
    ndim = ndim_of(value)
    if ndim_of(places) != ndim:
        raise ShapeError("the indices need as many axes as the array")
    k = one_axis(axis, ndim)
    return op("gather", value, *along(value, places, k), axis=0)  # type: ignore[no-any-return]


def along(value: Value, places: Value, axis: int) -> list[Value]:
    """Index arrays of all axes, of which one is given."""
    builder, ndim = current(), ndim_of(value)
    found = []
    for k, extent in enumerate(builder.shape(value)):
        if k == axis:
            found.append(places)
            continue
        line = op("iota", extent, shape=(builder.dim_of(extent),))
        others = tuple(j for j in range(ndim) if j != k)
        found.append(expand_dims(line, others) if others else line)
    return found


@spelled(np.extract)
def extract(condition: Any, arr: Any) -> Value:
    """The elements where a condition holds."""
    return compress(ravel(condition), ravel(arr))


@spelled(np.compress)
def compress(condition: Any, a: Any, axis: Any = None) -> Value:
    """The slices along an axis where a condition holds."""
    holds = op("ne", as_value(condition), 0)
    return take(a, op("nonzero", holds), axis)


@spelled(np.flatnonzero)
def flatnonzero(a: Any) -> Value:
    """Where a flattened array is not 0."""
    return op("nonzero", ravel(a))  # type: ignore[no-any-return]


@spelled(np.argwhere)
def argwhere(a: Any) -> Value:
    """The indices of what is not 0, one row each."""
    return stack(tuple(CALLS[np.nonzero](at_least_1d(a))), axis=1)


@spelled(np.repeat, method="repeat")
def repeat(a: Any, repeats: Any, axis: Any = None) -> Value:
    """Every element several times, or as often as an array says."""
    value, counts = at_least_1d(a), as_value(repeats)
    if axis is None:
        value, axis = ravel(value), 0
    k = one_axis(axis, ndim_of(value))
    if isinstance(counts.type, Scalar):
        return repeat_each(value, counts, k)
    ends = op("cumsum", counts, axis=0)
    total = op("sum", counts, axes=(0,), keepdims=False)
    line = op("iota", total, shape=(current().dim_of(total),))
    places = op("searchsorted", ends, line, side="right")
    return op("gather", value, places, axis=k)  # type: ignore[no-any-return]


# -- by order ------------------------------------------------------------------------------------


def _ordered(a: Any, axis: Any) -> tuple[Value, int]:
    value = as_value(a)
    if axis is None:
        value, axis = ravel(value), 0
    return value, one_axis(axis, ndim_of(value))


@spelled(np.argsort, method="argsort")
def argsort(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Value:
    """The places of the elements in ascending order; equal ones keep theirs."""
    value, k = _ordered(a, axis)
    return op("argsort", value, axis=k)  # type: ignore[no-any-return]


@spelled(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Value:
    """The elements in ascending order, each with the derivative it had."""
    value, k = _ordered(a, axis)
    return take_along_axis(value, op("argsort", value, axis=k), k)


@spelled(method="sort")
def sort_in_place(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> None:
    """Put the elements of an array in ascending order."""
    op("assign", a, sort(a, axis))


@spelled(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1) -> Value:
    """Smaller elements before the `kth`, larger behind: all of them in order."""
    return sort(a, axis)


@spelled(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1) -> Value:
    """The places that `partition` takes the elements from."""
    return argsort(a, axis)


@spelled(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left") -> Value:
    """Where elements belong in a sorted vector."""
    line, items = as_value(a), as_value(v)
    dtype, _ = promote([line.type, items.type])
    line, items = (x if x.type.dtype == dtype else astype(x, dtype) for x in (line, items))
    if side not in ("left", "right"):
        raise UnsupportedOperation(f"side={side!r}", hint='"left" or "right"')
    if ndim_of(items) < 2:
        return op("searchsorted", line, items, side=side)  # type: ignore[no-any-return]
    found = op("searchsorted", line, ravel(items), side=side)
    return reshape(found, tuple(current().shape(items)))


@spelled(np.digitize)
def digitize(x: Any, bins: Any, right: Any = False) -> Value:
    """The number of the bin of each element; the bins in ascending or descending order."""
    line, builder = as_value(bins), current()
    (count,) = builder.shape(line)
    rises = op("le", op("load", line, 0), op("load", line, count - 1))
    side = "left" if static(right, "right") else "right"
    up, down = searchsorted(line, x, side), count - searchsorted(flip(line), x, side)
    return op("where", rises, up, down)  # type: ignore[no-any-return]


# -- by condition --------------------------------------------------------------------------------


@spelled(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    """Of several choices the first whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ShapeError("select needs as many choices as conditions")
    result = as_value(default)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = op("where", as_value(condition), as_value(choice), result, strong=True)
    return result


@spelled(np.choose)
def choose(a: Any, choices: Any) -> Value:
    """For each element the choice that its index names."""
    places, items = as_value(a), [as_value(c) for c in choices]
    result = items[-1]
    for k, item in reversed(list(enumerate(items[:-1]))):
        result = op("where", op("eq", places, k), item, result, strong=True)
    return result


# -- writing -------------------------------------------------------------------------------------


@spelled(method="fill")
def fill(a: Any, value: Any) -> None:
    """Set every element."""
    op("assign", a, as_value(value))


@spelled(np.copyto)
def copyto(dst: Any, src: Any) -> None:
    """Set the elements to those of another array."""
    op("assign", dst, as_value(src))
