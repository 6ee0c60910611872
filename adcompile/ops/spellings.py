"""Which Python and NumPy names stand for which operations.

Enters: a callable, attribute or method name met in the user's source. Leaves: a function over graph
values (and static Python values such as axes) that appends operations with the builder in force.
"""

from __future__ import annotations

import builtins
import math
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import RECORDS, Value
from adcompile.graph.types import (
    Array,
    Scalar,
    check_dtype,
    is_complex,
    is_continuous,
    is_integer,
)

CALLS: dict[Any, Callable[..., Any]] = {}
METHODS: dict[str, Callable[..., Any]] = {}
ATTRIBUTES: dict[str, Callable[[Value], Any]] = {}
WRITTEN: dict[Any, Callable[..., Any]] = {}  # functions written in the compiled language itself


# by module and name, for modules that are expensive to import: the user has imported what is called
LATE: dict[str, dict[str, Callable[..., Any]]] = {"scipy.linalg": {}, "scipy.special": {}}


def front_of(target: Any) -> Callable[..., Any] | None:
    """The function over graph values that stands for a callable, if there is one."""
    for module in [m for m in (*LATE,) if m in sys.modules]:
        names = LATE.get(module, {})  # another thread may do the same
        if all(hasattr(sys.modules[module], name) for name in names):  # else: half imported
            CALLS.update({getattr(sys.modules[module], n): f for n, f in names.items()})
            LATE.pop(module, None)
    try:
        return CALLS.get(target)
    except TypeError:  # not hashable
        return None


def spelled(*names: Any, method: str = "") -> Callable[[Any], Any]:
    """Enter a function over graph values under the callables it stands for."""

    def enter(function: Any) -> Any:
        for name in names:
            CALLS[name] = function
        if method:
            METHODS[method] = function
        return function

    return enter


def written(*names: Any, method: str = "") -> Callable[[Any], Any]:
    """Enter a function of the compiled language, to be inlined, for the callables it stands for."""

    def enter(function: Any) -> Any:
        for name in names:
            WRITTEN[name] = function
        if method:
            METHODS[method] = names[0]
        return function

    return enter


def unsupported(message: str, hint: str = "") -> None:
    """Refuse, where a written function calls this."""
    raise UnsupportedOperation(message, hint=hint)


CALLS[unsupported] = unsupported


def program_of(target: Any) -> Callable[..., Any] | None:
    """The function of the compiled language that stands for a callable, if there is one."""
    try:
        return WRITTEN.get(target)
    except TypeError:  # not hashable
        return None


def as_value(item: Any) -> Value:
    """A graph value of a value or a Python number; raises TypeMismatch for anything else."""
    if isinstance(item, Value):
        return item
    if isinstance(item, (bool, int, float, complex, np.generic)):
        return current().constant(item)
    if isinstance(item, (tuple, list)):
        return CALLS[np.stack](item)  # type: ignore[no-any-return]
    raise TypeMismatch(f"expected a number or an array, got {described(item)}")


def described(item: Any) -> str:
    """What a user would call an item: "a 2-d float64 array", "text", "the function `f`"."""
    if isinstance(item, Value):
        type_ = item.type
        return f"a {type_.ndim}-d {type_.dtype} array" if isinstance(type_, Array) else "a number"
    if item is None or item is Ellipsis:
        return "None" if item is None else "`...`"
    if isinstance(item, (bool, int, float, np.generic)):
        return f"the number {item}"
    if isinstance(item, (str, bytes)) or type(item).__name__ == "Formatted":
        return "text"
    if isinstance(item, ModuleType):
        return f"the module `{item.__name__}`"
    name = getattr(item, "__name__", None)
    if isinstance(name, str) and name in ("function", "<lambda>"):
        return "a function"
    if isinstance(name, str):
        return f"the {'class' if isinstance(item, type) else 'function'} `{name}`"
    kind = type(item).__name__
    if isinstance(item, (tuple, list)):
        return f"a {kind} of {len(item)}"
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def whole_number(item: Any, what: str) -> int:
    """`item` as an int known at compile time; raises TypeMismatch for anything else."""
    known = static(item, what)
    if not isinstance(known, (int, np.integer)) or isinstance(known, (bool, np.bool_)):
        raise TypeMismatch(f"`{what}` must be an integer, got {described(known)}")
    return int(known)


