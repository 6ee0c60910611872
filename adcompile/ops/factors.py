"""Factorisations of rectangular matrices: QR, singular values, the pseudoinverse.

Enters: matrices of floats. Leaves: records that the compiler hands to LAPACK.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Record, Value, register
from adcompile.graph.types import Array, Dim, Type, shape_of
from adcompile.ops.linalg import REAL_FORM, column, lower, matrix
from adcompile.ops.linear import swapped
from adcompile.ops.shape_spellings import diag

Attrs = dict[str, Any]


def _inner_dim(builder: Builder, a: Array) -> Dim:
    """The smaller extent."""
    m, n = (builder.resolve(d) for d in a.shape)
    if m == n:
        return m
    return builder.dim_of(builder.op("minimum", builder.extent(m), builder.extent(n)))


def _total(terms: Sequence[Value | None]) -> Value | None:
    found = [t for t in terms if t is not None]
    total = found[0] if found else None
    for term in found[1:]:
        total = total + term  # type: ignore[operator]
    return total


# -- QR ------------------------------------------------------------------------------------------


def _qr_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    a = matrix(types[0], "qr")
    inner = _inner_dim(builder, a)
    return [Array(a.dtype, (a.shape[0], inner), "A"), Array(a.dtype, (inner, a.shape[1]), "F")]


def _over(x: Value, r: Value) -> Value:
    """x @ inv(r) of an upper triangle; with the transposed of it, x @ inv(r).T, see `_under`."""
    attrs = {"lower": False, "transposed": True, "unit": False}
    return swapped(current().op("solve_triangular", r, swapped(x), **attrs))


def _under(x: Value, r: Value) -> Value:
    """x @ inv(r).T of an upper triangle."""
    attrs = {"lower": False, "transposed": False, "unit": False}
    return swapped(current().op("solve_triangular", r, swapped(x), **attrs))


def _qr_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Walter, Lehmann and Lamour, On evaluating higher-order derivatives of the QR (2012)."""
    (q, r), (a_dot,) = outputs, tangents
    scaled = _over(a_dot, r)
    inner = swapped(q) @ scaled
    below = lower(inner, -1)
    turn = below - swapped(below)
    return [q @ (turn - inner) + scaled, (inner - turn) @ r]


def _qr_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Liao, Liu, Wang and Xiang, Differentiable programming tensor networks (2019), appendix."""
    (q_bar, r_bar), (q, r) = cotangents, outputs
    first = None if r_bar is None else r @ swapped(r_bar)
    second = None if q_bar is None else -(swapped(q_bar) @ q)
    middle = _total([first, second])
    assert middle is not None
    mirrored = lower(middle) + swapped(lower(middle, -1))
    whole = _total([q_bar, q @ mirrored])
    assert whole is not None
    return [_under(whole, r)]


register(
    Record(
        "qr", _qr_infer, lambda a: tuple(np.linalg.qr(a)), show="np.linalg.qr({0})",
        jvp=_qr_jvp, vjp=_qr_vjp, library=True, instead=REAL_FORM,
        notes="at least as many rows as columns, and full rank, for the derivative",
    )
)  # fmt: skip


# -- singular values -----------------------------------------------------------------------------


def _svd_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    a = matrix(types[0], "svd")
    inner = _inner_dim(builder, a)
    return [
        Array(a.dtype, (a.shape[0], inner), "F"),
        Array(a.dtype, (inner,)),
        Array(a.dtype, (inner, a.shape[1]), "F"),
    ]


def _square_gaps(s: Value) -> Value:
    """1 / (s[j]**2 - s[i]**2), 0 on the diagonal, infinite for equal values elsewhere."""
    op = current().op
    line = op("iota", current().shape(s)[0], shape=shape_of(s.type))
    apart = op("ne", column(line), line)
    gap = op("where", apart, s * s - column(s * s), 1.0)
    return op("where", apart, 1.0 / gap, 0.0)  # type: ignore[no-any-return]


def _outside(x: Value, basis: Value) -> Value:
    """What of the columns of x lies outside the space of an orthonormal basis."""
    return x - basis @ (swapped(basis) @ x)


def _svd_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Townsend, Differentiating the singular value decomposition (2016)."""
    (u, s, vt), (a_dot,) = outputs, tangents
    v, gaps = swapped(vt), _square_gaps(s)
    middle = swapped(u) @ a_dot @ v
    left, right = middle * s, middle * column(s)  # middle @ S, S @ middle
    u_dot = u @ (gaps * (left + swapped(left))) + _outside(a_dot @ v / s, u)
    v_dot = v @ (gaps * (right + swapped(right))) + _outside(swapped(a_dot) @ u / s, v)
    return [u_dot, diag(middle), swapped(v_dot)]


def _svd_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Townsend (2016), equations 10 to 16."""
    (u_bar, s_bar, vt_bar), (u, s, vt) = cotangents, outputs
    v = swapped(vt)
    terms: list[Value | None] = []
    if s_bar is not None:
        terms.append((u * s_bar) @ vt)
    if u_bar is not None:
        inner = _square_gaps(s) * (swapped(u) @ u_bar)
        terms.append(u @ ((inner + swapped(inner)) * s) @ vt)
        terms.append(_outside(u_bar, u) / s @ vt)
    if vt_bar is not None:
        v_bar = swapped(vt_bar)
        inner = _square_gaps(s) * (vt @ v_bar)
        terms.append(u @ ((inner + swapped(inner)) * column(s)) @ vt)
        terms.append(u @ swapped(_outside(v_bar, v) / s))
    return [_total(terms)]


register(
    Record(
        "svd", _svd_infer, lambda a: tuple(np.linalg.svd(a, full_matrices=False)),
        show="np.linalg.svd({0}, full_matrices=False)", jvp=_svd_jvp, vjp=_svd_vjp, library=True,
        instead=REAL_FORM,
        notes="the vectors of equal or zero singular values have no derivative: not a number",
    )
)  # fmt: skip


# -- pseudoinverse -------------------------------------------------------------------------------


def _pinv_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    a = matrix(types[0], "pinv")
    return [Array(a.dtype, a.shape[::-1], "F")]


def _pinv_jvp(tangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    """Golub and Pereyra (1973), for matrices whose rank does not change."""
    (p,), (a,), (a_dot,) = outputs, inputs, tangents
    turned = swapped(a_dot)
    rows = p @ (swapped(p) @ turned)
    columns = turned @ swapped(p) @ p
    return [rows - rows @ a @ p + (columns - p @ (a @ columns)) - p @ a_dot @ p]


def _pinv_vjp(cotangents: Any, outputs: list[Value], inputs: list[Value], attrs: Attrs) -> Any:
    (g,), (p,), (a,) = cotangents, outputs, inputs
    turned, pt = swapped(g), swapped(p)
    rows = turned @ p @ pt
    columns = pt @ p @ turned
    return [rows - a @ (p @ rows) + (columns - columns @ p @ a) - pt @ g @ pt]


register(
    Record(
        "pinv", _pinv_infer, np.linalg.pinv, show="np.linalg.pinv({0})", jvp=_pinv_jvp,
        vjp=_pinv_vjp, library=True, instead=REAL_FORM, notes="the rank is taken as constant",
    )
)  # fmt: skip
