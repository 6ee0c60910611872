"""NumPy's names for folding and multiplying arrays.

Enters: calls such as `np.sum(x, axis=1)` and `a @ b`. Leaves: operations appended with the builder
in force; variance and product are written in simpler operations.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch, UnsupportedOperation
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.trees import is_container, leaves
from adcompile.graph.types import Scalar, shape_of
from adcompile.ops import memory
from adcompile.ops.complex_numbers import conjugate, squared_size
from adcompile.ops.reductions import whole
from adcompile.ops.shape_spellings import diagonal, full, ravel, reshape, transpose
from adcompile.ops.spellings import (
    CALLS,
    METHODS,
    as_value,
    described,
    normal_axes,
    spelled,
    static,
)


def _fold(name: str) -> Callable[..., Any]:
    python = "max" if name == "maximum" else "min"

    def apply(*operands: Any) -> Any:
        items = operands[0] if len(operands) == 1 else operands
        if isinstance(items, Value):
            if len(shape_of(items.type)) != 1:
                hint = f"np.{python} folds arrays of more axes"
                raise TypeMismatch(f"`{python}` of {described(items)}", hint=hint)
            return reduction("max" if name == "maximum" else "min")(items)
        if any(isinstance(x, Value) for x in leaves(tuple(items))):
            for item in items:
                if is_container(item) or shape_of(as_value(item).type):
                    raise TypeMismatch(
                        f"`{python}` compares numbers, not {described(item)}",
                        hint=f"np.{name} compares elementwise",
                    )
        if all(not isinstance(x, Value) for x in items):
            return (builtins.max if name == "maximum" else builtins.min)(items)
        result = as_value(items[0])
        for item in items[1:]:
            result = current().op(name, result, as_value(item))
        return result

    return apply


# -- reductions ----------------------------------------------------------------------------------


def reduction(name: str) -> Callable[..., Any]:
    """The front of a reduction record."""

    def apply(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        value = as_value(a)
        if isinstance(value.type, Scalar):
            return value
        axes = normal_axes(axis, len(shape_of(value.type)))
        return current().op(name, value, axes=axes, keepdims=bool(static(keepdims, "keepdims")))

    return apply


for _name in ("sum", "mean", "max", "min", "argmax", "argmin"):
    CALLS[getattr(np, _name)] = METHODS[_name] = reduction(_name)
CALLS[np.amax], CALLS[np.amin] = CALLS[np.max], CALLS[np.min]
CALLS[builtins.max], CALLS[builtins.min] = _fold("maximum"), _fold("minimum")


def root(total: Value, power: float = 0.5) -> Value:
    """`total ** power`, with the derivative 0 at 0."""
    op = current().op
    value = op("sqrt", total) if power == 0.5 else total**power
    result: Value = op("where", op("eq", total, 0.0), op("stop_gradient", total), value)
    return result


@spelled(np.var, method="var")
def var(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: bool = False) -> Any:
    """Variance: the mean squared distance from the mean, over n - ddof."""
    value = as_value(a)
    axes = normal_axes(axis, len(shape_of(value.type)))
    centred = value - current().op("mean", value, axes=axes, keepdims=True)
    squares = squared_size(centred)
    if static(ddof, "ddof") == 0:
        return current().op("mean", squares, axes=axes, keepdims=keepdims)
    count = current().constant(1)
    for k in axes:
        count = count * current().extent(shape_of(value.type)[k])
    return current().op("sum", squares, axes=axes, keepdims=keepdims) / (count - ddof)


@spelled(np.std, method="std")
def std(a: Any, axis: Any = None, *, ddof: Any = 0, keepdims: bool = False) -> Any:
    """Standard deviation: the square root of the variance; of equal elements the slope is 0."""
    return root(var(a, axis, ddof=ddof, keepdims=keepdims))


@spelled(np.prod, method="prod")
def prod(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The product, by a loop: its derivative is exact also where elements are zero."""
    value, builder = as_value(a), current()
    if isinstance(value.type, Scalar):
        return value
    ndim = len(shape_of(value.type))
    axes = normal_axes(axis, ndim)
    kept = [k for k in range(ndim) if k not in axes]
    extents = builder.shape(value)
    dtype = whole(value.type.dtype)
    first = builder.constant(1, Scalar(dtype))
    lines = transpose(value, *axes, *kept)
    if len(axes) > 1:
        lines = reshape(lines, -1, *(extents[k] for k in kept))
    initial = full(tuple(extents[k] for k in kept), first, dtype) if kept else first

    def body(index: Value, carried: list[Value]) -> list[Value]:
        spec = ("index", *[memory.FULL] * len(kept))
        name, attrs = ("slice", {"spec": spec}) if kept else ("load", {})
        factor = builder.op(name, lines, index, **attrs)
        if factor.type.dtype != dtype:
            factor = builder.op("cast", factor, dtype=dtype, weak=False)
        return [carried[0] * factor]

    (result,) = builder.loop(0, builder.shape(lines)[0], 1, [initial], body)
    if keepdims:
        return reshape(result, tuple(1 if k in axes else e for k, e in enumerate(extents)))
    return result


@spelled(np.cumsum, method="cumsum")
def cumsum(a: Any, axis: Any = None) -> Value:
    """Running sums along an axis, or of the flattened array."""
    value = as_value(a)
    if axis is None:
        value, axis = ravel(value), 0
    (k,) = normal_axes(axis, len(shape_of(value.type)))
    result: Value = current().op("cumsum", value, axis=k)
    return result


# -- products ------------------------------------------------------------------------------------


@spelled(np.matmul)
def matmul(a: Any, b: Any) -> Value:
    """`a @ b`."""
    result: Value = current().op("matmul", as_value(a), as_value(b))
    return result


@spelled(np.dot, method="dot")
def dot(a: Any, b: Any) -> Value:
    """`np.dot` of scalars, vectors and matrices."""
    a, b = as_value(a), as_value(b)
    if isinstance(a.type, Scalar) or isinstance(b.type, Scalar):
        return a * b
    if max(len(shape_of(a.type)), len(shape_of(b.type))) > 2:
        raise UnsupportedOperation("`np.dot` of more than two axes", hint="use `@`")
    return matmul(a, b)


@spelled(np.vdot)
def vdot(a: Any, b: Any) -> Value:
    """The sum of products of two arrays, flattened, the first one conjugated."""
    return matmul(ravel(conjugate(as_value(a))), ravel(b))


@spelled(np.outer)
def outer(a: Any, b: Any) -> Value:
    """The matrix of all products of two flattened arrays."""
    result: Value = current().op("outer", ravel(a), ravel(b))
    return result


@spelled(np.trace, method="trace")
def trace(a: Any, offset: Any = 0) -> Any:
    """The sum of a diagonal of a matrix."""
    return reduction("sum")(diagonal(a, offset))
