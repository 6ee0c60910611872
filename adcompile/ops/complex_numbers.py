"""Complex numbers: their parts, how they are made, and functions that are not holomorphic.

Enters: complex operands. Leaves: records, and the spellings of NumPy and `cmath`. A cotangent g of
z stands for the change Re(sum(g dz)), without conjugation, so holomorphic functions have the rules
that they have on the real line, and the gradient of a real function is df/dx - i df/dy. At 0, `abs`
and `angle` have the derivative 0.
"""

from __future__ import annotations

import builtins
import cmath
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import current
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Array, Scalar, is_complex
from adcompile.ops.elementwise import Attrs, elementwise
from adcompile.ops.spellings import ATTRIBUTES, CALLS, METHODS, as_value, spelled


def _by_rank(scalar: str, array: str) -> Any:
    return lambda op: scalar if isinstance(op.result.type, Scalar) else array


def _part(name: str) -> Any:
    def take(z: Any) -> Any:
        return np.array(getattr(np.asarray(z), name))[()]  # not a view

    return take


elementwise(
    "real", _part("real"), "{0}.real", result="real", cheap=True, takes_complex=True,
    partials=lambda y, z: (1.0,),
)  # fmt: skip
elementwise(
    "imag", _part("imag"), "{0}.imag", result="real", cheap=True, takes_complex=True,
    partials=lambda y, z: (-1j,),
)  # fmt: skip


elementwise(
    "abs_squared", lambda z: np.abs(z) ** 2, "{0}.real * {0}.real + {0}.imag * {0}.imag",
    show="np.abs({0}) ** 2", result="real", cheap=True, takes_complex=True,
    partials=lambda y, z: (2.0 * conjugate(z),), notes="smooth, unlike the absolute value",
)  # fmt: skip


def _conjugated(items: Any, outputs: Any, inputs: Any, attrs: Attrs) -> list[Value]:
    return [conjugate(items[0])]


elementwise(
    "conj", np.conjugate, "{0}.conjugate()", cheap=True, takes_complex=True, jvp=_conjugated,
    vjp=_conjugated, show=_by_rank("{0}.conjugate()", "np.conj({0})"),
)  # fmt: skip


def _angle_partials(y: Value, z: Value) -> tuple[Value]:
    op = current().op
    zero = op("eq", z, 0)
    return (op("where", zero, 0.0, -1j / op("where", zero, 1.0, z)),)


elementwise(
    "angle", np.angle, "math.atan2({0}.imag, {0}.real)", show="np.angle({0})", result="real",
    partials=_angle_partials, takes_complex=True, notes="the derivative at 0 is 0",
)  # fmt: skip


def _complex_show(op: Op) -> str:
    if isinstance(op.result.type, Array):
        return "{0} + 1j * {1}"
    single = op.result.type.dtype == "complex64"
    return "np.complex64(complex({0}, {1}))" if single else "complex({0}, {1})"


elementwise(
    "complex", lambda x, y: x + 1j * np.asarray(y)[()], "complex({0}, {1})", show=_complex_show,
    result="complex", cheap=True, partials=lambda z, x, y: (1.0, 1j),
    instead="a + 1j * b",
)  # fmt: skip


# -- spellings -----------------------------------------------------------------------------------


def conjugate(value: Value) -> Value:
    """The complex conjugate; a real value itself."""
    if not is_complex(value.type):
        return value
    result: Value = current().op("conj", value)
    return result


def squared_size(value: Value) -> Value:
    """`abs(value) ** 2`, with a derivative everywhere."""
    name = "abs_squared" if is_complex(value.type) else "square"
    result: Value = current().op(name, value)
    return result


@spelled(np.real)
def real(val: Any) -> Value:
    """The real part; of a real array the array itself."""
    value = as_value(val)
    result: Value = current().op("real", value, shared=True) if is_complex(value.type) else value
    return result


