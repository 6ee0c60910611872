"""Products of matrices; tiny ones by loops, others by BLAS, which is called as directly as can be.

The compiler's own `np.dot` brings five functions for each product that all want compiling, and a
function of ours in Python takes a fifth of a second for each combination of dtype and layouts. So
the code is made here, once a module: of a matrix it needs the place of the elements, the extents
and the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.core.typing import signature as _signature
from numba.extending import lower_builtin as _lower
from numba.extending import overload as _overload
from numba.extending import type_callable as _typing
from numba.np.linalg import ensure_blas as _ensure_blas

_TINY = 200  # products of numbers that take no longer than to call the library
_LARGEST = 2**31 - 1  # an extent for the library
_KINDS = {
    _types.float32: "s", _types.float64: "d", _types.complex64: "c", _types.complex128: "z"
}  # fmt: skip
_WORD, _BYTES = _ir.IntType(64), _ir.IntType(8).as_pointer()


def dot_into(out: Any, a: Any, b: Any) -> None:
    """Write the product of two matrices, or of a matrix and a vector, into an array."""
    np.dot(a, b, out)


# Numba's decorators have no types of their own, hence the comments beside them
@_overload(dot_into, jit_options={"error_model": "numpy"})  # type: ignore[untyped-decorator]
def _with_copies(out: Any, a: Any, b: Any) -> Any:
    """Products of arrays with gaps."""
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
    return None


@_typing(dot_into)  # type: ignore[untyped-decorator]
def _without_gaps(context: Any) -> Any:
    def typer(out: Any, a: Any, b: Any) -> Any:
        known = all(isinstance(x, _types.Array) and x.layout in "CF" for x in (out, a, b))
        return _signature(_types.none, out, a, b) if known and out.dtype in _KINDS else None

    return typer


@dataclass
class _Matrix:
    """Where a matrix is: `by_rows` if its rows lie together, else its columns."""

    data: Any
    rows: Any
    columns: Any
    by_rows: bool

    @property
    def turned(self) -> _Matrix:
        """The transpose, of the same elements."""
        return _Matrix(self.data, self.columns, self.rows, not self.by_rows)


@_lower(dot_into, _types.Array, _types.Array, _types.Array)  # type: ignore[untyped-decorator]
def _dot_into(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    _ensure_blas()
    out_type, a_type, b_type = signature.args
    out, a, b = (
        _matrix(context, builder, type_, value)
        for type_, value in zip(signature.args, values, strict=True)
    )
    if a_type.ndim == 1:  # a row by a matrix is the transpose by a column
        a, b = b.turned, a
    elif not out.by_rows:
        out, a, b = out.turned, b.turned, a.turned
    widest = builder.or_(a.rows, builder.or_(a.columns, b.columns))
    wrong = builder.or_(
        builder.icmp_unsigned("!=", a.columns, b.rows),
        builder.icmp_unsigned(">", widest, _WORD(_LARGEST)),
    )
    with builder.if_then(wrong, likely=False):
        message = "arrays of these sizes cannot be multiplied"
        context.call_conv.return_user_exc(builder, ValueError, (message,))
    vector = 1 in (a_type.ndim, b_type.ndim)
    function = _function(builder.module, out_type.dtype, a.by_rows, b.by_rows, vector)
    builder.call(function, [out.data, a.data, b.data, a.rows, a.columns, b.columns])
    return context.get_dummy_value()


def _matrix(context: Any, builder: Any, type_: Any, value: Any) -> _Matrix:
    """An array; a vector is a column."""
    array = context.make_array(type_)(context, builder, value)
    rows, columns = [*_cgutils.unpack_tuple(builder, array.shape), _WORD(1)][:2]
    return _Matrix(array.data, rows, columns, type_.layout == "C")


def _function(module: Any, dtype: Any, a_by_rows: bool, b_by_rows: bool, vector: bool) -> Any:
    """The function of a module that writes a product, row by row.

    Its arguments: the elements of three matrices, the rows of the first factor, its columns, the
    columns of the second factor.
    """
    kind = _KINDS[dtype]
    name = f"adcompile_product_{kind}{'nt'[a_by_rows]}{'nt'[b_by_rows]}{'mv'[vector]}"
    if name in module.globals:
        return module.globals[name]
    real = _ir.FloatType() if kind in "sc" else _ir.DoubleType()
    number = real if kind in "sd" else _ir.LiteralStructType([real, real])
    pointer = number.as_pointer()
    type_ = _ir.FunctionType(_ir.VoidType(), [pointer] * 3 + [_WORD] * 3)
    function = _ir.Function(module, type_, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    for argument in function.args[:3]:
        argument.add_attribute("noalias")
    out, a, b, rows, inner, columns = function.args
    builder = _ir.IRBuilder(function.append_basic_block())
    first, second = _Matrix(a, rows, inner, a_by_rows), _Matrix(b, inner, columns, b_by_rows)
    count = builder.mul(builder.mul(rows, inner), columns)
    with builder.if_else(builder.icmp_unsigned("<=", count, _WORD(_TINY))) as (tiny, large):
        with tiny:
            _by_loops(builder, _Matrix(out, rows, columns, True), first, second)
        with large:
            if vector:
                _by_gemv(builder, kind, number, out, first, second)
            else:
                _by_gemm(builder, kind, number, out, first, second)
    builder.ret_void()
    return function


# -- by loops ------------------------------------------------------------------------------------


def _by_loops(builder: Any, out: _Matrix, a: _Matrix, b: _Matrix) -> None:
    number = out.data.type.pointee
    total, steps = _cgutils.alloca_once(builder, number), _cgutils.for_range
    with steps(builder, out.rows) as row, steps(builder, out.columns) as column:
        builder.store(_ir.Constant(number, None), total)
        with steps(builder, a.columns) as k:
            one = builder.load(_element(builder, a, row.index, k.index))
            other = builder.load(_element(builder, b, k.index, column.index))
            builder.store(_plus_product(builder, builder.load(total), one, other), total)
        builder.store(builder.load(total), _element(builder, out, row.index, column.index))


def _element(builder: Any, matrix: _Matrix, row: Any, column: Any) -> Any:
    if matrix.by_rows:
        place = builder.add(builder.mul(row, matrix.columns), column)
    else:
        place = builder.add(builder.mul(column, matrix.rows), row)
    return builder.gep(matrix.data, [place])


def _plus_product(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """total + a * b."""
    if not isinstance(total.type, _ir.LiteralStructType):
        return builder.fadd(total, builder.fmul(a, b))
    (x, y), (u, v), (re, im) = (
        [builder.extract_value(z, k) for k in (0, 1)] for z in (a, b, total)
    )
    re = builder.fadd(re, builder.fsub(builder.fmul(x, u), builder.fmul(y, v)))
    im = builder.fadd(im, builder.fadd(builder.fmul(x, v), builder.fmul(y, u)))
    return builder.insert_value(builder.insert_value(total, re, 0), im, 1)


# -- by BLAS, which counts along columns: a matrix row by row is the transpose of another ----------


def _by_gemv(builder: Any, kind: str, number: Any, out: Any, a: _Matrix, b: _Matrix) -> None:
    extents = [a.columns, a.rows] if a.by_rows else [a.rows, a.columns]
    _call(builder, "numba_xxgemv", [
        _letter(kind), _letter("t" if a.by_rows else "n"), *extents,
        _constant(builder, number, 1), _void(builder, a.data), extents[0],
        _void(builder, b.data), _constant(builder, number, 0), _void(builder, out),
    ])  # fmt: skip


def _by_gemm(builder: Any, kind: str, number: Any, out: Any, a: _Matrix, b: _Matrix) -> None:
    leading = [m.columns if m.by_rows else m.rows for m in (a, b)]
    turned = [_letter("n" if m.by_rows else "t") for m in (a, b)]
    _call(builder, "numba_xxgemm", [
        _letter(kind), turned[1], turned[0], b.columns, a.rows, a.columns,
        _constant(builder, number, 1), _void(builder, b.data), leading[1],
        _void(builder, a.data), leading[0],
        _constant(builder, number, 0), _void(builder, out), b.columns,
    ])  # fmt: skip


def _letter(text: str) -> Any:
    return _ir.Constant(_ir.IntType(8), ord(text))


def _void(builder: Any, pointer: Any) -> Any:
    return builder.bitcast(pointer, _BYTES)


def _constant(builder: Any, number: Any, value: int) -> Any:
    """The place of a number for the library."""
    real = isinstance(number, (_ir.FloatType, _ir.DoubleType))
    constant = _ir.Constant(number, float(value) if real else [float(value), 0.0])
    return _void(builder, _cgutils.alloca_once_value(builder, constant))


def _call(builder: Any, name: str, arguments: list[Any]) -> None:
    type_ = _ir.FunctionType(_ir.IntType(32), [x.type for x in arguments])
    builder.call(_cgutils.get_or_insert_function(builder.module, type_, name), arguments)
