"""Syntax trees are built by many threads, while the collector of garbage lets them take turns."""

import gc
import sys
import threading

import pytest

from adcompile.syntax import parsed

TEXT = "\n".join(
    f"x{k} = a + (b * (c - {k})) if d else [i for i in range({k})]" for k in range(300)
)


class Cycle:
    """Garbage whose end runs Python code."""

    def __init__(self):
        self.own = self

    def __del__(self):
        for _ in range(50):
            pass


@pytest.fixture
def restless():
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


def test_trees_built_at_once(restless):
    errors = []

    def build():
        try:
            for _ in range(30):
                [Cycle() for _ in range(20)]
                assert len(parsed(TEXT).body) == 300
        except SystemError as error:
            errors.append(error)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
