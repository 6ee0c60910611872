"""Neighbouring loops over the same range become one.

Enters: a graph of loops. Leaves: the same graph where loops whose order does not matter count up,
and where a loop is joined to an earlier one over the same range that shares an array with it, if
iteration `i` of each touches only what no other iteration of the other does. What the first stored
is then at hand where the second reads it, and an array that nobody else reads is not needed. A loop
that runs element by element, because it carries more than sums, takes in what is cheap. Loops that
write to different rows of one array stay apart. A loop that starts later, and only folds what the
other reads, too, starts with it, and folds nothing until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Atom, Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.dependence import index_of
from adcompile.graph.folds import is_fold
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.magnitude import DEAR
from adcompile.graph.types import Scalar, is_complex, is_continuous
from adcompile.optimize.distribute import TRAPS
from adcompile.optimize.loads import changed, defined, touched
from adcompile.optimize.neighbours import CHEAP

Offset = tuple[int, frozenset[tuple[Atom, int]]]  # a number, and multiples of what is fixed

_PLAIN = frozenset({"load", "store", "accumulate_at", "for", "if", "dim", "constant"})
_SUMS = CHEAP | {"accumulate_at", "for"}
_CHECKS = 8  # pairs of arrays that LLVM compares before a loop, at most, to vectorise it
_FARTHEST = 30  # operations between two loops


def merge_loops(graph: Graph) -> None:
    """Join loops in place, the outer ones first."""
    Merging(graph).run()


def merge_sums(graph: Graph) -> None:
    """Join loops that only add to elements of arrays; the order of sums changes."""
    Merging(graph, only_sums=True).run()


def merge_kernels(graph: Graph) -> None:
    """Join loops that become kernels, in place: what one stores is at hand where it is read."""
    _MergingKernels(graph).run()


class Merging:
    """The joining of loops of one graph."""

    def __init__(self, graph: Graph, only_sums: bool = False) -> None:
        self.graph, self.only_sums = graph, only_sums
        self.aliases, self.bounds = Aliases(graph), Bounds(graph)
        self._touches: dict[Op, frozenset[Value]] = {}
        self._changes: dict[Op, frozenset[Value]] = {}

    def run(self) -> None:
        """Join whatever may be joined."""
        with Builder(self.graph) as builder:
            self.count_up(self.graph.body, builder)
        self.bounds = Bounds(self.graph)
        self.join(self.graph.body)

    def join(self, region: Region) -> bool:
        """Join the loops of a region; gives whether any were joined."""
        joined = False
        while self.any(region):
            self.bounds = Bounds(self.graph)
            joined = True
        return joined

    def _touched(self, op: Op) -> frozenset[Value]:
        if op not in self._touches:
            self._touches[op] = touched(op, self.aliases)
        return self._touches[op]

    def _changed(self, op: Op) -> frozenset[Value]:
        if op not in self._changes:
            self._changes[op] = changed(op, self.aliases)
        return self._changes[op]

    def count_up(self, region: Region, builder: Builder) -> None:
        """Turn loops that count down, where each iteration has elements of its own.

        A loop that adds up floats keeps its order, unless sums may be reordered.
        """
        for op in list(region.ops):
            for inner in op.regions:
                self.count_up(inner, builder)
            down = op.name == "for" and op.inputs[2].constant == -1
            floats = any(map(is_continuous, (v.type for v in op.outputs)))
            if down and (self.only_sums or not floats):
                if not self._is_plain(op) or not _folds(op):
                    continue
                if all(self._by_counter(root, op, op) for root in self._changed(op)):
                    with builder.inside(Region()) as made, builder.at(op.location):
                        start, stop = op.inputs[:2]
                        up = builder.op("add", stop, 1), builder.op("add", start, 1)
                        op.inputs[:3] = [*up, builder.constant(1)]
                    place = region.ops.index(op)
                    region.ops[place:place] = made.ops

    def any(self, region: Region) -> bool:
        """Whether two loops have been joined."""
        for place, first in enumerate(region.ops):
            if not self._may_join(first):
                continue
            for second in region.ops[place + 1 : place + _FARTHEST]:
                if self._may_join(second) and (
                    self._try(first, second, region) or self._try_earlier(first, second, region)
                ):
                    return True
        return any(self.any(inner) for op in region.ops for inner in op.regions)

    def _may_join(self, op: Op) -> bool:
        if self.only_sums and (op.outputs or not all(map(_only_adds, op.walk()))):
            return False
        return self._is_plain(op)

    def _is_plain(self, op: Op) -> bool:
        """Whether a loop reads and writes elements, carries numbers, and does nothing else."""
        if op.name != "for":
            return False
        body = op.regions[0]
        if not all(isinstance(p.type, Scalar) for p in body.params):
            return False
        return all(
            o.name in _PLAIN or (o.record.scalar is not None and not o.keeps and not o.written)
            for o in body.walk()
        )

    def _try(self, first: Op, second: Op, region: Region) -> bool:
        if not self._same_range(first, second, region):
            return False
        late = self._late(first, second, region)
        if late is None or not self._apart(first, second):
            return False
        if not self._worth(first, second):
            return False
        _join(first, second, region, late)
        for known in (self._touches, self._changes):
            known.pop(first, None)
        return True

    def _try_earlier(self, first: Op, second: Op, region: Region) -> bool:
        """Join loops of which one starts later than the other."""
        starts = [loop.inputs[0].constant for loop in (first, second)]
        if None in starts or starts[0] == starts[1] or self.only_sums:
            return False
        late, early = (first, second) if starts[0] > starts[1] else (second, first)
        if not _may_start_with(late, early):
            return False
        body, before = late.regions[0], late.inputs[0]
        ops, yields = list(body.ops), list(body.yields)
        _start_with(late, early, self.graph)
        if self._try(first, second, region):
            return True
        late.inputs[0], body.ops, body.yields = before, ops, yields
        return False

    def _same_range(self, first: Op, second: Op, region: Region) -> bool:
        ends = [
            (loop.inputs[0], self._stop(loop, region), loop.inputs[2]) for loop in (first, second)
        ]
        return all(self._equal(one, other, region) for one, other in zip(*ends, strict=True))

    def _equal(self, one: Value, other: Value, region: Region) -> bool:
        gap = self.bounds.sum_of(one, region).plus(self.bounds.sum_of(other, region), -1)
        return not gap.factors and not gap.constant

    def _stop(self, loop: Op, region: Region) -> Value:
        """Where a loop ends; there is no more to do up to `max(start, n)` than up to `n`."""
        start, stop, step = loop.inputs[:3]
        if step.constant == 1 and stop.op is not None and stop.op.name == "maximum":
            others = [v for v in stop.op.inputs if not self._equal(v, start, region)]
            return others[0] if len(others) == 1 else stop
        return stop

    # -- what stands between --------------------------------------------------------------------

    def _late(self, first: Op, second: Op, region: Region) -> list[Op] | None:
        """What stands between and must come after both; None where that cannot be."""
        start, end = region.ops.index(first), region.ops.index(second)
        late: list[Op] = []
        for op in region.ops[start + 1 : end]:
            if any(self._conflict(before, op) for before in [first, *late]):
                late.append(op)
        if any(op.keeps and not op.written for op in late):
            return None
        if any(self._conflict(op, second) for op in late) or _reads(second, first.outputs):
            return None
        return late

    def _conflict(self, one: Op, later: Op) -> bool:
        """Whether two operations must stay in order."""
        if _reads(later, one.outputs):
            return True
        if self._changed(one) & self._touched(later) or self._touched(one) & self._changed(later):
            return True
        return _has_effects(one) and _has_effects(later)

    # -- which iteration touches what -----------------------------------------------------------

    def _apart(self, first: Op, second: Op) -> bool:
        """Whether what one writes and the other touches belongs to one iteration of each."""
        one, other = self._changed(first), self._changed(second)
        shared = self._shared(first, second)
        if self.only_sums and shared == one & other and not self._reads(first, second, shared):
            return True
        return all(self._by_counter(root, first, second) for root in shared)

    def _shared(self, first: Op, second: Op) -> frozenset[Value]:
        """What one writes and the other touches."""
        written = self._changed(first) & self._touched(second)
        return written | (self._touched(first) & self._changed(second))

    def _reads(self, first: Op, second: Op, roots: frozenset[Value]) -> bool:
        """Whether two loops do more with arrays than add to their elements."""
        for op in (*first.walk(), *second.walk()):
            read = op.inputs[1:] if op.written else op.inputs
            if op.name != "dim" and any(
                self.aliases.roots.get(v, frozenset()) & roots for v in read
            ):
                return True
        return False

    def _by_counter(self, root: Value, first: Op, second: Op) -> bool:
        """Whether each iteration touches the elements of an array at its own index of one axis.

        What the loops only read may be touched in the iterations nearby, if it is surely no other
        memory; LLVM finds out that these do not overlap, but not of elements in another order.
        """
        axes: dict[Value, set[tuple[int, Offset]]] = {}
        written, straight = set(), True
        for loop in (first, second):
            body = loop.regions[0]
            for op in body.walk():
                if op.name == "dim" or not self._uses(op, root):
                    continue
                if op.name not in ("load", "store", "accumulate_at"):
                    return False
                if any(root in self.aliases.roots.get(v, ()) for v in op.inputs[1:]):
                    return False
                own = {
                    (k, o)
                    for k, v in enumerate(index_of(op))
                    if (o := self._offset(v, body)) is not None
                    and self.bounds.never_negative(v, body)
                }
                array = op.inputs[0]
                axes[array] = axes.get(array, own) & own
                straight &= bool(own)
                written.update(op.written)
        if any(root in self.aliases.shared_at_once(*pair) for pair in combinations(axes, 2)):
            return False
        return straight and all(axes[array] for array in written)

    def _offset(self, value: Value, body: Region) -> Offset | None:
        """What an index adds to the counter of a loop, if it is such a sum."""
        gap = self.bounds.sum_of(value, body).plus(Sum(0, {body.params[0]: 1}), -1)
        if not gap.factors:
            return gap.constant, frozenset()
        own = defined(body)
        if any(atom in own for atom in gap.factors):
            return None
        return gap.constant, frozenset(gap.factors.items())

    def _uses(self, op: Op, root: Value) -> bool:
        values = op.used
        return any(root in self.aliases.roots.get(v, ()) for v in values)

    # -- worth it -------------------------------------------------------------------------------

    def _worth(self, first: Op, second: Op) -> bool:
        """Whether they share an array, and few enough arrays are left for vectors."""
        one, other = self._touched(first), self._touched(second)
        if not one & other:
            return False
        if any(_loops(loop) for loop in (first, second)):
            return _folds(first) and _folds(second) and _keeps_vectors(first, second)
        if _folds(first) != _folds(second) and not all(
            map(_is_cheap, (*first.walk(), *second.walk()))
        ):
            return False
        if self._rows_meet([first, second]) and not any(map(self._rows_meet, ([first], [second]))):
            return False
        written = self._changed(first) | self._changed(second)
        gone = self._changed(first) & other
        gone -= self._read_elsewhere(gone, (first, second)) if gone else frozenset()
        stored = sum(not _is_made_here(v) for v in written - gone)
        read = sum(not _is_made_here(v) for v in (one | other) - written)
        return stored * read + stored * (stored - 1) // 2 <= _CHECKS

    def _rows_meet(self, loops: Sequence[Op]) -> bool:
        """Whether an iteration writes an array, and touches it in another row, too.

        LLVM does not know how far rows are apart, and would take one element after the other.
        """
        counter = loops[0].regions[0].params[0]
        used: dict[Value, list[tuple[Op, list[Sum]]]] = {}
        for body in [loop.regions[0] for loop in loops]:
            for op in body.ops:
                if op.name in ("load", "store", "accumulate_at"):
                    rows = [self._counted_by(counter, v, body) for v in index_of(op)[:-1]]
                    used.setdefault(op.inputs[0], []).append((op, rows))
        for users in used.values():
            first = users[0][1]
            gaps = [a.plus(b, -1) for _, rows in users for a, b in zip(rows, first, strict=True)]
            if any(op.written for op, _ in users) and any(g.factors or g.constant for g in gaps):
                return True
        return False

    def _counted_by(self, counter: Value, value: Value, body: Region) -> Sum:
        """An index of one loop with the counter of another in place of its own."""
        found, own = self.bounds.sum_of(value, body), body.params[0]
        factor = found.factors.get(own, 0)
        return found.plus(Sum(0, {own: 1}), -factor).plus(Sum(0, {counter: 1}), factor)

    def _read_elsewhere(self, roots: frozenset[Value], loops: Sequence[Op]) -> frozenset[Value]:
        inside = {id(op) for loop in loops for op in loop.walk()}
        found: frozenset[Value] = frozenset()
        for op in self.graph.body.walk():
            if id(op) in inside or op.name == "dim":
                continue
            for value in op.used:
                found |= self.aliases.roots.get(value, frozenset()) & roots
        for value in self.graph.outputs:
            found |= self.aliases.roots.get(value, frozenset()) & roots
        return found


class _MergingKernels(Merging):
    """Joins rows that threads share with all that is done to the same rows.

    But what adds to elements that all rows share stays apart from these: threads that are side by
    side add up columns before they meet at an element.
    """

    def _worth(self, first: Op, second: Op) -> bool:
        if not self._touched(first) & self._touched(second):
            return False
        if not (_folds(first) and _folds(second)):
            return False
        if _is_perfect(first) and _is_perfect(second) and _loops(first) == _loops(second):
            return True
        return not any(map(self._adds_to_shared, (first, second)))

    def _adds_to_shared(self, loop: Op) -> bool:
        return not all(self._by_counter(root, loop, loop) for root in self._changed(loop))


def _is_perfect(loop: Op) -> bool:
    """Whether all is done in the innermost of loops that hold one another."""
    ops = loop.regions[0].ops
    inner = [op for op in ops if op.name == "for"]
    if not inner:
        return True
    alone = len(inner) == 1 and not any(op.record.writes for op in ops)
    return alone and not inner[0].outputs and _is_perfect(inner[0])


def _join(first: Op, second: Op, region: Region, late: Sequence[Op]) -> None:
    """Put the second loop's iterations behind those of the first, and `late` behind both."""
    body, more = first.regions[0], second.regions[0]
    counter, own = body.params[0], more.params[0]
    for op in more.walk():
        op.inputs = [counter if v is own else v for v in op.inputs]
        for inner in op.regions:
            inner.yields = [counter if v is own else v for v in inner.yields]
    if own.named and not counter.named:
        counter.hint, counter.named = own.hint, True
    body.params += more.params[1:]
    body.ops += more.ops
    body.yields += [counter if v is own else v for v in more.yields]
    for symbol, value in more.extents.items():
        body.extents.setdefault(symbol, value)
    first.inputs += second.inputs[3:]
    for value in second.outputs:
        value.op = first
    first.outputs += second.outputs
    start, end = region.ops.index(first), region.ops.index(second)
    early = [op for op in region.ops[start + 1 : end] if op not in late]
    region.ops[start : end + 1] = [*early, first, *late]


