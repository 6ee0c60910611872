"""Colours for the columns of a matrix, such that one sweep serves all columns of a colour.

Enters: the places of a matrix that may be other than zero. Leaves: a colour for each column, -1
for one without places. The conditions and the greedy algorithms are those of Gebremedhin, Manne and
Pothen, What color is your Jacobian? (SIAM Review 47, 2005), sections 3 and 4; that stars are kept,
so that the time is that of the places, is of Gebremedhin, Tarafdar, Manne and Pothen, New acyclic
and star coloring algorithms (SIAM Journal on Scientific Computing 29, 2007). Sets of colours are
the bits of an integer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from adcompile.sparsity.pattern import Pattern

Colours = np.ndarray[Any, Any]
_MANY = 1_000_000  # pairs of columns that share a row; sorting more takes longer than it saves


def count_colours(colours: Colours) -> int:
    """How many colours are used."""
    return int(colours.max(initial=-1)) + 1


def column_colours(pattern: Pattern) -> Colours:
    """Colours such that no row has a place in two columns of one colour.

    A partial distance-2 colouring of the bipartite graph of rows and columns.
    """
    rows, columns = pattern.members(), pattern.transposed.members()
    lengths = np.diff(pattern.starts)
    fewest = int(lengths.max(initial=0))  # a row needs a colour for each of its places
    near = lambda column: (c for row in columns[column] for c in rows[row])  # noqa: E731
    weights = np.bincount(pattern.columns, lengths[pattern.rows], pattern.shape[1])
    return _best(lambda order: _rows_apart(columns, len(rows), order), near, weights, fewest)


def star_colours(pattern: Pattern) -> Colours:
    """Colours of a symmetric matrix from which each of its entries is read directly.

    A star colouring of its graph: neighbours differ, and each path of four vertices has at least
    three colours. Then one of the two entries of each pair is alone in its row and colour.
    """
    apart = pattern.rows != pattern.columns
    graph = Pattern(pattern.shape, pattern.rows[apart], pattern.columns[apart])
    neighbours, degrees = graph.members(), np.diff(graph.starts)
    fewest = 1 + bool(graph.size)
    colours = _best(
        lambda order: _stars(neighbours, order), neighbours.__getitem__, degrees, fewest
    )
    return np.where(np.diff(pattern.starts) == 0, -1, colours)


def _best(
    colour: Callable[[Iterable[int]], Colours], near: Callable[[int], Iterable[int]],
    weights: Any, fewest: int,
) -> Colours:  # fmt: skip
    """The best of three orders of the columns: as they are, by size, and by incidence degree.

    What comes in the order of a grid or a band is best left as it is; shuffled grids and bands
    need up to half the colours by incidence, and matrices without structure by either.
    """
    orders: list[Callable[[], Iterable[int]]] = [
        lambda: range(len(weights)),
        lambda: np.argsort(-np.asarray(weights), kind="stable").tolist(),
    ]
    if np.sum(weights) <= _MANY:
        orders.append(lambda: _by_incidence(near, weights))
    best = None
    for order in orders:
        colours = colour(order())
        if best is None or count_colours(colours) < count_colours(best):
            best = colours
        if count_colours(best) <= fewest:
            break
    assert best is not None
    return best


def _by_incidence(near: Callable[[int], Iterable[int]], weights: Any) -> list[int]:
    """Next is always the column that has the most coloured neighbours, of these the largest."""
    count = len(weights)
    coloured, done = [0] * count, [False] * count
    sizes = (-np.asarray(weights)).tolist()
    heap = [(0, sizes[k], k) for k in range(count)]
    heapq.heapify(heap)
    order = []
    while heap:
        known, _, column = heapq.heappop(heap)
        if done[column] or -known != coloured[column]:
            continue  # an entry from before its count grew
        done[column] = True
        order.append(column)
        for other in near(column):
            if not done[other]:
                coloured[other] += 1
                heapq.heappush(heap, (-coloured[other], sizes[other], other))
    return order


def _rows_apart(columns: list[list[int]], rows: int, order: Iterable[int]) -> Colours:
    """Greedy: each column gets the first colour that none of its rows has yet."""
    taken_in = [0] * rows
    colours = np.full(len(columns), -1)
    for column in order:
        taken = 0
        for row in columns[column]:
            taken |= taken_in[row]
        bit = _first_free(taken)
        for row in columns[column]:
            taken_in[row] |= bit
        if columns[column]:
            colours[column] = bit.bit_length() - 1
    return colours


def _first_free(taken: int) -> int:
    """The lowest bit that is not set."""
    return ~taken & (taken + 1)


def _stars(neighbours: list[list[int]], order: Iterable[int]) -> Colours:
    """Greedy: each vertex gets the first colour that closes no path of four in two colours."""
    count = len(neighbours)
    bits = [0] * count  # the colour of each vertex, 0 before it has one
    near, twice = [0] * count, [0] * count  # colours of its neighbours, and those of two of them
    hubs = [0] * count  # colours of the neighbours that have two neighbours of its colour
    first: list[dict[int, int]] = [{} for _ in range(count)]  # by colour: its first neighbour
    for vertex in order:
        taken = near[vertex]
        for other in neighbours[vertex]:
            taken |= hubs[other]
            if bits[other] & twice[vertex]:
                taken |= near[other]
        bit = bits[vertex] = _first_free(taken)
        for other in neighbours[vertex]:
            if near[other] & bit:
                twice[other] |= bit
                hubs[first[other][bit]] |= bits[other]
                hubs[vertex] |= bits[other]
            else:
                near[other] |= bit
                first[other][bit] = vertex
            if bits[other] & twice[vertex]:
                hubs[other] |= bit
    return np.array([b.bit_length() - 1 for b in bits], np.int64)
