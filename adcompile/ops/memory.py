"""Buffers: allocation, views, element reads, and writes in place.

Enters: arrays as references, indices as scalars. Leaves: records whose derivatives the
differentiating stages build from shadows: the adjoint of a view is the same view of the shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import (
    Array,
    Dim,
    Scalar,
    Symbol,
    Type,
    is_complex,
    is_integer,
    shape_of,
)
from adcompile.ops import lengths
from adcompile.ops.guards import refuse_outside, refuse_truncation
from adcompile.ops.lengths import length_key, length_of
from adcompile.ops.ones import fit_to

Attrs = dict[str, Any]
Spec = tuple[Any, ...]  # per item: "index", "new", or ("slice", has_start, has_stop, step)

FULL = lengths.FULL


# -- element access ------------------------------------------------------------------------------


def _load_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    refuse_outside(builder, types[0], builder.operands[1:])
    return [Scalar(types[0].dtype)]


def _load(array: Any, *index: Any) -> Any:
    return array[tuple(index)]


def _store(array: Any, value: Any, *index: Any) -> tuple[()]:
    array[tuple(index)] = value
    return ()


def _add_at(array: Any, value: Any, *index: Any) -> tuple[()]:
    array[tuple(index)] += value
    return ()


def refuse_narrowing(type_: Type, dtype: str) -> None:
    """Raise TypeMismatch where a complex number would lose its imaginary part."""
    if is_complex(type_) and np.dtype(dtype).kind not in "cb":
        raise TypeMismatch(
            f"a complex number does not fit into {dtype}",
            hint="take the part that is meant, z.real, or make the array with dtype=complex",
        )


def _nothing(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return []


def _write_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    refuse_narrowing(types[1], types[0].dtype)
    refuse_truncation(builder, types)
    return []


def _element_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    refuse_outside(builder, types[0], builder.operands[2:])
    return _write_infer(builder, types, attrs)


def _indices(first: int) -> Any:
    return lambda op: "{0}[" + ", ".join(f"{{{k}}}" for k in range(first, len(op.inputs))) + "]"


register(Record("load", _load_infer, _load, show=_indices(1), takes_complex=True))
for _name, _evaluate in (("store", _store), ("accumulate_at", _add_at)):
    register(
        Record(
            _name, _element_infer, _evaluate, show=_indices(2), writes=True, keeps=True,
            takes_complex=True,
        )
    )  # fmt: skip


# -- views ---------------------------------------------------------------------------------------


def _slice_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    array = types[0]
    assert isinstance(array, Array)
    shape: list[Dim] = []
    axis = taken = 0
    contiguous = array.layout == "C"
    opened = False  # once a slice kept some of an axis, only whole axes may follow
    for item in attrs["spec"]:
        if item == "new":
            shape.append(1)
            contiguous = False
            continue
        if item == "index":
            contiguous = contiguous and not opened
            taken += 1
        else:
            _, has_start, has_stop, step = item
            whole = not has_start and not has_stop
            dim = array.shape[axis]
            contiguous = contiguous and step == 1 and (whole or not opened)
            opened = True
            bounds = builder.operands[1 + taken : 1 + taken + has_start + has_stop]
            taken += has_start + has_stop
            shape.append(dim if whole and abs(step) == 1 else length_of(builder, dim, item, bounds))
        axis += 1
    if not shape:
        raise TypeMismatch("an index for every axis reads one element")
    return [Array(array.dtype, tuple(shape), "C" if contiguous else "A")]


def wrapped(builder: Builder, index: Value, extent: Value) -> Value:
    """A possibly negative index counted from the front."""
    if index.constant is not None:
        return index if index.constant >= 0 else extent + index
    result: Value = builder.op("where", index < 0, index + extent, index)
    return result


def slice_range(
    builder: Builder, item: Any, given: Sequence[Value], extent: Value
) -> tuple[Value, Value]:
    """First index and number of elements of a slice, as Python counts them."""
    _, has_start, has_stop, step = item
    bounds = iter(given)
    up = step > 0
    low = builder.constant(0 if up else -1)
    high = extent if up else extent - 1

    def clipped(bound: Value) -> Value:
        at_front = wrapped(builder, bound, extent)
        result: Value = builder.op("minimum", builder.op("maximum", at_front, low), high)
        return result

    first, last = (low, high) if up else (high, low)
    start = clipped(next(bounds)) if has_start else first
    stop = clipped(next(bounds)) if has_stop else last
    if abs(step) == 1 and not (has_start or has_stop):
        return start, extent
    simple = length_key(item, [b.constant for b in given])
    if simple is not None:
        kind, number = simple
        if kind == "all but":  # a start beyond the end is never read from
            start = given[0] if has_start else first
            return start, builder.op("maximum", extent - number, 0)
        return start, builder.op("minimum", extent, number)
    span = stop - start + (step - 1 if up else step + 1)
    count = span if step == 1 else builder.op("floordiv", span, step)
    length: Value = builder.op("maximum", count, 0)
    return start, length


def python_index(spec: Spec, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """The Python index that a spec and its run-time bounds stand for."""
    rest = iter(inputs)
    items: list[Any] = []
    for item in spec:
        if item == "new":
            items.append(None)
        elif item == "index":
            items.append(next(rest))
        else:
            _, has_start, has_stop, step = item
            start = next(rest) if has_start else None
            stop = next(rest) if has_stop else None
            items.append(slice(start, stop, step))
    return tuple(items)


def _slice_text(spec: Spec, first: int) -> str:
    texts = []
    position = first
    trimmed = list(spec)
    while len(trimmed) > 1 and trimmed[-1] == FULL:
        trimmed.pop()
    for item in trimmed:
        if item == "new":
            texts.append("None")
        elif item == "index":
            texts.append(f"{{{position}}}")
            position += 1
        else:
            _, has_start, has_stop, step = item
            text = ""
            if has_start:
                text, position = f"{{{position}}}", position + 1
            text += ":"
            if has_stop:
                text, position = f"{text}{{{position}}}", position + 1
            texts.append(text if step == 1 else f"{text}:{step}")
    return ", ".join(texts)


def _slice_show(op: Op) -> str:
    return f"{{0}}[{_slice_text(op.attrs['spec'], 1)}]"


def _slice(array: Any, *bounds: Any, spec: Spec) -> Any:
    return array[python_index(spec, bounds)]


register(
    Record(
        "slice", _slice_infer, _slice, show=_slice_show, view=True, cheap=True, takes_complex=True
    )
)


def assign_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    """Type rule of whole-view writes: the value must broadcast to the target."""
    refuse_narrowing(types[1], types[0].dtype)
    target, value = shape_of(types[0]), shape_of(types[1])
    refuse_truncation(builder, types)
    if len(value) > len(target):
        raise TypeMismatch(f"an array of {len(value)} axes does not fit into {len(target)} axes")
    for dim, want in zip(value[::-1], target[::-1], strict=False):
        if builder.resolve(dim) != 1:
            builder.unify(want, dim, "assignment")
    return []


def _fit_value(builder: Builder, values: Sequence[Value], attrs: Attrs) -> list[Value]:
    target, value = values
    return [target, fit_to(builder, value, [shape_of(target.type)], "assignment")]


def _assign(target: Any, value: Any) -> tuple[()]:
    target[...] = value
    return ()


def _accumulate(target: Any, value: Any) -> tuple[()]:
    target += value
    return ()


register(
    Record(
        "assign", assign_infer, _assign, fit=_fit_value, show="{0}[...]", writes=True, keeps=True,
        takes_complex=True,
    )
)  # fmt: skip
register(
    Record(
        "accumulate", assign_infer, _accumulate, fit=_fit_value, show="{0}", writes=True,
        keeps=True, takes_complex=True,
    )
)  # fmt: skip


# -- allocation ----------------------------------------------------------------------------------


def _full_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    if types:
        refuse_narrowing(types[0], attrs["dtype"])
    return [Array(attrs["dtype"], tuple(attrs["shape"]))]


def _full(value: Any, *shape: int, dtype: str, **attrs: Any) -> Any:
    return np.full(shape, value, dtype)


def _empty(*shape: int, dtype: str, **attrs: Any) -> Any:
    return np.zeros(shape, dtype)


def _dtype_text(dtype: str) -> str:
    if dtype == "float64":
        return ""
    return ", np.bool_" if dtype == "bool" else f", np.{dtype}"


def _shape_text(first: int, count: int) -> str:
    items = [f"{{{k}}}" for k in range(first, count)]
    return items[0] if len(items) == 1 else f"({', '.join(items)})"


def _full_show(op: Op) -> str:
    value = op.inputs[0].constant
    shape, dtype = _shape_text(1, len(op.inputs)), _dtype_text(op.attrs["dtype"])
    if value == 0:
        return f"np.zeros({shape}{dtype})"
    if value == 1:
        return f"np.ones({shape}{dtype})"
    return f"np.full({shape}, {{0}}, np.{op.attrs['dtype']})"


def _empty_show(op: Op) -> str:
    return f"np.empty({_shape_text(0, len(op.inputs))}{_dtype_text(op.attrs['dtype'])})"


def full(builder: Builder, extents: Sequence[Any], value: Any, dtype: str) -> Value:
    """A fresh array filled with `value`; extents are ints or scalar values."""
    values = [builder.value(e) for e in extents]
    shape = tuple(builder.dim_of(v) for v in values)
    result: Value = builder.op("full", value, *values, dtype=dtype, shape=shape)
    return result


def empty(builder: Builder, extents: Sequence[Any], dtype: str) -> Value:
    """A fresh array whose elements are not set."""
    values = [builder.value(e) for e in extents]
    shape = tuple(builder.dim_of(v) for v in values)
    result: Value = builder.op("empty", *values, dtype=dtype, shape=shape)
    return result


def zeros(builder: Builder, extents: Sequence[Any], dtype: str) -> Value:
    """An array of zeros."""
    return full(builder, extents, 0, dtype)


def zeros_like(builder: Builder, value: Value) -> Value:
    """Zeros of the shape and dtype of `value`; a constant for a scalar."""
    if isinstance(value.type, Scalar):
        return builder.constant(0.0, value.type)
    return full(builder, builder.shape(value), 0.0, value.type.dtype)


def _full_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    from adcompile.ops.elementwise import match

    return [match(cotangents[0], inputs[0]), *[None] * (len(inputs) - 1)]


def _full_jvp(tangents: Any, outputs: list[Value], inputs: Any, attrs: Attrs) -> list[Any]:
    from adcompile.graph.builder import current

    if tangents[0] is None:
        return [None]
    return [full(current(), inputs[1:], tangents[0], attrs["dtype"])]


def _copy_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Array(types[0].dtype, shape_of(types[0]))]


register(
    Record(
        "full", _full_infer, _full, show=_full_show, jvp=_full_jvp, vjp=_full_vjp, reads=False,
        takes_complex=True,
    )
)  # fmt: skip
register(Record("empty", _full_infer, _empty, show=_empty_show, reads=False, inactive=True))
register(
    Record(
        "copy",
        _copy_infer,
        lambda x: np.array(x, order="C"),
        show="{0}.copy()",
        jvp=lambda ts, outs, ins, attrs: [ts[0]],
        vjp=lambda cts, outs, ins, attrs: [cts[0]],
        element=lambda read, index, op: read(0, index),
        takes_complex=True,
    )
)


# -- arrays of indices ---------------------------------------------------------------------------


def _gather_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    array, indices = types[0], types[1:]
    assert isinstance(array, Array)
    for index in indices:
        if not is_integer(index):
            raise TypeMismatch("an index array must hold integers")
    common = builder.broadcast([shape_of(i) for i in indices], "indexing")
    axis = attrs["axis"]
    rest = array.shape[axis + len(indices) :]
    return [Array(array.dtype, (*array.shape[:axis], *common, *rest))]


def _gather_text(op: Op, first: int, whole: str = ":") -> str:
    items = [f"{{{k}}}" for k in range(first, len(op.inputs))]
    return ", ".join([whole] * op.attrs["axis"] + items)


def _gather(array: Any, *indices: Any, axis: int, view_in_numpy: bool = False) -> Any:
    return array[(slice(None),) * axis + indices]


def _scatter_add(array: Any, value: Any, *indices: Any, axis: int) -> tuple[()]:
    np.add.at(array, (slice(None),) * axis + indices, value)
    return ()


register(
    Record(
        "gather", _gather_infer, _gather, show=lambda op: f"{{0}}[{_gather_text(op, 1)}]",
        takes_complex=True,
    )
)  # fmt: skip


def _scatter_show(op: Op) -> str:
    indices = _gather_text(op, 2, "slice(None)")
    return f"np.add.at({{0}}, {f'({indices})' if ',' in indices else indices}, {{1}})"


register(
    Record(
        "scatter_add", _write_infer, _scatter_add, show=_scatter_show, writes=True, keeps=True,
        takes_complex=True,
    )
)  # fmt: skip


def _nonzero_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    count = Symbol("count")
    return [Array("int64", (count,))] * len(shape_of(types[0]))


register(
    Record(
        "nonzero",
        _nonzero_infer,
        lambda mask: np.nonzero(mask),
        show="np.nonzero({0})",
        inactive=True,
        instead="np.nonzero(z != 0)",
    )
)


# -- stacks of saved values, for loops whose number of iterations is not known -------------------


def _pop_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [attrs["type"]]


class Stack(list[Any]):
    """The run-time form of a stack in the interpreter."""


register(
    Record(
        "stack", lambda builder, types, attrs: [attrs["type"]], lambda **_: Stack(), show="[]",
        reads=False, inactive=True,
    )
)  # fmt: skip
register(
    Record(
        "push", _nothing, lambda stack, value: stack.append(value) or (), show="{0}.append({1})",
        writes=True, keeps=True, takes_complex=True,
    )
)  # fmt: skip
register(
    Record(
        "pop", _pop_infer, lambda stack, type: stack.pop(), show="{0}.pop()", writes=True,
        keeps=True, takes_complex=True,
    )
)  # fmt: skip