@spelled(np.imag)
def imag(val: Any) -> Value:
    """The imaginary part; zeros for what is real."""
    value = as_value(val)
    if is_complex(value.type):
        result: Value = current().op("imag", value, shared=True)
        return result
    if isinstance(value.type, Scalar):
        return current().constant(0, value.type)
    return CALLS[np.zeros_like](value)  # type: ignore[no-any-return]


ATTRIBUTES["real"], ATTRIBUTES["imag"] = real, imag


@spelled(np.conjugate)
def conj(x: Any) -> Value:
    """The complex conjugate, a fresh array."""
    value = as_value(x)
    return conjugate(value) if is_complex(value.type) else CALLS[np.copy](value)


CALLS[np.conj] = conj
METHODS["conj"] = METHODS["conjugate"] = lambda x: conjugate(as_value(x))


@spelled(np.angle)
def angle(z: Any, deg: bool = False) -> Value:
    """The argument, in radians or degrees; of a real number 0 or pi."""
    value, op = as_value(z), current().op
    if is_complex(value.type):
        result = op("angle", value)
    else:
        result = op("where", op("lt", value, 0), np.pi, 0.0 * value)
    return result * (180 / np.pi) if deg else result  # type: ignore[no-any-return]


CALLS[np.iscomplexobj] = lambda x: is_complex(as_value(x).type)
CALLS[np.isrealobj] = lambda x: not is_complex(as_value(x).type)


@spelled(builtins.complex)
def made(real: Any = 0, imag: Any = None) -> Any:
    """`complex(a, b)` of two real numbers, or the conversion of one number."""
    if isinstance(real, str):
        raise TypeMismatch("complex of a text", hint="write the number as 1 + 2j")
    parts = [as_value(part) for part in (real, imag) if part is not None]
    if any(isinstance(part.type, Array) for part in parts):
        raise TypeMismatch("an array is no number", hint="write a + 1j * b")
    if imag is None:
        return current().op("cast", parts[0], dtype="complex128", weak=True)
    return current().op("complex", *parts)


# -- cmath ---------------------------------------------------------------------------------------


def widened(item: Any) -> Value:
    """A number as a complex number of its precision."""
    value = as_value(item)
    if isinstance(value.type, Array):
        raise TypeMismatch("`cmath` takes single numbers", hint="use NumPy's function")
    if is_complex(value.type):
        return value
    single = value.type.dtype == "float32"
    dtype, weak = ("complex64", False) if single else ("complex128", True)
    result: Value = current().op("cast", value, dtype=dtype, weak=weak)
    return result


def _of_complex(name: str) -> Any:
    return lambda z: current().op(name, widened(z))


_CMATH = (
    "exp sqrt sin cos tan sinh cosh tanh asin:arcsin acos:arccos atan:arctan asinh:arcsinh "
    "acosh:arccosh atanh:arctanh isnan isfinite phase:angle"
)
for _entry in _CMATH.split():
    _spelling, _, _record = _entry.partition(":")
    CALLS[getattr(cmath, _spelling)] = _of_complex(_record or _spelling)


@spelled(cmath.log)
def log(z: Any, base: Any = None) -> Value:
    """The logarithm, to the base e or another."""
    result: Value = current().op("log", widened(z))
    return result if base is None else result / log(base)


@spelled(cmath.log10)
def log10(z: Any) -> Value:
    """The logarithm to the base 10."""
    return log(z) * (1.0 / float(np.log(10.0)))


@spelled(cmath.polar)
def polar(z: Any) -> tuple[Value, Value]:
    """Absolute value and argument."""
    value = widened(z)
    return current().op("abs", value), current().op("angle", value)


@spelled(cmath.rect)
def rect(r: Any, phi: Any) -> Value:
    """The number with an absolute value and an argument."""
    op, size, turn = current().op, as_value(r), as_value(phi)
    result: Value = op("complex", size * op("cos", turn), size * op("sin", turn))
    return result
