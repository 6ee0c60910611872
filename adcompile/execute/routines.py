"""Routines of linear algebra and sorting as the compiler gets them, one for each it may call.

Compiled once and kept on disk, with `library.py`, for all functions that call them. Inverses and
determinants of tiny matrices are computed without the algebra library.
"""

from typing import Any

import numpy as np

_SMALL = 5  # rows of matrices that take no longer to eliminate than to call the algebra library


def solve(a: Any, b: Any) -> Any:
    """The solution x of `a @ x = b`."""
    return np.linalg.solve(a, b)


def cholesky(a: Any) -> Any:
    """The lower triangular factor of a symmetric matrix."""
    return np.linalg.cholesky(a)


def slogdet(a: Any) -> Any:
    """The sign and the logarithm of the determinant."""
    return np.linalg.slogdet(a)


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


def det(a: Any) -> Any:
    """The determinant of a square matrix; of a tiny one by elimination."""
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
