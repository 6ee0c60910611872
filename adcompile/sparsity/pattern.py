"""The places where a matrix may be other than zero.

Enters: a SciPy sparse array or matrix, or a NumPy array. Leaves: its places, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from adcompile.errors import ShapeError, TypeMismatch


@dataclass(frozen=True, eq=False)
class Pattern:
    """Places of a matrix of `shape`: `rows` ascending, and ascending `columns` within a row."""

    shape: tuple[int, int]
    rows: np.ndarray[Any, Any]
    columns: np.ndarray[Any, Any]

    @property
    def size(self) -> int:
        """The number of places."""
        return len(self.rows)

    @cached_property
    def transposed(self) -> Pattern:
        """The places of the transposed matrix."""
        order = np.lexsort((self.rows, self.columns))
        return Pattern(self.shape[::-1], self.columns[order], self.rows[order])

    @cached_property
    def starts(self) -> np.ndarray[Any, Any]:
        """Where each row starts among the places; one more for the end."""
        counts = np.bincount(self.rows, minlength=self.shape[0])
        return np.concatenate(([0], np.cumsum(counts)))

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether the transposed matrix has the same places."""
        other = self.transposed
        return (
            self.shape == other.shape
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.columns, other.columns)
        )

    def symmetrised(self) -> Pattern:
        """The places of this matrix and of the transposed one."""
        rows = np.concatenate((self.rows, self.columns))
        columns = np.concatenate((self.columns, self.rows))
        return pattern_of(rows, columns, self.shape)

    def find(self, rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> Any:
        """The numbers of places given by row and column; None if the pattern misses one."""
        own, wanted = (
            r * self.shape[1] + c for r, c in ((self.rows, self.columns), (rows, columns))
        )
        found = np.searchsorted(own, wanted)
        inside = found < self.size
        return found if inside.all() and np.array_equal(own[found], wanted) else None

    def members(self) -> list[list[int]]:
        """The columns of each row."""
        columns, starts = self.columns.tolist(), self.starts.tolist()
        return [columns[a:b] for a, b in pairwise(starts)]


def pattern_of(rows: Any, columns: Any, shape: Sequence[int]) -> Pattern:
    """The pattern of places in any order, some of them perhaps twice."""
    places = np.unique(np.asarray(rows, np.int64) * shape[1] + np.asarray(columns, np.int64))
    found, rest = np.divmod(places, max(shape[1], 1))
    return Pattern((int(shape[0]), int(shape[1])), found, rest)


def read_pattern(given: Any) -> Pattern:
    """The pattern of a matrix: of a sparse one what it stores, of an array what is not zero.

    Raises TypeMismatch for anything else, ShapeError for what has not two axes.
    """
    if isinstance(given, np.ndarray):
        if given.ndim != 2:
            raise ShapeError(f"sparsity: an array of {given.ndim} axes is no matrix")
        rows, columns = np.nonzero(given)
        return pattern_of(rows, columns, given.shape)
    if not hasattr(given, "tocoo"):
        raise TypeMismatch(
            f"sparsity={type(given).__name__}",
            hint='a scipy.sparse array, a boolean NumPy array, or "detect"',
        )
    if len(given.shape) != 2:
        raise ShapeError(f"sparsity: an array of {len(given.shape)} axes is no matrix")
    places = given.tocoo()
    return pattern_of(places.row, places.col, places.shape)
