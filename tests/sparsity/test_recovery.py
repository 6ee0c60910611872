"""Tables of colours: every entry is read from the product that has it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile.errors import InternalError
from adcompile.sparsity import recovery
from adcompile.sparsity.pattern import pattern_of
from adcompile.sparsity.recovery import by_columns, by_rows, by_stars


def _recovered(tables, shape, product):
    """The dense matrix that the tables read out of the products with sums of unit vectors."""
    entries = np.full(len(tables.places), np.nan)
    for c in range(tables.colours):
        seed = np.zeros(shape)
        seed[tables.seeds[tables.seed_starts[c] : tables.seed_starts[c + 1]]] = 1.0
        part = slice(tables.source_starts[c], tables.source_starts[c + 1])
        entries[tables.places[part]] = product(seed)[tables.sources[part]]
    return entries


patterns = st.tuples(st.integers(0, 12), st.integers(0, 12)).flatmap(
    lambda shape: st.tuples(
        st.just(shape),
        st.sets(
            st.tuples(st.integers(0, max(shape[0] - 1, 0)), st.integers(0, max(shape[1] - 1, 0)))
        )
        if min(shape)
        else st.just(set()),
    )
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(patterns)
def test_every_entry_is_recovered(drawn):
    (m, n), places = drawn
    rows, columns = np.array(sorted(places), int).reshape(-1, 2).T
    pattern = pattern_of(rows, columns, (m, n))
    values = np.random.default_rng(0).standard_normal(pattern.size)
    dense = np.zeros((m, n))
    dense[pattern.rows, pattern.columns] = values
    np.testing.assert_allclose(_recovered(by_columns(pattern), n, lambda s: dense @ s), values)
    np.testing.assert_allclose(_recovered(by_rows(pattern), m, lambda s: s @ dense), values)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 14), st.sets(st.tuples(st.integers(0, 13), st.integers(0, 13))))
def test_symmetric_entries_are_recovered_from_stars(n, places):
    rows, columns = np.array(sorted(places), int).reshape(-1, 2).T % n
    pattern = pattern_of(rows, columns, (n, n)).symmetrised()
    dense = np.zeros((n, n))
    dense[pattern.rows, pattern.columns] = np.random.default_rng(0).standard_normal(pattern.size)
    dense = dense + dense.T
    tables = by_stars(pattern)
    wanted = dense[pattern.rows, pattern.columns]
    np.testing.assert_allclose(_recovered(tables, n, lambda s: dense @ s), wanted)


def test_a_colouring_that_is_none_is_noticed(monkeypatch):
    pattern = pattern_of([0, 0], [0, 1], (1, 2))
    monkeypatch.setattr(recovery, "column_colours", lambda _: np.zeros(2, int))
    with pytest.raises(InternalError):
        by_columns(pattern)
