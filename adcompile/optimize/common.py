"""Computes equal expressions once.

Enters: a graph. Leaves: the same graph where an operation on the same values, in the same region or
one around it, is read from the first. Only operations that read no written memory take part. Index
arithmetic has a pass of its own, for loops: people read it best where it is used.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.equal import equal_values
from adcompile.graph.ir import Graph
from adcompile.graph.rewrite import replace
from adcompile.graph.types import is_continuous, is_integer


def share_common(graph: Graph) -> None:
    """Merge equal operations on floats in place."""
    replace(graph, equal_values(graph.body.ops, Aliases(graph), is_continuous))


def share_indices(graph: Graph) -> None:
    """Merge equal integers in place: where loops start and end, and what they read."""
    replace(graph, equal_values(graph.body.ops, Aliases(graph), is_integer))
