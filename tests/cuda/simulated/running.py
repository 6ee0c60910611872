"""Runs graphs and functions in the simulator, and compares with NumPy."""

import contextlib

import numpy as np
import pytest
from numba import cuda

from adcompile import pass_order, pipeline
from adcompile.execute.cuda import compile_kernels
from adcompile.execute.toolkit import SIMULATED
from adcompile.graph.trees import as_tuples
from adcompile.graph.types import leaves

in_simulator = pytest.mark.skipif(not SIMULATED, reason="looks into the simulator")


def on_host(item):
    """The leaves of a result as NumPy has them."""
    found = leaves(as_tuples(item))
    return [leaf.copy_to_host() if hasattr(leaf, "copy_to_host") else leaf for leaf in found]


def checked(seed=0):
    """Kernels that run inside are checked for races, where a simulator runs them."""
    if not SIMULATED:
        return contextlib.nullcontext()
    from tests.cuda.simulated.races import strictly

    return strictly(seed)


def run_graph(graph, args):
    """The flat results of a graph's kernels."""
    source = pipeline.kernel_source(pass_order.optimise(graph))
    given = [cuda.to_device(a) if isinstance(a, np.ndarray) else a for a in args]
    result = compile_kernels(source, graph.name)(*given)
    return on_host(result if isinstance(result, tuple) else (result,))


def assert_close(got, wanted, tolerance):
    """Equal up to a tolerance, relative to the largest element and to each of them."""
    got, wanted = list(got), list(wanted)
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        other = np.asarray(other)
        assert np.size(one) == other.size
        scale = np.max(np.abs(other[np.isfinite(other)]), initial=1.0) if other.size else 1.0
        np.testing.assert_allclose(
            np.reshape(one, other.shape), other, rtol=tolerance, atol=tolerance * float(scale)
        )
