"""Colours: that every entry can be read, and that they are few."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from adcompile.sparsity.colouring import column_colours, count_colours, star_colours
from adcompile.sparsity.pattern import pattern_of, read_pattern


def banded(n, width):
    return sp.coo_array(np.abs(np.subtract.outer(range(n), range(n))) <= width)


def laplacian(n):
    line = banded(n, 1)
    return sp.coo_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line))


def arrow(n):
    dense = np.eye(n, dtype=bool)
    dense[0] = dense[:, 0] = True
    return sp.coo_array(dense)


def shuffled(matrix):
    order = np.random.default_rng(0).permutation(matrix.shape[0])
    return sp.coo_array(sp.csr_array(matrix)[order][:, order])


# matrix, colours of columns and of stars at most
MATRICES = {
    "diagonal": (banded(50, 0), 1, 1),
    "tridiagonal": (banded(50, 1), 3, 3),
    "tridiagonal_shuffled": (shuffled(banded(300, 1)), 3, 3),
    "band": (banded(60, 3), 7, 7),
    "band_shuffled": (shuffled(banded(60, 3)), 7, 7),
    "arrow": (arrow(40), 40, 2),
    "arrow_reversed": (sp.coo_array(arrow(40).toarray()[::-1, ::-1]), 40, 2),
    "laplacian": (laplacian(12), 7, 6),
    "laplacian_shuffled": (shuffled(laplacian(12)), 9, 9),
    "empty": (sp.coo_array((5, 5)), 0, 0),
    "full": (sp.coo_array(np.ones((6, 6))), 6, 6),
}


@pytest.mark.parametrize("name", MATRICES)
def test_number_of_colours(name):
    matrix, columns, stars = MATRICES[name]
    pattern = read_pattern(matrix)
    assert count_colours(column_colours(pattern)) <= columns
    assert count_colours(column_colours(pattern.transposed)) <= columns
    assert count_colours(star_colours(pattern)) <= stars


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 14), st.sets(st.tuples(st.integers(0, 13), st.integers(0, 13))))
def test_stars(n, places):
    """By the definition: neighbours differ, no path of four vertices has two colours."""
    rows, columns = np.array(sorted(places), int).reshape(-1, 2).T % n
    pattern = pattern_of(rows, columns, (n, n)).symmetrised()
    colours = star_colours(pattern)
    near = {v: set() for v in range(n)}
    for row, column in zip(pattern.rows, pattern.columns, strict=True):
        if row != column:
            near[row].add(column)
            assert colours[row] != colours[column]
    for b, c in itertools.permutations(near, 2):
        if c not in near[b]:
            continue
        for a, d in itertools.product(near[b] - {c}, near[c] - {b}):
            assert a == d or len({colours[v] for v in (a, b, c, d)}) > 2


def test_large_patterns_take_little_time():
    """A full row makes every pair of columns meet; nothing is done for each pair."""
    n = 20_000
    full_row = sp.coo_array(np.ones((1, n)))
    pattern = read_pattern(sp.coo_array(sp.vstack([full_row, sp.eye_array(n)])))
    assert count_colours(column_colours(pattern.transposed)) == 2
    assert count_colours(column_colours(pattern)) == n
