"""What is done with the factors of a matrix once they are there.

Enters: matrices of floats, after derivatives are made. Leaves: records that the compiler hands to
LAPACK and BLAS; they have no rules, as the operations that they stand for have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Record, register
from adcompile.graph.types import Array, Scalar, Type, shape_of

Attrs = dict[str, Any]


def _lu_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    (a,) = types
    assert isinstance(a, Array)
    return [Array(a.dtype, a.shape, "F"), Array("int32", a.shape[:1])]


def _solved(layout: str) -> Any:
    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        b = types[-1]
        assert isinstance(b, Array)
        return [Array(b.dtype, b.shape, layout if b.ndim == 2 else "C")]

    return infer


def _inverse_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    return [Array(types[0].dtype, shape_of(types[0]), "F")]


def _numbers(count: int) -> Any:
    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        return [Scalar(types[0].dtype)] * count

    return infer


def _lu(a: np.ndarray) -> Any:
    from scipy.linalg.lapack import get_lapack_funcs  # dear to import

    packed, pivots, _ = get_lapack_funcs(("getrf",), (a,))[0](a)
    return packed, (pivots + 1).astype(np.int32)  # rows are counted as LAPACK does


def _matrix(packed: np.ndarray, pivots: np.ndarray) -> np.ndarray:
    """The matrix of which these are the factors."""
    ones = np.eye(len(packed), dtype=packed.dtype)
    product = (np.tril(packed, -1) + ones) @ np.triu(packed)
    for row, other in reversed([*enumerate(pivots - 1)]):
        product[[row, other]] = product[[other, row]]
    return product


def _lu_solve(
    packed: np.ndarray, pivots: np.ndarray, b: np.ndarray, transposed: bool
) -> np.ndarray:
    a = _matrix(packed, pivots)
    return np.linalg.solve(a.T if transposed else a, b)


def _trsm(a: np.ndarray, b: np.ndarray, lower: bool, transposed: bool, unit: bool) -> np.ndarray:
    from scipy.linalg import solve_triangular

    x: np.ndarray = solve_triangular(a, b, trans=int(transposed), lower=lower, unit_diagonal=unit)
    return x


_of_factors = partial(
    Record, library=True, takes_complex=True, notes="made where factors are shared"
)
register(_of_factors("lu", _lu_infer, _lu))
register(_of_factors("lu_solve", _solved("F"), _lu_solve))
register(_of_factors("lu_inv", _inverse_infer, lambda p, q: np.linalg.inv(_matrix(p, q))))
register(_of_factors("lu_det", _numbers(1), lambda p, q: np.linalg.det(_matrix(p, q))))
register(
    _of_factors("lu_slogdet", _numbers(2), lambda p, q: tuple(np.linalg.slogdet(_matrix(p, q))))
)
register(_of_factors("trsm", _solved("C"), _trsm))
