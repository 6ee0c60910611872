"""The one place that imports NVIDIA's compiler for Python.

Enters: nothing. Leaves: `cuda`, the package that compiles kernels and holds the arrays of the
device, whether a simulator stands in for the device, and streams as the package below it has them,
which captures graphs. Another package with the same interface can take its place here.
"""

from __future__ import annotations

import os
import warnings
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
