"""NumPy's names for functions of numbers that are made of simpler ones.

Enters: calls such as `np.fmax(x, y)` and `np.nan_to_num(x)`. Leaves: elementwise operations and
reductions appended with the builder in force.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import Scalar, is_complex, is_continuous
from adcompile.ops.reduction_spellings import reduction
from adcompile.ops.shape_spellings import astype, copy
from adcompile.ops.spellings import CALLS, METHODS, as_value, spelled, static


def op(name: str, *inputs: Any, **attrs: Any) -> Any:
    """Append an operation."""
    return current().op(name, *inputs, **attrs)


def floats(*items: Any) -> list[Value]:
    """Values of a float dtype each; integers become float64."""
    values = [as_value(item) for item in items]
    return [v if is_continuous(v.type) else op("cast", v, dtype="float64") for v in values]


def _extremum_of_numbers(name: str) -> Callable[[Any, Any], Value]:
    def apply(x1: Any, x2: Any) -> Value:
        a, b = as_value(x1), as_value(x2)
        value = op(name, a, b, strong=True)
        if not is_continuous(value.type):
            return value  # type: ignore[no-any-return]
        value = op("where", op("isnan", b), a, value, strong=True)
        return op("where", op("isnan", a), b, value, strong=True)  # type: ignore[no-any-return]

    return apply


CALLS[np.fmax], CALLS[np.fmin] = map(_extremum_of_numbers, ("maximum", "minimum"))


@spelled(np.float_power)
def float_power(x1: Any, x2: Any) -> Value:
    """`x1 ** x2` in float64, whatever the operands are."""
    a, b = (op("cast", as_value(v), dtype="float64") for v in (x1, x2))
    return op("pow", a, b)  # type: ignore[no-any-return]


@spelled(np.positive)
def positive(x: Any) -> Value:
    """`+x`, a copy."""
    return copy(x)


def _times(factor: float) -> Callable[[Any], Value]:
    return lambda x: op("mul", as_value(x), factor, strong=True)  # type: ignore[no-any-return]


for _factor, _names in ((math.pi / 180.0, "deg2rad radians"), (180.0 / math.pi, "rad2deg degrees")):
    for _name in _names.split():
        CALLS[getattr(np, _name)] = _times(_factor)
CALLS[math.radians], CALLS[math.degrees] = CALLS[np.radians], CALLS[np.degrees]

_natural_logarithm, _hypotenuse = CALLS[math.log], CALLS[math.hypot]


@spelled(math.log)
def logarithm(x: Any, base: Any = None) -> Value:
    """The logarithm, to the base e or another."""
    result: Value = _natural_logarithm(x)
    return result if base is None else result / _natural_logarithm(base)


@spelled(math.hypot)
def hypotenuse(*coordinates: Any) -> Any:
    """The length of a vector of numbers."""
    if len(coordinates) < 2:
        return CALLS[builtins.abs](*coordinates) if coordinates else 0.0
    return functools.reduce(_hypotenuse, coordinates)


@spelled(math.dist)
def distance(p: Any, q: Any) -> Any:
    """The length of the difference of two vectors."""
    return CALLS[np.linalg.norm](as_value(p) - as_value(q))


@spelled(np.heaviside)
def heaviside(x1: Any, x2: Any) -> Value:
    """0 below 0, 1 above, `x2` at 0; the derivative of the step is 0."""
    x, middle = floats(x1, x2)
    step = op("where", op("gt", x, 0.0), 1.0, op("where", op("eq", x, 0.0), middle, 0.0))
    return op("where", op("isnan", x), x, step, strong=True)  # type: ignore[no-any-return]


@spelled(np.divmod, builtins.divmod)
def divide_with_rest(x1: Any, x2: Any) -> tuple[Value, Value]:
    """Quotient rounded down, and rest."""
    a, b = as_value(x1), as_value(x2)
    return op("floordiv", a, b), op("mod", a, b)


@spelled(np.modf, math.modf)
def parts_of_number(x: Any) -> tuple[Value, Value]:
    """The part behind the point, and the one before."""
    (value,) = floats(x)
    whole = op("trunc", value)
    return op("where", op("isinf", value), 0.0, value - whole), whole


CALLS[np.fix] = lambda x: op("trunc", *floats(x), strong=True)


@spelled(np.round, np.around, method="round")
def rounded(a: Any, decimals: Any = 0) -> Value:
    """Rounded to a number of decimals, halves to the even neighbour; the derivative is 0."""
    value, places = as_value(a), static(decimals, "decimals")
    if not is_continuous(value.type):
        return copy(value)
    if places == 0:
        return op("rint", value, strong=True)  # type: ignore[no-any-return]
    factor = 10.0 ** abs(places)
    if places > 0:
        return op("rint", value * factor) / factor  # type: ignore[no-any-return]
    return op("rint", value / factor) * factor  # type: ignore[no-any-return]


_LIMITS = ("bits", "eps", "epsneg", "max", "min", "resolution", "smallest_normal", "tiny")


def _limits(info: Any) -> Callable[[Any], SimpleNamespace]:
    def of(dtype: Any) -> SimpleNamespace:
        found = info(dtype)
        return SimpleNamespace(**{k: getattr(found, k) for k in _LIMITS if hasattr(found, k)})

    return of


CALLS[np.finfo], CALLS[np.iinfo] = _limits(np.finfo), _limits(np.iinfo)


# -- questions -----------------------------------------------------------------------------------


CALLS[np.isposinf] = lambda x: op("eq", as_value(x), math.inf)
CALLS[np.isneginf] = lambda x: op("eq", as_value(x), -math.inf)
CALLS[np.isscalar] = lambda element: isinstance(as_value(element).type, Scalar)


@spelled(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: Any = False) -> Value:
    """Equal within `atol + rtol * abs(b)`."""
    x, y = floats(a, b)
    near = op("le", op("abs", x - y), atol + rtol * op("abs", y))
    close = op("logical_or", op("logical_and", near, op("isfinite", y)), op("eq", x, y))
    if static(equal_nan, "equal_nan"):
        close = op("logical_or", close, op("logical_and", op("isnan", x), op("isnan", y)))
    return close  # type: ignore[no-any-return]


@spelled(math.isclose)
def isclose_number(a: Any, b: Any, *, rel_tol: Any = 1e-09, abs_tol: Any = 0.0) -> Value:
    """Equal within `max(rel_tol * max(abs(a), abs(b)), abs_tol)`."""
    x, y = floats(a, b)
    bound = op("maximum", rel_tol * op("maximum", op("abs", x), op("abs", y)), abs_tol)
    near = op("logical_and", op("le", op("abs", x - y), bound), op("isfinite", x - y))
    return op("logical_or", near, op("eq", x, y))  # type: ignore[no-any-return]


def counted(condition: Value, axis: Any, keepdims: Any) -> Any:
    """How many elements are true, along axes."""
    if isinstance(condition.type, Scalar):
        return op("cast", condition, dtype="int64")
    return reduction("sum")(condition, axis, keepdims=keepdims)


@spelled(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """How many elements are not 0."""
    return counted(op("ne", as_value(a), 0), axis, keepdims)


@spelled(np.all, method="all")
def all_true(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """Whether no element is 0."""
    return op("eq", counted(op("eq", as_value(a), 0), axis, keepdims), 0)


@spelled(np.any, method="any")
def any_true(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """Whether some element is not 0."""
    return op("ne", counted(op("ne", as_value(a), 0), axis, keepdims), 0)


@spelled(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: Any = False) -> Any:
    """Whether all elements are close."""
    return all_true(isclose(a, b, rtol, atol, equal_nan))


# -- what is no number ---------------------------------------------------------------------------


def _real(item: Any, name: str) -> Value:
    value = as_value(item)
    if is_complex(value.type):
        raise TypeMismatch(f"`np.{name}` of complex numbers", hint="take x.real and x.imag")
    return value


@spelled(np.nan_to_num)
def nan_to_num(
    x: Any, copy: Any = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Value:
    """Finite numbers in place of those that are none; these have the derivative 0."""
    value = _real(x, "nan_to_num")
    if not is_continuous(value.type):
        return CALLS[np.copy](value)  # type: ignore[no-any-return]
    limits = np.finfo(value.type.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    finite = op("where", op("eq", value, math.inf), high, value, strong=True)
    finite = op("where", op("eq", value, -math.inf), low, finite, strong=True)
    finite = op("where", op("isnan", value), nan, finite, strong=True)
    if not static(copy, "copy") and not isinstance(value.type, Scalar):
        op("assign", value, finite)
        return value
    return finite  # type: ignore[no-any-return]


def without_nan(a: Any, instead: float) -> tuple[Value, Value]:
    """`a` with a number in place of NaN, and where it is none."""
    value = as_value(a)
    if not is_continuous(value.type):
        return value, op("ne", value, value)
    missing = op("isnan", value)
    return op("where", missing, instead, value, strong=True), missing


def _nan_fold(name: str, instead: float) -> Callable[..., Any]:
    def apply(a: Any, axis: Any = None, **options: Any) -> Any:
        return CALLS[getattr(np, name)](without_nan(a, instead)[0], axis, **options)

    return apply


CALLS[np.nansum], CALLS[np.nanprod] = _nan_fold("sum", 0.0), _nan_fold("prod", 1.0)
CALLS[np.nancumsum] = _nan_fold("cumsum", 0.0)


def _nan_extremum(name: str, instead: float) -> Callable[..., Any]:
    def apply(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
        value, missing = without_nan(a, instead)
        if not is_continuous(value.type):
            return reduction(name)(value, axis, keepdims=keepdims)
        best = reduction(name)(value, axis, keepdims=keepdims)
        some = any_true(op("logical_not", missing), axis, keepdims=keepdims)
        return op("where", some, best, math.nan, strong=True)

    return apply


CALLS[np.nanmax] = _nan_extremum("max", -math.inf)
CALLS[np.nanmin] = _nan_extremum("min", math.inf)


def _nan_place(name: str, instead: float) -> Callable[..., Any]:
    def apply(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
        value, missing = without_nan(a, instead)
        some = all_true(any_true(op("logical_not", missing), axis))
        op("require", some, message="All-NaN slice encountered", error="ValueError")
        return reduction(name)(value, axis, keepdims=keepdims)

    return apply


CALLS[np.nanargmax] = _nan_place("argmax", -math.inf)
CALLS[np.nanargmin] = _nan_place("argmin", math.inf)


@spelled(np.nanmean)
def nanmean(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The mean of the numbers that are some."""
    value, missing = without_nan(floats(a)[0], 0.0)
    total = reduction("sum")(value, axis, keepdims=keepdims)
    return op("div", total, _as(total, counted(op("logical_not", missing), axis, keepdims)))


def _as(like: Value, value: Any) -> Value:
    return astype(value, like.type.dtype)


@spelled(np.nanvar)
def nanvar(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: Any = False) -> Any:
    """The variance of the numbers that are some."""
    (value,) = floats(_real(a, "nanvar"))
    present = op("logical_not", op("isnan", value))
    centred = without_nan(value - nanmean(value, axis, keepdims=True), 0.0)[0]
    total = reduction("sum")(op("square", centred), axis, keepdims=keepdims)
    count = counted(present, axis, keepdims)
    rest = count - as_value(ddof)
    variance = total / _as(total, rest)
    return op("where", op("gt", rest, 0), variance, math.nan, strong=True)


@spelled(np.nanstd)
def nanstd(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: Any = False) -> Any:
    """The standard deviation of the numbers that are some."""
    return op("sqrt", nanvar(a, axis, ddof=ddof, keepdims=keepdims))


@spelled(np.ptp)
def ptp(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """The largest minus the smallest."""
    return reduction("max")(a, axis, keepdims=keepdims) - reduction("min")(
        a, axis, keepdims=keepdims
    )


METHODS["nonzero"] = lambda a: CALLS[np.nonzero](a)
