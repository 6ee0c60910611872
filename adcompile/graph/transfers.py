"""Arrays that change hands at branches and loops.

Enters: a graph. Leaves: the same graph in which every array that leaves a branch, or goes around a
loop, and is written somewhere, belongs to that branch or loop alone. It is refused where another
name reaches the array afterwards, for then a write under one name is seen under another. Else it is
copied, unless a branch hands on, or a loop starts from, an array of the region around it: that one
is known by one name before and by one after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from adcompile.errors import NotDifferentiable
from adcompile.graph.aliases import Aliases, flows
from adcompile.graph.ir import RECORDS, Graph, Op, Region, Value, count_uses
from adcompile.graph.types import Array


class _Copy(NamedTuple):
    """A copy that a branch yields, or that a loop starts from."""

    op: Op
    output: Value
    values: list[Value]  # what the branch yields, or the inputs of the loop
    position: int
    region: Region
    made: Op


def separate_transfers(graph: Graph, loop: Op | None = None) -> Aliases:
    """Give each transferred array memory of its own; gives the aliases of the result.

    With a loop, only what it hands on, and what changes hands inside.
    """
    chosen = None if loop is None else {loop, *(o for r in loop.regions for o in r.walk())}
    made: list[_Copy] = []
    while True:
        aliases = Aliases(graph)
        if not _Transfers(graph, aliases).separate_one(made, chosen):
            return _without_needless(graph, made, aliases)


def _without_needless(graph: Graph, made: list[_Copy], aliases: Aliases) -> Aliases:
    """Hand on the arrays themselves where that leaves one name for each."""
    dropped: list[_Copy] = []
    for copy in reversed(made):  # inner ones first
        place = copy.region.ops.index(copy.made)
        del copy.region.ops[place]
        copy.values[copy.position] = copy.made.inputs[0]
        new = Aliases(graph)
        transfers = _Transfers(graph, new)
        if all(transfers.passes_through(each) for each in [*dropped, copy]):
            dropped.append(copy)
            aliases = new
        else:
            copy.region.ops.insert(place, copy.made)
            copy.values[copy.position] = copy.made.result
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

    def separate_one(self, made: list[_Copy], chosen: set[Op] | None) -> bool:
        """Insert one copy; gives whether there was need. What may be dropped joins `made`."""
        for region, position, op in self._structured(self.graph.body):
            if chosen is not None and op not in chosen:
                continue
            for k, output in enumerate(op.outputs):
                if not self.aliases.roots.get(output, frozenset()) & self.aliases.written:
                    continue
                for inner in op.regions if op.name == "if" else op.regions[:1]:
                    if self._leaves_shared(inner, k):
                        self._refuse_shared(op, inner.yields[k], output)
                        self._refuse_twins(op, inner.yields, k)
                        inner.yields[k] = _copy(inner, len(inner.ops), inner.yields[k], op)
                        if op.name == "if":
                            made.append(_Copy(op, output, inner.yields, k, inner, inner.ops[-1]))
                        return True
                place = k + 3 if op.name == "for" else k
                if op.name != "if" and self._enters_shared(op.inputs[place], region):
                    self._refuse_shared(op, op.inputs[place], output)
                    self._refuse_twins(op, op.inputs[place - k :], k)
                    op.inputs[place] = _copy(region, position, op.inputs[place], op)
                    copied = region.ops[position]
                    made.append(_Copy(op, output, op.inputs, place, region, copied))
                    return True
        return False

    def _structured(self, region: Region) -> Iterator[tuple[Region, int, Op]]:
        for position, op in enumerate(region.ops):
            if op.regions:
                yield region, position, op
            for inner in op.regions:
                yield from self._structured(inner)

    def _leaves_shared(self, region: Region, k: int) -> bool:
        elsewhere = self.aliases.home.get(self._owner(region.yields[k])) is not region
        return elsewhere or bool(self._twins(region.yields, k))

    def _twins(self, values: Sequence[Value], k: int) -> list[int]:
        """The other places at which the k-th of the values that are handed on is handed on."""
        owners = [self._owner(v) for v in values]
        return [j for j, owner in enumerate(owners) if j != k and owner is owners[k]]

    def passes_through(self, copy: _Copy) -> bool:
        """Whether an array of the region around may be handed on without a copy."""
        value = copy.values[copy.position]
        alone = [self._owner(v) for v in copy.values].count(value) == 1
        here = copy.op in self.aliases.home[value].ops
        return alone and here and not self._is_reached(copy.op, value, copy.output)

    def _enters_shared(self, first: Value, region: Region) -> bool:
        made_here = first.op is not None and not first.op.record.view and not first.op.regions
        return not made_here or self.uses[first] > 1 or self.aliases.home[first] is not region

    def _refuse_shared(self, op: Op, value: Value, output: Value) -> None:
        """Refuse an array that others reach, unless nobody writes it: then a copy is as good."""
        stays = self.aliases.roots[value].isdisjoint(self.aliases.written)
        if not stays and self._is_reached(op, value, output):
            _refuse(op, output)

    def _refuse_twins(self, op: Op, values: Sequence[Value], k: int) -> None:
        """Refuse one array under two names that both are used, so that it shows."""
        first = self._names(op, k)
        for j in self._twins(values, k):
            second = self._names(op, j)
            if self._meet(first, second) or self._meet(second, first):
                _refuse(op, op.outputs[k])

    def _names(self, op: Op, k: int) -> set[Value]:
        """The names under which an array is known that an operation carries or gives."""
        skip = 1 if op.name == "for" else 0
        params = [r.params[k + skip] for r in op.regions if op.name != "if"]
        return self._derived([op.outputs[k], *params], [])

    def _meet(self, writing: set[Value], reading: set[Value]) -> bool:
        """Whether anything is read under one name after it was written under another."""
        writes = [
            (op, value) for op in self.graph.body.walk() for value in op.written if value in writing
        ]
        if writes and any(v in reading for v in (*self.graph.outputs, *self.graph.kept)):
            return True
        return any(
            self.aliases.reaches(write, op, self.aliases.roots[value])
            for op in (self.graph.body.walk() if writes else ())
            if op.name != "dim" and not op.regions and any(v in reading for v in op.inputs)
            for write, value in writes
        )

    def _is_reached(self, op: Op, value: Value, output: Value) -> bool:
        """Whether another name reaches the array after it changed hands."""
        own = [*op.outputs, *(p for r in op.regions for p in r.params)]
        around = self.aliases.around(op)
        loops = [o for o in around if o.name in ("for", "while")]
        now, later = self._derived(own, loops), self._derived(own, [])
        if self._comes_from_outside(value, loops):
            return True  # the next iteration hands the same array on
        if any(self._shares(value, v, loops) and v not in now for v in self.graph.outputs):
            return True
        for other in self.graph.body.walk():
            if other is op or other.name == "dim" or other.regions:
                continue
            inside = op in self.aliases.around(other)
            after = self.aliases.follows(op, other) and not (inside and op.name == "if")
            for read in other.inputs:
                if after and read not in now and self._shares(value, read, loops):
                    return True
                if read not in later and self._repeats(op, value, other, read, loops):
                    return True
        return False

    def _shares(self, value: Value, read: Value, loops: list[Op]) -> bool:
        """Whether an array that is read later may be `value`, in one iteration of the loops."""
        maker = self._owner(read).op
        if maker is not None and maker in loops:  # what the last iteration left
            left = maker.regions[0].yields[maker.outputs.index(self._owner(read))]
            return self._shares(value, left, loops)
        return bool(self.aliases.shared_at_once(value, read))

    def _repeats(self, op: Op, value: Value, other: Op, read: Value, loops: list[Op]) -> bool:
        """Whether what is read in a later iteration may be `value`."""
        roots = self.aliases.roots
        shared = roots[value] & roots.get(read, frozenset())
        if not any(self.aliases.repeats(op, other, root) for root in shared):
            return False
        for loop in loops:
            params = loop.regions[0].params[1 if loop.name == "for" else 0 :]
            if self._owner(read) in params:  # what this iteration hands on
                handed = loop.regions[0].yields[params.index(self._owner(read))]
                return bool(self.aliases.shared_at_once(value, handed))
        return True

    def _comes_from_outside(self, value: Value, loops: list[Op]) -> bool:
        """Whether an array is made outside the innermost of these loops."""
        if not loops:
            return False
        inside = [r for o in loops[-1].regions[0].walk() for r in o.regions]
        return self.aliases.home[self._owner(value)] not in [*loops[-1].regions, *inside]

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
