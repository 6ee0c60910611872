"""What is known to be wrong of an element that is read or written, when the function is compiled.

Enters: the types and operands of an operation on elements. Leaves: nothing, or an error for an
index that does not exist, or for a float that an array of integers would truncate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Type, shape_of


def refuse_outside(builder: Builder, array: Type, index: Sequence[Value]) -> None:
    """Raise ShapeError for a constant index beyond an extent that is known."""
    for axis, (value, dim) in enumerate(zip(index, shape_of(array), strict=True)):
        extent, place = builder.resolve(dim), value.constant
        if isinstance(extent, int) and place is not None and not -extent <= place < extent:
            raise ShapeError(f"index {place} does not exist in axis {axis} of {extent} elements")


def refuse_truncation(builder: Builder, types: Sequence[Type]) -> None:
    """A float in an integer array loses its fraction and its derivative, in NumPy silently."""
    target, value = types[0].dtype, types[1]
    known = builder.operands[1].constant
    if np.dtype(value.dtype).kind == "f" and np.dtype(target).kind in "biu":
        if known is None or not float(known).is_integer():
            raise TypeMismatch(
                f"a float is written into an array of {target}, which would truncate it",
                hint="make the array of floats: np.zeros(n); or truncate on purpose: int(x)",
            )
