"""Sets of numbers, small and large."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile.sparsity.sets import EMPTY, Sets, filled

COUNT = 300  # sets of more than 64 numbers are bits
numbers = st.one_of(
    st.frozensets(st.integers(0, COUNT - 1), max_size=6),
    st.tuples(st.integers(0, 150), st.integers(60, 150)).map(
        lambda t: frozenset(range(t[0], sum(t)))
    ),
)


def _made(sets, items):
    return sets.union_all(frozenset((k,)) for k in items)


def _listed(sets, item):
    return sets.places([item])[1].tolist()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(numbers, min_size=1, max_size=4))
def test_unions(items):
    sets = Sets(COUNT)
    wanted = sorted(set().union(*items))
    made = [_made(sets, item) for item in items]
    assert sorted(_listed(sets, sets.union_all(made))) == wanted
    total = EMPTY
    for item in made:
        total = sets.union(total, item)
    assert sorted(_listed(sets, total)) == wanted
    assert sets.union(total, made[0]) == total


def test_arrays_of_sets():
    sets = Sets(6)
    x = sets.singletons((2, 3))
    assert _listed(sets, sets.unions(x, x[:1])[1, 2]) == [2, 5]
    assert [sorted(_listed(sets, s)) for s in sets.along(x, (0,))] == [[0, 3], [1, 4], [2, 5]]
    assert sets.along(x, (0,), keepdims=True).shape == (1, 3)
    assert sorted(_listed(sets, sets.along(x, (0, 1)))) == [0, 1, 2, 3, 4, 5]
    assert sorted(_listed(sets, sets.running(x, 1)[1, 1])) == [3, 4]
    rows, columns = sets.places(x.flat)
    assert rows.tolist() == columns.tolist() == list(range(6))
    assert sets.singletons(()) == frozenset((0,))
    assert np.array_equal(filled((2,)), [EMPTY, EMPTY])
