"""Memory that a call frees is there for the next call, without the system clearing it again."""

import os
import subprocess
import sys

import pytest

_SCRIPT = """
import resource
import numpy as np
import adcompile as ad
from adcompile.execute.memory import keep_freed_memory

def f(x):
    return np.sum(x * x)

gradient = ad.grad(f)
x = np.ones(n)
for _ in range(2):
    gradient(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
gradient(x)
print(keep_freed_memory(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def touched(script, size, **variables):
    """Whether the allocator keeps memory, and how many new pages a third call touches."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MALLOC_")}
    script.write_text(f"n = {size}\n{_SCRIPT}")
    done = subprocess.run(
        [sys.executable, script],
        env={**kept, **variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    keeps, pages = done.stdout.split()
    return keeps == "True", int(pages)


@pytest.mark.parametrize("size", [2_000_000, 10_000_000])
def test_a_later_call_touches_no_new_pages(size, tmp_path):
    keeps, pages = touched(tmp_path / "script.py", size)
    if not keeps:
        pytest.skip("another allocator than glibc's")
    assert pages < 100


def test_the_allocator_can_be_left_alone(tmp_path):
    assert touched(tmp_path / "script.py", 1000, ADCOMPILE_KEEP_MEMORY="0")[0] is False
    assert touched(tmp_path / "script.py", 1000, MALLOC_TRIM_THRESHOLD_="100000")[0] is False
