"""Compiles generated kernels, and brings arguments to the device.

Enters: the text of a module with kernels and the function that starts them; arguments of a call.
Leaves: that function; arrays on the device. Failures of the device become errors that say what is
missing and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from adcompile.errors import AdcompileError, DeviceError
from adcompile.execute import device
from adcompile.execute.cache import module_from_source
from adcompile.execute.dispatch import numba_type
from adcompile.execute.launches import kernels_in
from adcompile.execute.plans import Planned
from adcompile.execute.toolkit import SIMULATED, cuda

_OLDEST = (7, 5)  # that the compilers of CUDA 13 know


def compile_kernels(source: str, entry: str) -> Any:
    """The host function `entry`; its kernels are compiled where they are first started."""
    return Planned(getattr(kernels_in(module_from_source(source, entry)), entry))


def kernels_of(
    source: str, entry: str, texts: dict[str, list[str]]
) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:  # fmt: skip
    """Name, kernel and argument types of each kernel whose argument types `texts` gives."""
    module = module_from_source(source, entry)
    for name, arguments in texts.items():
        yield name, getattr(module, name), tuple(numba_type(text) for text in arguments)


def on_device(item: Any) -> Any:
    """An argument as kernels take it: NumPy arrays are copied, arrays of the device stay there."""
    if isinstance(item, np.ndarray):
        if not (item.flags.c_contiguous or item.flags.f_contiguous):
            item = np.ascontiguousarray(item)
        return cuda.to_device(item, stream=device.stream())
    if is_foreign(item):
        return cuda.as_cuda_array(item)
    return item


def uploaded(array: np.ndarray) -> Any:
    """A copy of an array on the device. Raises DeviceError where there is none."""
    with explained():
        return on_device(array)


def zeros_like(array: Any) -> Any:
    """Zeros of the shape and dtype of an array of the device. Raises DeviceError where none is."""
    with explained():
        return device.full(tuple(array.shape), 0, on_device(array).dtype)


def is_foreign(item: Any) -> bool:
    """Whether another library holds an array on the device: CuPy, PyTorch."""
    own = cuda.devicearray.DeviceNDArray if not SIMULATED else ()
    return hasattr(item, "__cuda_array_interface__") and not isinstance(item, own)


class DeviceNumber:
    """A number that is still on the device; `float(x)` waits for it and reads it.

    array      the array of one element that holds it
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    @property
    def dtype(self) -> Any:
        """The type of the number."""
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """It has no axis."""
        return ()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self.array.__cuda_array_interface__, "shape": (), "strides": None}

    def copy_to_host(self) -> Any:
        """The number as NumPy has it; waits for the device."""
        return self.array.copy_to_host()[0]

    item = copy_to_host

    def __float__(self) -> float:
        return float(self.copy_to_host())

    def __int__(self) -> int:
        return int(self.copy_to_host())

    def __complex__(self) -> complex:
        return complex(self.copy_to_host())

    def __bool__(self) -> bool:
        return bool(self.copy_to_host())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.copy_to_host(), dtype)

    def __repr__(self) -> str:
        return f"<number of {self.dtype} on the device>"


@contextmanager
def explained() -> Iterator[None]:
    """Turn failures of the device into DeviceError."""
    try:
        if not SIMULATED:
            _require_device()
        yield
    except AdcompileError:
        raise
    except cuda.cudadrv.error.CudaSupportError as error:
        raise DeviceError(f"there is no GPU to run on: {error}", hint=_NO_GPU) from None
    except Exception as error:
        found = _explanation(error)
        if found is None:
            raise
        raise found from error


_NO_GPU = 'install an NVIDIA driver, or use target="cpu"'


@cache
def _require_device() -> None:
    if not cuda.is_available():
        raise DeviceError("there is no GPU, or no driver for it", hint=_NO_GPU)
    capability = cuda.get_current_device().compute_capability
    if tuple(capability) < _OLDEST:
        number = ".".join(map(str, capability))
        raise DeviceError(
            f"the GPU is too old: compute capability {number}",
            hint=f'{_OLDEST[0]}.{_OLDEST[1]} or later is needed; use target="cpu"',
        )


def _explanation(error: Exception) -> DeviceError | None:
    """What a failure of the driver means."""
    kind, text = type(error).__name__, str(error)
    if kind not in ("CudaAPIError", "CUDAError", "LinkerError", "NvvmError", "NVVMError"):
        return None
    if "OUT_OF_MEMORY" in text.upper():
        hint = "pass smaller batches, or free arrays that are no longer needed"
        return DeviceError("the GPU is out of memory", hint=hint)
    if "PTX" in text.upper() or kind in ("LinkerError", "NvvmError", "NVVMError"):
        hint = "install a newer driver, or an older CUDA toolkit: nvidia-smi shows what it takes"
        return DeviceError(f"the driver refuses the compiled kernel: {text}", hint=hint)
    hint = "CUDA_LAUNCH_BLOCKING=1 shows which kernel it is"
    return DeviceError(f"a kernel failed: {text}", hint=hint)
