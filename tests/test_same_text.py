"""The same text in every process: machine code on disk is found by it."""

import hashlib
import os
import subprocess
import sys

import numpy as np

import adcompile as ad
from tests.optimize import test_interleaved_nests as nests
from tests.optimize import test_neighbours as neighbours
from tests.programs.corpus import CORPUS
from tests.programs.gmm import gmm_loops
from tests.test_corpus import float_positions

_EVERY = 8  # programs of the corpus


def digests():
    """What is emitted, as one line for each function."""
    calls = [(f, args, float_positions(args)) for f, args in CORPUS[::_EVERY]]
    calls += [(f, (nests.X, nests.MU, nests.L), (0, 1, 2)) for f in nests.NESTS]
    calls += [(f, args, (0, 1)) for f, *args in neighbours.NEIGHBOURS]
    shapes = (5,), (5, 4), (5, 4), (5, 6), (9, 4)
    calls += [(gmm_loops, (*map(np.ones, shapes), 1.0, 0, 1.0), (0, 1, 2, 3))]
    for function, args, wrt in calls:
        for options in ({}, {"parallel": True}):
            text = ad.value_and_grad(function, tuple(wrt), **options).source(
                *args, stage="compiled"
            )
            yield f"{function.__name__} {hashlib.md5(text.encode()).hexdigest()}"


def run(seed):
    code = (
        f"kept = [bytearray(k) for k in range({seed * 997})]\n"
        "from tests.test_same_text import digests\nprint(*digests(), sep='\\n')"
    )
    environment = dict(os.environ, PYTHONHASHSEED=str(seed))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_two_processes_emit_the_same_text():
    first, second = run(1), run(2)
    assert len(first) > 30
    assert [a for a, b in zip(first, second, strict=True) if a != b] == []
