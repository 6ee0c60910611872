"""Every operation record as kernels: its value and its derivative, or a refusal that says why."""

import numpy as np
import pytest

from adcompile import transforms
from adcompile.errors import UnsupportedOperation
from adcompile.graph.interpret import interpret
from adcompile.graph.trees import leaves
from tests.cuda.records import CHOSEN, REFUSED
from tests.cuda.simulated.running import assert_close, run_graph
from tests.ops.cases import typed


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
