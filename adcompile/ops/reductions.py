"""Operations that fold axes: sums, extrema, cumulative sums.

Enters: arrays and static axes. Leaves: records whose reverse rules broadcast the cotangent back;
an extremum shared by several elements gives each an equal part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Dim, Scalar, Type, is_continuous, shape_of
from adcompile.ops.elementwise import match

Attrs = dict[str, Any]


def reduced_shape(shape: tuple[Dim, ...], attrs: Attrs) -> tuple[Dim, ...]:
    """The shape that is left when axes are folded."""
    axes = attrs["axes"]
    if attrs["keepdims"]:
        return tuple(1 if k in axes else dim for k, dim in enumerate(shape))
    return tuple(dim for k, dim in enumerate(shape) if k not in axes)


def whole(dtype: str) -> str:
    """What sums and products of elements are kept in: the widest integer for integers."""
    return {"b": "int64", "i": "int64", "u": "uint64"}.get(np.dtype(dtype).kind, dtype)


def _result_dtype(dtype: str, name: str) -> str:
    if name == "mean" and np.dtype(dtype).kind not in "fc":
        return "float64"
    if name == "sum":
        return whole(dtype)
    if name.startswith("arg"):
        return "int64"
    return dtype


def _reduction(name: str, numpy: Any, jvp: Any, vjp: Any, **more: Any) -> None:
    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        shape = reduced_shape(shape_of(types[0]), attrs)
        dtype = _result_dtype(types[0].dtype, name)
        return [Array(dtype, shape)] if shape else [Scalar(dtype)]

    def evaluate(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        if name.startswith("arg"):
            return numpy(x, axis=axes[0] if len(axes) < x.ndim else None, keepdims=keepdims)
        with np.errstate(all="ignore"):
            return numpy(x, axis=axes, keepdims=keepdims)

    def show(op: Op) -> str:
        axes, keepdims = op.attrs["axes"], op.attrs["keepdims"]
        text = f"np.{name}({{0}}"
        whole = len(axes) == len(shape_of(op.inputs[0].type))
        if not whole or (keepdims and not name.startswith("arg")):
            text += f", axis={axes[0] if len(axes) == 1 else axes}"
        return text + (", keepdims=True)" if keepdims else ")")

    register(Record(name, infer, evaluate, show=show, jvp=jvp, vjp=vjp, numpy=(numpy,), **more))


def restored(value: Value, like: Value, attrs: Attrs) -> Value:
    """`value`, a reduction's result, with the folded axes back as extents of 1."""
    axes = attrs["axes"]
    ndim = len(shape_of(like.type))
    if attrs["keepdims"] or len(axes) == ndim:
        return value
    spec = tuple("new" if k in axes else ("slice", False, False, 1) for k in range(ndim))
    result: Value = current().op("slice", value, spec=spec)
    return result


def _count(value: Value, attrs: Attrs) -> Value:
    builder = current()
    total = builder.constant(1)
    for axis in attrs["axes"]:
        total = total * builder.extent(shape_of(value.type)[axis])
    return total


def _sum_jvp(tangents: Any, outputs: Any, inputs: Any, attrs: Attrs) -> list[Value]:
    return [current().op("sum", tangents[0], **attrs)]


def _sum_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    return [match(restored(cotangents[0], inputs[0], attrs), inputs[0])]


_reduction("sum", np.sum, _sum_jvp, _sum_vjp, takes_complex=True)


def _mean_jvp(tangents: Any, outputs: Any, inputs: Any, attrs: Attrs) -> list[Value]:
    return [current().op("mean", tangents[0], **attrs)]


def _mean_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    share = cotangents[0] / _count(inputs[0], attrs)
    return [match(restored(share, inputs[0], attrs), inputs[0])]


def _mean_expand(inputs: list[Value], attrs: Attrs) -> Value:
    (x,) = inputs
    if not is_continuous(x.type):
        x = current().op("cast", x, dtype="float64")
    total: Value = current().op("sum", x, **attrs)
    return total / _count(x, attrs)


_reduction("mean", np.mean, _mean_jvp, _mean_vjp, expand=_mean_expand, takes_complex=True)


def _winners(output: Value, x: Value, attrs: Attrs) -> tuple[Value, Value]:
    """Which elements equal the extremum, and how many do."""
    op = current().op
    mask = op("eq", x, restored(output, x, attrs))
    weights = op("where", mask, 1.0, 0.0)
    weights = op("cast", weights, dtype=x.type.dtype)
    return mask, op("sum", weights, **attrs)


def _extremum_jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    mask, ties = _winners(outputs[0], inputs[0], attrs)
    chosen = current().op("where", mask, tangents[0], 0.0)
    return [current().op("sum", chosen, **attrs) / ties]


def _extremum_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    mask, ties = _winners(outputs[0], inputs[0], attrs)
    share = restored(cotangents[0] / ties, inputs[0], attrs)
    return [match(current().op("where", mask, share, 0.0), inputs[0])]


_NOTES = "elements that tie share the cotangent equally"
_reduction("max", np.max, _extremum_jvp, _extremum_vjp, notes=_NOTES)
_reduction("min", np.min, _extremum_jvp, _extremum_vjp, notes=_NOTES)
_reduction("argmax", np.argmax, None, None, inactive=True)
_reduction("argmin", np.argmin, None, None, inactive=True)


# -- cumulative sums -----------------------------------------------------------------------------


def _cumsum_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Array(_result_dtype(types[0].dtype, "sum"), shape_of(types[0]))]


def _cumsum(x: Any, axis: int, backwards: bool = False) -> Any:
    """Sums from the first element on, or from the last one; memory in order, as views expect."""
    if not backwards:
        return np.cumsum(x, axis)
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis).copy()


def _cumsum_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    turned = not attrs.get("backwards", False)
    return [current().op("cumsum", cotangents[0], axis=attrs["axis"], backwards=turned)]


def _cumsum_show(op: Op) -> str:
    axis, plain = op.attrs["axis"], len(shape_of(op.result.type)) == 1
    if not op.attrs.get("backwards"):
        return "np.cumsum({0})" if plain else f"np.cumsum({{0}}, {axis})"
    if plain:
        return "np.cumsum({0}[::-1])[::-1].copy()"
    return f"np.flip(np.cumsum(np.flip({{0}}, {axis}), {axis}), {axis}).copy()"


register(
    Record(
        "cumsum",
        _cumsum_infer,
        _cumsum,
        show=_cumsum_show,
        jvp=lambda ts, outs, ins, attrs: [current().op("cumsum", ts[0], **attrs)],
        vjp=_cumsum_vjp,
        numpy=(np.cumsum,),
        takes_complex=True,
    )
)
