"""Operations that move elements without changing them.

Enters: arrays. Leaves: records whose element rules say which input element each output element is;
`transpose` and `reshape` of contiguous memory are views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Dim, Scalar, Symbol, Type, is_continuous, shape_of
from adcompile.ops.elementwise import match
from adcompile.ops.memory import refuse_narrowing
from adcompile.ops.ones import fit_to

Attrs = dict[str, Any]


# -- transpose -----------------------------------------------------------------------------------


def _transpose_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    array, axes = types[0], attrs["axes"]
    assert isinstance(array, Array)
    flipped = {"C": "F", "F": "C"}.get(array.layout, "A")
    identity, reverse = tuple(range(array.ndim)), tuple(reversed(range(array.ndim)))
    layout = array.layout if axes == identity else flipped if axes == reverse else "A"
    return [Array(array.dtype, tuple(array.shape[axis] for axis in axes), layout)]


def _transpose_show(op: Op) -> str:
    axes = op.attrs["axes"]
    return "{0}.T" if axes == tuple(reversed(range(len(axes)))) else f"np.transpose({{0}}, {axes})"


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argsort(axes))


def _transpose_element(read: Any, index: Sequence[Value], op: Op) -> Value:
    inverse = _inverse(op.attrs["axes"])
    result: Value = read(0, [index[k] for k in inverse])
    return result


register(
    Record(
        "transpose",
        _transpose_infer,
        lambda x, axes: np.transpose(x, axes),
        show=_transpose_show,
        jvp=lambda ts, outs, ins, attrs: [current().op("transpose", ts[0], **attrs)],
        vjp=lambda cts, outs, ins, attrs: [
            current().op("transpose", cts[0], axes=_inverse(attrs["axes"]))
        ],
        element=_transpose_element,
        view=True,
        takes_complex=True,
        cheap=True,
    )
)


# -- reshape -------------------------------------------------------------------------------------


def _reshape_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Array(types[0].dtype, tuple(attrs["shape"]))]


def _reshape_show(op: Op) -> str:
    items = [f"{{{k}}}" for k in range(1, len(op.inputs))]
    return f"{{0}}.reshape({', '.join(items)})"


def reshape(builder: Builder, array: Value, extents: Sequence[Value]) -> Value:
    """`array` with new extents, which must hold as many elements."""
    shape = tuple(builder.dim_of(e) for e in extents)
    result: Value = builder.op("reshape", array, *extents, shape=shape)
    return result


def _reshape_back(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    builder = current()
    return [reshape(builder, cotangents[0], builder.shape(inputs[0]))] + [None] * (len(inputs) - 1)


register(
    Record(
        "reshape",
        _reshape_infer,
        lambda x, *extents, shape: np.reshape(x, extents),
        show=_reshape_show,
        jvp=lambda ts, outs, ins, attrs: [current().op("reshape", ts[0], *ins[1:], **attrs)],
        vjp=_reshape_back,
        view=True,
        takes_complex=True,
        cheap=True,
    )
)


# -- broadcast_to --------------------------------------------------------------------------------


def _broadcast_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    dims = [_known(builder, value) for value in attrs["values"]]
    have = shape_of(types[0])
    if len(have) > len(dims):
        raise ShapeError(f"{len(have)} axes cannot be broadcast to {len(dims)}")
    for k, dim in enumerate(reversed(have)):
        if builder.resolve(dim) != 1:
            dims[-1 - k] = builder.unify(dim, dims[-1 - k], "broadcast_to")
    return [Array(types[0].dtype, tuple(dims))]


def _fit_to_extents(builder: Builder, values: Sequence[Value], attrs: Attrs) -> list[Value]:
    return [fit_to(builder, values[0], [attrs["values"]], "broadcast_to"), *values[1:]]


def _known(builder: Builder, dim: Dim) -> Dim:
    return builder.resolve(dim)


def _stretched(op: Op, index: Sequence[Value]) -> list[Value]:
    """The index of the input element behind an output element of a broadcast."""
    have, want = shape_of(op.inputs[0].type), shape_of(op.result.type)
    builder = current()
    zero = builder.constant(0)
    pairs = zip(have, want[len(want) - len(have) :], index[len(want) - len(have) :], strict=True)
    return [
        zero if builder.resolve(one) == 1 and builder.resolve(other) != 1 else place
        for one, other, place in pairs
    ]


def _broadcast_show(op: Op) -> str:
    items = [f"{{{k}}}" for k in range(1, len(op.inputs))]
    return f"np.broadcast_to({{0}}, ({', '.join(items)}{',' if len(items) == 1 else ''}))"


def broadcast_to(builder: Builder, value: Value, extents: Sequence[Value]) -> Value:
    """`value` stretched to the given extents."""
    dims = tuple(builder.dim_of(e) for e in extents)
    result: Value = builder.op("broadcast_to", value, *extents, values=dims)
    return result


register(
    Record(
        "broadcast_to",
        _broadcast_infer,
        lambda x, *extents, values: np.broadcast_to(x, extents),
        show=_broadcast_show,
        fit=_fit_to_extents,
        jvp=lambda ts, outs, ins, attrs: [current().op("broadcast_to", ts[0], *ins[1:], **attrs)],
        vjp=lambda cts, outs, ins, attrs: [match(cts[0], ins[0]), *[None] * (len(ins) - 1)],
        element=lambda read, index, op: read(0, _stretched(op, index)),
        takes_complex=True,
        cheap=True,
    )
)


# -- concatenate and roll ------------------------------------------------------------------------


def _concatenate_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    axis = attrs["axis"]
    dtype = np.result_type(*(t.dtype for t in types)).name
    shape = list(shape_of(types[0]))
    for type_ in types[1:]:
        if len(shape_of(type_)) != len(shape):
            raise ShapeError("concatenate: all arrays must have the same number of axes")
        for k, dim in enumerate(shape_of(type_)):
            if k != axis:
                shape[k] = builder.unify(shape[k], dim, "concatenate")
    lengths = [builder.resolve(shape_of(t)[axis]) for t in types]
    known = [length for length in lengths if isinstance(length, int)]
    shape[axis] = sum(known) if len(known) == len(lengths) else Symbol("n")
    return [Array(dtype, tuple(shape))]


def _pieces(whole: Value, parts: Sequence[Value], axis: int) -> list[Value]:
    builder = current()
    ndim = len(shape_of(whole.type))
    pieces, start = [], builder.constant(0)
    for part in parts:
        extent = builder.extent(shape_of(part.type)[axis])
        known = start.constant is not None and extent.constant is not None
        stop = builder.constant(start.constant + extent.constant) if known else start + extent
        full = ("slice", False, False, 1)
        spec = [full] * ndim
        spec[axis] = ("slice", True, True, 1)
        piece = builder.op("slice", whole, start, stop, spec=tuple(spec))
        builder.assume(shape_of(piece.type)[axis], shape_of(part.type)[axis])
        pieces.append(match(builder.op("copy", piece), part))
        start = stop
    return pieces


def _concatenate_jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    from adcompile.ops.memory import zeros_like

    parts = [
        zeros_like(current(), v) if t is None else t for t, v in zip(tangents, inputs, strict=True)
    ]
    return [current().op("concatenate", *parts, **attrs)]


def _concatenate_element(read: Any, index: Sequence[Value], op: Op) -> Value:
    builder, axis = current(), op.attrs["axis"]
    position = index[axis]
    bounds = [builder.extent(shape_of(v.type)[axis]) for v in op.inputs]

    def choose(k: int, offset: Value) -> Value:
        local = list(index)
        local[axis] = position - offset
        if k == len(op.inputs) - 1:
            return read(k, local)  # type: ignore[no-any-return]
        end = offset + bounds[k]
        (chosen,) = builder.branch(
            builder.op("lt", position, end), lambda: [read(k, local)], lambda: [choose(k + 1, end)]
        )
        return chosen

    return choose(0, builder.constant(0))


def _concatenate_show(op: Op) -> str:
    items = ", ".join(f"{{{k}}}" for k in range(len(op.inputs)))
    comma = "," if len(op.inputs) == 1 else ""
    axis = f", {op.attrs['axis']}" if op.attrs["axis"] else ""
    return f"np.concatenate(({items}{comma}){axis})"


register(
    Record(
        "concatenate",
        _concatenate_infer,
        lambda *parts, axis: np.concatenate(parts, axis),
        show=_concatenate_show,
        jvp=_concatenate_jvp,
        vjp=lambda cts, outs, ins, attrs: _pieces(cts[0], ins, attrs["axis"]),
        element=_concatenate_element,
        takes_complex=True,
    )
)


# -- scalars to a vector -------------------------------------------------------------------------


def _pack_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    for type_ in types:
        refuse_narrowing(type_, attrs["dtype"])
    return [Array(attrs["dtype"], (len(types),))]


def _pack_show(op: Op) -> str:
    items = ", ".join(f"{{{k}}}" for k in range(len(op.inputs)))
    dtype = op.attrs["dtype"]
    natural = np.result_type(*(v.type.dtype for v in op.inputs)).name
    return f"np.array([{items}]{'' if dtype == natural == 'float64' else f', np.{dtype}'})"


def _pack_jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    return [current().op("pack", *(0.0 if t is None else t for t in tangents), **attrs)]


def _pack_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    parts = [current().op("load", cotangents[0], k) for k in range(len(inputs))]
    return [
        match(part, v) if is_continuous(v.type) else None
        for part, v in zip(parts, inputs, strict=True)
    ]


register(
    Record(
        "pack",
        _pack_infer,
        lambda *items, dtype: np.array(items, dtype),
        show=_pack_show,
        jvp=_pack_jvp,
        vjp=_pack_vjp,
        reads=False,
        takes_complex=True,
    )
)


# -- counting ------------------------------------------------------------------------------------


# -- parts of matrices ---------------------------------------------------------------------------


def _triangle_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    (type_,) = types
    if not isinstance(type_, Array) or type_.ndim < 2:
        raise TypeMismatch("a triangle is part of a matrix")
    return [Array(type_.dtype, type_.shape)]


def _triangle(name: str, comparison: str) -> None:
    def element(read: Any, index: Sequence[Value], op: Op) -> Value:
        row, column = index[-2:]
        shifted = row + op.attrs["k"] if op.attrs["k"] else row
        inside = current().op(comparison, shifted, column)
        zero = current().constant(0, Scalar(op.result.type.dtype))
        result: Value = current().op("where", inside, read(0, index), zero)
        return result

    def same(items: Any, outs: Any, ins: Any, attrs: Attrs) -> list[Any]:
        return [current().op(name, items[0], **attrs)]

    register(
        Record(
            name, _triangle_infer, lambda x, k: getattr(np, name)(x, k), jvp=same, vjp=same,
            show=lambda op: f"np.{name}({{0}}{', ' + str(op.attrs['k']) if op.attrs['k'] else ''})",
            element=element, takes_complex=True,
        )
    )  # fmt: skip


_triangle("tril", "ge")
_triangle("triu", "le")


def _eye_element(read: Any, index: Sequence[Value], op: Op) -> Value:
    row, column = index
    shifted = row + op.attrs["k"] if op.attrs["k"] else row
    same = current().op("eq", shifted, column)
    one, zero = (current().constant(v, Scalar(op.attrs["dtype"])) for v in (1, 0))
    result: Value = current().op("where", same, one, zero)
    return result


def _eye_show(op: Op) -> str:
    (rows, columns), k, dtype = op.attrs["shape"], op.attrs["k"], op.attrs["dtype"]
    second = "" if rows == columns else ", {1}"
    options = f", k={k}" if k else ""
    named = "" if dtype == "float64" else f", dtype=np.{'bool_' if dtype == 'bool' else dtype}"
    return f"np.eye({{0}}{second}{options}{named})"


register(
    Record(
        "eye", lambda builder, types, attrs: [Array(attrs["dtype"], tuple(attrs["shape"]))],
        lambda n, m, k, dtype, shape: np.eye(n, m, k, dtype), show=_eye_show,
        element=_eye_element, inactive=True, reads=False,
    )
)  # fmt: skip


register(
    Record(
        "iota",
        lambda builder, types, attrs: [Array("int64", tuple(attrs["shape"]))],
        lambda n, shape: np.arange(n),
        show="np.arange({0})",
        element=lambda read, index, op: current().op("cast", index[0], dtype="int64"),
        inactive=True,
        reads=False,
    )
)
