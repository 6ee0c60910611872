"""Which values a derivative has to follow.

Enters: a graph, the values it is differentiated with respect to, and (for reverse mode) its
outputs. Leaves: the varied values (they depend on an input) and the useful ones (an output depends
on them); a value is active if it is both.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.aliases import Aliases
from adcompile.graph.flow import dependencies
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import StackOf, Type, is_continuous


class Activity:
    """Varied and useful values of one graph."""

    def __init__(
        self, graph: Graph, aliases: Aliases, inputs: Collection[Value],
        outputs: Collection[Value] | None = None,
    ) -> None:  # fmt: skip
        self.aliases = aliases
        self._ops = list(graph.body.walk())
        self.varied: set[Value] = set()
        for value in inputs:
            self._mark(value, self.varied)
        while self._spread_forward():
            pass
        self.useful: set[Value] = set()
        for value in graph.outputs if outputs is None else outputs:
            self._mark(value, self.useful)
        while self._spread_backward():
            pass

    def active(self, value: Value) -> bool:
        """Whether the value has an adjoint that matters."""
        return value in self.varied and value in self.useful

    def _mark(self, value: Value, marks: set[Value]) -> bool:
        """Mark a float value; with an array, all that may share its memory."""
        if value in marks or not _holds_floats(value.type):
            return False
        marks.add(value)
        roots = self.aliases.roots.get(value)
        if roots and roots & self.aliases.written:
            for other, others in self.aliases.roots.items():
                if others & roots and _holds_floats(other.type):
                    marks.add(other)
        return True

    def _spread_forward(self) -> bool:
        changed = False
        for op in self._ops:
            if op.record.inactive:
                continue
            for target, source in dependencies(op):
                if source in self.varied:
                    changed |= self._mark(target, self.varied)
        return changed

    def _spread_backward(self) -> bool:
        changed = False
        for op in reversed(self._ops):
            if op.record.inactive:
                continue
            for target, source in dependencies(op):
                if target in self.useful:
                    changed |= self._mark(source, self.useful)
        return changed


def _holds_floats(type_: Type) -> bool:
    return is_continuous(type_.item if isinstance(type_, StackOf) else type_)
