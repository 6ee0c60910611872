"""Inverses and determinants; those of tiny matrices without the algebra library."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload as _overload
from numba.extending import register_jitable as _register_jitable

_SMALL = 5  # rows of matrices that take no longer to eliminate than to call the algebra library


def inv(a: Any) -> Any:
    """The inverse of a square matrix; of a tiny one by Gauss and Jordan's elimination."""
    return np.linalg.inv(a)


# Numba's decorators have no types of their own, hence the comments beside them
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
