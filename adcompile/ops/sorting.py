"""Orders: where the elements of an array belong when it is sorted, and where others would.

Enters: arrays. Leaves: records that give indices, which have no derivative; what is sorted is
gathered by them. Sorting is stable, so that of equal elements each keeps its own derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Record, register
from adcompile.graph.types import Array, Scalar, Type, shape_of

Attrs = dict[str, Any]


def _argsort_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    if not isinstance(types[0], Array):
        raise TypeMismatch("a number cannot be sorted")
    return [Array("int64", types[0].shape)]


def _argsort_show(op: Op) -> str:
    axis = f"axis={op.attrs['axis']}, " if len(shape_of(op.result.type)) > 1 else ""
    return f"np.argsort({{0}}, {axis}kind='mergesort')"


register(
    Record(
        "argsort", _argsort_infer, lambda x, axis: np.argsort(x, axis, kind="stable"),
        show=_argsort_show, inactive=True, numpy=(np.argsort,),
    )
)  # fmt: skip


def _searchsorted_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    if len(shape_of(types[0])) != 1:
        raise ShapeError("`searchsorted` needs a sorted vector")
    shape = shape_of(types[1])
    return [Array("int64", shape) if shape else Scalar("int64")]


register(
    Record(
        "searchsorted", _searchsorted_infer, lambda a, v, side: np.searchsorted(a, v, side),
        show=lambda op: f"np.searchsorted({{0}}, {{1}}, {op.attrs['side']!r})",
        inactive=True, library=True, numpy=(np.searchsorted,),
    )
)  # fmt: skip
