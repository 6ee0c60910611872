"""The structure of every operation record, against the matrices of its sweeps."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import jacobians, pass_order
from adcompile.graph.interpret import interpret_flat, stored
from adcompile.graph.types import is_continuous
from adcompile.sparsity.detect import detect
from tests.ops.cases import CASES

SMOOTH = [case for case in CASES if case.smooth]


@pytest.mark.share(6)
@pytest.mark.parametrize("forward", [True, False], ids=["forward", "reverse"])
@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.name)
def test_structure_of_every_operation(case, forward):
    """Every element of the sweep's matrix that is not zero lies in the pattern."""
    args = case.arguments(np.random.default_rng(7))
    for number, parameter in enumerate(case.graph(args).params):
        if not is_continuous(parameter.type):
            continue
        try:
            graph = jacobians.sweep_graph(case.graph(args), number, forward, None)
        except ad.NotDifferentiable as error:
            assert "complex" in str(error)
            continue
        pass_order.optimise(graph)
        items = [stored(a, v) for a, v in zip(args, graph.params[1:], strict=True)]
        like = items[number] if forward else interpret_flat(case.graph(args), _copies(items))[0]
        size = int(np.size(like))
        columns = [
            np.ravel(interpret_flat(graph, [_unit(like, k), *_copies(items)])[0])
            for k in range(size)
        ]
        matrix = np.stack(columns, 1)
        seed, argument = graph.params[0], graph.params[1 + number]
        try:
            found = detect(graph, seed, argument, [_unit(like, 0), *items])
        except ad.SparsityError as error:
            assert case.record in ("nonzero", "while") or case.spelling in _BY_VALUE
            assert "pass sparsity= as a matrix" in str(error)
            continue
        assert case.record not in ("nonzero", "while")
        pattern = np.zeros(matrix.shape, bool)
        pattern[found.pattern.rows, found.pattern.columns] = True
        assert not np.abs(matrix[~pattern]).any()


_BY_VALUE = frozenset(  # which elements count may depend on their values
    "nanmedian nanpercentile nanquantile median percentile quantile interp kaiser sort partition "
    "unique union1d intersect1d setdiff1d setxor1d trim_zeros take_along_axis extract where "
    ".sort".split()
)


def _copies(items):
    return [np.copy(i) if isinstance(i, np.ndarray) else i for i in items]


def _unit(like, k):
    unit = np.zeros(np.shape(like), np.asarray(like).dtype)
    unit.flat[k] = 1.0
    return unit if unit.shape else unit[()]
