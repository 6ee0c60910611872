"""Functions for which the next iteration of a loop waits are marked.

Enters: a graph of loops, all else done. Leaves: the same graph, with `chained` on each exponential
that depends on what an iteration gets of the last: a number that the loop carries, or an element of
an array that the loop writes. The compiler's formula of it is for loops that compute several
elements at once, and such a loop does not.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.dependence import index_of
from adcompile.graph.folds import fold_of
from adcompile.graph.ir import Graph, Op, Region
from adcompile.optimize.distribute import is_innermost


def mark_chains(graph: Graph) -> None:
    """Set the marks in place."""
    if any(op.name == "exp" for op in graph.body.walk()):
        aliases = Aliases(graph)
        for op in graph.body.walk():
            if op.name in ("for", "while") and is_innermost(op):
                _mark(op, aliases)


def _mark(loop: Op, aliases: Aliases) -> None:
    body, first = loop.regions[0], int(loop.name == "for")
    carried = zip(body.params[first:], body.yields, strict=True)
    late = {param for param, end in carried if fold_of(body, param, end) is None}
    roots = aliases.written_in(body.walk())

    def waits(op: Op) -> bool:
        """Whether it reads what another iteration may have written."""
        if op.name != "load" or roots.isdisjoint(aliases.roots.get(op.inputs[0], ())):
            return False
        return not first or body.params[0] not in index_of(op)

    def spread(region: Region) -> None:
        for op in region.ops:
            for inner in op.regions:
                spread(inner)
            if waits(op) or not late.isdisjoint(op.used):
                late.update(op.outputs)
                if op.name == "exp":
                    op.attrs["chained"] = True

    spread(body)
