"""Iterations at the ends of a range run apart where only they wrap around or are treated otherwise.

Enters: a graph of loops. Leaves: the same graph where an innermost loop whose index arithmetic or
branches ask whether an iteration is one of the first or the last, such as `x[(i + 1) % n]` or
`if i > 0`, is three: the first iterations, those between, for which the answers are known, and the
last ones. Those between read and add to neighbours, and several of them can go at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Scalar
from adcompile.optimize.nests import has_loops, iterations, steps_by_one

_WIDEST = 2  # iterations at one end
_FEWEST = 16  # iterations of a loop that is worth two more
_LONGEST = 150  # operations of an iteration
# what a comparison says of a difference that is positive, and whether zero is as good
_RISING = {
    "gt": (True, False), "ge": (True, True), "lt": (False, True), "le": (False, False),
    "eq": (False, False), "ne": (True, False),
}  # fmt: skip
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_HANDING_ON = frozenset(
    {"add", "sub", "mul", "neg", "maximum", "minimum", "logical_and", "logical_or", "logical_not"}
)
_CHOOSING = {"maximum": "ge", "minimum": "le"}


def may_peel(graph: Graph) -> bool:
    """Whether a graph has such loops."""
    bounds = Bounds(graph)
    return any(_Borders(op, bounds).found() for op in graph.body.walk() if _is_long(op))


def peel_borders(graph: Graph) -> None:
    """Rewrite such loops in place; all stays in its order."""
    _peel_all(graph, in_order=True)


def peel_for_sums(graph: Graph) -> None:
    """Rewrite such loops in place; those that only add to elements begin between the borders.

    So what reaches most elements comes first, by plain indices, and stores them.
    """
    _peel_all(graph, in_order=False)


def _peel_all(graph: Graph, in_order: bool) -> None:
    aliases, bounds = Aliases(graph), Bounds(graph)
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        for region in graph.regions:
            for op in [op for op in region.ops if _is_long(op)]:
                borders = _Borders(op, bounds)
                if borders.found():
                    between_first = not in_order and _only_adds(op, aliases)
                    with builder.inside(region), builder.at(op.location):
                        mapping.update(_peel(region, borders, between_first, builder))
    replace(graph, mapping)


def _is_long(op: Op) -> bool:
    return (
        op.name == "for"
        and steps_by_one(op)
        and iterations(op, _FEWEST) >= _FEWEST
        and not has_loops(op)
        and sum(1 for _ in op.regions[0].walk()) <= _LONGEST
    )


@dataclass
class _Known:
    """What is known between the borders: how wide these are, and what a value is."""

    first: int = 0
    last: int = 0
    value: Value | bool | None = None


def _leading_to(body: Region) -> set[Value]:
    """What decides where an iteration reads and writes, and which sides of branches it runs."""
    found: set[Value] = set()
    for op in reversed(list(body.walk())):
        if op.name in INDEX_STARTS:
            found.update(index_of(op))
        elif op.name == "if":
            found.add(op.inputs[0])
        elif op.name in _HANDING_ON and op.result in found:
            found.update(op.inputs)
    return found


class _Borders:
    """What the iterations of one loop ask of their index.

    first   how many iterations at the start of the range (as numbers, not in time) are others
    last    how many at its end
    known   what values are in all iterations between
    """

    def __init__(self, loop: Op, bounds: Bounds) -> None:
        self.loop, self.bounds = loop, bounds
        self.body = loop.regions[0]
        self.first = self.last = 0
        self.known: dict[Value, Value | bool] = {}
        start, stop = (bounds.sum_of(v, self.body) for v in loop.inputs[:2])
        if loop.inputs[2].constant == -1:
            start, stop = stop.plus(Sum(1)), start.plus(Sum(1))
        self.start, self.stop = start, stop
        self._own = {v for op in self.body.walk() for v in op.outputs} | set(self.body.params)
        asked = _leading_to(self.body)
        for op in self.body.walk():
            asks = op.name in INDEX_STARTS or not asked.isdisjoint(op.outputs)
            found = self._of(op) if asks else None
            if found is not None:
                self.first, self.last = max(self.first, found.first), max(self.last, found.last)
                if found.value is not None:
                    self.known[op.result] = found.value

    def found(self) -> bool:
        """Whether iterations at an end are worth to run apart."""
        return self.first + self.last > 0

    def _of(self, op: Op) -> _Known | None:
        if op.name == "mod":
            return self._wrapping(op)
        if op.name in _RISING and self._is_index(op.inputs):
            return self._deciding(op.name, self._difference(op))
        if op.name in _CHOOSING and self._is_index(op.inputs):
            known = self._deciding(_CHOOSING[op.name], self._difference(op))
            if known is not None:
                known.value = op.inputs[0 if known.value else 1]
                return known if known.value.type == op.result.type else None
        return self._from_the_end(op) if op.name in INDEX_STARTS else None

    def _is_index(self, values: Sequence[Value]) -> bool:
        return all(isinstance(v.type, Scalar) and v.type.dtype == "int64" for v in values)

    def _difference(self, op: Op) -> Sum:
        first, second = (self.bounds.sum_of(v, self.body) for v in op.inputs)
        return first.plus(second, -1)

    def _place(self, found: Sum) -> tuple[int, Sum] | None:
        """A sum as the index times 1 or -1, and what no iteration changes."""
        index = self.body.params[0]
        factor = found.factors.get(index, 0)
        rest = found.plus(Sum(0, {index: 1}), -factor)
        if abs(factor) != 1 or any(atom in self._own for atom in rest.factors):
            return None
        return factor, rest

    def _wrapping(self, op: Op) -> _Known | None:
        """An index near to that of the iteration, modulo what no iteration reaches."""
        if not self._is_index(op.inputs) or op.inputs[0].type != op.result.type:
            return None
        place = self._place(self.bounds.sum_of(op.inputs[0], self.body))
        extent = self.bounds.sum_of(op.inputs[1], self.body)
        if place is None or place[0] != 1 or place[1].factors:
            return None
        if any(atom in self._own for atom in extent.factors):
            return None
        inside = (self.start, extent.plus(self.stop, -1))
        if not all(self.bounds.sum_never_negative(s, self.body) for s in inside):
            return None
        shift = place[1].constant
        return self._within(_Known(max(0, -shift), max(0, shift), op.inputs[0]))

    def _deciding(self, name: str, difference: Sum) -> _Known | None:
        """A comparison that comes out one way but for iterations at one end."""
        place = self._place(difference)
        if place is None:
            return None
        factor, rest = place
        if factor < 0:
            name, rest = _TURNED[name], Sum().plus(rest, -1)
        from_start, from_stop = self.start.plus(rest), self.stop.plus(Sum(-1)).plus(rest)
        if not from_start.factors:  # the difference is this much in the first iteration, and grows
            answer, zero = _RISING[name]
            return self._within(_Known(max(0, -from_start.constant + (not zero)), 0, answer))
        if not from_stop.factors:
            answer, zero = _RISING[_TURNED[name]]
            return self._within(_Known(0, max(0, from_stop.constant + (not zero)), answer))
        return None

    def _from_the_end(self, op: Op) -> _Known | None:
        """A negative index, which counts from the end."""
        least = 0
        for value in index_of(op):
            place = self._place(self.bounds.sum_of(value, self.body))
            if place is not None and place[0] == 1 and not place[1].factors:
                first = self.start.plus(place[1])
                least = min(least, first.constant if not first.factors else 0)
        return self._within(_Known(-least, 0)) if least else None

    def _within(self, known: _Known) -> _Known | None:
        return known if max(known.first, known.last) <= _WIDEST else None


def _peel(
    region: Region, borders: _Borders, between_first: bool, builder: Builder
) -> dict[Value, Value]:
    """Put the three loops in the place of one; gives what values are between the borders."""
    loop = borders.loop
    start, stop, step = loop.inputs[:3]
    backwards = step.constant == -1
    position = region.ops.index(loop)
    mapping: dict[Value, Value] = {}
    with builder.inside(Region(same=dict(region.same), extents=dict(region.extents))) as made:
        low, high = (stop + 1, start + 1) if backwards else (start, stop)
        first, last = low + borders.first, high - borders.last
        ranges = [(first, last)]
        if borders.first:
            ranges.insert(0, (low, builder.op("minimum", first, high)))
        if borders.last:
            ranges.append((builder.op("maximum", first, last), high))
        between = 1 if borders.first else 0
        if backwards:
            ranges = [(b - 1, a - 1) for a, b in reversed(ranges)]
            between = len(ranges) - 1 - between
        if between_first:
            ranges.insert(0, ranges.pop(between))
            between = 0
        carried = loop.inputs[3:]
        for k, ends in enumerate(ranges):
            # the last keeps the results
            piece = loop if k == len(ranges) - 1 else clone_op(loop, {})
            piece.inputs = [*ends, step, *carried]
            carried = piece.outputs
            made.ops.append(piece)
            if k == between:
                pairs = zip(_values(loop), _values(piece), strict=True)
                mapping = _answers(piece, borders, dict(pairs), builder)
    region.ops[position : position + 1] = made.ops
    return mapping


def _only_adds(loop: Op, aliases: Aliases) -> bool:
    """Whether iterations do nothing but add to elements of arrays that they do not read."""
    added: set[Value] = set()
    read: set[Value] = set()
    for op in loop.regions[0].walk():
        if op.name == "accumulate_at":
            added.add(op.inputs[0])
        elif op.written or op.keeps:
            return False
        elif op.name != "dim":
            read.update(v for v in op.inputs if v in aliases.roots)
    apart = not any(aliases.shared_at_once(a, b) for a in added for b in read)
    return apart and not loop.outputs


def _values(loop: Op) -> list[Value]:
    """All values of an iteration, in an order that copies share."""
    body = loop.regions[0]
    found = list(body.params)
    for op in body.walk():
        found += op.outputs
    return found


def _answers(
    piece: Op, borders: _Borders, own: dict[Value, Value], builder: Builder
) -> dict[Value, Value]:
    """What the values that are known become in the loop between the borders."""
    body = piece.regions[0]
    mapping = {}
    with builder.inside(Region()) as made:
        for value, known in borders.known.items():
            if isinstance(known, Value):
                mapping[own[value]] = own.get(known, known)
            else:
                assert isinstance(value.type, Scalar)
                mapping[own[value]] = builder.constant(known, value.type)
    body.ops[:0] = made.ops
    return mapping
