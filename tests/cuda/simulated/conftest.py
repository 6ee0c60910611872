"""Tests for Numba's CUDA simulator: NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda/simulated."""

from pathlib import Path

import pytest
from numba import config


def pytest_collection_modifyitems(items):
    if not config.ENABLE_CUDASIM:
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs NUMBA_ENABLE_CUDASIM=1"))
