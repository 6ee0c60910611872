"""NumPy's and SciPy's names for linear algebra.

Enters: calls such as `np.linalg.solve(a, b)`. Leaves: operations appended with the builder in
force; norms, products of several arrays and least squares are written in simpler operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.types import Scalar, promote, real_dtype, shape_of
from adcompile.ops.complex_numbers import conjugate, squared_size
from adcompile.ops.reduction_spellings import matmul, reduction, root
from adcompile.ops.shape_spellings import astype, eye, reshape, transpose
from adcompile.ops.spellings import CALLS, LATE, as_value, normal_axes, spelled, static

_FLOATS = ("float32", "float64", "complex64", "complex128")


def _op(name: str, *inputs: Any, **attrs: Any) -> Any:
    return current().op(name, *inputs, **attrs)


def _floats(*items: Any) -> list[Value]:
    """Arrays of one float or complex dtype."""
    values = [as_value(item) for item in items]
    dtype = promote([v.type for v in values])[0]
    dtype = dtype if dtype in _FLOATS else "float64"
    return [v if v.type.dtype == dtype else astype(v, dtype) for v in values]


# -- systems and factorisations ------------------------------------------------------------------


@spelled(np.linalg.solve)
def solve(a: Any, b: Any) -> Value:
    """The x with `a @ x == b`."""
    result: Value = _op("solve", *_floats(a, b))
    return result


def _of_one(name: str) -> Callable[[Any], Any]:
    return lambda a: _op(name, *_floats(a))


for _name in ("inv", "det", "slogdet", "cholesky"):
    CALLS[getattr(np.linalg, _name)] = _of_one(_name)


@spelled(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Q with orthonormal columns and R, an upper triangle."""
    if mode != "reduced":
        raise UnsupportedOperation(f"qr with mode={mode!r}", hint='mode="reduced"')
    return _op("qr", *_floats(a))


