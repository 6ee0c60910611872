"""Patterns of arrays and sparse matrices."""

import numpy as np
import pytest
import scipy.sparse as sp

from adcompile.errors import ShapeError, TypeMismatch
from adcompile.sparsity.pattern import pattern_of, read_pattern

DENSE = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]])


@pytest.mark.parametrize("make", [
    np.asarray, lambda d: d != 0, sp.coo_array, sp.csr_matrix, sp.csc_array, sp.lil_array,
    sp.bsr_array, sp.dok_array,
])  # fmt: skip
def test_patterns_of_all_formats(make):
    pattern = read_pattern(make(DENSE))
    assert pattern.shape == (3, 4)
    assert list(zip(pattern.rows, pattern.columns, strict=True)) == [(0, 1), (0, 3), (2, 0), (2, 3)]
    assert pattern.starts.tolist() == [0, 2, 2, 4]
    assert pattern.members() == [[1, 3], [], [0, 3]]
    assert pattern.transposed.members() == [[2], [0], [], [0, 2]]


def test_places_may_be_given_twice_and_hold_zeros():
    given = sp.coo_array((np.zeros(3), ([1, 1, 0], [1, 1, 0])), shape=(2, 3))
    assert read_pattern(given).members() == [[0], [1]]


def test_symmetry():
    pattern = pattern_of([0, 1], [1, 1], (2, 2))
    assert not pattern.is_symmetric
    assert pattern.symmetrised().members() == [[1], [0, 1]]
    assert pattern.symmetrised().is_symmetric
    assert not pattern_of([], [], (2, 3)).is_symmetric


def test_what_is_no_pattern():
    with pytest.raises(TypeMismatch, match="sparsity=list"):
        read_pattern([[1, 0]])
    with pytest.raises(ShapeError, match="3 axes"):
        read_pattern(np.ones((2, 2, 2)))
    with pytest.raises(ShapeError, match="1 axes"):
        read_pattern(sp.coo_array(np.ones(3)))
