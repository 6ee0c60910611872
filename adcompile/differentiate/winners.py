"""Loops that keep what one of their iterations computed, such as the best so far.

Enters: a `for` of a forward graph whose carried numbers stay as they are or are all replaced, by
numbers that do not depend on them. Leaves: nothing, or the same loop carrying the index of the
iteration that replaced them last. No adjoint passes through any other iteration, so the reverse
sweep runs that one alone: it knows which sides of branches led to it, and what it reads of the
iteration is carried out of the loop in place of a tape. Where several iterations can share the
place, as those whose numbers have the largest `max`, it runs from the last of them to the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adcompile.differentiate.extrema import followed
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Array, Scalar, is_continuous

if TYPE_CHECKING:
    from adcompile.differentiate.mirror import Mirror

Active = Callable[[Value], bool]
_WORSE = {"maximum": ("lt", "le"), "minimum": ("gt", "ge")}


@dataclass
class Choice:
    """Operations `where` that replace numbers on one side of the same condition."""

    ops: list[Op]
    replaced: bool  # the side


@dataclass
class Better:
    """The larger or the smaller of the number as it was and another one: equal ones share."""

    op: Op
    old: Value
    new: Value


@dataclass
class Branch:
    """An `if`; for each side nothing, or how it replaces the numbers.

    A side that is no decision itself is the region: it replaces them whenever it runs.
    """

    op: Op
    sides: list[Decision | Region | None]

    @property
    def inner(self) -> list[Decision]:
        """The sides that are decisions."""
        return [s for s in self.sides if s is not None and not isinstance(s, Region)]


@dataclass
class Winner:
    """A loop, and what in its body replaces the numbers that it carries."""

    loop: Op
    positions: Sequence[int]
    decision: Decision
    passed: set[Value]  # what hands the numbers on as they are

    @property
    def body(self) -> Region:
        """What every iteration runs."""
        return self.loop.regions[0]


Decision = Choice | Better | Branch | Winner


def winner_of(loop: Op, active: Active, mirror: Mirror) -> Winner | None:
    """How a loop replaces what it carries, if that is all it does that an adjoint follows."""
    body = loop.regions[0]
    positions = followed(loop, active)
    numbers = (isinstance(body.params[1 + k].type, Scalar) for k in positions)
    if not positions or not all(numbers) or any(op.keeps for op in body.walk()):
        return None
    winner = _winner(loop, positions)
    if winner is None or (_shares(winner) and not _may_share(winner, mirror)):
        return None
    deciding = _operations(winner)
    for op in body.walk():
        if op not in deciding and not _is_apart(op, winner.passed, active):
            return None
        if op not in deciding and _may_need_tapes(op) and not mirror.has_fixed_ranges(op):
            return None
    return winner


def _winner(loop: Op, positions: Sequence[int]) -> Winner | None:
    body = loop.regions[0]
    params = [body.params[1 + k] for k in positions]
    decision = _decision(body, params, [body.yields[k] for k in positions])
    if decision is None or (_shares(decision) and loop.inputs[2].constant != 1):
        return None
    return Winner(loop, positions, decision, {*params, *_passed(decision)})


def _decision(region: Region, params: list[Value], ends: list[Value]) -> Decision | None:
    """What gives `ends`, which are `params` or new."""
    op = ends[0].op
    if op is None or any(end.op not in region.ops for end in ends):
        return None
    if all(end.op is op for end in ends) and op.name in ("if", "for"):
        places = [op.outputs.index(end) for end in ends]
        return (_branch if op.name == "if" else _inner)(op, places, params)
    if op.name in _WORSE and len(ends) == 1 and params[0] in op.inputs:
        new = [v for v in op.inputs if v is not params[0]]
        return Better(op, params[0], new[0]) if new else None
    return _choice([end.op for end in ends if end.op is not None], params)


def _choice(ops: list[Op], params: list[Value]) -> Choice | None:
    if any(op.name != "where" or op.inputs[0] is not ops[0].inputs[0] for op in ops):
        return None
    kept = [op.inputs[1:].index(v) for op, v in zip(ops, params, strict=True) if v in op.inputs[1:]]
    if len(kept) < len(ops) or len(set(kept)) > 1:
        return None
    if any(op.inputs[2 - kept[0]] in params for op in ops):
        return None
    return Choice(ops, bool(kept[0]))


def _branch(op: Op, places: list[int], params: list[Value]) -> Branch | None:
    sides: list[Decision | Region | None] = []
    for region in op.regions:
        own = [region.yields[k] for k in places]
        if all(a is b for a, b in zip(own, params, strict=True)):
            sides.append(None)
        elif any(v in params for v in own):
            return None
        else:
            sides.append(_decision(region, params, own) or region)
    return Branch(op, sides) if any(sides) else None


def _inner(loop: Op, places: list[int], params: list[Value]) -> Winner | None:
    if any(loop.inputs[3 + k] is not v for k, v in zip(places, params, strict=True)):
        return None
    return _winner(loop, places)


def _shares(decision: Decision) -> bool:
    """Whether several iterations can have replaced the number."""
    if isinstance(decision, Branch):
        return any(map(_shares, decision.inner))
    return isinstance(decision, Better) or (
        isinstance(decision, Winner) and _shares(decision.decision)
    )


def _operations(decision: Decision) -> set[Op]:
    """The operations that decide."""
    if isinstance(decision, Choice):
        return set(decision.ops)
    if isinstance(decision, Better):
        return {decision.op}
    if isinstance(decision, Branch):
        return {decision.op}.union(*map(_operations, decision.inner))
    return {decision.loop} | _operations(decision.decision)


def _passed(decision: Decision) -> set[Value]:
    """What may be the numbers as they were, inside and after the operations that decide."""
    found = {v for op in _operations(decision) for v in op.outputs if is_continuous(v.type)}
    if isinstance(decision, Branch):
        return found.union(*map(_passed, decision.inner))
    return found | (decision.passed if isinstance(decision, Winner) else set())


def _is_apart(op: Op, passed: set[Value], active: Active) -> bool:
    """Whether an adjoint can reach an operation only where the numbers are replaced."""
    if any(map(active, op.written)):
        return False
    if not any(map(active, op.outputs)):
        return True
    if op.name in ("while", "invoke", "call"):
        return False
    read = {*op.inputs, *(v for region in op.regions for v in region.yields)}
    return passed.isdisjoint(read)


def _may_need_tapes(op: Op) -> bool:
    """Whether the reverse may read more of an operation than one number of each iteration."""
    if op.name in ("for", "while"):
        return True
    return not op.record.view and any(isinstance(v.type, Array) for v in op.outputs)


def _may_share(winner: Winner, mirror: Mirror) -> bool:
    """Whether the first number of those that share is known, and no stack is left with others.

    Nothing else may replace the number: then it is as good as any before the first.
    """
    decision: Decision = winner
    while not isinstance(decision, Better):
        if isinstance(decision, Winner):
            decision = decision.decision
            continue
        sides = decision.sides if isinstance(decision, Branch) else []
        replacing = [side for side in sides if side is not None]
        if len(replacing) != 1 or isinstance(replacing[0], Region):
            return False
        decision = replacing[0]
    return mirror.has_fixed_ranges(winner.loop)


@dataclass
class Marked:
    """What a loop was made to carry.

    loop       the loop
    positions  which of its values are replaced
    last       the index of the last iteration that replaced them; before the first, if none did
    end        what an iteration hands on in its place
    first      where iterations can share the place: the last that left no earlier one its share;
               the first of the loop, if none did
    taken      of a loop inside another that decides: whether any iteration replaced the numbers
    known      conditions inside, and what they are in the one iteration
    """

    loop: Op
    positions: Sequence[int]
    last: Value
    end: Value
    first: Value | None
    taken: Value | None
    known: dict[Value, bool]


class Marking:
    """Makes loops carry the indices of the iterations that win."""

    def __init__(self, winner: Winner, builder: Builder) -> None:
        self.builder = builder
        self.shared = _shares(winner)
        self.made: list[Marked] = []

    def loop(self, winner: Winner, place: Region, inside: bool = False) -> Marked:
        """Mark one loop, and those inside that decide for it."""
        loop, body, builder = winner.loop, winner.body, self.builder
        index = body.params[0]
        with builder.inside(Region()) as front:
            initial = [loop.inputs[0] - loop.inputs[2]]
        if self.shared:
            initial.append(loop.inputs[0])
        names = ["last", "first"][: len(initial)]
        params, found = ([_index(name, index) for name in names] for _ in range(2))
        known: dict[Value, bool] = {}
        ends = self._region(body, winner.decision, index, params, known)
        loop.inputs += initial
        body.params += params
        body.yields += ends
        loop.outputs += found
        for value in found:
            value.op = loop
        with builder.inside(Region()) as behind:
            taken = builder.op("ne", found[0], initial[0]) if inside else None
        position = place.ops.index(loop)
        place.ops[position : position + 1] = [*front.ops, loop, *behind.ops]
        own = {v for op in body.walk() for v in op.outputs}
        known = {} if self.shared else {v: side for v, side in known.items() if v in own}
        first = found[1] if self.shared else None
        marked = Marked(loop, winner.positions, found[0], ends[0], first, taken, known)
        self.made.append(marked)
        return marked

    def _region(
        self, region: Region, decision: Decision, index: Value, before: list[Value],
        known: dict[Value, bool],
    ) -> list[Value]:  # fmt: skip
        """The indices behind one region, from what they are before it."""
        if isinstance(decision, Branch):
            return self._branch(region, decision, index, before, known)
        if isinstance(decision, Better):
            return self._better(region, decision, index, before)
        if isinstance(decision, Choice):
            op, condition, replaced = decision.ops[0], decision.ops[0].inputs[0], decision.replaced
            known[condition] = replaced
            return self._replaced(region, op, [condition] * 2, replaced, index, before)
        marked = self.loop(decision, region, inside=True)
        assert marked.taken is not None
        known[marked.taken] = True
        conditions = [marked.taken]
        if self.shared:
            (position,) = marked.positions
            old, new = marked.loop.inputs[3 + position], marked.loop.outputs[position]
            with self.builder.inside(region):
                better = self.builder.op("ne", old, new)
            conditions.append(better)
        return self._replaced(region, marked.loop, conditions, True, index, before)

    def _replaced(
        self, region: Region, op: Op, conditions: list[Value], replaced: bool, index: Value,
        before: list[Value],
    ) -> list[Value]:  # fmt: skip
        """The index at hand in the place of each where its condition says so."""
        found = []
        with self.builder.inside(region), self.builder.at(op.location):
            for condition, old in zip(conditions, before, strict=False):
                sides = (index, old) if replaced else (old, index)
                found.append(self.builder.op("where", condition, *sides))
        return found

    def _better(
        self, region: Region, decision: Better, index: Value, before: list[Value]
    ) -> list[Value]:
        """An equal number shares; what is no number is as it is once and for all."""
        with self.builder.inside(region), self.builder.at(decision.op.location):
            worse = [
                self.builder.op(name, decision.new, decision.old)
                for name in _WORSE[decision.op.name]
            ]
            conditions = [self.builder.op("logical_not", c) for c in worse]
        return self._replaced(region, decision.op, conditions, True, index, before)

    def _branch(
        self, region: Region, decision: Branch, index: Value, before: list[Value],
        known: dict[Value, bool],
    ) -> list[Value]:  # fmt: skip
        op = decision.op
        replacing = [k for k, side in enumerate(decision.sides) if side is not None]
        if len(replacing) == 1:
            known[op.inputs[0]] = replacing == [0]
            if not decision.inner:
                conditions = [op.inputs[0]] * len(before)
                return self._replaced(region, op, conditions, replacing == [0], index, before)
        elif not decision.inner:
            return [index for _ in before]
        for inner, side in zip(op.regions, decision.sides, strict=True):
            ends = before if side is None else [index for _ in before]
            inside = known if len(replacing) == 1 else {}  # one side does not tell of the other
            if side is not None and not isinstance(side, Region):
                ends = self._region(inner, side, index, before, inside)
            inner.yields += ends
        found = [_index(name, index) for name in ("last", "first")[: len(before)]]
        for value in found:
            value.op = op
        op.outputs += found
        return found


def _index(name: str, index: Value) -> Value:
    """The last or the first index that won."""
    return Value(Scalar("int64", weak=True), f"{name}_{index.hint}", named=True)
