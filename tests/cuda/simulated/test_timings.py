"""The timings for a GPU run through in the simulator, with tiny sizes."""

import pytest
from numba import config

from tests.cuda import timings


@pytest.mark.skipif(not config.ENABLE_CUDASIM, reason="run_on_gpu.py takes the times on a GPU")
def test_timings(monkeypatch):
    monkeypatch.setattr(timings, "REPEATS", 1)
    found = timings.rows("tiny")
    whats = {row["what"] for row in found}
    assert len(whats) >= 5 and {row["by"] for row in found} >= {"adcompile", "our kernel"}
    assert timings.table(found).count("\n") == len(found) + 2
