"""Views of device memory have the shape, strides and place that NumPy gives them."""

import numpy as np
import pytest

pytest.importorskip("numba_cuda")
from adcompile.execute.device_view import changed

CHANGES = [
    lambda a: a[2:5],
    lambda a: a[1:, ::2],
    lambda a: a[::-1, 3:0:-1],
    lambda a: a[3],
    lambda a: a[:, 2],
    lambda a: a[:, None],
    lambda a: a[4:4],
    lambda a: a.T,
    lambda a: a.T[1:].T[::-2],
    lambda a: a.transpose(1, 0),
    lambda a: a.reshape(3, -1),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "bool", "int16"])
def test_views(change, dtype):
    array = np.zeros((6, 5), dtype)
    wanted = change(array)
    start = array.__array_interface__["data"][0]
    offset = wanted.__array_interface__["data"][0] - start
    made = changed(change, array.shape, array.strides, array.dtype)
    assert made == (wanted.shape, wanted.strides, offset)


def test_a_copy_is_no_view():
    with pytest.raises(AssertionError):
        changed(lambda a: a.copy(), (1,), (8,), np.dtype("float64"))