def _may_start_with(late: Op, early: Op) -> bool:
    """Whether a loop only folds, and only reads what the other reads in the same iteration."""
    body, other = late.regions[0], early.regions[0]
    counters = {body.params[0]: other.params[0]}
    read = [op.inputs for op in other.ops if op.name == "load"]
    for op in body.ops:
        if op.name == "load":
            if [counters.get(v, v) for v in op.inputs] not in read:
                return False
        elif op.name != "constant" and (op.record.scalar is None or op.name in TRAPS):
            return False
    ends = zip(body.params[1:], body.yields, strict=True)
    at_once = all(end.op and p in end.op.inputs and not is_complex(end.type) for p, end in ends)
    return at_once and _folds(late)


def _start_with(late: Op, early: Op, graph: Graph) -> None:
    """Have a loop start earlier: until its own start it folds in what changes nothing."""
    body, start = late.regions[0], late.inputs[0]
    late.inputs[0] = early.inputs[0]
    with Builder(graph) as builder, builder.at(late.location):
        with builder.inside(Region()) as made:
            begun = builder.op("ge", body.params[0], start.constant)
        body.ops = [*made.ops, *body.ops]
        for k, (param, end) in enumerate(zip(body.params[1:], body.yields, strict=True)):
            op = end.op
            assert op is not None and isinstance(end.type, Scalar)
            (value,) = (v for v in op.inputs if v is not param)
            with builder.inside(Region()) as made:
                neutral = late.inputs[3 + k]  # of the largest, and the smallest
                if op.name in ("add", "sub"):
                    zero = -0.0 if op.name == "add" and is_continuous(end.type) else 0
                    neutral = builder.constant(zero, Scalar(end.type.dtype))
                chosen = builder.op("where", begun, value, neutral)
                builder.op(op.name, *(v if v is param else chosen for v in op.inputs))
            folded = made.ops[-1].result
            folded.hint, folded.named = end.hint, end.named
            place = body.ops.index(op)
            body.ops[place : place + 1] = made.ops
            body.yields[k] = folded


