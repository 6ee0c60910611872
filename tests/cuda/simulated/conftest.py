"""These tests run in Numba's simulator of a GPU, which replaces the compiler of a whole process."""

import pytest
from numba import config


class _Skipped(pytest.Module):
    def collect(self):
        pytest.skip("runs in a process with NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if config.ENABLE_CUDASIM:
        return None
    return _Skipped.from_parent(parent, path=module_path)
