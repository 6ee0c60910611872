"""NumPy's names for making arrays and moving their elements.

Enters: calls, methods and attributes such as `np.zeros((n, m))`, `x.reshape(n, -1)` and `x.T`.
Leaves: operations appended with the builder in force.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Dim, Scalar, is_integer, promote, shape_of
from adcompile.ops import memory, shapes
from adcompile.ops.spellings import (
    ATTRIBUTES,
    CALLS,
    as_value,
    counting,
    described,
    dtype_name,
    normal_axes,
    spelled,
    static,
    whole_number,
)

# -- shape ---------------------------------------------------------------------------------------


@spelled(np.transpose, method="transpose")
def transpose(a: Any, *axes: Any) -> Value:
    """Axes in reverse or in the given order."""
    value = as_value(a)
    ndim = len(shape_of(value.type))
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = tuple(axes[0] or ())
    given = tuple(whole_number(k, "axes") for k in axes) or tuple(reversed(range(ndim)))
    order = tuple(k % ndim for k in given if -ndim <= k < ndim)
    if sorted(order) != list(range(ndim)) or len(given) > ndim:
        raise ShapeError(f"axes {given} do not name each of the {ndim} axes once")
    if ndim < 2:
        return value
    result: Value = current().op("transpose", value, axes=order)
    return result


ATTRIBUTES["T"] = transpose
ATTRIBUTES["shape"] = lambda x: tuple(current().shape(x))
ATTRIBUTES["ndim"] = lambda x: len(shape_of(x.type))
ATTRIBUTES["dtype"] = lambda x: np.dtype(x.type.dtype)


def _size(x: Value) -> Any:
    return current().product(current().shape(x))


ATTRIBUTES["size"] = _size
CALLS[np.size] = lambda a: _size(as_value(a))
CALLS[np.shape] = lambda a: tuple(current().shape(as_value(a)))
CALLS[np.ndim] = lambda a: len(shape_of(as_value(a).type))


@spelled(builtins.len)
def length(x: Any) -> Any:
    """The first extent of an array, the length of a tuple."""
    if isinstance(x, (tuple, str)):
        return len(x)
    shape = current().shape(as_value(x))
    if not shape:
        raise TypeMismatch("`len` of a scalar")
    return shape[0]


@spelled(np.reshape, method="reshape")
def reshape(a: Any, *shape: Any) -> Value:
    """The same elements in row-major order with new extents; one may be -1."""
    value, builder = as_value(a), current()
    if not shape:
        raise TypeError("() missing 1 required positional argument: 'shape'")
    extents = list(_extents(shape[0]) if len(shape) == 1 else shape)
    unknown = [k for k, e in enumerate(extents) if not isinstance(e, Value) and e == -1]
    if len(unknown) > 1:
        raise ShapeError("only one extent may be -1")
    values = [as_value(e) for e in extents]
    dims = [builder.dim_of(v) for k, v in enumerate(values) if k not in unknown]
    rest = _fill([builder.resolve(d) for d in shape_of(value.type)], dims, bool(unknown))
    if unknown:
        size = current().product([builder.extent(d) for d in rest]) if rest is not None else None
        if size is None:
            given = current().product([v for k, v in enumerate(values) if k not in unknown])
            size = builder.op("floordiv", _size(value), given)
        values[unknown[0]] = size
    if rest is None:
        _require_same_size(builder, value, values)
    if isinstance(value.type, Scalar):
        return memory.full(builder, values, value, value.type.dtype)
    return shapes.reshape(builder, value, values)


def _fill(old: Sequence[Dim], new: Sequence[Dim], with_rest: bool) -> list[Dim] | None:
    """The extents whose product is left over, 1 without `with_rest`; None if the run must check.

    Raises ShapeError where the elements cannot fill the new extents.
    """
    left = [d for d in new if not isinstance(d, int)]
    over: list[Dim] = []
    for dim in old:
        if dim in left:
            left.remove(dim)
        elif not isinstance(dim, int):
            over.append(dim)
    have, want = (math.prod(d for d in dims if isinstance(d, int)) for dims in (old, new))
    divides = want != 0 and have % want == 0
    if not left and not over and not (divides if with_rest else have == want):
        text = " x ".join(map(str, new))
        raise ShapeError(f"{have} elements do not fill the shape {text}{' x ...' * with_rest}")
    if not left and with_rest and divides:
        return [*over, have // want] if have != want or not over else over
    if with_rest or have == 0 or want == 0:
        return None
    if not left and not over:
        return []
    for one, factor, other in ((over, have, want), (left, want, have)):
        if len(over) + len(left) == 1 and len(one) == 1 and other % factor == 0:
            current().unify(one[0], other // factor, "reshape")
            return []
    return None


def _require_same_size(builder: Builder, value: Value, extents: Sequence[Value]) -> None:
    place = builder.location
    where = f" (line {place.line})" if place else ""
    message = f"the elements do not fill the new shape: reshape{where}"
    builder.graph.checks[message] = place
    same = builder.op("eq", _size(value), current().product(extents))
    builder.op("require", same, message=message, error="ValueError")


@spelled(np.ravel, method="ravel")
def ravel(a: Any) -> Value:
    """All elements as a vector, in row-major order."""
    value = as_value(a)
    return value if len(shape_of(value.type)) == 1 else reshape(value, -1)


@spelled(method="flatten")
def flatten(a: Any) -> Value:
    """A copy of all elements as a vector, in row-major order."""
    return copy(ravel(a))


@spelled(np.squeeze, method="squeeze")
def squeeze(a: Any, axis: Any = None) -> Value:
    """Without the axes of extent 1; without `axis`, those known at compile time."""
    value, builder = as_value(a), current()
    shape = shape_of(value.type)
    if axis is None and any(not isinstance(builder.resolve(dim), int) for dim in shape):
        raise ShapeError("`squeeze` must know which axes", hint="np.squeeze(x, axis=...)")
    axes = (
        [k for k, d in enumerate(shape) if builder.resolve(d) == 1]
        if axis is None
        else normal_axes(axis, len(shape))
    )
    for k in axes:
        builder.unify(shape[k], 1, "squeeze")
    spec = tuple("index" if k in axes else memory.FULL for k in range(len(shape)))
    zeros = [builder.constant(0) for _ in axes]
    name = "load" if len(axes) == len(shape) else "slice"
    result: Value = builder.op(name, value, *zeros, **({} if name == "load" else {"spec": spec}))
    return result if axes else value


@spelled(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Value:
    """With new axes of extent 1."""
    value = as_value(a)
    count = len(shape_of(value.type)) + (len(axis) if isinstance(axis, tuple) else 1)
    axes = normal_axes(axis, count)
    if isinstance(value.type, Scalar):
        return memory.full(current(), [1] * count, value, value.type.dtype)
    spec = tuple("new" if k in axes else memory.FULL for k in range(count))
    result: Value = current().op("slice", value, spec=spec)
    return result


@spelled(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0) -> Value:
    """Arrays joined along an axis."""
    if not isinstance(arrays, (tuple, list)) or not arrays:
        what = "an empty one" if isinstance(arrays, (tuple, list)) else described(arrays)
        raise TypeMismatch(f"expected a tuple or list of arrays, got {what}")
    parts = [as_value(x) for x in arrays]
    if any(isinstance(p.type, Scalar) for p in parts):
        raise TypeMismatch("scalars cannot be concatenated", hint="np.stack((a, b))")
    (k,) = normal_axes(static(axis, "axis"), len(shape_of(parts[0].type)))
    result: Value = current().op("concatenate", *parts, axis=k)
    return result


@spelled(np.asarray)
def asarray(a: Any, dtype: Any = None) -> Value:
    """The array itself if it has the dtype, else a converted copy."""
    value = as_value(a)
    if isinstance(value.type, Scalar) or dtype is None or value.type.dtype == dtype_name(dtype):
        return value
    return astype(value, dtype)


@spelled(np.stack, np.array)
def stack(arrays: Any, axis: Any = 0, dtype: Any = None) -> Value:
    """Arrays or scalars joined along a new axis."""
    if isinstance(arrays, Value):
        return copy(arrays) if dtype is None else astype(arrays, dtype)
    if not isinstance(arrays, (tuple, list)) or not arrays:
        what = "an empty one" if isinstance(arrays, (tuple, list)) else described(arrays)
        raise TypeMismatch(f"expected a tuple or list of numbers or arrays, got {what}")
    values = [as_value(x) for x in arrays]
    types = [v.type for v in values]
    common = np.result_type(*(t.dtype for t in types)).name
    if all(isinstance(t, Scalar) for t in types):
        name = common if dtype is None else dtype_name(dtype)
        packed: Value = current().op("pack", *values, dtype=name)
        return packed
    parts = [expand_dims(v, axis) for v in values]
    parts = [p if p.type.dtype == common else astype(p, common) for p in parts]
    joined = concatenate(tuple(parts), axis)
    return joined if dtype is None else astype(joined, dtype)


@spelled(np.flip)
def flip(m: Any, axis: Any = None) -> Value:
    """Elements in reverse order along the axes."""
    value = as_value(m)
    axes = normal_axes(axis, len(shape_of(value.type)))
    ndim = len(shape_of(value.type))
    spec = tuple(("slice", False, False, -1) if k in axes else memory.FULL for k in range(ndim))
    result: Value = current().op("slice", value, spec=spec)
    return result


@spelled(np.broadcast_to)
def broadcast_to(array: Any, shape: Any) -> Value:
    """`array` stretched to `shape`."""
    extents = shape if isinstance(shape, tuple) else (shape,)
    values = [current().value(e) for e in extents]
    return shapes.broadcast_to(current(), as_value(array), values)


@spelled(np.copy, method="copy")
def copy(a: Any) -> Value:
    """A fresh array with the same elements."""
    value = as_value(a)
    return value if isinstance(value.type, Scalar) else current().op("copy", value)


@spelled(method="astype")
def astype(a: Any, dtype: Any) -> Value:
    """Elements converted to another dtype."""
    value, name = as_value(a), dtype_name(dtype)
    if isinstance(value.type, Array) and value.type.dtype == name:
        return copy(value)
    result: Value = current().op("cast", value, dtype=name)
    return result


for _dtype in (
    np.float32, np.float64, np.complex64, np.complex128, np.bool_,
    np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8,
):  # fmt: skip
    CALLS[_dtype] = lambda x, _dtype=_dtype: astype(x, _dtype)


def _python_number(dtype: str) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        if not isinstance(x, Value):
            return getattr(builtins, {"float64": "float", "int64": "int"}.get(dtype, dtype))(x)
        if isinstance(x.type, Array):
            raise TypeMismatch("an array is no number", hint="index it, or use astype")
        return current().op("cast", x, dtype=dtype, weak=True)

    return apply


CALLS[float], CALLS[int], CALLS[bool] = (_python_number(d) for d in ("float64", "int64", "bool"))


# -- creation ------------------------------------------------------------------------------------


def _extents(shape: Any) -> Sequence[Any]:
    return [counting(e) for e in (shape if isinstance(shape, (tuple, list)) else (shape,))]


@spelled(np.zeros)
def zeros(shape: Any, dtype: Any = np.float64) -> Value:
    """Zeros."""
    return memory.full(current(), _extents(shape), 0, dtype_name(dtype))


@spelled(np.ones)
def ones(shape: Any, dtype: Any = np.float64) -> Value:
    """Ones."""
    return memory.full(current(), _extents(shape), 1, dtype_name(dtype))


@spelled(np.empty)
def empty(shape: Any, dtype: Any = np.float64) -> Value:
    """An array to be filled."""
    return memory.empty(current(), _extents(shape), dtype_name(dtype))


@spelled(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Value:
    """An array filled with one value."""
    value = as_value(fill_value)
    name = value.type.dtype if dtype is None else dtype_name(dtype)
    if isinstance(value.type, Array):
        return copy(broadcast_to(value, shape))
    return memory.full(current(), _extents(shape), value, name)


def _like(make: Callable[..., Value]) -> Callable[..., Value]:
    def apply(a: Any, *rest: Any, dtype: Any = None) -> Value:
        value = as_value(a)
        if isinstance(value.type, Scalar):
            raise TypeMismatch("expected an array", hint="use a number")
        shape = tuple(current().shape(value))
        return make(shape, *rest, dtype=value.type.dtype if dtype is None else dtype)

    return apply


CALLS[np.zeros_like], CALLS[np.ones_like] = _like(zeros), _like(ones)
CALLS[np.empty_like], CALLS[np.full_like] = _like(empty), _like(full)


def _count_from(builder_range: tuple[Any, Any, Any]) -> Value:
    start, stop, step = builder_range
    op = current().op
    known = not any(isinstance(part, Value) for part in builder_range)
    if known and not all(isinstance(part, int) for part in builder_range):
        return as_value(max(math.ceil((stop - start) / step), 0))
    whole = is_integer(as_value(stop).type)
    if step == 1 and start == 0 and whole:
        return as_value(counting(stop))
    span = as_value(stop) - start
    return op("maximum", op("cast", op("ceil", span / step), dtype="int64", weak=True), 0)


@spelled(np.arange)
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Value:
    """Evenly spaced values with a given step."""
    if stop is None:
        start, stop = 0, start
    count = _count_from((start, stop, step))
    name = None if dtype is None else dtype_name(dtype)
    line = current().op("iota", count, shape=(current().dim_of(count),))
    if (start, step) == (0, 1) and not isinstance(start, Value):
        if not isinstance(stop, Value) or stop.type.dtype == "int64":
            return line if name in (None, "int64") else astype(line, name)
    values = line * as_value(step) + as_value(start)
    if name is None and not is_integer(as_value(stop).type):
        name = "float64"
    return values if name in (None, values.type.dtype) else astype(values, name)


@spelled(np.linspace)
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None
) -> Value:
    """`num` evenly spaced values from `start` to `stop`."""
    first, last, count = as_value(start), as_value(stop), as_value(num)
    line = current().op("iota", count, shape=(current().dim_of(count),))
    parts = current().op("maximum", count - 1, 1) if static(endpoint, "endpoint") else count
    common, _ = promote([first.type, last.type, Scalar("float64", weak=True)])
    position = current().op("cast", line, dtype=common) / parts
    values = first + position * (last - first)
    return values if dtype is None else astype(values, dtype)


@spelled(np.logspace)
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0, dtype: Any = None
) -> Value:
    """Powers of `base` with evenly spaced exponents."""
    values = as_value(base) ** linspace(start, stop, num, endpoint)
    return values if dtype is None else astype(values, dtype)


@spelled(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None
) -> Value:
    """`num` values from `start` to `stop`, each a constant factor times the one before."""
    first, ratio = as_value(start), as_value(stop) / as_value(start)
    values = first * ratio ** linspace(0.0, 1.0, num, endpoint)
    return values if dtype is None else astype(values, dtype)


@spelled(np.eye, np.identity)
def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = np.float64) -> Value:  # noqa: N803
    """Ones on one diagonal, zeros elsewhere."""
    extents = [as_value(N), as_value(N if M is None else M)]
    shape = tuple(current().dim_of(e) for e in extents)
    attrs = {"k": static(k, "k"), "dtype": dtype_name(dtype), "shape": shape}
    result: Value = current().op("eye", *extents, **attrs)
    return result


def _triangle(name: str) -> Callable[..., Value]:
    def apply(m: Any, k: Any = 0) -> Value:
        result: Value = current().op(name, as_value(m), k=static(k, "k"))
        return result

    return apply


CALLS[np.tril], CALLS[np.triu] = _triangle("tril"), _triangle("triu")


@spelled(np.diag)
def diag(v: Any, k: Any = 0) -> Value:
    """A diagonal of a matrix, or the matrix with a given diagonal."""
    value, builder, shift = as_value(v), current(), static(k, "k")
    if len(shape_of(value.type)) == 2:
        return diagonal(value, shift)
    if len(shape_of(value.type)) != 1:
        raise ShapeError("`diag` needs one or two axes")
    (count,) = builder.shape(value)
    extent = count + abs(shift) if shift else count
    shape = (builder.dim_of(extent),)
    column = line = builder.op("iota", extent, shape=shape)
    if shift:
        zeros = memory.full(builder, [abs(shift)], 0, value.type.dtype)
        parts = (zeros, value) if shift > 0 else (value, zeros)
        value = builder.op("concatenate", *parts, axis=0)
        builder.unify(shape_of(value.type)[0], shape[0], "diag")
        line = line + shift if shift > 0 else line
        column = column if shift > 0 else column - shift
    same = builder.op("eq", expand_dims(line, 1), column)
    return builder.op("where", same, value, 0)  # type: ignore[no-any-return]


@spelled(np.diagonal, method="diagonal")
def diagonal(a: Any, offset: Any = 0) -> Value:
    """The elements of a matrix on a diagonal."""
    value, builder, shift = as_value(a), current(), static(offset, "offset")
    if len(shape_of(value.type)) != 2:
        raise ShapeError(f"a diagonal needs a matrix, not {described(value)}")
    rows, columns = builder.shape(value)
    if shift:
        rows = builder.op("maximum", rows + min(shift, 0), 0)
        columns = builder.op("maximum", columns - max(shift, 0), 0)
    square = not shift and builder.dim_of(rows) == builder.dim_of(columns)
    count = rows if square else builder.op("minimum", rows, columns)
    line = builder.op("iota", count, shape=(builder.dim_of(count),))
    places = [line - min(shift, 0), line + max(shift, 0)] if shift else [line, line]
    result: Value = builder.op("gather", value, *places, axis=0, view_in_numpy=True)
    return result


@spelled(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Value:
    """Elements moved along an axis, those that leave entering at the other end."""
    value, builder = as_value(a), current()
    if not is_integer(as_value(shift).type):
        raise TypeMismatch("`roll` by what is no integer", hint="np.roll(x, int(shift))")
    if axis is None:
        flat = roll(ravel(value), shift, 0)
        return reshape(flat, tuple(builder.shape(value))) if len(shape_of(value.type)) > 1 else flat
    (k,) = normal_axes(axis, len(shape_of(value.type)))
    extent = builder.shape(value)[k]
    cut = builder.op("mod", -as_value(shift), extent)
    spec = [memory.FULL] * len(shape_of(value.type))
    spec[k] = ("slice", True, False, 1)
    tail = builder.op("slice", value, cut, spec=tuple(spec))
    spec[k] = ("slice", False, True, 1)
    head = builder.op("slice", value, cut, spec=tuple(spec))
    joined = builder.op("concatenate", tail, head, axis=k)
    for symbol in (shape_of(joined.type)[k],):
        if not isinstance(symbol, int):
            builder.learn(symbol, extent)
    return joined  # type: ignore[no-any-return]
