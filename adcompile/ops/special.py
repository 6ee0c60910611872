"""Special functions: error functions, the logistic and entropy families, gamma and its relatives,
Bessel functions of whole order.

Enters: real operands. Leaves: records that print as SciPy's functions. The compiler gets a function
of `math`, an expansion into simpler operations that keeps its digits, or a kernel. The derivatives
are those of the Digital Library of Mathematical Functions. The accuracy in `notes` is relative, in
float64, and tested; float32 is computed in float64 where there is a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from adcompile.errors import NotDifferentiable
from adcompile.graph.builder import current
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Scalar
from adcompile.ops.elementwise import elementwise
from adcompile.ops.kernels import bessel, gamma, normal

_ROOT_HALF = math.sqrt(0.5)
_ROOT_PI = math.sqrt(math.pi)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def _call(name: str, *inputs: Any) -> Value:
    result: Value = current().op(name, *inputs)
    return result


def late(name: str) -> Callable[..., Any]:
    """A function of `scipy.special`, which takes longer to import than all of this package."""

    def apply(*inputs: Any) -> Any:
        return getattr(import_module("scipy.special"), name)(*inputs)

    return apply


def _special(name: str, partials: Any, *, kernel: Any = None, math_name: str = "",
             expand: Any = None, **more: Any) -> None:  # fmt: skip
    """Record a function that SciPy has under the same name."""
    count = partials.__code__.co_argcount - 1
    arguments = ", ".join(f"{{{k}}}" for k in range(count))
    shown = f"scipy.special.{name}({arguments})"
    scalar = f"math.{math_name}({arguments})" if math_name else shown
    elementwise(
        name, late(name), scalar, result="float", partials=partials,
        show=(lambda op: scalar if isinstance(op.result.type, Scalar) else shown)
        if math_name else shown,
        kernel=kernel, expand=(lambda inputs, attrs: expand(*inputs)) if expand else None, **more,
    )  # fmt: skip


# -- error functions and the normal distribution --------------------------------------------------


def _bell(x: Value) -> Value:
    return _call("exp", -(x * x))


def _log_ndtr(x: Value) -> Value:
    scaled = x * _ROOT_HALF
    high = _call("log1p", -0.5 * _call("erfc", scaled))
    low = _call("log", 0.5 * _call("erfcx", -scaled)) - scaled * scaled
    return _call("where", x > -1.0, high, low)


_special("erf", lambda y, x: (2.0 / _ROOT_PI * _bell(x),), math_name="erf", notes="4e-16")
_special("erfc", lambda y, x: (-2.0 / _ROOT_PI * _bell(x),), math_name="erfc", notes="1e-15")
_special(
    "erfcx", lambda y, x: (2.0 * (x * y) - 2.0 / _ROOT_PI,), kernel=normal._kernel_erfcx,
    notes="1e-15",
)  # fmt: skip
_special(
    "erfinv", lambda y, x: (0.5 * _ROOT_PI * _call("exp", y * y),), kernel=normal._kernel_erfinv,
    domain=(-0.9, 0.9), notes="1e-15",
)  # fmt: skip
_special(
    "erfcinv", lambda y, x: (-0.5 * _ROOT_PI * _call("exp", y * y),),
    kernel=normal._kernel_erfcinv, domain=(0.1, 1.9), notes="1e-15",
)  # fmt: skip
_special(
    "ndtr", lambda y, x: (_call("exp", -0.5 * (x * x)) / _ROOT_TWO_PI,),
    expand=lambda x: 0.5 * _call("erfc", -_ROOT_HALF * x), notes="x * x * 3e-16, at least 1e-14",
)  # fmt: skip
_special(
    "log_ndtr", lambda y, x: (math.sqrt(2.0 / math.pi) / _call("erfcx", -_ROOT_HALF * x),),
    expand=_log_ndtr, notes="2e-15, for x above 2 x * x * 4e-16",
)  # fmt: skip
_special(
    "ndtri", lambda y, x: (_ROOT_TWO_PI * _call("exp", 0.5 * (y * y)),),
    kernel=normal._kernel_ndtri, domain=(0.1, 0.9), notes="1e-15",
)  # fmt: skip

# -- logistic -------------------------------------------------------------------------------------


def _logit(x: Value) -> Value:
    middle = _call("abs", x - 0.5) < 0.25
    return _call("where", middle, 2.0 * _call("arctanh", 2.0 * x - 1.0),
                 _call("log", x / (1.0 - x)))  # fmt: skip


_special(
    "expit", lambda y, x: (y * _call("expit", -x),),
    expand=lambda x: 1.0 / (1.0 + _call("exp", -x)), notes="1e-15, 0 where it is subnormal",
)  # fmt: skip
_special(
    "logit", lambda y, x: (1.0 / (x * (1.0 - x)),), expand=_logit, domain=(0.1, 0.9),
    notes="1e-15",
)  # fmt: skip
_special(
    "log_expit", lambda y, x: (_call("expit", -x),),
    expand=lambda x: _call("minimum", x, 0.0) - _call("log1p", _call("exp", -_call("abs", x))),
    notes="1e-15",
)  # fmt: skip

# -- entropy --------------------------------------------------------------------------------------


def _unless_zero(x: Value, y: Value, value: Value) -> Value:
    """`value`, but 0 where x is 0 and y is a number."""
    empty = _call("logical_and", _call("eq", x, 0.0), _call("logical_not", _call("isnan", y)))
    return _call("where", empty, 0.0, value)


def _log_ratio(x: Value, y: Value) -> Value:
    """log(x / y), with all digits where the two are near each other."""
    ratio = x / y
    near = _call("logical_and", ratio > 0.5, ratio < 2.0)
    return _call("where", near, _call("log1p", (x - y) / y), _call("log", ratio))


def _entr(x: Value) -> Value:
    positive = _call("where", x > 0.0, x, 1.0)
    outside = _call("where", x < 0.0, -math.inf, x * 0.0)
    return _call("where", x > 0.0, -x * _call("log", positive), outside)


def _relative(x: Value, y: Value, rest: Callable[[Value, Value], Value], empty: Value) -> Value:
    both = _call("logical_and", x > 0.0, y > 0.0)
    a, b = (_call("where", both, v, 1.0) for v in (x, y))
    none = _call("logical_and", _call("eq", x, 0.0), _call("ge", y, 0.0))
    missing = _call("logical_or", _call("isnan", x), _call("isnan", y))
    outside = _call("where", none, empty, _call("where", missing, x + y, math.inf))
    return _call("where", both, rest(a, b), outside)


_special(
    "xlogy", lambda z, x, y: (_call("log", y), _unless_zero(x, y, x / y)),
    expand=lambda x, y: _unless_zero(x, y, x * _call("log", y)), domain=(0.5, 3.0),
    notes="1e-15; d/dx is log(y) also where x is 0, d/dy is 0 there",
)  # fmt: skip
_special(
    "xlog1py", lambda z, x, y: (_call("log1p", y), _unless_zero(x, y, x / (1.0 + y))),
    expand=lambda x, y: _unless_zero(x, y, x * _call("log1p", y)), domain=(0.5, 3.0),
    notes="1e-15; d/dx is log1p(y) also where x is 0, d/dy is 0 there",
)  # fmt: skip
_special(
    "entr", lambda y, x: (-_call("log", x) - 1.0,), expand=_entr, domain=(0.5, 3.0),
    notes="1e-15; the derivative at 0 is infinite",
)  # fmt: skip
_special(
    "rel_entr", lambda z, x, y: (_log_ratio(x, y) + 1.0, _unless_zero(x, y, -x / y)),
    expand=lambda x, y: _relative(x, y, lambda a, b: a * _log_ratio(a, b), x * 0.0),
    domain=(0.5, 3.0), notes="1e-15; d/dx at x = 0 is infinite",
)  # fmt: skip
_special(
    "kl_div", lambda z, x, y: (_log_ratio(x, y), 1.0 - _unless_zero(x, y, x / y)),
    expand=lambda x, y: _relative(x, y, lambda a, b: a * _log_ratio(a, b) - a + b, y),
    domain=(0.5, 3.0), notes="1e-15 of the larger argument; d/dx at x = 0 is infinite",
)  # fmt: skip

# -- gamma ----------------------------------------------------------------------------------------


def _digamma(x: Any) -> Value:
    return _call("digamma", x)


def _ordered(
    name: str, kernel: Any, derivative: Callable[[int, Value, Value], Value],
    names: dict[int, str] | None = None, **more: Any,
) -> None:  # fmt: skip
    """Record a function whose first operand is an order, known when it is compiled.

    names    what SciPy calls the function of some orders
    """
    names = names or {}

    def evaluate(n: Any, x: Any) -> Any:
        short = names.get(int(n))
        found = late(short)(x) if short else late(name)(int(n), x)
        return np.asarray(found).astype(np.asarray(x).dtype)[()]

    def show(op: Op) -> str:
        order = op.inputs[0].constant
        text = names.get(order, "")
        text = f"scipy.special.{text}({{1}})" if text else f"scipy.special.{name}({{0}}, {{1}})"
        if op.result.type.dtype == "float64" or order in names:
            return text
        return f"np.float32({text})" if isinstance(op.result.type, Scalar) else (
            f"{text}.astype(np.float32)"
        )  # fmt: skip

    def partials(y: Value, n: Value, x: Value) -> tuple[None, Value]:
        return None, derivative(n.constant, x, y)

    elementwise(
        name, evaluate, f"scipy.special.{name}({{0}}, {{1}})", show=show, result="float",
        partials=partials, kernel=kernel, **more,
    )  # fmt: skip


def _zeta_partials(z: Value, s: Value, q: Value) -> tuple[None, Value]:
    if s.constant is None:
        raise NotDifferentiable(
            "`zeta` has no derivative with respect to its exponent", hint="make it a constant"
        )
    return None, -s.constant * _call("zeta", s.constant + 1.0, q)


_special(
    "gamma", lambda y, x: (y * _digamma(x),), math_name="gamma", domain=(0.5, 3.0), notes="2e-15"
)
_special(
    "gammaln", lambda y, x: (_digamma(x),), math_name="lgamma", domain=(2.5, 5.0),
    notes="2e-15, absolute where it is below 1",
)  # fmt: skip
_special(
    "digamma", lambda y, x: (_call("polygamma", 1, x),), kernel=gamma._kernel_digamma,
    domain=(0.5, 3.0), notes="2e-15, absolute where it is below 1",
)  # fmt: skip
_ordered(
    "polygamma", gamma._kernel_polygamma, lambda n, x, y: _call("polygamma", n + 1, x),
    domain=(0.5, 3.0),
    notes="2e-15, for negative arguments 2e-14; absolute where it is below 1",
)  # fmt: skip
_special(
    "zeta", _zeta_partials, kernel=gamma._kernel_zeta, domain=(1.5, 4.0),
    notes="2e-15; the exponent is above 1",
)  # fmt: skip
_special(
    "betaln",
    lambda z, a, b: (_digamma(a) - _digamma(a + b), _digamma(b) - _digamma(a + b)),
    kernel=gamma._kernel_betaln, domain=(0.5, 3.0), notes="2e-15, absolute where it is below 1",
)  # fmt: skip
_special(
    "beta",
    lambda z, a, b: (z * (_digamma(a) - _digamma(a + b)), z * (_digamma(b) - _digamma(a + b))),
    kernel=gamma._kernel_beta, domain=(0.5, 3.0), notes="2e-15, times the logarithm if large",
)  # fmt: skip

# -- powers ---------------------------------------------------------------------------------------

_special(
    "exp10", lambda y, x: (math.log(10.0) * y,), expand=lambda x: _call("pow", 10.0, x),
    notes="1e-15",
)  # fmt: skip

# -- Bessel functions -----------------------------------------------------------------------------


def _halves(name: str, sign: float) -> Callable[[int, Value, Value], Value]:
    """The derivative as half the sum or difference of both neighbours (DLMF 10.6.1, 10.29.1)."""

    def derivative(n: int, x: Value, y: Value) -> Value:
        if n == 0:
            return sign * _call(name, 1, x)
        return 0.5 * (_call(name, n - 1, x) + sign * _call(name, n + 1, x))

    return derivative


def _ive_slope(n: int, x: Value, y: Value) -> Value:
    return _halves("ive", 1.0)(n, x, y) - _call("sign", x) * y


def _spherical_slope(n: int, x: Value, y: Value) -> Value:
    """DLMF 10.51.2."""
    if n == 0:
        return -_call("spherical_jn", 1, x)
    below, above = (_call("spherical_jn", k, x) for k in (n - 1, n + 1))
    return (n * below - (n + 1.0) * above) / (2.0 * n + 1.0)


_ordered("jv", bessel._kernel_jv, _halves("jv", -1.0), {0: "j0", 1: "j1"}, notes="1e-15, absolute")
_ordered("iv", bessel._kernel_iv, _halves("iv", 1.0), {0: "i0", 1: "i1"}, notes="2e-15")
_ordered(
    "ive", bessel._kernel_ive, _ive_slope, {0: "i0e", 1: "i1e"},
    notes="2e-15; the derivative at the kink at 0 is the mean of both sides",
)  # fmt: skip
_ordered("spherical_jn", bessel._kernel_spherical_jn, _spherical_slope, notes="1e-15, absolute")
