"""What tests that need a GPU import: without one they are skipped, with the reason."""

import pytest
from numba import config

import adcompile as ad

if config.ENABLE_CUDASIM:
    pytest.skip("needs a GPU", allow_module_level=True)
try:
    from adcompile.execute import capture  # noqa: F401  (for those who import it from here)
    from adcompile.execute.toolkit import cuda
except ad.errors.DeviceError as error:
    pytest.skip(str(error), allow_module_level=True)

needs_gpu = pytest.mark.skipif(not cuda.is_available(), reason="needs a GPU")
