"""These tests run in Numba's simulator of a GPU, which replaces the compiler of a whole process.

With ADCOMPILE_TEST_ON_GPU=1 they run on a GPU, but for those marked `in_simulator`.
"""

import os

import pytest
from numba import config

_ON_GPU = os.environ.get("ADCOMPILE_TEST_ON_GPU") == "1"


class _Skipped(pytest.Module):
    def collect(self):
        pytest.skip("runs in a process with NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if config.ENABLE_CUDASIM or _ON_GPU:
        return None
    return _Skipped.from_parent(parent, path=module_path)
