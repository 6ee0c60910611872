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
from numba.extending import lower_builtin as _lower
from numba.extending import overload as _overload
from numba.extending import register_jitable as _register_jitable
from numba.extending import type_callable as _typing

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


def dot(a: Any, b: Any) -> Any:
    """The product of two matrices, or of a matrix and a vector; tiny ones by loops."""
    return np.dot(a, b)


def dot_into(out: Any, a: Any, b: Any) -> None:
    """The same product, written into an array."""
    np.dot(a, b, out)


@_overload(dot, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _dot(a: Any, b: Any) -> Any:
    if (a.ndim, b.ndim) == (2, 2):

        def matrices(a: Any, b: Any) -> Any:
            out = np.empty((a.shape[0], b.shape[1]), a.dtype)
            dot_into(out, a, b)
            return out

        return matrices
    if (a.ndim, b.ndim) == (2, 1):

        def by_vector(a: Any, b: Any) -> Any:
            out = np.empty(a.shape[0], a.dtype)
            dot_into(out, a, b)
            return out

        return by_vector

    def by_matrix(a: Any, b: Any) -> Any:
        out = np.empty(b.shape[1], a.dtype)
        dot_into(out, a, b)
        return out

    return by_matrix


@_overload(dot_into, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _dot_into(out: Any, a: Any, b: Any) -> Any:
    if (a.ndim, b.ndim) == (2, 2):

        def matrices(out: Any, a: Any, b: Any) -> None:
            rows, inner, columns = a.shape[0], a.shape[1], b.shape[1]
            if rows * inner * columns > _TINY or inner != b.shape[0]:
                np.dot(a, b, out)
                return
            for i in range(rows):
                for j in range(columns):
                    total = a.dtype.type(0)
                    for k in range(inner):
                        total += a[i, k] * b[k, j]
                    out[i, j] = total

        return matrices
    if (a.ndim, b.ndim) == (2, 1):

        def by_vector(out: Any, a: Any, b: Any) -> None:
            if a.size > _TINY or a.shape[1] != b.shape[0]:
                np.dot(a, b, out)
                return
            for i in range(a.shape[0]):
                total = a.dtype.type(0)
                for k in range(a.shape[1]):
                    total += a[i, k] * b[k]
                out[i] = total

        return by_vector

    def by_matrix(out: Any, a: Any, b: Any) -> None:
        if b.size > _TINY or a.shape[0] != b.shape[0]:
            np.dot(a, b, out)
            return
        for j in range(b.shape[1]):
            total = b.dtype.type(0)
            for k in range(b.shape[0]):
                total += a[k] * b[k, j]
            out[j] = total

    return by_matrix


_SMALL = 5  # rows of matrices that take no longer to eliminate than to call the algebra library


def inv(a: Any) -> Any:
    """The inverse of a square matrix; of a tiny one by Gauss and Jordan's elimination."""
    return np.linalg.inv(a)


@_overload(inv, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _inv(a: Any) -> Any:
    def inverse(a: Any) -> Any:
        n = a.shape[0]
        if n > _SMALL or n != a.shape[1]:
            return np.linalg.inv(a)
        out = np.empty((n, n), a.dtype).T  # columns lie together, as the library leaves them
        for i in range(n):
            for j in range(n):
                out[i, j] = a[i, j]
                if not np.isfinite(a[i, j]):
                    return np.linalg.inv(a)  # which raises, here and below
        swaps = 0  # the rows that changed places, as digits
        for k in range(n):
            best = _pivot(out, k)
            if out[k, k] == 0:
                return np.linalg.inv(a)
            swaps = swaps * (_SMALL + 1) + best
            scale = 1 / out[k, k]
            out[k, k] = 1
            for j in range(n):
                out[k, j] *= scale
            for i in range(n):
                if i != k:
                    factor = out[i, k]
                    out[i, k] = 0
                    for j in range(n):
                        out[i, j] -= factor * out[k, j]
        for k in range(n - 1, -1, -1):
            best = swaps % (_SMALL + 1)
            swaps //= _SMALL + 1
            if best != k:
                for i in range(n):
                    out[i, k], out[i, best] = out[i, best], out[i, k]
        return out

    return inverse


def det(a: Any) -> Any:
    """The determinant of a square matrix; of a tiny one by elimination."""
    return np.linalg.det(a)


@_overload(det, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _det(a: Any) -> Any:
    def determinant(a: Any) -> Any:
        n = a.shape[0]
        if n > _SMALL or n != a.shape[1]:
            return np.linalg.det(a)
        rest = np.empty((n, n), a.dtype)
        for i in range(n):
            for j in range(n):
                rest[i, j] = a[i, j]
                if not np.isfinite(a[i, j]):
                    return np.linalg.det(a)  # which raises
        product = a.dtype.type(1)
        for k in range(n):
            if _pivot(rest, k) != k:
                product = -product
            product *= rest[k, k]
            if rest[k, k] == 0:
                break
            for i in range(k + 1, n):
                factor = rest[i, k] / rest[k, k]
                for j in range(k + 1, n):
                    rest[i, j] -= factor * rest[k, j]
        return product

    return determinant


@_register_jitable  # type: ignore[untyped-decorator]
def _pivot(a: Any, k: int) -> int:
    """Bring the row with the largest element of a column, from the diagonal on, to the diagonal."""
    best = k
    for i in range(k + 1, a.shape[0]):
        if abs(a[i, k]) > abs(a[best, k]):
            best = i
    if best != k:
        for j in range(a.shape[1]):
            a[k, j], a[best, j] = a[best, j], a[k, j]
    return best
