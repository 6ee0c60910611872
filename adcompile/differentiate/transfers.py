"""Arrays that change hands at branches and loops.

Enters: a graph. Leaves: the same graph in which every array that leaves a branch, or goes around a
loop, and is written somewhere, belongs to that branch or loop alone: copied where no other name
reaches it afterwards, and refused where one does, for then a write under one name is seen under
another.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.errors import NotDifferentiable
from adcompile.graph.aliases import Aliases, flows
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value, count_uses
from adcompile.graph.types import Array


def separate_transfers(graph: Graph) -> Aliases:
    """Give each transferred array memory of its own; gives the aliases of the result."""
    while True:
        aliases = Aliases(graph)
        if not _Transfers(graph, aliases).separate_one():
            return aliases


class _Transfers:
    def __init__(self, graph: Graph, aliases: Aliases) -> None:
        self.graph = graph
        self.aliases = aliases
        self.uses = count_uses(graph.body)
        self.owners: dict[Value, Value] = {}
        for op in graph.body.walk():
            if op.record.view and isinstance(op.inputs[0].type, Array):
                self.owners[op.result] = self._owner(op.inputs[0])

    def _owner(self, value: Value) -> Value:
        return self.owners.get(value, value)

    def separate_one(self) -> bool:
        """Insert one copy; gives whether there was need."""
        for region, position, op in self._structured(self.graph.body):
            for k, output in enumerate(op.outputs):
                if not self.aliases.roots.get(output, frozenset()) & self.aliases.written:
                    continue
                for inner in op.regions if op.name == "if" else op.regions[:1]:
                    if self._leaves_shared(inner, k):
                        self._refuse_shared(op, inner.yields[k], output)
                        inner.yields[k] = _copy(inner, len(inner.ops), inner.yields[k], op)
                        return True
                place = k + 3 if op.name == "for" else k
                if op.name != "if" and self._enters_shared(op.inputs[place]):
                    self._refuse_shared(op, op.inputs[place], output)
                    op.inputs[place] = _copy(region, position, op.inputs[place], op)
                    return True
        return False

    def _structured(self, region: Region) -> Iterator[tuple[Region, int, Op]]:
        for position, op in enumerate(region.ops):
            if op.regions:
                yield region, position, op
            for inner in op.regions:
                yield from self._structured(inner)

    def _leaves_shared(self, region: Region, k: int) -> bool:
        owner = self._owner(region.yields[k])
        twice = [self._owner(v) for v in region.yields].count(owner) > 1
        return self.aliases.home.get(owner) is not region or twice

    def _enters_shared(self, first: Value) -> bool:
        made_here = first.op is not None and not first.op.record.view and not first.op.regions
        return not made_here or self.uses[first] > 1

    def _refuse_shared(self, op: Op, value: Value, output: Value) -> None:
        """Raise NotDifferentiable if another name reaches the array after it changed hands."""
        roots = self.aliases.roots[value]
        own = [*op.outputs, *(p for r in op.regions for p in r.params)]
        around = self.aliases.around(op)
        now = self._derived(own, [o for o in around if o.name in ("for", "while")])
        later = self._derived(own, [])
        for other in self.graph.body.walk():
            if other is op or other.name == "dim" or other.regions:
                continue
            inside = op in self.aliases.around(other)
            for read in other.inputs:
                shared = roots & self.aliases.roots.get(read, frozenset())
                again = any(self.aliases.repeats(op, other, root) for root in shared)
                after = self.aliases.follows(op, other) and not (inside and op.name == "if")
                if shared and ((again and read not in later) or (after and read not in now)):
                    _refuse(op, output)

    def _derived(self, values: list[Value], without: list[Op]) -> set[Value]:
        """All arrays that values are handed on to; not to the next iterations of `without`."""
        derived = set(values)
        size = -1
        while size != len(derived):
            size = len(derived)
            for op in self.graph.body.walk():
                derived.update(
                    target
                    for target, source in flows(op)
                    if source in derived and (op not in without or target in op.outputs)
                )
        return derived


def _copy(region: Region, position: int, value: Value, op: Op) -> Value:
    assert isinstance(value.type, Array)
    copy = Value(Array(value.type.dtype, value.type.shape), value.hint, value.named)
    region.ops.insert(position, Op(RECORDS["copy"], [value], {}, [copy], location=op.location))
    return copy


def _refuse(op: Op, output: Value) -> None:
    name = f"`{output.hint}`" if output.hint else "an array"
    raise NotDifferentiable(
        f"{name} is handed through a `{op.name}` and also written in place, so two names may share "
        "its memory",
        op.location,
        "start from a copy made for this purpose (a.copy()), or write into one fixed array",
    )
