"""Products of matrices; tiny ones by loops, others by BLAS, which is called as directly as can be.

The compiler's own `np.dot` brings five functions for each product that all want compiling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic
from numba.extending import overload as _overload
from numba.np.linalg import ensure_blas as _ensure_blas

_TINY = 200  # products of numbers that take no longer than to call the library
_LARGEST = 2**31 - 1  # an extent for the library
_KINDS = {
    _types.float32: "s", _types.float64: "d", _types.complex64: "c", _types.complex128: "z"
}  # fmt: skip


def dot_into(out: Any, a: Any, b: Any) -> None:
    """Write the product of two matrices, or of a matrix and a vector, into an array."""
    np.dot(a, b, out)


# Numba's decorators have no types of their own, hence the comments beside them
@_overload(dot_into, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _dot_into(out: Any, a: Any, b: Any) -> Any:
    if "A" in (a.layout, b.layout):

        def copied(out: Any, a: Any, b: Any) -> None:
            dot_into(out, a.copy(), b.copy())

        return copied
    if out.layout == "A":

        def elsewhere(out: Any, a: Any, b: Any) -> None:
            product = np.empty(out.shape, out.dtype)
            dot_into(product, a, b)
            out[:] = product

        return elsewhere
    if out.layout == "F":

        def turned(out: Any, a: Any, b: Any) -> None:
            dot_into(out.T, b.T, a.T)

        return turned
    if (a.ndim, b.ndim) == (2, 2):

        def matrices(out: Any, a: Any, b: Any) -> None:
            rows, inner, columns = a.shape[0], a.shape[1], b.shape[1]
            if inner != b.shape[0] or rows > _LARGEST or inner > _LARGEST or columns > _LARGEST:
                raise ValueError("matrices of these sizes cannot be multiplied")
            if rows * inner * columns > _TINY:
                _by_library(a, b, out)
                return
            for i in range(rows):
                for j in range(columns):
                    out[i, j] = 0
                for k in range(inner):
                    for j in range(columns):
                        out[i, j] += a[i, k] * b[k, j]

        return matrices
    if (a.ndim, b.ndim) == (2, 1):

        def by_vector(out: Any, a: Any, b: Any) -> None:
            rows, inner = a.shape
            if inner != b.shape[0] or rows > _LARGEST or inner > _LARGEST:
                raise ValueError("a matrix and a vector of these sizes cannot be multiplied")
            if a.size > _TINY:
                _by_library(a, b, out)
                return
            for i in range(rows):
                total = a.dtype.type(0)
                for k in range(inner):
                    total += a[i, k] * b[k]
                out[i] = total

        return by_vector

    def by_matrix(out: Any, a: Any, b: Any) -> None:
        dot_into(out, b.T, a)

    return by_matrix


@_intrinsic  # type: ignore[untyped-decorator]
def _by_library(typing_context: Any, a: Any, b: Any, out: Any) -> Any:
    """out[...] = a @ b by BLAS, for arrays of some size without gaps, `out` in C order.

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
