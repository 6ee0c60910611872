"""Every program of the corpus that has kernels: the same gradient as NumPy gives."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import UnsupportedOperation
from adcompile.graph.trees import as_tuples
from adcompile.graph.types import is_continuous, leaves, type_of
from tests.cuda.simulated.running import assert_close, on_host
from tests.programs.corpus import CORPUS

ids = [function.__name__ for function, _ in CORPUS]


def _positions(args):
    return tuple(k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a)))))


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_gradient(function, args):
    given = _positions(args)
    try:  # tests/cuda/test_kernels.py keeps the list of what is refused
        got = ad.value_and_grad(function, given, target="cuda")(*args)
    except UnsupportedOperation:
        return
    wanted = ad.value_and_grad(function, given, target="python")(*args)
    assert_close(on_host(got), leaves(as_tuples(wanted)), 1e-5 if _is_single(args) else 1e-9)


def _is_single(args):
    return any(np.asarray(leaf).dtype == np.float32 for leaf in leaves(as_tuples(args)))
