"""NumPy's names for joining, splitting and repeating arrays, and for differences of neighbours.

Enters: calls such as `np.vstack((a, b))` and `np.repeat(x, 3, axis=1)`. Leaves: views where NumPy
gives some, else concatenations, broadcasts and gathers, appended with the builder in force.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import Array
from adcompile.ops import memory
from adcompile.ops.moving_spellings import (
    at_least_1d,
    at_least_2d,
    at_least_3d,
    ndim_of,
    one_axis,
    part,
)
from adcompile.ops.shape_spellings import (
    astype,
    broadcast_to,
    concatenate,
    copy,
    expand_dims,
    ravel,
    reshape,
)
from adcompile.ops.spellings import CALLS, as_value, spelled, static

# -- joining -------------------------------------------------------------------------------------


def _joined(prepare: Callable[[Any], Value], axis: int) -> Callable[[Any], Value]:
    def apply(tup: Any) -> Value:
        parts = [prepare(item) for item in tup]
        return concatenate(tuple(parts), 0 if ndim_of(parts[0]) == 1 else axis)

    return apply


CALLS[np.hstack] = _joined(at_least_1d, 1)
CALLS[np.vstack] = _joined(at_least_2d, 0)
if hasattr(np, "row_stack"):
    CALLS[np.row_stack] = CALLS[np.vstack]
CALLS[np.dstack] = _joined(at_least_3d, 2)


@spelled(np.column_stack)
def column_stack(tup: Any) -> Value:
    """Vectors as the columns of a matrix, beside matrices."""
    values = [at_least_1d(item) for item in tup]
    return concatenate(tuple(expand_dims(v, 1) if ndim_of(v) == 1 else v for v in values), 1)


@spelled(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Value:
    """An array and what follows it; flattened without an axis."""
    if axis is None:
        return concatenate((ravel(at_least_1d(arr)), ravel(at_least_1d(values))))
    return concatenate((as_value(arr), as_value(values)), axis)


@spelled(np.diff)
def diff(a: Any, n: Any = 1, axis: Any = -1, prepend: Any = None, append: Any = None) -> Value:
    """Differences of neighbours along an axis, `n` times."""
    value = as_value(a)
    k = one_axis(axis, ndim_of(value))
    ends = [_end(item, value, k) for item in (prepend, append)]
    if any(end is not None for end in ends):
        parts = [p for p in (ends[0], value, ends[1]) if p is not None]
        value = concatenate(tuple(parts), k)
    for _ in range(static(n, "n")):
        value = part(value, k, 1) - part(value, k, None, -1)
    return value


def _end(item: Any, like: Value, axis: int) -> Value | None:
    if item is None:
        return None
    value, shape = as_value(item), current().shape(like)
    if ndim_of(value):
        return value
    return broadcast_to(value, tuple(1 if k == axis else e for k, e in enumerate(shape)))


@spelled(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Value:
    """Differences of neighbours of the flattened array, and what goes before and after."""
    inner = diff(ravel(ary))
    ends = [
        None if end is None else astype(ravel(at_least_1d(end)), inner.type.dtype)
        for end in (to_begin, to_end)
    ]
    parts = [p for p in (ends[0], inner, ends[1]) if p is not None]
    return concatenate(tuple(parts)) if len(parts) > 1 else parts[0]


@spelled(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Value:
    """With a margin of one value along every axis."""
    if mode != "constant":
        raise UnsupportedOperation(f"`np.pad` with mode={mode!r}", hint='mode="constant"')
    value, builder = as_value(array), current()
    ndim = ndim_of(value)
    widths = pad_width if isinstance(pad_width, (tuple, list)) else (pad_width,)
    if not isinstance(widths[0], (tuple, list)):
        widths = (widths,)
    pairs = [(w[0], w[-1]) for w in widths] * (ndim if len(widths) == 1 else 1)
    margin = as_value(constant_values)
    for k, pair in enumerate(pairs):
        shape = builder.shape(value)
        before, after = (
            memory.full(builder, [w if j == k else e for j, e in enumerate(shape)], margin,
                        value.type.dtype)
            for w in pair
        )  # fmt: skip
        value = concatenate((before, value, after), k)
    return value


# -- splitting -----------------------------------------------------------------------------------


def _cut(value: Value, places: Sequence[Any], axis: int) -> list[Value]:
    bounds = [None, *places, None]
    return [part(value, axis, a, b) for a, b in itertools.pairwise(bounds)]


@spelled(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Value]:
    """Views of the parts between places, or of that many parts of nearly equal extent."""
    value, builder = as_value(ary), current()
    k = one_axis(axis, ndim_of(value))
    places = indices_or_sections
    if isinstance(places, (tuple, list)):
        return _cut(value, places, k)
    if isinstance(places, Value) and isinstance(places.type, Array):
        raise TypeMismatch("the places must be known at compile time", hint="write a tuple")
    count = static(places, "indices_or_sections")
    extent = builder.shape(value)[k]
    least, more = builder.op("floordiv", extent, count), builder.op("mod", extent, count)
    cuts = [least * j + builder.op("minimum", more, j) for j in range(1, count)]
    return _cut(value, cuts, k)


@spelled(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Value]:
    """As `array_split`, into parts that must be of equal extent."""
    value, builder = as_value(ary), current()
    if not isinstance(indices_or_sections, (tuple, list)):
        extent = builder.shape(value)[one_axis(axis, ndim_of(value))]
        rest = builder.op("mod", extent, static(indices_or_sections, "indices_or_sections"))
        message = "array split does not result in an equal division"
        if rest.constant not in (None, 0):
            raise ShapeError(message)
        builder.op("require", builder.op("eq", rest, 0), message=message, error="ValueError")
    return array_split(value, indices_or_sections, axis)


def _split_along(axis: int) -> Callable[..., list[Value]]:
    def apply(ary: Any, indices_or_sections: Any) -> list[Value]:
        value = as_value(ary)
        return split(value, indices_or_sections, 0 if ndim_of(value) == 1 else axis)

    return apply


CALLS[np.hsplit], CALLS[np.vsplit], CALLS[np.dsplit] = (_split_along(k) for k in (1, 0, 2))


# -- repeating -----------------------------------------------------------------------------------


@spelled(np.tile)
def tile(A: Any, reps: Any) -> Value:  # noqa: N803  (NumPy's name)
    """An array beside copies of itself along every axis."""
    value, builder = at_least_1d(A), current()
    counts = list(reps) if isinstance(reps, (tuple, list)) else [reps]
    counts = [1] * (ndim_of(value) - len(counts)) + counts
    if len(counts) > ndim_of(value):
        value = expand_dims(value, tuple(range(len(counts) - ndim_of(value))))
    extents = builder.shape(value)
    spread = expand_dims(value, tuple(range(0, 2 * len(counts), 2)))
    whole = [e for pair in zip(counts, extents, strict=True) for e in pair]
    return reshape(
        copy(broadcast_to(spread, tuple(whole))),
        tuple(as_value(c) * e for c, e in zip(counts, extents, strict=True)),
    )


def repeat_each(value: Value, count: Any, axis: int) -> Value:
    """Every element along an axis, equally often."""
    extents = current().shape(value)
    spread = expand_dims(value, axis + 1)
    stretched = copy(broadcast_to(spread, (*extents[: axis + 1], count, *extents[axis + 1 :])))
    whole = [e * count if k == axis else e for k, e in enumerate(extents)]
    return reshape(stretched, tuple(whole))


@spelled(np.resize)
def resize(a: Any, new_shape: Any) -> Value:
    """Another shape, filled with as many copies of the elements as it takes."""
    flat, builder = ravel(at_least_1d(a)), current()
    extents = new_shape if isinstance(new_shape, (tuple, list)) else (new_shape,)
    total = builder.constant(1)
    for extent in extents:
        total = total * builder.value(extent)
    line = builder.op("iota", total, shape=(builder.dim_of(total),))
    place = builder.op("mod", line, builder.shape(flat)[0])
    return reshape(builder.op("gather", flat, place, axis=0), tuple(extents))