@spelled(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  (NumPy's name)
    """Eigenvalues and eigenvectors of a symmetric matrix, of which one triangle is read."""
    (value,) = _floats(a)
    return _op("eigh", value if UPLO.upper() == "L" else transpose(value))


@spelled(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  (NumPy's name)
    """Eigenvalues of a symmetric matrix."""
    return eigh(a, UPLO)[0]


@spelled(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular values, and the vectors that belong to them."""
    if not static(compute_uv, "compute_uv"):
        return _op("svd", *_floats(a))[1]
    if static(full_matrices, "full_matrices"):
        raise UnsupportedOperation(
            "svd with full_matrices=True has no derivative", hint="pass full_matrices=False"
        )
    return _op("svd", *_floats(a))


@spelled(np.linalg.pinv)
def pinv(a: Any) -> Value:
    """The pseudoinverse; its derivative takes the rank as constant."""
    result: Value = _op("pinv", *_floats(a))
    return result


@spelled(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Least squares: solution, sums of squared residuals, rank, singular values.

    The residuals are given also where NumPy gives an empty array.
    """
    if rcond is not None:
        raise UnsupportedOperation("lstsq with rcond", hint="leave it out")
    a, b = _floats(a, b)
    solution = _op("pinv", a) @ b
    difference = b - a @ solution
    residuals = reduction("sum")(difference * difference, axis=0)
    values = _op("svd", a)[1]
    return solution, residuals, matrix_rank(a), values


@spelled(np.linalg.matrix_rank)
def matrix_rank(a: Any) -> Value:
    """The number of singular values that are not rounding errors."""
    (a,) = _floats(a)
    values = _op("svd", a)[1]
    larger = _op("maximum", *current().shape(a))
    least = reduction("max")(values) * (larger * float(np.finfo(a.type.dtype).eps))
    counted = astype(_op("gt", values, least), np.int64)
    result: Value = reduction("sum")(counted)
    return result


@spelled(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Value:
    """A matrix times itself, by repeated squaring."""
    (square,) = _floats(a)
    count = static(n, "n")
    if count < 0:
        square, count = _op("inv", square), -count
    if count == 0:
        return eye(current().shape(square)[0], dtype=square.type.dtype)
    result = None
    while count:
        if count % 2:
            result = square if result is None else result @ square
        count //= 2
        square = square @ square if count else square
    assert result is not None
    return result


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Value:  # fmt: skip
    """`scipy.linalg.solve_triangular`: only one triangle of `a` is read."""
    transposed = {0: False, "N": False, 1: True, "T": True, "C": True, 2: True}[trans]
    a = conjugate(as_value(a)) if trans in ("C", 2) else a
    attrs = {"lower": bool(lower), "transposed": transposed, "unit": bool(unit_diagonal)}
    result: Value = _op("solve_triangular", *_floats(a, b), **attrs)
    return result


def cho_factor(a: Any, lower: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.cho_factor`: a factor for `cho_solve`."""
    factor = _op("cholesky", *_floats(a))
    return (factor if lower else transpose(factor)), lower


def cho_solve(c_and_lower: Any, b: Any, check_finite: bool = True) -> Value:
    """`scipy.linalg.cho_solve`: the solution of a system whose Cholesky factor is known."""
    factor, lower = c_and_lower
    first = solve_triangular(factor, b, 0 if lower else 1, lower)
    return solve_triangular(factor, first, 1 if lower else 0, lower)


for _late in (solve_triangular, cho_factor, cho_solve):
    LATE["scipy.linalg"][_late.__name__] = _late


# -- norms ---------------------------------------------------------------------------------------


@spelled(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    """The norm of a vector or matrix, as NumPy has it; at 0 the subgradient is 0."""
    (value,) = _floats(x)
    ndim = len(shape_of(value.type))
    order = static(ord, "ord")
    if order is None:
        axes = normal_axes(axis, ndim)
        return _euclidean(value, axes, keepdims)
    axes = normal_axes(axis, ndim)
    if len(axes) == 1:
        return _vector_norm(value, order, axes[0], keepdims)
    if len(axes) != 2:
        raise ShapeError("a norm of this order needs one or two axes")
    if order in ("fro", None):
        return _euclidean(value, axes, keepdims)
    if isinstance(order, str) or order in (2, -2):
        return _spectral(value, order, axis)
    if order not in (1, -1, np.inf, -np.inf):
        raise UnsupportedOperation(f"a matrix norm of order {order}")
    if axis is not None or keepdims:
        raise UnsupportedOperation("this matrix norm with an axis", hint="take it of each matrix")
    summed = reduction("sum")(_op("abs", value), axis=0 if abs(order) == 1 else 1)
    result: Value = reduction("max" if order > 0 else "min")(summed)
    return result


def _spectral(value: Value, order: Any, axis: Any) -> Value:
    if axis is not None and len(shape_of(value.type)) != 2:
        raise UnsupportedOperation("this norm of a stack of matrices", hint="use a loop or vmap")
    values = _op("svd", value)[1]
    if order == "nuc":
        return reduction("sum")(values)  # type: ignore[no-any-return]
    if order not in (2, -2):
        raise UnsupportedOperation(f"a matrix norm of order {order!r}")
    return reduction("max" if order > 0 else "min")(values)  # type: ignore[no-any-return]


def _euclidean(value: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    return root(_op("sum", squared_size(value), axes=axes, keepdims=keepdims))


def _vector_norm(value: Value, order: Any, axis: int, keepdims: bool) -> Value:
    if order == 2:
        return _euclidean(value, (axis,), keepdims)
    size = _op("abs", value)
    attrs = {"axes": (axis,), "keepdims": keepdims}
    if order in (np.inf, -np.inf):
        return _op("max" if order > 0 else "min", size, **attrs)  # type: ignore[no-any-return]
    if isinstance(order, str):
        raise TypeMismatch(f"a vector has no norm of order {order!r}")
    if order == 0:
        counted = astype(_op("ne", value, 0.0), real_dtype(value.type.dtype))
        return _op("sum", counted, **attrs)  # type: ignore[no-any-return]
    if order == 1:
        return _op("sum", size, **attrs)  # type: ignore[no-any-return]
    return root(_op("sum", size ** float(order), **attrs), 1.0 / float(order))


@spelled(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Value:
    """How much a matrix stretches against how little, in the norm `p`."""
    (value,) = _floats(x)
    if p in (None, 2, -2):
        values = _op("svd", value)[1]
        large, small = reduction("max")(values), reduction("min")(values)
        return small / large if p == -2 else large / small  # type: ignore[no-any-return]
    return norm(value, p) * norm(_op("inv", value), p)


# -- products ------------------------------------------------------------------------------------


@spelled(np.inner)
def inner(a: Any, b: Any) -> Value:
    """Products summed over the last axes."""
    a, b = as_value(a), as_value(b)
    if isinstance(a.type, Scalar) or isinstance(b.type, Scalar):
        return a * b
    return tensordot(a, b, (-1, -1))


@spelled(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Value:
    """Products summed over pairs of axes."""
    a, b = as_value(a), as_value(b)
    ranks = len(shape_of(a.type)), len(shape_of(b.type))
    axes = static(axes, "axes")
    if isinstance(axes, int):
        axes = (tuple(range(ranks[0] - axes, ranks[0])), tuple(range(axes)))
    pairs = [p if isinstance(p, (tuple, list)) else (p,) for p in axes]
    first, second = (
        tuple(normal_axes(k, n)[0] for k in p) for p, n in zip(pairs, ranks, strict=True)
    )
    if len(first) != len(second):
        raise ShapeError("tensordot needs as many axes of one array as of the other")
    rest = [
        tuple(k for k in range(n) if k not in summed)
        for n, summed in zip(ranks, (first, second), strict=True)
    ]
    shapes = current().shape(a), current().shape(b)
    kept = [shapes[0][k] for k in rest[0]] + [shapes[1][k] for k in rest[1]]
    left = _as_matrix(a, rest[0], first, shapes[0])
    right = _as_matrix(b, second, rest[1], shapes[1])
    product = left @ right
    if len(kept) == 2 and len(rest[0]) == len(rest[1]) == 1:
        return product
    if not kept:
        return _op("load", product, 0, 0)  # type: ignore[no-any-return]
    return reshape(product, tuple(kept))


def _as_matrix(
    value: Value, rows: Sequence[int], columns: Sequence[int], shape: Sequence[Value]
) -> Value:
    order = (*rows, *columns)
    moved = value if order == tuple(range(len(order))) else transpose(value, order)
    if len(rows) == len(columns) == 1:
        return moved
    return reshape(
        moved, (_product([shape[k] for k in rows]), _product([shape[k] for k in columns]))
    )


def _product(extents: Sequence[Value]) -> Any:
    total: Any = extents[0] if extents else 1
    for extent in extents[1:]:
        total = total * extent
    return total


@spelled(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Value:
    """The product of several matrices, from left to right."""
    items = [as_value(item) for item in arrays]
    if len(items) < 2:
        raise TypeMismatch("multi_dot needs at least two arrays")
    result = items[0]
    if len(shape_of(items[-1].type)) == 1:  # a vector at the end is cheapest from the right
        result = items[-1]
        for item in reversed(items[:-1]):
            result = matmul(item, result)
        return result
    for item in items[1:]:
        result = matmul(result, item)
    return result


@spelled(np.kron)
def kron(a: Any, b: Any) -> Value:
    """Every element of `a` times all of `b`."""
    a, b = as_value(a), as_value(b)
    ranks = len(shape_of(a.type)), len(shape_of(b.type))
    if 0 in ranks:
        return a * b
    if ranks[0] != ranks[1]:
        raise UnsupportedOperation("kron of arrays of different ranks", hint="reshape one first")
    shapes = current().shape(a), current().shape(b)
    spread = [extent for pair in zip(shapes[0], [1] * ranks[0], strict=True) for extent in pair]
    tiled = [extent for pair in zip([1] * ranks[1], shapes[1], strict=True) for extent in pair]
    product = reshape(a, tuple(spread)) * reshape(b, tuple(tiled))
    whole = [m * n for m, n in zip(*shapes, strict=True)]
    return reshape(product, tuple(whole))


@spelled(np.cross)
def cross(a: Any, b: Any) -> Value:
    """The vector product of arrays of three components along the last axis."""
    a, b = as_value(a), as_value(b)
    parts = []
    for value in (a, b):
        rank = len(shape_of(value.type))
        if not rank:
            raise TypeMismatch("cross needs arrays of three components")
        current().unify(shape_of(value.type)[-1], 3, "`cross` of other than three components")
        parts.append([_component(value, k, rank) for k in range(3)])
    (a0, a1, a2), (b0, b1, b2) = parts
    items = [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0]
    return CALLS[np.stack](tuple(items), axis=-1)  # type: ignore[no-any-return]


def _component(value: Value, number: int, rank: int) -> Value:
    if rank == 1:
        return _op("load", value, number)  # type: ignore[no-any-return]
    spec = (*[("slice", False, False, 1)] * (rank - 1), "index")
    return _op("slice", value, number, spec=spec)  # type: ignore[no-any-return]


# -- einsum --------------------------------------------------------------------------------------


@spelled(np.einsum)
def einsum(subscripts: Any, *operands: Any) -> Any:
    """Einstein's sum; two operands at a time, as matrix products where they are some."""
    text = static(subscripts, "subscripts")
    if not isinstance(text, str) or "." in text:
        raise UnsupportedOperation(
            "einsum without a plain string of subscripts", hint='"ij,jk->ik"'
        )
    text = text.replace(" ", "")
    left, arrow, result = text.partition("->")
    letters = left.split(",")
    if not arrow:
        single = [c for c in left if c.isalpha() and left.count(c) == 1]
        result = "".join(sorted(single))
    values = [as_value(v) for v in operands]
    if len(letters) != len(values):
        raise ShapeError(f"einsum of {len(letters)} subscripts and {len(values)} operands")
    for names, value in zip(letters, values, strict=True):
        if len(names) != len(shape_of(value.type)):
            raise ShapeError(f"{names!r} for an array of {len(shape_of(value.type))} axes")
    if len(set(result)) != len(result) or not set(result) <= set(left):
        raise ShapeError(f"einsum cannot give {result!r}")
    terms = [_diagonals(v, n) for v, n in zip(values, letters, strict=True)]
    while len(terms) > 1:
        first, second, *rest = terms
        needed = set(result).union(*(names for _, names in rest))
        terms = [_contracted(first, second, needed), *rest]
    value, names = _summed(terms[0], set(result))
    if not names:
        return value
    order = tuple(names.index(c) for c in result)
    return value if order == tuple(range(len(order))) else transpose(value, order)


_Term = tuple[Value, str]


def _diagonals(value: Value, names: str) -> _Term:
    """Repeated letters of one operand read a diagonal."""
    for letter in dict.fromkeys(names):
        if names.count(letter) > 1:
            first, second = [k for k, c in enumerate(names) if c == letter][:2]
            rest = [k for k in range(len(names)) if k not in (first, second)]
            moved = transpose(value, (first, second, *rest))
            shape = shape_of(moved.type)
            current().unify(shape[0], shape[1], "einsum of a diagonal")
            line = _op("iota", current().shape(moved)[0], shape=shape[:1])
            value = _op("gather", moved, line, line, axis=0)
            return _diagonals(value, letter + "".join(names[k] for k in rest))
    return value, names


def _summed(term: _Term, needed: set[str]) -> _Term:
    """Without the axes that nobody asks for."""
    value, names = term
    axes = tuple(k for k, c in enumerate(names) if c not in needed)
    if not axes:
        return term
    kept = "".join(c for c in names if c in needed)
    return _op("sum", value, axes=axes, keepdims=False), kept


def _contracted(first: _Term, second: _Term, needed: set[str]) -> _Term:
    a, left = _summed(first, needed | set(second[1]))
    b, right = _summed(second, needed | set(left))
    shared = [c for c in left if c in right]
    batch = [c for c in shared if c in needed]
    summed = [c for c in shared if c not in needed]
    if not batch and summed:
        axes = tuple(left.index(c) for c in summed), tuple(right.index(c) for c in summed)
        names = "".join(c for c in left if c not in summed) + "".join(
            c for c in right if c not in summed
        )
        return tensordot(a, b, axes), names
    own = [c for c in right if c not in left]
    spread = _spread(a, left, [*left, *own]) * _spread(b, right, [*left, *own])
    return _summed((spread, "".join([*left, *own])), needed)


def _spread(value: Value, names: str, wanted: Sequence[str]) -> Value:
    """The axes in the wanted order, with new ones for letters that are missing."""
    if not names:
        return value
    present = [c for c in wanted if c in names]
    order = tuple(names.index(c) for c in present)
    moved = value if order == tuple(range(len(order))) else transpose(value, order)
    if len(present) == len(wanted):
        return moved
    spec = tuple(("slice", False, False, 1) if c in names else "new" for c in wanted)
    return _op("slice", moved, spec=spec)  # type: ignore[no-any-return]
