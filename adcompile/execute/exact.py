"""Operations with the meaning that NumPy gives them, in a form that is fast.

`maximum` and `minimum` of floats give NaN where either operand is NaN. Spelled as a comparison,
LLVM would fold an array by them one element after the other.
"""

from __future__ import annotations

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
from numba.extending import overload as _overload
from numba.extending import type_callable as _typing
from numba.np.linalg import ensure_blas as _ensure_blas
from numba.np.numpy_support import as_dtype as _as_dtype

_HAS_INSTRUCTION = _llvm.llvm_version_info[0] >= 17  # earlier ones do not compile it for x86


def maximum(a: float, b: float) -> float:
    """The larger of two numbers, NaN if there is one."""
    return a if a > b or a != a else b


def minimum(a: float, b: float) -> float:
    """The smaller of two numbers, NaN if there is one."""
    return a if a < b or a != a else b


# Numba's decorators have no types of their own, hence the comments beside them
def _compiled(function: Callable[[float, float], float], first_wins: str) -> None:
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
        x, y = values
        if not _HAS_INSTRUCTION:
            wins = builder.fcmp_ordered(first_wins, x, y)
            return builder.select(builder.or_(wins, builder.fcmp_unordered("uno", x, x)), x, y)
        size = "f32" if types.return_type == _types.float32 else "f64"
        type_ = _ir.FunctionType(x.type, [x.type, x.type])
        name = f"llvm.{function.__name__}.{size}"
        return builder.call(_cgutils.get_or_insert_function(builder.module, type_, name), values)


_compiled(maximum, ">")
_compiled(minimum, "<")


_TINY = 200  # products of numbers that take no longer than to call the algebra library
_LARGEST = 2**31 - 1  # an extent for the algebra library
_KINDS = {
    _types.float32: "s", _types.float64: "d", _types.complex64: "c", _types.complex128: "z"
}  # fmt: skip


def dot(a: Any, b: Any) -> Any:
    """The product of two matrices, or of a matrix and a vector; tiny ones by loops.

    Other than `np.dot` of the compiler it does not bring five functions that all want compiling.
    """
    return np.dot(a, b)


@_overload(dot, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _dot(a: Any, b: Any) -> Any:
    kind = _as_dtype(a.dtype).type  # as the code around spells it, for one `np.empty` for all
    if "A" in (a.layout, b.layout):

        def copied(a: Any, b: Any) -> Any:
            return np.dot(a, b)

        return copied
    if (a.ndim, b.ndim) == (2, 2):

        def matrices(a: Any, b: Any) -> Any:
            rows, inner, columns = a.shape[0], a.shape[1], b.shape[1]
            if inner != b.shape[0] or rows > _LARGEST or inner > _LARGEST or columns > _LARGEST:
                raise ValueError("matrices of these sizes cannot be multiplied")
            out = np.empty((rows, columns), kind)
            if rows * inner * columns > _TINY:
                _by_library(a, b, out)
                return out
            for i in range(rows):
                for j in range(columns):
                    out[i, j] = 0
                for k in range(inner):
                    for j in range(columns):
                        out[i, j] += a[i, k] * b[k, j]
            return out

        return matrices
    if (a.ndim, b.ndim) == (2, 1):

        def by_vector(a: Any, b: Any) -> Any:
            rows, inner = a.shape
            if inner != b.shape[0] or rows > _LARGEST or inner > _LARGEST:
                raise ValueError("a matrix and a vector of these sizes cannot be multiplied")
            out = np.empty(rows, kind)
            if a.size > _TINY:
                _by_library(a, b, out)
                return out
            for i in range(rows):
                total = kind(0)
                for k in range(inner):
                    total += a[i, k] * b[k]
                out[i] = total
            return out

        return by_vector

    def by_matrix(a: Any, b: Any) -> Any:
        return dot(b.T, a)

    return by_matrix


@_intrinsic  # type: ignore[untyped-decorator]
def _by_library(typing_context: Any, a: Any, b: Any, out: Any) -> Any:
    """out[...] = a @ b by BLAS, for a matrix and a matrix or vector without gaps, of some size.

    BLAS counts along columns: it takes an array in C order for its transpose.
    """
    _ensure_blas()

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arrays = [
            context.make_array(type_)(context, builder, value)
            for type_, value in zip(signature.args, values, strict=True)
        ]
        first, second, result = ([*_cgutils.unpack_tuple(builder, x.shape)] for x in arrays)
        data = [builder.bitcast(x.data, _cgutils.voidptr_t) for x in arrays]
        numbers = (_constant(context, builder, out.dtype, value) for value in (1.0, 0.0))
        one, zero = (builder.bitcast(slot, _cgutils.voidptr_t) for slot in numbers)
        rows, inner = first
        kind = _letter(_KINDS[out.dtype])
        if b.ndim == 1:
            extents = [inner, rows] if a.layout == "C" else [rows, inner]
            arguments = [
                kind, _letter("t" if a.layout == "C" else "n"), *extents,
                one, data[0], extents[0], data[1], zero, data[2],
            ]  # fmt: skip
            _call(builder, "numba_xxgemv", arguments)
        else:
            columns = second[1]
            leading = [x[1] if t.layout == "C" else x[0] for x, t in ((first, a), (second, b))]
            turned = [_letter("n" if t.layout == "C" else "t") for t in (a, b)]
            arguments = [
                kind, turned[1], turned[0], columns, rows, inner,
                one, data[1], leading[1], data[0], leading[0], zero, data[2], result[1],
            ]  # fmt: skip
            _call(builder, "numba_xxgemm", arguments)
        return context.get_dummy_value()

    return _types.none(a, b, out), generate


def _letter(text: str) -> Any:
    return _ir.Constant(_ir.IntType(8), ord(text))


def _constant(context: Any, builder: Any, dtype: Any, value: float) -> Any:
    return _cgutils.alloca_once_value(builder, context.get_constant_generic(builder, dtype, value))


def _call(builder: Any, name: str, arguments: list[Any]) -> None:
    type_ = _ir.FunctionType(_ir.IntType(32), [x.type for x in arguments])
    builder.call(_cgutils.get_or_insert_function(builder.module, type_, name), arguments)
