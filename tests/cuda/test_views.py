"""Parts and transposes of arrays of the device are views, as NumPy has them; no GPU is needed."""

import numpy as np
import pytest
from numba import config

import adcompile as ad

if config.ENABLE_CUDASIM:
    pytest.skip("the simulator has arrays of its own", allow_module_level=True)
try:
    from adcompile.execute import device
    from adcompile.execute.toolkit import cuda
except ad.errors.DeviceError as error:
    pytest.skip(str(error), allow_module_level=True)

INDICES = [
    np.s_[::-1],
    np.s_[:, 1::2],
    np.s_[:, ::-2],
    np.s_[1],
    np.s_[:, -2],
    np.s_[-1, 2:],
    np.s_[2:5, 1:3],
    np.s_[None],
    np.s_[:, None, 2:],
    np.s_[4:100:3],
]


class _Memory:
    """Memory of the host in the place of the device's."""

    def __init__(self, host, address):
        self.host, self.address = host, address

    def view(self, start, stop):
        assert start < stop
        return _Memory(self.host, self.address + start)


def _on_device(array):
    memory = _Memory(array, array.ctypes.data)
    return cuda.devicearray.DeviceNDArray(array.shape, array.strides, array.dtype, gpu_data=memory)


class _Seen:
    def __init__(self, array):
        self.__array_interface__ = {
            "shape": array.shape,
            "strides": array.strides,
            "typestr": array.dtype.str,
            "data": (array.gpu_data.address, False),
            "version": 3,
        }


def _read(array):
    return np.asarray(_Seen(array))


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("first", [np.s_[:], np.s_[::-1, ::-1], np.s_[1:, :4]], ids=str)
def test_part(index, first):
    whole = np.arange(30.0).reshape(6, 5)
    found = device.part(device.part(_on_device(whole), first), index)
    wanted = whole[first][index]
    np.testing.assert_array_equal(_read(found), wanted)
    turned = device.transposed(found, tuple(range(found.ndim))[::-1])
    np.testing.assert_array_equal(_read(turned), wanted.T)


def test_layouts_stay_known():
    array = _on_device(np.arange(30.0).reshape(6, 5))
    assert device.part(array, np.s_[2:4])._numba_type_.layout == "C"
    assert device.part(array, 2)._numba_type_.layout == "C"
    assert device.part(array, np.s_[:, 1:])._numba_type_.layout == "A"
    assert device.transposed(array, (1, 0))._numba_type_.layout == "F"
