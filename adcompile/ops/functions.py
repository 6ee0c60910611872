"""Mathematical functions of one or two arguments, elementwise.

Enters: real operands, or complex ones where NumPy's `cmath` functions have them, with NumPy's
branch cuts. Leaves: records with partial derivatives stated once, from the standard tables of
elementary derivatives; integers are taken as float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import is_complex
from adcompile.ops.elementwise import elementwise

_PER_LOG2, _PER_LOG10 = 1.0 / math.log(2.0), 1.0 / math.log(10.0)


def _call(name: str, *inputs: Any) -> Value:
    result: Value = current().op(name, *inputs)
    return result


def _arccosh_partial(x: Value) -> Value:
    if not is_complex(x.type):
        return 1.0 / _call("sqrt", x * x - 1.0)
    return 1.0 / (_call("sqrt", x - 1.0) * _call("sqrt", x + 1.0))  # the cuts are those of arccosh


def _function(name: str, partials: Any, domain: tuple[float, float] = (-2.0, 2.0)) -> None:
    scalar = name.replace("arc", "a") + "({0})"
    elementwise(
        name, getattr(np, name), f"math.{scalar}", show=f"np.{name}({{0}})", result="float",
        partials=partials, domain=domain, takes_complex=name not in _REAL_ONLY,
        instead=_REAL_ONLY.get(name, ""),
    )  # fmt: skip


_REAL_ONLY = {"expm1": "np.exp(z) - 1", "log1p": "np.log(1 + z)"}

_function("exp", lambda y, x: (y,))
_function("expm1", lambda y, x: (y + 1.0,))
_function("log", lambda y, x: (1.0 / x,), (0.5, 3.0))
_function("log1p", lambda y, x: (1.0 / (1.0 + x),), (-0.5, 2.0))
_function("log2", lambda y, x: (_PER_LOG2 / x,), (0.5, 3.0))
_function("log10", lambda y, x: (_PER_LOG10 / x,), (0.5, 3.0))
_function("sqrt", lambda y, x: (0.5 / y,), (0.5, 3.0))
_function("sin", lambda y, x: (_call("cos", x),))
_function("cos", lambda y, x: (-_call("sin", x),))
_function("tan", lambda y, x: (1.0 + y * y,), (-1.0, 1.0))
_function("sinh", lambda y, x: (_call("cosh", x),))
_function("cosh", lambda y, x: (_call("sinh", x),))
_function("tanh", lambda y, x: (1.0 - y * y,))
_function("arcsin", lambda y, x: (1.0 / _call("sqrt", 1.0 - x * x),), (-0.8, 0.8))
_function("arccos", lambda y, x: (-1.0 / _call("sqrt", 1.0 - x * x),), (-0.8, 0.8))
_function("arctan", lambda y, x: (1.0 / (1.0 + x * x),))
_function("arcsinh", lambda y, x: (1.0 / _call("sqrt", x * x + 1.0),))
_function("arccosh", lambda y, x: (_arccosh_partial(x),), (1.5, 3.0))
_function("arctanh", lambda y, x: (1.0 / (1.0 - x * x),), (-0.8, 0.8))

elementwise(
    "exp2", np.exp2, "np.exp2({0})", result="float",
    partials=lambda y, x: (y * math.log(2.0),),
)  # fmt: skip
elementwise(
    "cbrt", np.cbrt, "np.cbrt({0})", result="float", domain=(0.5, 2.0),
    partials=lambda y, x: (1.0 / (3.0 * (y * y)),), notes="the derivative at 0 is infinite",
)  # fmt: skip


def _sinc_partials(y: Value, x: Value) -> tuple[Value]:
    """(cos(pi x) - sinc(x)) / x, near 0 by its series, of which no digits cancel."""
    t = math.pi * x
    small = _call("lt", _call("abs", x), 0.01)
    squared = t * t
    series = 1.0 / 3.0 - squared * (1.0 / 30.0 - squared * (1.0 / 840.0 - squared / 45360.0))
    divisor = _call("where", small, 1.0, x)
    return (_call("where", small, -math.pi * t * series, (_call("cos", t) - y) / divisor),)


def _sinc_expand(inputs: list[Value], attrs: dict[str, Any]) -> Value:
    t = math.pi * _call("where", _call("eq", inputs[0], 0), 1.0e-20, inputs[0])
    result: Value = _call("sin", t) / t
    return result


elementwise(
    "sinc", np.sinc, "np.sinc({0})", result="float", partials=_sinc_partials,
    expand=_sinc_expand,
)  # fmt: skip
elementwise(
    "copysign", np.copysign, "math.copysign({0}, {1})", show="np.copysign({0}, {1})",
    result="float", partials=lambda z, x, y: (_call("sign", x) * _call("copysign", 1.0, y), None),
    notes="the derivative at 0 is 0, that of the sign is 0",
)  # fmt: skip
elementwise(
    "nextafter", np.nextafter, "np.nextafter({0}, {1})", result="float",
    partials=lambda z, x, y: (1.0, None), notes="moves with the first argument",
)  # fmt: skip
elementwise(
    "ldexp", np.ldexp, "math.ldexp({0}, int({1}))", show="np.ldexp({0}, {1})", result="first",
    partials=lambda z, x, e: (_call("ldexp", 1.0, e), None),
)  # fmt: skip
elementwise(
    "arctan2", np.arctan2, "math.atan2({0}, {1})", show="np.arctan2({0}, {1})", result="float",
    partials=lambda z, y, x: (x / (x * x + y * y), -y / (x * x + y * y)), domain=(0.5, 2.0),
)  # fmt: skip


def _hypot_partials(z: Value, x: Value, y: Value) -> tuple[Value, Value]:
    length = _call("where", _call("eq", z, 0), 1.0, z)
    return x / length, y / length


elementwise(
    "hypot", np.hypot, "math.hypot({0}, {1})", show="np.hypot({0}, {1})", result="float",
    partials=_hypot_partials, domain=(0.5, 2.0), notes="the derivative at (0, 0) is 0",
)  # fmt: skip


def _logaddexp_partials(z: Value, a: Value, b: Value) -> tuple[Value, Value]:
    largest = _call("where", _call("eq", z, -np.inf), 0.0, z)
    return _call("exp", a - largest), _call("exp", b - largest)


def _logaddexp_expand(inputs: list[Value], attrs: dict[str, Any]) -> Value:
    a, b = inputs
    larger = _call("maximum", a, b)
    distance = _call("abs", a - b)
    value = larger + _call("log1p", _call("exp", -distance))
    # two equal infinities have no distance
    return _call("where", _call("eq", a, b), larger + float(np.log(2.0)), value)


elementwise(
    "logaddexp", np.logaddexp, "np.logaddexp({0}, {1})", show="np.logaddexp({0}, {1})",
    result="float", partials=_logaddexp_partials, expand=_logaddexp_expand,
    notes="of two minus infinities the derivative is 0",
)  # fmt: skip


def _logaddexp2_partials(z: Value, a: Value, b: Value) -> tuple[Value, Value]:
    return _call("exp2", a - z), _call("exp2", b - z)


def _logaddexp2_expand(inputs: list[Value], attrs: dict[str, Any]) -> Value:
    a, b = inputs
    larger = _call("maximum", a, b)
    distance = _call("abs", a - b)
    value = larger + _call("log1p", _call("exp2", -distance)) * _PER_LOG2
    return _call("where", _call("eq", a, b), larger + 1.0, value)  # type: ignore[no-any-return]


elementwise(
    "logaddexp2", np.logaddexp2, "np.logaddexp2({0}, {1})", result="float",
    partials=_logaddexp2_partials, expand=_logaddexp2_expand,
)  # fmt: skip
