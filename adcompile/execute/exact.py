"""Operations with the meaning that NumPy gives them, in a form that is fast.

`maximum` and `minimum` of floats give NaN where either operand is NaN. Spelled as a comparison,
LLVM would fold an array by them one element after the other. `times` is a product that stays where
it is in a chain of products, whatever the flags of its function allow. `where` chooses without a
branch: which of two numbers is larger is seldom foreseen. `hidden` is an integer of which the
compiler cannot tell how it comes of a counter. `exp` is libm's, for which a
chain of steps waits less than for the formula of `vector_math`. `power` multiplies, and keeps
beside each product what was rounded off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import llvmlite.binding as _llvm
import numpy as np
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.core.typing import signature as _signature
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin as _lower
from numba.extending import register_jitable as _jitable
from numba.extending import type_callable as _typing

from adcompile.execute.products import dot_into
from adcompile.execute.vector_math import library_call

__all__ = ["dot_into", "exp", "grown", "hidden", "maximum", "minimum", "power", "times", "where"]

_HAS_INSTRUCTION = _llvm.llvm_version_info[0] >= 17  # earlier ones do not compile it for x86


def maximum(a: float, b: float) -> float:
    """The larger of two numbers, NaN if there is one."""
    return a if a > b or a != a else b


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers, NaN if there is one."""
    return a if a < b or a != a else b


def times(a: float, b: float) -> float:
    """The product of two numbers."""
    return a * b


def where(condition: bool, a: float, b: float) -> float:
    """The first of two numbers if a condition holds, else the second."""
    return a if condition else b


def hidden(x: int) -> int:
    """The same integer."""
    return x


def exp(x: float) -> float:
    """The exponential of a number."""
    return math.exp(x)


# Numba's decorators have no types of their own, hence the comments beside them
@_typing(exp)  # type: ignore[untyped-decorator]
def _exp_typed(context: Any) -> Any:
    return lambda x: _signature(x, x) if isinstance(x, _types.Float) else None


@_lower(exp, _types.Float)  # type: ignore[untyped-decorator]
def _exp_lowered(context: Any, builder: Any, types: Any, values: Any) -> Any:
    return library_call(context, builder, "exp", values)


def _compiled(function: Callable[[float, float], float], generate: Callable[..., Any]) -> None:
    """Compile a function of two floats by `generate`, which gets LLVM's builder and the numbers."""

    @_typing(function)  # type: ignore[untyped-decorator]
    def typed(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            if isinstance(a, _types.Float) and isinstance(b, _types.Float):
                result = a if a.bitwidth > b.bitwidth else b
                return _signature(result, result, result)
            return None

        return typer

    @_lower(function, _types.Float, _types.Float)  # type: ignore[untyped-decorator]
    def lowered(context: Any, builder: Any, types: Any, values: Any) -> Any:
        return generate(builder, *values)


def _extremum(name: str, first_wins: str) -> Callable[..., Any]:
    def generate(builder: Any, x: Any, y: Any) -> Any:
        if not _HAS_INSTRUCTION:
            wins = builder.fcmp_ordered(first_wins, x, y)
            return builder.select(builder.or_(wins, builder.fcmp_unordered("uno", x, x)), x, y)
        size = "f32" if x.type == _ir.FloatType() else "f64"
        type_ = _ir.FunctionType(x.type, [x.type, x.type])
        instruction = f"llvm.{name}.{size}"
        return builder.call(
            _cgutils.get_or_insert_function(builder.module, type_, instruction), [x, y]
        )

    return generate


def _ordered_product(builder: Any, x: Any, y: Any) -> Any:
    # flags of its own: the function's are given to instructions without any
    return builder.fmul(x, y, flags=("contract", "nsz"))


_compiled(maximum, _extremum("maximum", ">"))
_compiled(minimum, _extremum("minimum", "<"))
_compiled(times, _ordered_product)


@_typing(where)  # type: ignore[untyped-decorator]  # Numba's, as above
def _where_typed(context: Any) -> Any:
    def typer(condition: Any, a: Any, b: Any) -> Any:
        floats = isinstance(a, _types.Float) and a == b
        return _signature(a, _types.boolean, a, a) if floats else None

    return typer


@_lower(where, _types.Boolean, _types.Float, _types.Float)  # type: ignore[untyped-decorator]
def _where_lowered(context: Any, builder: Any, types: Any, values: Any) -> Any:
    return builder.select(*values)


@_typing(hidden)  # type: ignore[untyped-decorator]  # Numba's, as above
def _hidden_typed(context: Any) -> Any:
    return lambda x: _signature(_types.int64, _types.int64)


@_lower(hidden, _types.int64)  # type: ignore[untyped-decorator]  # Numba's, as above
def _hidden_lowered(context: Any, builder: Any, types: Any, values: Any) -> Any:
    type_ = _ir.IntType(64)
    return builder.asm(_ir.FunctionType(type_, [type_]), "", "=r,0", values, False)


# -- stacks --------------------------------------------------------------------------------------


@_jitable  # type: ignore[untyped-decorator]  # Numba's, as above
def grown(stack: Any) -> Any:
    """An array twice as long that begins with the same elements."""
    longer = np.empty(2 * len(stack), stack.dtype)
    for k in range(len(stack)):
        longer[k] = stack[k]
    return longer


# -- powers --------------------------------------------------------------------------------------

_Part = tuple[Any, Any]  # a number, and what was rounded off: None if nothing
_FLAGS = ("nsz",)  # without those of the function, which would take the rounding for zero


@_intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]  # Numba's, as above
def power(context: Any, base: Any, exponent: Any) -> Any:
    """A float to a whole power that is known."""
    if not isinstance(base, _types.Float) or not isinstance(exponent, _types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        machine, *_, known = context.codegen().magic_tuple()
        if machine.startswith("x86") and "+fma," not in f"{known},":
            number = _ir.Constant(values[0].type, float(exponent.literal_value))
            return library_call(context, builder, "pow", [values[0], number])
        return _power(builder, values[0], exponent.literal_value)

    return _signature(base, base, exponent), generate


def _power(builder: Any, base: Any, exponent: int) -> Any:
    part: _Part = (base, None)
    if exponent < 0:
        one = _ir.Constant(base.type, 1.0)
        inverse = builder.fdiv(one, base, flags=_FLAGS)
        rest = _fma(builder, builder.fneg(inverse, flags=_FLAGS), base, one)
        part = inverse, builder.fmul(rest, inverse, flags=_FLAGS)
    product, left = None, abs(exponent)
    while left:
        if left % 2:
            product = part if product is None else _product(builder, product, part)
        left //= 2
        if left:
            part = _product(builder, part, part)
    assert product is not None
    high, low = product
    both = builder.fadd(high, low, flags=_FLAGS)
    return builder.select(builder.fcmp_ordered("ord", both, both), both, high)  # 0, infinity, NaN


def _product(builder: Any, first: _Part, second: _Part) -> _Part:
    (a, a_rest), (b, b_rest) = first, second
    high = builder.fmul(a, b, flags=_FLAGS)
    low = _fma(builder, a, b, builder.fneg(high, flags=_FLAGS))
    for factor, rest in ((a, b_rest), (b, a_rest)):
        if rest is not None:
            low = _fma(builder, factor, rest, low)
    return high, low


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fma.{'f32' if a.type == _ir.FloatType() else 'f64'}"
    type_ = _ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(_cgutils.get_or_insert_function(builder.module, type_, name), [a, b, c])
