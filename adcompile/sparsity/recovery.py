"""Which elements to seed for each colour, and where the entries of the matrix are found.

Enters: a pattern and the colours of its columns. Leaves: the tables that compiled code runs
through. Each entry is alone in its row among the columns of one colour, so the sweep of that colour
gives it as it is: this is tested when the tables are made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adcompile.errors import InternalError
from adcompile.sparsity.colouring import Colours, column_colours, count_colours, star_colours
from adcompile.sparsity.pattern import Pattern

Integers = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Tables:
    """What the sweep of each colour seeds, and where it finds entries.

    Colour c seeds the elements `seeds[seed_starts[c]:seed_starts[c + 1]]`. Of the result of its
    sweep the elements `sources[source_starts[c]:source_starts[c + 1]]` are the entries `places`, of
    the same range. `size` is the number of elements of the function's result.
    """

    seeds: Integers
    seed_starts: Integers
    sources: Integers
    source_starts: Integers
    places: Integers
    size: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The tables in the order in which compiled code takes them."""
        return (
            self.seeds, self.seed_starts, self.sources, self.source_starts, self.places, self.size
        )  # fmt: skip

    @property
    def colours(self) -> int:
        """The number of sweeps."""
        return len(self.seed_starts) - 1


NAMES = ("seeds", "seed_starts", "sources", "source_starts", "places", "size")


def by_columns(pattern: Pattern) -> Tables:
    """Forward sweeps, each for columns that share no row."""
    return _tables(pattern, column_colours(pattern), pattern.shape[0])


def by_rows(pattern: Pattern) -> Tables:
    """Reverse sweeps, each for rows that share no column."""
    other = pattern.transposed
    tables = _tables(other, column_colours(other), pattern.shape[0])
    number = np.lexsort((pattern.rows, pattern.columns))  # of each place of `other` in `pattern`
    return replace(tables, places=number[tables.places])


def by_stars(pattern: Pattern) -> Tables:
    """Sweeps of a symmetric matrix: an entry is found in its own row or in that of its twin."""
    return _tables(pattern, star_colours(pattern), pattern.shape[0], symmetric=True)


def _tables(pattern: Pattern, colours: Colours, size: int, symmetric: bool = False) -> Tables:
    count = count_colours(colours)
    row, colour = pattern.rows, colours[pattern.columns]
    alone = _alone(row, colour, count)
    if symmetric:
        other_row, other_colour = pattern.columns, colours[pattern.rows]
        row, colour = np.where(alone, row, other_row), np.where(alone, colour, other_colour)
        alone |= _alone(other_row, other_colour, count)
    if not alone.all():
        raise InternalError("a colouring from which not every entry can be read")
    seeds, seed_starts = _grouped(np.flatnonzero(colours >= 0), colours, count)
    places, source_starts = _grouped(np.arange(pattern.size), colour, count)
    return Tables(seeds, seed_starts, row[places], source_starts, places, size)


def _alone(row: Integers, colour: Integers, count: int) -> Any:
    """Whether each place is the only one of its row and colour."""
    _, which, times = np.unique(
        row * max(count, 1) + colour, return_inverse=True, return_counts=True
    )
    return times[which] == 1


def _grouped(items: Integers, colours: Integers, count: int) -> tuple[Integers, Integers]:
    """The items by colour, and where each colour starts."""
    order = items[np.argsort(colours[items], kind="stable")]
    counts = np.bincount(colours[order], minlength=count)
    return order, np.concatenate(([0], np.cumsum(counts)))
