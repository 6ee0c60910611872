"""How the adjoint of each array is kept: as a value, or in a buffer that is updated in place.

Enters: a graph with its aliases. Leaves: for every array value its owner (the array whose memory a
chain of views leads to), and the owners that need a shadow buffer: those that are written, read by
element, sliced, or read inside a region deeper than their own.
"""

from __future__ import annotations

from adcompile.errors import NotDifferentiable
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Array, StackOf
from adcompile.ops.memory import FULL

_SCATTERED = ("load", "gather", "pop")


def invertible(op: Op) -> bool:
    """Whether a slice keeps every element: it only adds or reverses axes."""
    return all(
        item == "new" or item == FULL or item == ("slice", False, False, -1)
        for item in op.attrs["spec"]
    )


class Shadows:
    """Owners of arrays, and which of them are shadowed."""

    def __init__(self, graph: Graph, aliases: Aliases) -> None:
        self.aliases = aliases
        self.owners: dict[Value, Value] = {}
        self.shadowed: dict[Value, str] = {}  # and why
        for op in graph.body.walk():
            if op.record.view and isinstance(op.inputs[0].type, Array):
                self._own_view(op)
        self._scan(graph.body)

    def owner(self, value: Value) -> Value:
        """The array whose memory `value` views, itself if it is no view."""
        return self.owners.get(value, value)

    def has_shadow(self, value: Value) -> bool:
        """Whether the adjoint of `value` lives in a buffer."""
        return isinstance(value.type, (Array, StackOf)) and self.owner(value) in self.shadowed

    def _own_view(self, op: Op) -> None:
        source = op.inputs[0]
        assert isinstance(source.type, Array)
        if op.name == "reshape" and source.type.layout != "C":
            if self.aliases.roots[source] & self.aliases.written:
                raise NotDifferentiable(
                    "reshaping an array that is written in place needs contiguous memory",
                    op.location,
                    "copy it first: a.copy().reshape(...)",
                )
            return
        self.owners[op.result] = self.owner(source)

    def _scan(self, region: Region) -> None:
        for op in region.ops:
            sliced = op.name == "slice" and not invertible(op)
            if op.record.writes or op.name in _SCATTERED or sliced:
                reason = (
                    "it is read by element" if op.name in _SCATTERED else "a part of it is read"
                )
                if op.record.writes:
                    reason = "it is written in place"
                self.shadowed.setdefault(self.owner(op.inputs[0]), reason)
            if op.name == "invoke":
                for value in op.inputs:
                    self.shadowed.setdefault(self.owner(value), "a call may write or index it")
            self._nested_uses(op.inputs, region)
            for inner in op.regions:
                self._scan(inner)
        self._nested_uses(region.yields, region)

    def _nested_uses(self, values: list[Value], region: Region) -> None:
        for value in values:
            owner = self.owner(value)
            if isinstance(value.type, Array) and self.aliases.home.get(owner) is not region:
                self.shadowed.setdefault(owner, "it is read inside a loop or branch")
