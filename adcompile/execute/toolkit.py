"""The one place that imports NVIDIA's compiler for Python.

Enters: nothing. Leaves: `cuda`, the package that compiles kernels and holds the arrays of the
device, whether a simulator stands in for the device, and streams as the package below it has them,
which captures graphs. Another package with the same interface can take its place here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import config as _config

from adcompile.errors import DeviceError

SIMULATED = bool(_config.ENABLE_CUDASIM)  # NUMBA_ENABLE_CUDASIM=1 before Numba is imported
_ADVICE = "NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS"  # to those who choose grids by hand
_INSTALL = 'pip install "adcompile[cuda]"'


def _package() -> Any:
    try:
        with warnings.catch_warnings():  # NumPy 2.5 warns of a line in the package
            warnings.simplefilter("ignore", DeprecationWarning)
            from numba import cuda
    except ImportError as error:
        raise DeviceError(f"the CUDA compiler cannot be imported: {error}", hint=_INSTALL) from None
    if not SIMULATED and getattr(cuda, "implementation", None) != "NVIDIA":
        raise DeviceError('target="cuda" needs the package numba-cuda', hint=_INSTALL)
    if not SIMULATED and np.lib.NumpyVersion(np.__version__) >= "2.5.0":
        raise DeviceError(
            f"numba-cuda 0.30 cannot compile with NumPy {np.__version__}",
            hint='pip install "numpy<2.5"',
        )
    if _ADVICE not in os.environ:
        _config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small arrays need small grids
    return cuda


cuda: Any = _package()


def core_stream(stream: Any) -> Any:
    """A stream, or 0, for what captures and launches graphs; the stream must stay in use."""
    from cuda.core import Stream  # type: ignore[import-not-found, import-untyped]

    return Stream.from_handle(int(stream))


def address_of(array: Any) -> int:
    """Where the first element of an array of the device lies; 0 for one without elements."""
    if SIMULATED:
        return int(array._ary.ctypes.data)
    return array.device_ctypes_pointer.value or 0


def launcher(
    kernel: Any, shape: tuple[Any, ...], arguments: Sequence[Any], places: Sequence[int]
) -> tuple[Callable[..., None], list[Any], list[int]]:
    """How a kernel that has been started like this is started without a look at its arguments.

    Gives a function, what it takes, and where in that the address of the argument at each of
    `places`, an array, stands.
    """
    from cuda.core import LaunchConfig, launch

    types = tuple(map(kernel.typeof_pyval, arguments))
    compiled = kernel.overloads[types]
    words: list[Any] = []
    begins = []
    for kind, item in zip(types, arguments, strict=True):
        begins.append(len(words))
        compiled._prepare_args(kind, item, 0, [], words)
    where = [begins[place] + _ADDRESS for place in places]
    assert [words[w] or 0 for w in where] == [address_of(arguments[p]) for p in places]
    code = compiled._codelibrary.get_cufunc().kernel
    config = LaunchConfig(grid=shape[0], block=shape[1])
    stream = _first_stream()
    return lambda *given: launch(stream, config, code, *given), words, where


_ADDRESS = 4  # an array is two words of its owner, two of its size, its address, shape and strides


@cache
def _first_stream() -> Any:
    return core_stream(0)
