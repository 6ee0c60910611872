"""Slices of one element are broadcast as what they are: extents of 1.

Enters: the inputs of an operation that broadcasts. Leaves: the same; those of them whose extent is
that of a slice such as `x[:1]` or `x[k : k + 1]`, and has to stretch, as views of extent 1. The run
checks that the element is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Dim, is_of_one, shape_of
from adcompile.ops.lengths import FULL, bounds_of


def fit_together(builder: Builder, values: Sequence[Value], what: str) -> list[Value]:
    """Values that are broadcast with each other."""
    shapes = [shape_of(v.type) for v in values]
    if not any(shapes):
        return list(values)
    return [fit_to(builder, value, shapes, what) for value in values]


def fit_to(builder: Builder, value: Value, shapes: Sequence[tuple[Dim, ...]], what: str) -> Value:
    """A value that is broadcast to something of one of these shapes, or to all together."""
    dims = [builder.resolve(dim) for dim in shape_of(value.type)]
    ones = [axis for axis, dim in enumerate(dims) if dim != 1 and is_of_one(dim)]
    ones = [axis for axis in ones if _is_longer(builder, axis - len(dims), shapes)]
    if not ones:
        return value
    for axis in ones:
        builder.check_equal(dims[axis], 1, what)
    return _at_first(builder, value, ones)


def _at_first(builder: Builder, value: Value, axes: Sequence[int]) -> Value:
    """A view of the first element along some axes, which stay: of what `value` is a slice of."""
    base, inputs = value, list[Value]()
    spec: Sequence[Any] = [FULL] * len(shape_of(value.type))
    if value.op is not None and value.op.name == "slice":
        (base, *inputs), spec = value.op.inputs, value.op.attrs["spec"]
    bounds = iter(inputs)
    kept = iter(range(len(spec)))  # the axes that are there in the result
    items: list[Any] = []
    places: list[Any] = []
    for item in spec:
        own = list(islice(bounds, bounds_of(item)))
        if item != "index" and next(kept) in axes:
            items += ["index", "new"]
            places += own[:1] if item[1] else [0]
        else:
            items.append(item)
            places += own
    fitted: Value = builder.op("slice", base, *places, spec=tuple(items))
    return fitted


def _is_longer(builder: Builder, axis: int, shapes: Sequence[tuple[Dim, ...]]) -> bool:
    """Whether a shape has an axis, counted from the last, of an extent that is not one or none."""
    dims = [builder.resolve(shape[axis]) for shape in shapes if -axis <= len(shape)]
    return not all(map(is_of_one, dims))
