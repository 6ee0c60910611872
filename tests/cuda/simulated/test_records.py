"""Every operation record as kernels: its value and its derivative, or a refusal that says why."""

import numpy as np
import pytest

from adcompile import transforms
from adcompile.errors import UnsupportedOperation
from adcompile.graph.interpret import interpret
from adcompile.graph.trees import leaves
from tests.cuda.simulated.running import assert_close, run_graph
from tests.ops.cases import CASES, typed

_LIBRARY = ("solve", "inv", "det", "slogdet", "cholesky", "eigh", "qr", "svd", "pinv")
REFUSED = {
    **dict.fromkeys(_LIBRARY, "it is a library routine"),
    "nonzero": "the size of its result depends on the elements",
    "searchsorted": "of the one before",  # its case makes the sorted array by a running sum
}


def _chosen():
    """One case for each record, on arrays where it has one."""
    found = {}
    for case in CASES:
        args = case.arguments(np.random.default_rng(7))
        arrays = any(isinstance(a, np.ndarray) for a in args)
        if not case.spelling and arrays:
            found.setdefault(case.record, case)
    return found


CHOSEN = _chosen()


def _run(graph, args):
    assert_close(run_graph(graph, args), leaves(interpret(graph, *map(_copied, args))), 1e-9)


def _copied(item):
    return item.copy() if isinstance(item, np.ndarray) else item


@pytest.mark.parametrize("record", CHOSEN)
def test_record(record):
    case = CHOSEN[record]
    args = case.arguments(np.random.default_rng(7))
    try:
        _run(case.graph(args), args)
        if case.smooth:
            value = interpret(case.graph(args), *map(_copied, args))
            types = [*map(typed, args), typed(value)]
            drawn = np.random.default_rng(8).standard_normal(np.shape(value))
            cotangent = np.asarray(drawn, np.asarray(value).dtype)
            cotangent = cotangent if np.shape(value) else cotangent.item()
            _run(transforms.vjp_graph(case.graph(args), types), [*args, cotangent])
    except UnsupportedOperation as error:
        assert record in REFUSED, f"{record}: {error}"
        assert REFUSED[record] in str(error)
    else:
        assert record not in REFUSED