def counting(item: Any) -> Any:
    """`item`, if it is an integer, as Python counts with it: also below zero.

    NumPy's small and unsigned integers wrap around.
    """
    if not isinstance(item, Value) or not isinstance(item.type, Scalar):
        return item
    if not is_integer(item.type) or item.type.dtype == "int64":
        return item
    return current().op("cast", item, dtype="int64", weak=True)


def static(item: Any, what: str) -> Any:
    """`item` if it is known at compile time, also as a constant of the graph."""
    if isinstance(item, Value):
        if item.constant is not None:
            return item.constant
        raise TypeMismatch(f"`{what}` must be known at compile time", hint="write it as a literal")
    return item


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple of non-negative ints; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(whole_number(a, "axis") for a in axes)
    for a in axes:
        if not -ndim <= a < ndim:
            raise ShapeError(
                f"axis {a} does not exist in an array of {counted(ndim, 'axis', 'axes')}",
                hint=f"axes count from 0 to {ndim - 1}, or from -1 down" if ndim else "",
            )
    if len({a % ndim for a in axes}) < len(axes):
        raise ShapeError(f"axis={axes} names an axis twice")
    return tuple(sorted(a % ndim for a in axes))


def counted(number: int, one: str, many: str) -> str:
    """`1 axis`, `2 axes`."""
    return f"{number} {one if number == 1 else many}"


def dtype_name(dtype: Any) -> str:
    """The name of a dtype given in any of NumPy's ways; raises TypeMismatch."""
    try:
        known = np.dtype(static(dtype, "dtype"))
    except (TypeError, ValueError):
        raise TypeMismatch(f"`{dtype}` is not a dtype", hint="np.float64, np.int64, ...") from None
    check_dtype(known)
    return known.name


def _elementwise(name: str, strong: bool, real: bool = False) -> Callable[..., Value]:
    def apply(*operands: Any) -> Value:
        attrs = {"strong": True} if strong else {}
        count = _operand_count(name)
        if len(operands) != count:
            arguments = counted(count, "argument", "arguments")
            raise TypeError(f"() takes {arguments}, got {len(operands)}")
        values = [as_value(x) for x in operands]
        if not strong and any(isinstance(v.type, Array) for v in values) and name != "abs":
            raise TypeMismatch("a function of the module `math` takes numbers, not arrays",
                               hint="use the function of NumPy: np.sin, np.exp, ...")  # fmt: skip
        if real and any(is_complex(v.type) for v in values):
            raise TypeMismatch(
                "this function takes real numbers", hint="NumPy and cmath have one for complex ones"
            )
        result: Value = current().op(name, *values, **attrs)
        return result

    return apply


def _operand_count(name: str) -> int:
    template = RECORDS[name].scalar or ""
    return 1 + max(int(k) for k in re.findall(r"\{(\d)", template))


_NUMPY_ELEMENTWISE = (
    "add subtract:sub multiply:mul divide:div true_divide:div negative:neg power:pow "
    "floor_divide:floordiv mod remainder:mod fmod square reciprocal maximum minimum "
    "abs absolute:abs fabs:abs sign copysign floor ceil rint trunc exp exp2 expm1 log log2 log10 "
    "log1p sqrt cbrt sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh "
    "arctan2 hypot sinc logaddexp logaddexp2 ldexp nextafter spacing "
    "less:lt less_equal:le greater:gt greater_equal:ge equal:eq not_equal:ne "
    "logical_and logical_or logical_xor logical_not isnan isfinite isinf signbit "
    "left_shift bitwise_left_shift:left_shift right_shift bitwise_right_shift:right_shift gcd lcm"
)
_MATH_ELEMENTWISE = (
    "exp expm1 log log2 log10 log1p sqrt sin cos tan sinh cosh tanh asin:arcsin acos:arccos "
    "atan:arctan asinh:arcsinh acosh:arccosh atanh:arctanh atan2:arctan2 hypot fabs:abs pow fmod "
    "copysign ldexp isnan isfinite isinf gcd lcm"
)
for _module, _names in ((np, _NUMPY_ELEMENTWISE), (math, _MATH_ELEMENTWISE)):
    for _entry in _names.split():
        _spelling, _, _record = _entry.partition(":")
        CALLS[getattr(_module, _spelling)] = _elementwise(
            _record or _spelling, _module is np, _module is math or _spelling == "fabs"
        )
