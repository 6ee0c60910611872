"""Every program of the corpus that has kernels: the same gradient as NumPy gives."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import UnsupportedOperation
from adcompile.graph.trees import as_tuples, leaves
from tests.cuda.simulated.running import assert_close, on_host
from tests.programs.corpus import CORPUS
from tests.test_corpus import float_positions

ids = [function.__name__ for function, _ in CORPUS]


@pytest.mark.share(6)
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_gradient(function, args):
    given = tuple(float_positions(args))
    try:  # tests/cuda/test_kernels.py keeps the list of what is refused
        got = ad.value_and_grad(function, given, target="cuda")(*args)
    except UnsupportedOperation:
        return
    wanted = ad.value_and_grad(function, given, target="python")(*args)
    assert_close(on_host(got), leaves(as_tuples(wanted)), 1e-5 if _is_single(args) else 1e-9)


def _is_single(args):
    return any(np.asarray(leaf).dtype == np.float32 for leaf in leaves(as_tuples(args)))
