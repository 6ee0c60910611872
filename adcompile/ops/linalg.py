"""Linear algebra: solutions, inverses and determinants of square matrices, and factorisations.

Enters: matrices of floats. Leaves: records that the compiler hands to LAPACK. The rules are those
of Giles, An extended collection of matrix derivative results (2008), or of whom they name.
A matrix of several factors may have no derivative; then it is infinite or not a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Scalar, Type, shape_of
from adcompile.ops import memory
from adcompile.ops.linear import swapped
from adcompile.ops.shape_spellings import diag

Attrs = dict[str, Any]

REAL_FORM = "work with the real matrix of rows (a.real, -a.imag) and (a.imag, a.real)"


# -- types ---------------------------------------------------------------------------------------


def matrix(type_: Type, name: str) -> Array:
    """`type_` if it is a matrix of floats; raises TypeMismatch or UnsupportedOperation."""
    if not isinstance(type_, Array) or type_.ndim < 2:
        raise TypeMismatch(f"`{name}` needs a matrix")
    if type_.ndim > 2:
        raise UnsupportedOperation(
            f"`{name}` of a stack of matrices", hint="loop over the first axis, or use vmap"
        )
    return type_


def _square(builder: Builder, type_: Type, name: str) -> Array:
    found = matrix(type_, name)
    rows, columns = found.shape
    builder.unify(rows, columns, f"`{name}` of a matrix that is not square")
    return found


def _solve_infer(name: str, layout: str) -> Callable[..., list[Type]]:
    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        a, b = _square(builder, types[0], name), types[1]
        if not isinstance(b, Array) or b.ndim > 2:
            raise TypeMismatch(f"`{name}` needs a vector or matrix on the right-hand side")
        builder.unify(a.shape[0], b.shape[0], f"`{name}`")
        return [Array(a.dtype, b.shape, layout if b.ndim == 2 else "C")]

    return infer


def _square_infer(name: str, layout: str) -> Callable[..., list[Type]]:
    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        a = _square(builder, types[0], name)
        return [Array(a.dtype, a.shape, layout)]

    return infer


# -- pieces of rules -----------------------------------------------------------------------------


def _op(name: str, *inputs: Any, **attrs: Any) -> Any:
    return current().op(name, *inputs, **attrs)


def column(vector: Value) -> Value:
    """A vector as a matrix of one column."""
    return _op("slice", vector, spec=(memory.FULL, "new"))  # type: ignore[no-any-return]


def _positions(like: Value) -> tuple[Value, Value]:
    """The row and column numbers of a matrix, broadcast against each other."""
    lines = []
    for extent, dim in zip(current().shape(like), shape_of(like.type), strict=True):
        lines.append(_op("iota", extent, shape=(dim,)))
    return column(lines[0]), lines[1]


def lower(x: Value, shift: int = 0) -> Value:
    """The lower triangle: columns up to row + shift."""
    return _op("tril", x, k=shift)  # type: ignore[no-any-return]


def upper(x: Value, shift: int = 0) -> Value:
    """The upper triangle: columns from row + shift."""
    return _op("triu", x, k=shift)  # type: ignore[no-any-return]


def _halved(x: Value) -> Value:
    """The lower triangle with half the diagonal."""
    return (lower(x) + lower(x, -1)) * 0.5


def _symmetric(x: Value) -> Value:
    return (x + swapped(x)) * 0.5


def _outer(a: Value, b: Value) -> Value:
    """The product of two solutions: of vectors the outer product, of matrices a @ b.T."""
    if len(shape_of(a.type)) == 1:
        return _op("outer", a, b)  # type: ignore[no-any-return]
    return a @ swapped(b)


def _sum(terms: list[Value]) -> Value:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


# -- square matrices -----------------------------------------------------------------------------


def _solve_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (x,), (a, _), (a_dot, b_dot) = outputs, inputs, tangents
    terms = ([b_dot] if b_dot is not None else []) + ([-(a_dot @ x)] if a_dot is not None else [])
    return [_op("solve", a, _sum(terms))]


def _solve_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (g,), (x,), (a, _) = cotangents, outputs, inputs
    b_bar = _op("solve", swapped(a), g)
    return [-_outer(b_bar, x), b_bar]


def _inv_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    transposed = swapped(outputs[0])
    return [-(transposed @ cotangents[0] @ transposed)]


register(
    Record(
        "solve", _solve_infer("solve", "F"), np.linalg.solve, show="np.linalg.solve({0}, {1})",
        jvp=_solve_jvp, vjp=_solve_vjp, library=True, takes_complex=True,
    )
)  # fmt: skip
register(
    Record(
        "inv", _square_infer("inv", "F"), np.linalg.inv, show="np.linalg.inv({0})",
        jvp=lambda ts, outs, ins, attrs: [-(outs[0] @ ts[0] @ outs[0])], vjp=_inv_vjp,
        library=True, takes_complex=True,
    )
)  # fmt: skip


def _scalar_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Scalar(_square(builder, types[0], "det").dtype)]


def _slogdet_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Scalar(_square(builder, types[0], "slogdet").dtype)] * 2


def _trace_of_product(inverse: Value, a_dot: Value) -> Value:
    product = swapped(inverse) * a_dot
    return _op("sum", product, axes=(0, 1), keepdims=False)  # type: ignore[no-any-return]


register(
    Record(
        "det", _scalar_infer, np.linalg.det, show="np.linalg.det({0})", library=True,
        takes_complex=True,
        jvp=lambda ts, outs, ins, attrs: [
            outs[0] * _trace_of_product(_op("inv", ins[0]), ts[0])
        ],
        vjp=lambda cts, outs, ins, attrs: [swapped(_op("inv", ins[0])) * (cts[0] * outs[0])],
        notes="of a singular matrix the derivative raises LinAlgError",
    )
)  # fmt: skip
register(
    Record(
        "slogdet", _slogdet_infer, lambda a: tuple(np.linalg.slogdet(a)),
        show="np.linalg.slogdet({0})", library=True,
        jvp=lambda ts, outs, ins, attrs: [None, _trace_of_product(_op("inv", ins[0]), ts[0])],
        vjp=lambda cts, outs, ins, attrs: [
            None if cts[1] is None else swapped(_op("inv", ins[0])) * cts[1]
        ],
        notes="the sign has no derivative", instead="np.linalg.det(a)",
    )
)  # fmt: skip


# -- triangular systems --------------------------------------------------------------------------


def _triangle(x: Value, attrs: Attrs) -> Value:
    shift = int(attrs["unit"])
    return lower(x, -shift) if attrs["lower"] else upper(x, shift)


def _triangular_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (x,), (a, _), (a_dot, b_dot) = outputs, inputs, tangents
    terms = [b_dot] if b_dot is not None else []
    if a_dot is not None:
        part = _triangle(a_dot, attrs)
        terms.append(-((swapped(part) if attrs["transposed"] else part) @ x))
    return [_op("solve_triangular", a, _sum(terms), **attrs)]


def _triangular_vjp(
    cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs
) -> Any:
    (g,), (x,), (a, _) = cotangents, outputs, inputs
    other = {**attrs, "transposed": not attrs["transposed"]}
    b_bar = _op("solve_triangular", a, g, **other)
    product = _outer(x, b_bar) if attrs["transposed"] else _outer(b_bar, x)
    return [-_triangle(product, attrs), b_bar]


def _triangular_expand(inputs: list[Value], attrs: Attrs) -> Value:
    """Substitution by rows.

    A row of a matrix of solutions is finished at once. Of a vector of solutions each element leaves
    the rest where the matrix is transposed, whose rows are read either way.
    """
    a, b = inputs
    builder = current()
    x = _op("copy", b)
    (extent, *_), width = builder.shape(x), len(shape_of(b.type)) - 1
    forward = attrs["lower"] != attrs["transposed"]
    leaves = attrs["transposed"] and not width
    before = forward != leaves  # whether the rows that are used, or left the rest, come before
    part = ("slice", False, True, 1) if before else ("slice", True, False, 1)

    def at(i: Value) -> Any:
        return _op("slice", x, i, spec=("index", memory.FULL)) if width else _op("load", x, i)

    def put(value: Value, i: Value) -> None:
        if width:
            _op("assign", at(i), value)
        else:
            _op("store", x, value, i)

    def step(k: Value, _: list[Value]) -> list[Value]:
        i = k if forward else (extent - 1) - k
        bound = i if before else i + 1
        others = _op("slice", x, bound, spec=(part, *(memory.FULL,) * width))
        if attrs["transposed"] and not leaves:
            factors = _op("slice", a, bound, i, spec=(part, "index"))
        else:
            factors = _op("slice", a, i, bound, spec=("index", part))
        if not leaves:
            put(at(i) - factors @ others, i)
        if not attrs["unit"]:
            put(at(i) / _op("load", a, i, i), i)
        if leaves:
            _op("accumulate", others, -(factors * at(i)))
        return []

    builder.loop(0, extent, 1, [], step, "row")
    return x  # type: ignore[no-any-return]


def _triangular(a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
    from scipy.linalg import solve_triangular  # takes longer to import than all of this package

    return solve_triangular(a, b, trans=int(transposed), lower=lower, unit_diagonal=unit)


def _triangular_show(op: Op) -> str:
    names = {"transposed": "trans=1", "lower": "lower=True", "unit": "unit_diagonal=True"}
    options = "".join(f", {text}" for key, text in names.items() if op.attrs[key])
    return f"scipy.linalg.solve_triangular({{0}}, {{1}}{options})"


register(
    Record(
        "solve_triangular", _solve_infer("solve_triangular", "C"), _triangular,
        show=_triangular_show, jvp=_triangular_jvp, vjp=_triangular_vjp, expand=_triangular_expand,
        takes_complex=True,
    )
)  # fmt: skip


# -- Cholesky ------------------------------------------------------------------------------------


def _lower_solve(factor: Value, b: Value, transposed: bool) -> Value:
    attrs = {"lower": True, "transposed": transposed, "unit": False}
    return _op("solve_triangular", factor, b, **attrs)  # type: ignore[no-any-return]


def _between(factor: Value, middle: Value, transposed: bool) -> Value:
    """inv(L) @ middle @ inv(L).T, or with both factors transposed."""
    left = _lower_solve(factor, middle, transposed)
    return swapped(_lower_solve(factor, swapped(left), transposed))


def _cholesky_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Murray, Differentiation of the Cholesky decomposition (2016), equation 8."""
    (factor,), (a_dot,) = outputs, tangents
    return [factor @ _halved(_between(factor, _symmetric(a_dot), False))]