def _folds(loop: Op) -> bool:
    """Whether a loop carries nothing from one iteration to the next but folds."""
    body = loop.regions[0]
    return all(is_fold(body, p, e) for p, e in zip(body.params[1:], body.yields, strict=True))


def _keeps_vectors(first: Op, second: Op) -> bool:
    """Whether of two loops the one with fewer loops inside computes no more of what is dear.

    The compiler computes that for several iterations at once, unless there is a loop inside.
    """
    shallow, deep = sorted((first, second), key=_loops)
    if _loops(shallow) == _loops(deep):
        return True
    dear = [sum(op.name in DEAR for op in loop.walk()) for loop in (shallow, deep)]
    return dear[0] <= dear[1]


def _is_cheap(op: Op) -> bool:
    """Whether an operation costs little where it is computed for one element at a time."""
    return op.record.cheap or op.name in _SUMS | {"store"}


def _only_adds(op: Op) -> bool:
    """Whether an operation is cheap and writes nothing, or adds to an element."""
    return op.name in _SUMS


def _reads(op: Op, values: Sequence[Value]) -> bool:
    """Whether an operation, or one inside it, reads one of the values."""
    if not values:
        return False
    wanted = set(values)
    for inner in op.walk():
        if not wanted.isdisjoint(inner.inputs):
            return True
        if any(not wanted.isdisjoint(r.yields) for r in inner.regions):
            return True
    return False


def _has_effects(op: Op) -> bool:
    return any(inner.keeps and not inner.written for inner in op.walk())


def _loops(loop: Op) -> int:
    """How many loops are inside one another."""
    inner = [op for region in loop.regions for op in region.walk() if op.name == "for"]
    return max((1 + _loops(op) for op in inner), default=0)


def _is_made_here(array: Value) -> bool:
    """Whether LLVM knows that an array lies apart from all others."""
    return array.op is not None and array.op.name in ("empty", "full")