CALLS[builtins.abs] = _elementwise("abs", False)


def power(base: Any, exponent: Any, strong: bool = False) -> Value:
    """`base ** exponent`; negative powers of integers are floats where Python makes them floats.

    Elsewhere they are refused, and checked at run time where only the run knows the exponent.
    """
    builder, x, y = current(), as_value(base), as_value(exponent)
    if not is_continuous(x.type) and not is_continuous(y.type):
        hint = "make the base a float: 2.0 ** n"
        if y.constant is None:
            negative = builder.op("lt", y, 0)
            if isinstance(negative.type, Array):
                axes = tuple(range(negative.type.ndim))
                count = builder.op("cast", negative, dtype="int64")
                count = builder.op("sum", count, axes=axes, keepdims=False)
                negative = builder.op("gt", count, 0)
            message = f"a negative power of an integer is no integer; {hint}"
            fits = builder.op("logical_not", negative)
            builder.op("require", fits, message=message, error="ValueError")
        elif y.constant < 0:
            if not isinstance(x.type, Scalar) or not x.type.weak:
                raise TypeMismatch("a negative power of an integer is no integer", hint=hint)
            x = builder.op("cast", x, dtype="float64", weak=True)
    result: Value = builder.op("pow", x, y, **({"strong": True} if strong else {}))
    return result


def _float_power(weak: bool) -> Callable[..., Value]:
    def apply(base: Any, exponent: Any) -> Value:
        value = as_value(base)
        if weak and is_complex(value.type):
            raise TypeMismatch("`math.pow` takes real numbers", hint="write z ** p")
        if not is_continuous(value.type):
            more = {"weak": True} if weak and isinstance(value.type, Scalar) else {}
            value = current().op("cast", value, dtype="float64", **more)
        return power(value, exponent, not weak)

    return apply


CALLS[math.exp2], CALLS[math.cbrt] = _elementwise("exp2", False), _elementwise("cbrt", False)


def of_truths(name: str, *operands: Value) -> str:
    """The record of a bitwise operator: of booleans it is the logical one."""
    if all(v.type.dtype == "bool" for v in operands):
        return name.replace("bitwise", "logical").replace("invert", "logical_not")
    return name


def _bitwise(name: str) -> Callable[..., Value]:
    def apply(*operands: Any) -> Value:
        values = [as_value(x) for x in operands]
        result: Value = current().op(of_truths(name, *values), *values, strong=True)
        return result

    return apply


for _name in ("bitwise_and", "bitwise_or", "bitwise_xor", "invert"):
    CALLS[getattr(np, _name)] = _bitwise(_name)
CALLS[builtins.pow] = power
CALLS[np.power] = lambda x1, x2: power(x1, x2, True)
CALLS[math.pow], CALLS[np.float_power] = _float_power(True), _float_power(False)


def _whole_number(name: str) -> Callable[[Any], Value]:
    """`math.floor` and the like give integers, unlike NumPy's."""

    def apply(x: Any) -> Value:
        rounded = current().op(name, as_value(x))
        result: Value = current().op("cast", rounded, dtype="int64", weak=True)
        return result

    return apply


CALLS[math.floor], CALLS[math.ceil] = _whole_number("floor"), _whole_number("ceil")
CALLS[math.trunc], CALLS[builtins.round] = _whole_number("trunc"), _whole_number("rint")


@spelled(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """`np.where` with one or three arguments."""
    condition = as_value(condition)
    if x is None:
        indices = current().op("nonzero", condition)
        return indices if isinstance(indices, tuple) else (indices,)
    if y is None:
        raise TypeMismatch("`np.where` takes one or three arguments, got 2",
                           hint="np.where(condition, x, 0.0)")  # fmt: skip
    return current().op("where", condition, as_value(x), as_value(y), strong=True)


CALLS[np.nonzero] = where


@spelled(np.clip, method="clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Value:
    """Limited from below and above; a tie with a bound gives half, as maximum and minimum do."""
    value = as_value(a)
    if a_min is not None:
        value = current().op("maximum", value, as_value(a_min))
    if a_max is not None:
        value = current().op("minimum", value, as_value(a_max))
    return value
