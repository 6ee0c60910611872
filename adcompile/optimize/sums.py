"""Sums that a loop adds to one element of an array are carried in a variable.

Enters: a graph. Leaves: the same graph where `a[i] += v` in a loop that leaves `i` alone reads the
element before the loop and writes it back afterwards: the compiler cannot know that nothing else in
the loop is the same memory, and would read and write it in every iteration. Where something in the
loop may be the same memory, but all of it only adds, the loop carries what is to be added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.equal import are_same
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_too
from adcompile.graph.types import Scalar
from adcompile.optimize.loads import defined


def carry_sums(graph: Graph) -> None:
    """Carry elements through loops that add to them, the inner ones first."""
    _Carrying(graph).region(graph.body)


def add_once(graph: Graph) -> None:
    """Carry what loops add to elements, the inner ones first; sums are rounded otherwise."""
    _Adding(graph).region(graph.body)


class _Carrying:
    def __init__(self, graph: Graph) -> None:
        self.builder = Builder(graph)
        self.aliases, self.bounds = Aliases(graph), Bounds(graph)

    def region(self, region: Region) -> None:
        """Rewrite the loops of a region in place."""
        for op in list(region.ops):
            for inner in op.regions:
                self.region(inner)
            if op.name == "for":
                with self.builder:
                    self._loop(op, region)

    def _loop(self, loop: Op, region: Region) -> None:
        body = loop.regions[0]
        own = defined(body)
        for op in [o for o in body.ops if o.name == "accumulate_at"]:
            if op not in body.ops:
                continue  # carried with an earlier one
            array, _, *index = op.inputs
            group = [o for o in body.ops if _same_element(o, op)]
            if array in own or any(v in own and v.constant is None for v in index):
                continue
            sure = self.bounds.within(array, index, region)
            if self.fits(loop, array, group, sure):
                self.carry(loop, region, group, sure)

    def fits(self, loop: Op, array: Value, group: list[Op], sure: bool) -> bool:
        """Whether an element can be carried; `sure` says that it exists if the loop never runs."""
        return sure and not any(self.touching(loop, array, group))

    def touching(self, loop: Op, array: Value, group: list[Op]) -> Iterator[Op]:
        """What else in a loop may read or write an array."""
        body, roots = loop.regions[0], self.aliases.roots[array]
        for op in body.walk():
            if op not in group and op.name != "dim" and self._meets(op.used, roots):
                yield op
        if self._meets(body.yields, roots):
            yield loop

    def _meets(self, values: Sequence[Value], roots: frozenset[Value]) -> bool:
        return any(self.aliases.roots.get(v, frozenset()) & roots for v in values)

    def carry(self, loop: Op, region: Region, group: list[Op], sure: bool) -> None:
        """Read the element before the loop, write it behind."""
        array, _, *index = group[0].inputs
        builder = self.builder
        with builder.inside(Region()) as before, builder.at(group[0].location):
            outside = [v if v.constant is None else builder.constant(v.constant) for v in index]
            first = builder.op("load", array, *outside)
        last = _carried(loop, group, first, builder)
        with builder.inside(Region()) as after, builder.at(group[0].location):
            builder.op("store", array, last, *outside)
        _around(loop, region, before.ops, after.ops)


class _Adding(_Carrying):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._if_run: dict[Op, Op] = {}

    def fits(self, loop: Op, array: Value, group: list[Op], sure: bool) -> bool:
        """Whether all that touches the array only adds, and it is known if the loop has run."""
        adds = (op.name == "accumulate_at" for op in self.touching(loop, array, group))
        return bool(sure or loop.inputs[2].constant) and all(adds)

    def carry(self, loop: Op, region: Region, group: list[Op], sure: bool) -> None:
        """Carry a sum from 0, and add it if the loop has run."""
        array, _, *index = group[0].inputs
        builder = self.builder
        with builder.inside(Region()) as before, builder.at(group[0].location):
            first = builder.constant(0, Scalar(array.type.dtype))
        last = _carried(loop, group, first, builder)
        with builder.inside(Region()) as after:
            place = after if sure else self._where_it_has_run(loop)
            with builder.inside(place), builder.at(group[0].location):
                outside = [v if v.constant is None else builder.constant(v.constant) for v in index]
                builder.op("accumulate_at", array, last, *outside)
        _around(loop, region, before.ops, after.ops)

    def _where_it_has_run(self, loop: Op) -> Region:
        """The side of a branch, behind the loop, for which it has had an iteration."""
        if loop not in self._if_run:
            start, stop, step = loop.inputs[:3]
            order = "lt" if (step.constant or 0) > 0 else "gt"
            with self.builder.at(loop.location):
                self.builder.branch(self.builder.op(order, start, stop), list, list)
            self._if_run[loop] = self.builder.region.ops[-1]
        return self._if_run[loop].regions[0]


def _around(loop: Op, region: Region, before: list[Op], after: list[Op]) -> None:
    position = region.ops.index(loop)
    region.ops[position : position + 1] = [*before, loop, *after]


def _same_element(op: Op, other: Op) -> bool:
    if op.name != "accumulate_at" or op.inputs[0] is not other.inputs[0]:
        return False
    return are_same(op.inputs[2:], other.inputs[2:])


def _carried(loop: Op, group: list[Op], first: Value, builder: Builder) -> Value:
    """Carry a number to which a loop adds, and give what it is in the end."""
    body = loop.regions[0]
    running = Value(first.type, group[0].inputs[0].hint or "t")
    param = running
    for op in group:
        with builder.inside(Region()) as inside, builder.at(op.location):
            total = builder.op("add", running, op.inputs[1])
        total.hint = running.hint
        position = body.ops.index(op)
        body.ops[position : position + 1] = inside.ops
        running = total
    last = Value(first.type, running.hint)
    last.location = loop.location
    carry_too(loop, first, param, running, last)
    return last