def _cholesky_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Murray (2016), equation 10; the cotangent is that of a symmetric matrix."""
    (g,), (factor,) = cotangents, outputs
    middle = _halved(swapped(factor) @ lower(g))
    return [_symmetric(_between(factor, middle, True))]


register(
    Record(
        "cholesky", _square_infer("cholesky", "C"), np.linalg.cholesky,
        show="np.linalg.cholesky({0})", jvp=_cholesky_jvp, vjp=_cholesky_vjp, library=True,
        instead=REAL_FORM,
        notes="reads the lower triangle; its derivative is that of the symmetric matrix",
    )
)  # fmt: skip


# -- eigenvalues of symmetric matrices -----------------------------------------------------------


def _eigh_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    a = _square(builder, types[0], "eigh")
    return [Array(a.dtype, a.shape[:1]), Array(a.dtype, a.shape, "F")]


def _gaps(values: Value, like: Value) -> Value:
    """1 / (values[j] - values[i]), 0 on the diagonal, infinite for equal values elsewhere."""
    rows, columns = _positions(like)
    apart = _op("ne", rows, columns)
    gap = _op("where", apart, values - column(values), 1.0)
    return _op("where", apart, 1.0 / gap, 0.0)  # type: ignore[no-any-return]


def _eigh_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (values, vectors), (a_dot,) = outputs, tangents
    middle = swapped(vectors) @ _symmetric(a_dot) @ vectors
    return [diag(middle), vectors @ (middle * _gaps(values, middle))]


def _eigh_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (values_bar, vectors_bar), (values, vectors) = cotangents, outputs
    terms = []
    if values_bar is not None:
        terms.append((vectors * values_bar) @ swapped(vectors))
    if vectors_bar is not None:
        inner = swapped(vectors) @ vectors_bar
        terms.append(vectors @ (inner * _gaps(values, inner)) @ swapped(vectors))
    return [_symmetric(_sum(terms))]


register(
    Record(
        "eigh", _eigh_infer, lambda a: tuple(np.linalg.eigh(a)), show="np.linalg.eigh({0})",
        jvp=_eigh_jvp, vjp=_eigh_vjp, library=True, instead=REAL_FORM,
        notes="the vectors of equal eigenvalues have no derivative: it is not a number",
    )
)  # fmt: skip
