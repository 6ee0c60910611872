"""What detection has to know of each value, decided before it runs.

Enters: the graph of a sweep, its seed, and the argument that it differentiates. Leaves: the values
that depend on the seed, the values that change with the argument, and those that decide about
structure: indices, bounds, conditions and extents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from adcompile.graph.aliases import Aliases
from adcompile.graph.flow import dependencies
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import StackOf, is_continuous


class Roles:
    """Roles of the values of one graph.

    tracked      the derivative with respect to the seed may be other than zero
    varying      the value changes with the argument, so that no run tells it for all arguments
    structural   the value decides which elements are read, written or computed
    """

    def __init__(self, graph: Graph, seed: Value, argument: Value) -> None:
        self.aliases = Aliases(graph)
        self._ops = list(graph.body.walk())
        self.tracked = self._closure([seed], _derivatives)
        self.varying = self._closure([argument, seed], _values)
        self.structural = self._closure(
            [v for op in self._ops for v in _deciding(op)]
            + [v for r in _regions(graph) for v in r.extents.values()],
            lambda op: ((source, target) for target, source in _values(op)),
        )

    def _closure(
        self, start: Iterable[Value], pairs: Callable[[Op], Iterator[tuple[Value, Value]]]
    ) -> set[Value]:
        """All that is reached from `start` by pairs (reached, from), through shared memory too."""
        edges: dict[Value, list[Value]] = {}
        for op in self._ops:
            for target, source in pairs(op):
                edges.setdefault(source, []).append(target)
        shared: dict[Value, list[Value]] = {}
        for value, roots in self.aliases.roots.items():
            for root in roots & self.aliases.written:
                shared.setdefault(root, []).append(value)
        marks: set[Value] = set()
        todo = list(start)
        while todo:
            value = todo.pop()
            if value in marks:
                continue
            marks.add(value)
            todo += edges.get(value, [])
            for root in self.aliases.roots.get(value, ()):
                todo += shared.get(root, [])
        return marks


def _regions(graph: Graph) -> Iterator[Region]:
    yield graph.body
    for op in graph.body.walk():
        yield from op.regions


def _derivatives(op: Op) -> Iterator[tuple[Value, Value]]:
    """Where derivatives go: along numbers that have one."""
    if not op.record.inactive:
        for target, source in dependencies(op):
            if _has_derivative(target) and _has_derivative(source):
                yield target, source


def _has_derivative(value: Value) -> bool:
    return is_continuous(value.type) or isinstance(value.type, StackOf)


def _values(op: Op) -> Iterator[tuple[Value, Value]]:
    """Where values go; what a branch or loop gives and writes changes with its condition."""
    if op.name == "dim":
        return  # of every array that is made, the extents are known
    yield from dependencies(op)
    if op.name in ("if", "while"):
        condition = op.inputs[0] if op.name == "if" else op.regions[1].yields[0]
        for output in op.outputs:
            yield output, condition
        for region in op.regions:
            for inner in region.walk():
                if inner.record.writes:
                    yield inner.inputs[0], condition
    elif op.name == "for":
        for output in op.outputs:
            for bound in op.inputs[:3]:
                yield output, bound
        for bound in op.inputs[:3]:
            yield op.regions[0].params[0], bound


def _deciding(op: Op) -> Iterator[Value]:
    """The inputs of an operation that decide about structure."""
    if op.name in ("if", "for"):
        yield from op.inputs[: 1 if op.name == "if" else 3]
    elif op.name == "while":
        yield from op.regions[1].yields
    elif op.record.scalar is None and not op.regions:
        for value in op.inputs:
            if not is_continuous(value.type) and not isinstance(value.type, StackOf):
                yield value
