"""Which loops have iterations that stand alone.

Enters: a `for` of a forward graph. Leaves: the scratch arrays of one iteration, if the loop carries
nothing but sums, writes nothing but scratch, and every iteration writes its scratch before it reads
it; nothing for all other loops. Such an iteration can be reversed at once.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.folds import is_sum
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.scratch import Scratch
from adcompile.graph.types import StackOf

_SEQUENTIAL = frozenset({"draw", "seed", "print", "push", "pop", "call"})


class Independence:
    """The answer for the loops of one graph."""

    def __init__(self, graph: Graph, aliases: Aliases) -> None:
        self.aliases = aliases
        self._known = Scratch(graph, aliases, Bounds(graph))

    def scratch(self, loop: Op) -> list[Value] | None:
        """The scratch arrays of a loop whose iterations stand alone, None for other loops."""
        body = loop.regions[0]
        inner = list(body.walk())
        if any(op.name in _SEQUENTIAL or (op.name == "invoke" and op.keeps) for op in inner):
            return None
        if any(isinstance(v.type, StackOf) for op in inner for v in op.inputs):
            return None
        for param, end in zip(body.params[1:], body.yields, strict=True):
            if not is_sum(body, param, end):
                return None
        own = {v for op in inner for v in op.outputs}
        outside = sorted(self.aliases.written_in(inner) - own, key=lambda v: v.hint)
        for root in outside:
            if not self._known.is_scratch(root, loop):
                return None
        return outside
