"""Matrix products.

Enters: arrays of one axis or more. Leaves: records for `@` (with NumPy's rules for vectors and
stacks of matrices) and the outer product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Scalar, Type, is_continuous, promote, shape_of
from adcompile.ops.elementwise import match

Attrs = dict[str, Any]


def _matmul_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    a, b = shape_of(types[0]), shape_of(types[1])
    if not a or not b:
        raise TypeMismatch("`@` needs arrays", hint="multiply by a scalar with `*`")
    builder.unify(a[-1], b[-2] if len(b) > 1 else b[0], "`@`")
    batch = builder.broadcast([a[:-2], b[:-2]], "`@`")
    shape = batch + (a[-2:-1] if len(a) > 1 else ()) + (b[-1:] if len(b) > 1 else ())
    dtype, _ = promote(types)
    if np.dtype(dtype).kind not in "fc":
        raise TypeMismatch("`@` of integer arrays is not supported", hint="use x.astype(float)")
    return [Array(dtype, shape)] if shape else [Scalar(dtype)]


def swapped(value: Value) -> Value:
    """A matrix, or each of a stack of matrices, transposed."""
    ndim = len(shape_of(value.type))
    axes = (*range(ndim - 2), ndim - 1, ndim - 2)
    result: Value = current().op("transpose", value, axes=axes)
    return result


def _with_axis(value: Value, position: int) -> Value:
    ndim = len(shape_of(value.type))
    spec: list[Any] = [("slice", False, False, 1)] * ndim
    spec.insert(position, "new")
    result: Value = current().op("slice", value, spec=tuple(spec))
    return result


def _matmul_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    (g,), (a, b) = cotangents, inputs
    op, last = current().op, len(shape_of(g.type))
    ranks = min(len(shape_of(a.type)), 2), min(len(shape_of(b.type)), 2)
    stacked = len(shape_of(b.type)) > 2 or len(shape_of(a.type)) > 2
    if ranks == (1, 1):
        first, second = g * b, g * a
    elif ranks == (2, 1) and stacked:
        first, second = _with_axis(g, last) * b, _with_axis(g, last) * a
    elif ranks == (2, 1):
        first, second = op("outer", g, b), swapped(a) @ g
    elif ranks == (1, 2) and stacked:
        column = op("sum", b @ _with_axis(g, last), axes=(last,), keepdims=False)
        first, second = column, _with_axis(a, 1) * _with_axis(g, last - 1)
    elif ranks == (1, 2):
        first, second = b @ g, op("outer", a, g)
    else:
        first, second = g @ swapped(b), swapped(a) @ g
    return [
        match(first, a) if is_continuous(a.type) else None,
        match(second, b) if is_continuous(b.type) else None,
    ]


def _product_jvp(name: str) -> Any:
    def jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> list[Value]:
        (a, b), op = inputs, current().op
        terms = []
        if tangents[0] is not None:
            terms.append(op(name, tangents[0], b))
        if tangents[1] is not None:
            terms.append(op(name, a, tangents[1]))
        return [match(terms[0] if len(terms) == 1 else terms[0] + terms[1], outputs[0])]

    return jvp


register(
    Record(
        "matmul",
        _matmul_infer,
        np.matmul,
        show="{0} @ {1}",
        jvp=_product_jvp("matmul"),
        vjp=_matmul_vjp,
        numpy=(np.matmul, np.dot),
        takes_complex=True,
    )
)


def _matmul_into(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[()]:
    np.matmul(a, b, out=out)
    return ()


register(
    Record(
        "matmul_into", lambda builder, types, attrs: [], _matmul_into,
        show="np.matmul({1}, {2}, out={0})", writes=True, keeps=True, takes_complex=True,
        notes="made by the scheduler: the memory of a product can be used again",
    )
)  # fmt: skip


def _outer_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    if any(len(shape_of(t)) != 1 for t in types):
        raise TypeMismatch("`outer` needs two vectors", hint="use np.outer(a.ravel(), b.ravel())")
    return [Array(promote(types)[0], shape_of(types[0]) + shape_of(types[1]))]


def _outer_element(read: Any, index: Sequence[Value], op: Op) -> Value:
    result: Value = read(0, index[:1]) * read(1, index[1:])
    return result


def _outer_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    (g,), (a, b) = cotangents, inputs
    return [
        match(g @ b, a) if is_continuous(a.type) else None,
        match(swapped(g) @ a, b) if is_continuous(b.type) else None,
    ]


register(
    Record(
        "outer",
        _outer_infer,
        np.outer,
        show="np.outer({0}, {1})",
        jvp=_product_jvp("outer"),
        vjp=_outer_vjp,
        element=_outer_element,
        numpy=(np.outer,),
        takes_complex=True,
    )
)
