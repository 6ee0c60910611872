"""SciPy's names for special functions, and those of `math`.

Enters: calls such as `scipy.special.expit(x)`. Leaves: operations appended with the builder in
force.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from adcompile.errors import UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import RECORDS, Value
from adcompile.graph.types import Scalar, is_continuous, shape_of
from adcompile.ops.special import late
from adcompile.ops.spellings import CALLS, LATE, as_value, normal_axes, static

_NAMES = LATE["scipy.special"]


def _real(item: Any) -> Value:
    """An operand as a float: integers become float64."""
    value = as_value(item)
    if is_continuous(value.type):
        return value
    if value.constant is not None:
        return current().constant(float(value.constant))
    result: Value = current().op("cast", value, dtype="float64")
    return result


def _function(name: str, strong: bool = True) -> Callable[..., Value]:
    def apply(*operands: Any) -> Value:
        attrs = {"strong": True} if strong else {}
        result: Value = current().op(name, *map(_real, operands), **attrs)
        return result

    return apply


_ELEMENTWISE = (
    "erf erfc erfcx erfinv erfcinv ndtr log_ndtr ndtri expit logit log_expit xlogy xlog1py entr "
    "rel_entr kl_div gamma gammaln digamma psi:digamma beta betaln exp10 expm1 log1p exp2 cbrt "
    "sinc"
)
for _entry in _ELEMENTWISE.split():
    _spelling, _, _record = _entry.partition(":")
    if (_record or _spelling) in RECORDS:
        _NAMES[_spelling] = _function(_record or _spelling)
for _spelling, _record in (
    ("erf", "erf"), ("erfc", "erfc"), ("gamma", "gamma"), ("lgamma", "gammaln"),
):  # fmt: skip
    CALLS[getattr(math, _spelling)] = _function(_record, strong=False)


expit = late("expit")  # for functions of ours that are to be compiled without importing SciPy's
CALLS[expit] = _function("expit")


def _of_order(name: str, order: int | None = None) -> Callable[..., Value]:
    """A function of a whole order, given by its name or by the first operand."""

    def apply(*operands: Any) -> Value:
        n = order if order is not None else static(operands[0], "the order")
        if n != int(n) or n < 0:
            raise UnsupportedOperation(f"`{name}` of order {n}", hint="use a whole order from 0")
        (x,) = operands if order is not None else operands[1:]
        if name == "polygamma" and n == 0:
            return _function("digamma")(x)
        result: Value = current().op(name, int(n), _real(x), strong=True)
        return result

    return apply


for _spelling, _record, _order in (
    ("polygamma", "polygamma", None),
    ("j0", "jv", 0), ("j1", "jv", 1), ("jv", "jv", None), ("jn", "jv", None),
    ("i0", "iv", 0), ("i1", "iv", 1), ("iv", "iv", None),
    ("i0e", "ive", 0), ("i1e", "ive", 1), ("ive", "ive", None),
    ("spherical_jn", "spherical_jn", None),
):  # fmt: skip
    _NAMES[_spelling] = _of_order(_record, _order)


def _zeta(x: Any, q: Any = 1.0) -> Value:
    """`scipy.special.zeta`: of Hurwitz, with one argument of Riemann."""
    result: Value = current().op("zeta", _real(x), _real(q), strong=True)
    return result


_NAMES["zeta"] = _zeta


def _axes_of(value: Value, axis: Any) -> tuple[int, ...]:
    return normal_axes(axis, len(shape_of(value.type)))


def _logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Value:
    """`scipy.special.logsumexp`, also with weights `b`."""
    if static(return_sign, "return_sign"):
        raise UnsupportedOperation("`logsumexp` with a sign", hint="leave `return_sign` out")
    value, op = _real(a), current().op
    if b is not None:
        return _weighted(value, _real(b), axis, keepdims)
    if isinstance(value.type, Scalar):
        return value
    attrs = {"axes": _axes_of(value, axis), "keepdims": bool(static(keepdims, "keepdims"))}
    result: Value = op("logsumexp", value, **attrs)
    return result


def _weighted(a: Value, b: Value, axis: Any, keepdims: bool) -> Value:
    """log(sum(b * exp(a))); elements of weight 0 count for nothing, however large."""
    op = current().op
    counted = op("where", op("ne", b, 0.0), a + 0.0 * b, -math.inf)
    if isinstance(counted.type, Scalar):
        result: Value = a + op("log", b)
        return result
    axes = _axes_of(counted, axis)
    largest = op("stop_gradient", op("max", counted, axes=axes, keepdims=True))
    largest = op("where", op("isfinite", largest), largest, 0.0)
    keep = bool(static(keepdims, "keepdims"))
    total = op("sum", b * op("exp", counted - largest), axes=axes, keepdims=keep)
    if not keep:
        largest = op("sum", largest, axes=axes, keepdims=False)
    whole: Value = op("log", total) + largest
    return whole


def _softmax(name: str) -> Callable[..., Value]:
    def apply(x: Any, axis: Any = None) -> Value:
        value = _real(x)
        if isinstance(value.type, Scalar):
            result: Value = value * 0.0 + (1.0 if name == "softmax" else 0.0)
            return result
        whole: Value = current().op(name, value, axes=_axes_of(value, axis))
        return whole

    return apply


_NAMES["logsumexp"] = _logsumexp
_NAMES["softmax"], _NAMES["log_softmax"] = _softmax("softmax"), _softmax("log_softmax")
