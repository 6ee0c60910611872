"""Routines of linear algebra and sorting as the compiler gets them, one for each it may call.

Compiled once and kept on disk, with `library.py`, for all functions that call them. Inverses and
determinants of tiny matrices are computed without the algebra library.
"""

from typing import Any

import numpy as np

from adcompile.execute import lapack

_SMALL = 5  # rows of matrices that take no longer to eliminate than to call the algebra library


def solve(a: Any, b: Any) -> Any:
    """The solution x of `a @ x = b`."""
    packed, pivots = lu(a)
    return lu_solve(packed, pivots, b, False)


def cholesky(a: Any) -> Any:
    """The lower triangular factor of a symmetric matrix."""
    return np.linalg.cholesky(a)


def slogdet(a: Any) -> Any:
    """The sign and the logarithm of the determinant."""
    packed, pivots = lu(a)
    return lu_slogdet(packed, pivots)


def eigh(a: Any) -> Any:
    """The eigenvalues and eigenvectors of a symmetric matrix."""
    return np.linalg.eigh(a)


def qr(a: Any) -> Any:
    """An orthogonal and an upper triangular factor."""
    return np.linalg.qr(a)


def svd(a: Any) -> Any:
    """As many singular values and vectors as the smaller extent."""
    return np.linalg.svd(a, full_matrices=False)


def pinv(a: Any) -> Any:
    """The pseudoinverse."""
    return np.linalg.pinv(a)


def argsort(a: Any) -> Any:
    """The order that sorts a vector; equal elements stay in theirs."""
    return np.argsort(a, kind="mergesort")


def inv(a: Any) -> Any:
    """The inverse of a square matrix; of a tiny one by Gauss and Jordan's elimination."""
    n = a.shape[0]
    if n > _SMALL:
        return _inv(a)
    out = np.empty((n, n), a.dtype).T  # columns lie together, as the library leaves them
    for i in range(n):
        for j in range(n):
            out[i, j] = a[i, j]
            if not np.isfinite(a[i, j]):
                return _inv(a)  # which raises, here and below
    swaps = 0  # the rows that changed places, as digits
    for k in range(n):
        best = _pivot(out, k)
        if out[k, k] == 0:
            return _inv(a)
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


def det(a: Any) -> Any:
    """The determinant of a square matrix; of a tiny one by elimination."""
    n = a.shape[0]
    if n > _SMALL:
        return _det(a)
    rest = np.empty((n, n), a.dtype)
    for i in range(n):
        for j in range(n):
            rest[i, j] = a[i, j]
            if not np.isfinite(a[i, j]):
                return _det(a)  # which raises
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


def _inv(a: Any) -> Any:
    packed, pivots = lu(a)
    return lu_inv(packed, pivots)


def _det(a: Any) -> Any:
    packed, pivots = lu(a)
    return lu_det(packed, pivots)


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


# -- factors that are made once for several uses -------------------------------------------------

_SINGULAR, _ENDLESS = 0, -1  # in place of the first row number, for what cannot be solved
_N, _T, _L, _R, _U = map(ord, "NTLRU")


def lu(a: Any) -> Any:
    """Both triangular factors of a square matrix in one, and the rows that changed places.

    It raises no error: that is left to those who use them.
    """
    n = a.shape[0]
    packed, pivots = np.empty((n, n), a.dtype).T, np.empty(n, np.int32)
    finite = True
    for i in range(n):
        for j in range(n):
            packed[i, j] = a[i, j]
            finite &= np.isfinite(a[i, j])
    if n > 0:
        if not finite:
            pivots[0] = _ENDLESS
        elif lapack.getrf((n, n, packed, n, pivots)) > 0:
            pivots[0] = _SINGULAR
    return packed, pivots


def _require_finite(pivots: Any) -> None:
    if len(pivots) > 0 and pivots[0] == _ENDLESS:
        raise np.linalg.LinAlgError("infinite or not a number")


def _require_regular(pivots: Any) -> None:
    _require_finite(pivots)
    if len(pivots) > 0 and pivots[0] == _SINGULAR:
        raise np.linalg.LinAlgError("Singular matrix")


def lu_solve(packed: Any, pivots: Any, b: Any, transposed: bool) -> Any:
    """The solution x of `a @ x = b`, or of `a.T @ x = b`, for a factored matrix."""
    _require_regular(pivots)
    n, trans = packed.shape[0], _T if transposed else _N
    if b.ndim == 1:
        x = b.copy()
        if n > 0:
            lapack.getrs((trans, n, 1, packed, n, pivots, x, n))
        return x
    out = b.T.copy().T  # columns lie together
    if b.size > 0:
        lapack.getrs((trans, n, b.shape[1], packed, n, pivots, out, n))
    return out


def lu_inv(packed: Any, pivots: Any) -> Any:
    """The inverse of a factored matrix."""
    _require_regular(pivots)
    n = packed.shape[0]
    out = packed.T.copy().T
    if n > 0:
        work = np.empty(64 * n, packed.dtype)
        lapack.getri((n, out, n, pivots, work, 64 * n))
    return out


def lu_det(packed: Any, pivots: Any) -> Any:
    """The determinant of a factored matrix."""
    _require_finite(pivots)
    product = packed.dtype.type(1)
    for k in range(len(pivots)):
        product *= packed[k, k] if pivots[k] == k + 1 else -packed[k, k]
    return product


def lu_slogdet(packed: Any, pivots: Any) -> Any:
    """The sign and the logarithm of the determinant of a factored real matrix."""
    _require_finite(pivots)
    sign, total = packed.dtype.type(1), packed.dtype.type(0)
    for k in range(len(pivots)):
        sign *= np.sign(packed[k, k]) if pivots[k] == k + 1 else -np.sign(packed[k, k])
        total += np.log(abs(packed[k, k]))
    return sign, total


def trsm(a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
    """The solution x of a triangular system `a @ x = b` of matrices, or of `a.T @ x = b`.

    The rows of `b` lie together, the columns of its transpose, of which the matrix is on the right:
    `x.T @ a.T = b.T`. A matrix whose rows lie together is its transpose to Fortran.
    """
    out = b.copy()
    n, m = out.shape
    if out.size > 0:
        by_rows = a.strides[1] == a.itemsize
        side = _L if lower != by_rows else _U
        turned = _N if transposed != by_rows else _T
        diagonal = _U if unit else _N
        one = out.dtype.type(1)
        lapack.trsm((_R, side, turned, diagonal, m, n, one, a, n, out, m))
    return out
