"""Views of arrays on the device, made without a copy and without a look at each row.

Enters: an array of the device. Leaves: arrays that share its memory. NumPy works out shape, strides
and offset, on an array that has no memory of its own and is never read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.execute.toolkit import SIMULATED, cuda

_PLACE = np.empty(1, np.complex128)


class view:  # noqa: N801 (read as a function: view(x)[1:], view(x).T)
    """`view(x)[2:5]`, `view(x).T`, `view(x).transpose(...)` and `view(x).reshape(...)`."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Any:
        return self._changed(lambda a: a[index])

    @property
    def T(self) -> Any:
        """The axes in the opposite order."""
        return self._changed(lambda a: a.T)

    def transpose(self, *axes: int) -> Any:
        """The axes in another order."""
        return self._changed(lambda a: a.transpose(*axes))

    def reshape(self, *shape: int) -> Any:
        """The elements in another shape; the array has no gaps and is in C order."""
        assert self._array.is_c_contiguous()
        return self._changed(lambda a: a.reshape(*shape))

    def _changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        array = self._array
        if SIMULATED:
            return type(array)(change(array._ary))
        return part_of(array, *changed(change, array.shape, array.strides, array.dtype))


def part_of(array: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """An array in the memory of another, so many bytes behind its first element."""
    if SIMULATED:
        return type(array)(np.ndarray(shape, array.dtype, array._ary, offset, strides))
    return cuda.devicearray.DeviceNDArray(
        shape, strides, array.dtype, array.stream, gpu_data=array.gpu_data.view(offset)
    )


def changed(
    change: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], strides: tuple[int, ...],
    dtype: Any,
) -> tuple[tuple[int, ...], tuple[int, ...], int]:  # fmt: skip
    """Shape, strides and offset in bytes of what `change` makes of an array without copying it."""
    base = np.lib.stride_tricks.as_strided(_PLACE.view(dtype), shape, strides)
    made = change(base)
    assert made.base is not None, "a copy would have read memory that is not there"
    start = base.__array_interface__["data"][0]
    return made.shape, made.strides, made.__array_interface__["data"][0] - start
