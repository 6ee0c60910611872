"""The logarithm of a sum of exponentials, and the softmax family.

Enters: arrays of floats and static axes. Leaves: records that print as SciPy's functions. The
largest element is subtracted first, so nothing overflows; the derivatives read the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Scalar, Type, shape_of
from adcompile.ops.reductions import reduced_shape, restored

Attrs = dict[str, Any]


def _op(name: str, *inputs: Any, **attrs: Any) -> Value:
    result: Value = current().op(name, *inputs, **attrs)
    return result


def _total(x: Value, attrs: Attrs) -> Value:
    return _op("sum", x, axes=attrs["axes"], keepdims=True)


def _evaluate(name: str) -> Callable[..., Any]:
    def apply(x: Any, axes: tuple[int, ...], **options: Any) -> Any:
        with np.errstate(all="ignore"):
            found = getattr(import_module("scipy.special"), name)(x, axis=axes, **options)
        return np.asarray(found).astype(x.dtype)[()]

    return apply


def _show(op: Op) -> str:
    axes = op.attrs["axes"]
    text = f"scipy.special.{op.name}({{0}}"
    if len(axes) < len(shape_of(op.inputs[0].type)) or op.attrs.get("keepdims"):
        text += f", axis={axes[0] if len(axes) == 1 else axes}"
    return text + (", keepdims=True)" if op.attrs.get("keepdims") else ")")


def _reference(x: Value, attrs: Attrs) -> Value:
    """The largest element along the axes, 0 where it is infinite or not a number."""
    largest = _op("max", x, axes=attrs["axes"], keepdims=True)
    return _op("where", _op("isfinite", largest), largest, 0.0)


# -- logsumexp -----------------------------------------------------------------------------------


def _logsumexp_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    shape = reduced_shape(shape_of(types[0]), attrs)
    return [Array(types[0].dtype, shape)] if shape else [Scalar(types[0].dtype)]


def _shares(output: Value, x: Value, attrs: Attrs) -> Value:
    """softmax(x), from its logsumexp; all 0 where every element is minus infinity."""
    largest = restored(output, x, attrs)
    empty = _op("eq", largest, -math.inf)
    return _op("exp", x - _op("where", empty, 0.0, largest))


def _logsumexp_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    return [_op("sum", _shares(outputs[0], inputs[0], attrs) * tangents[0], **attrs)]


def _logsumexp_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    shares = _shares(outputs[0], inputs[0], attrs)
    return [restored(cotangents[0], inputs[0], attrs) * shares]


def _logsumexp_expand(inputs: list[Value], attrs: Attrs) -> Value:
    (x,) = inputs
    largest = _reference(x, attrs)
    total = _op("sum", _op("exp", x - largest), **attrs)
    if not attrs["keepdims"]:
        largest = _op("sum", largest, **attrs)  # of one element: the axes go
    return _op("log", total) + largest


register(
    Record(
        "logsumexp", _logsumexp_infer, _evaluate("logsumexp"), show=_show, jvp=_logsumexp_jvp,
        vjp=_logsumexp_vjp, expand=_logsumexp_expand,
        notes="1e-14; of nothing but minus infinity the derivative is 0, with plus infinity not a "
        "number",
    )
)  # fmt: skip


# -- softmax -------------------------------------------------------------------------------------


def _same_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Array(types[0].dtype, shape_of(types[0]))]


def _softmax_change(change: Value, y: Value, attrs: Attrs) -> Value:
    """The product with the symmetric Jacobian diag(y) - y y.T."""
    return y * (change - _total(y * change, attrs))


def _softmax_expand(inputs: list[Value], attrs: Attrs) -> Value:
    (x,) = inputs
    powers = _op("exp", x - _op("max", x, axes=attrs["axes"], keepdims=True))
    return powers / _total(powers, attrs)


def _log_softmax_expand(inputs: list[Value], attrs: Attrs) -> Value:
    (x,) = inputs
    shifted = x - _reference(x, attrs)
    return shifted - _op("log", _total(_op("exp", shifted), attrs))


register(
    Record(
        "softmax", _same_infer, _evaluate("softmax"), show=_show,
        jvp=lambda ts, outs, ins, attrs: [_softmax_change(ts[0], outs[0], attrs)],
        vjp=lambda cts, outs, ins, attrs: [_softmax_change(cts[0], outs[0], attrs)],
        expand=_softmax_expand,
        notes="1e-14; with plus infinity, or of nothing finite, not a number",
    )
)  # fmt: skip
register(
    Record(
        "log_softmax", _same_infer, _evaluate("log_softmax"), show=_show,
        jvp=lambda ts, outs, ins, attrs: [
            ts[0] - _total(_op("exp", outs[0]) * ts[0], attrs)
        ],
        vjp=lambda cts, outs, ins, attrs: [
            cts[0] - _op("exp", outs[0]) * _total(cts[0], attrs)
        ],
        expand=_log_softmax_expand,
        notes="1e-14, absolute",
    )
)  # fmt: skip
