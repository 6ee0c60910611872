"""The reverse of branches and loops.

Enters: an `if`, `for` or `while` and the adjoints of its results. Leaves: the operation that runs
the reverse of its regions. Scalars read inside are carried through it. The adjoint of an array that
changes hands, around a loop or out of a branch, changes hands too: a buffer that nobody else reads
any more becomes the shadow of the array that it is handed to, and no iteration copies it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adcompile.differentiate.extrema import Extremum, extremum_of, ranges_are_fixed
from adcompile.differentiate.fusing import Fusing
from adcompile.differentiate.mirror import Mirror
from adcompile.differentiate.shadows import Shadows
from adcompile.differentiate.winners import Marked, winner_of
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Array, Scalar, is_continuous
from adcompile.ops.elementwise import match
from adcompile.ops.memory import zeros_like

Adjoints = dict[Value, Value]
_SHORT = 8  # iterations


class StructuredReverse(Fusing):
    """The part of the reverse sweep that knows of regions."""

    shadows: Shadows
    mirror: Mirror
    wrt: list[Value]

    def __init__(self) -> None:
        self.shadow_values: dict[Value, Value] = {}
        self._handed: dict[Value, Value] = {}  # buffers, and the arrays whose adjoint they are
        self._written: set[Value] = set()  # buffers that became shadows
        self._local: dict[Value, Region] = {}  # the side of a branch that has a shadow of its own

    def adjoint(self, value: Value) -> Value | None:
        """The adjoint collected so far."""
        raise AssertionError

    def _region(self, ops: Sequence[Op]) -> None:
        raise AssertionError

    # -- buffers that change hands --------------------------------------------------------------

    def place_of_shadow(self, value: Value) -> Region:
        """The reverse region in which the shadow of an array is made."""
        home, local = self.aliases.home[value], self._local.get(self.shadows.owner(value))
        if local is not None and self._depth(local) > self._depth(home):
            home = local
        return self.mirror.reverse_of(home)

    def _depth(self, region: Region) -> int:
        depth = 0
        while region in self.mirror.parents:
            region, depth = self.mirror.parents[region][1], depth + 1
        return depth

    def _takes_over(self, value: Value) -> bool:
        """Whether an array has a shadow that is still to be made, here."""
        return (
            isinstance(value.type, Array)
            and self.activity.active(value)
            and self.shadows.has_shadow(value)
            and self.shadows.owner(value) is value
            and value not in self.shadow_values
            and self.place_of_shadow(value) is self.builder.region
        )

    def _is_ours(self, value: Value, adjoint: Value) -> bool:
        """Whether the adjoint of an array that was handed to `value` is read nowhere else."""
        if value in self.wrt or not isinstance(value.type, Array):
            return False
        return adjoint is self.shadow_values.get(value) or self._handed.get(adjoint) is value

    def hand_over(self, value: Value, buffer: Value) -> None:
        """Add an adjoint that nobody else reads: it becomes the shadow where there is none yet."""
        if self._takes_over(value):
            buffer.hint, buffer.named = f"{value.hint or 'array'}_bar", True
            self.shadow_values[value] = buffer
            self._written.add(buffer)
        else:
            if not self.shadows.has_shadow(value) and isinstance(value.type, Array):
                self._handed[buffer] = value
            self.accumulate(value, buffer)

    # -- control flow ---------------------------------------------------------------------------

    def _outgoing(self, op: Op) -> dict[int, Value]:
        """Cotangents of the outputs of a control-flow operation, by position."""
        found = {}
        for k, value in enumerate(op.outputs):
            cotangent = self.adjoint(value) if self.activity.active(value) else None
            if cotangent is not None:
                found[k] = cotangent
        return found

    def _touches_active(self, op: Op) -> bool:
        inner = [o for region in op.regions for o in region.walk()]
        for o in inner:
            if any(self.activity.active(v) for v in o.written):
                return True
            if any(self.activity.active(v) for v in o.outputs):
                return True
        return any(self.activity.active(v) for v in op.outputs)

    def _outer_adjoints(self, region_values: set[Value], before: Adjoints) -> list[Value]:
        return [
            v
            for v, adjoint in self.adjoints.items()
            if v not in region_values and before.get(v) is not adjoint
        ]

    def _reverse_if(self, op: Op) -> None:
        if not self._touches_active(op):
            return
        outgoing = self._outgoing(op)
        side = self.mirror.known.get(op.inputs[0])
        if side is not None:
            self._reverse_side(op.regions[0 if side else 1], outgoing)
            return
        ours = {k for k, found in outgoing.items() if self._is_ours(op.outputs[k], found)}
        yielded = dict.fromkeys(region.yields[k] for region in op.regions for k in sorted(ours))
        outer = [v for v in yielded if self.aliases.home[v] not in op.regions]
        local = [v for v in outer if self._takes_over(v)]
        sides: list[tuple[Region, Adjoints, list[Value]]] = []
        changed: dict[Value, None] = {}
        before = dict(self.adjoints)
        for region in op.regions:
            self.adjoints = dict(before)
            reverse = Region()
            self.mirror.pair(region, reverse)
            with self.builder.inside(reverse), self._own_shadows(local, region):
                for k, cotangent in outgoing.items():
                    give = self.hand_over if k in ours else self.accumulate
                    give(region.yields[k], cotangent)
                self._region(region.ops)
                shadows = [self.shadow(v) for v in local]
            changed.update(dict.fromkeys(self._outer_adjoints(_defined(region), before)))
            sides.append((reverse, self.adjoints, shadows))
        names = list(changed)
        for reverse, adjoints, shadows in sides:
            with self.builder.inside(reverse):
                reverse.yields = [self._or_zero(adjoints.get(v), v) for v in names] + shadows
        self.adjoints = before
        regions = [reverse for reverse, _, _ in sides]
        outputs = self.builder.structured("if", [op.inputs[0]], regions, regions[0].yields)
        self._adopt(names, outputs[: len(names)])
        for value, buffer in zip(local, outputs[len(names) :], strict=True):
            self.hand_over(value, buffer)

    def _reverse_side(self, region: Region, outgoing: dict[int, Value]) -> None:
        """Reverse the side of a branch that is known to have run."""
        self.mirror.join(region, self.builder.region)
        self._iteration(region, [region.yields[k] for k in outgoing], list(outgoing.values()))

    @contextmanager
    def _own_shadows(self, values: Sequence[Value], side: Region) -> Iterator[None]:
        """Inside one side of a branch, these arrays have shadows that are made there."""
        known, local = dict(self.shadow_values), dict(self._local)
        self._local.update(dict.fromkeys(values, side))
        yield
        made = self.shadow_values
        self.shadow_values, self._local = known, local
        for value, shadow in made.items():
            if self.shadows.owner(value) not in values:
                self.shadow_values.setdefault(value, shadow)

    def _adopt(self, values: Sequence[Value], adjoints: Sequence[Value]) -> None:
        for value, adjoint in zip(values, adjoints, strict=True):
            adjoint.hint = f"{value.hint or 't'}_bar"
            adjoint.named = True
            self.adjoints[value] = adjoint

    def _or_zero(self, adjoint: Value | None, like: Value) -> Value:
        if adjoint is None:
            return zeros_like(self.builder, like)
        return match(adjoint, like)

    def _reverse_for(self, op: Op) -> None:
        if self._touches_active(op) and not self.fuse(op):
            extremum = self._extremum(op)
            marked = self._winner(op, extremum)
            if marked is not None and marked.first is None:
                self._reverse_winner(op, marked)
                return
            start, stop, step = op.inputs[:3]
            by = step.constant
            assert isinstance(by, int)
            if marked is not None and marked.first is not None:
                bounds = [marked.last, marked.first - 1, self.builder.constant(-1)]
            elif extremum is not None:
                first, last = self.mirror.find_extremum(extremum, self.builder)
                bounds = [last, first - 1, self.builder.constant(-1)]
            elif abs(by) == 1:
                bounds = [stop - by, start - by, self.builder.constant(-by)]
            else:
                count = self.mirror.trip_count(op, self.builder)
                last = start + (count - 1) * by
                bounds = [last, start - by, self.builder.constant(-by)]
            self._reverse_loop(op, op.inputs[3:], op.regions[0], bounds)

    def _winner(self, op: Op, extremum: Extremum | None) -> Marked | None:
        """Which iterations alone are reversed, if not all of them; the loop carries them then."""
        if op in self.mirror.winners:
            return self.mirror.winners[op]
        if ranges_are_fixed() or self.mirror.run is not None:
            return None
        if extremum is not None and not _is_short(op):
            return None
        winner = winner_of(op, self.activity.active, self.mirror)
        return None if winner is None else self.mirror.mark(winner, self.builder)

    def _extremum(self, op: Op) -> Extremum | None:
        found = extremum_of(op, self.activity.active)
        return found if found is not None and self.mirror.may_leave_out(op) else None

    def _reverse_winner(self, op: Op, marked: Marked) -> None:
        """Reverse the one iteration that replaced what the loop carries last, if there is one."""
        region, outgoing = op.regions[0], self._outgoing(op)
        carried = self._carried(op, region.params[1:])
        params = [region.params[1 + k] for k in carried]
        started = [self._started(op.outputs[k], outgoing.get(k)) for k in carried]
        ends = [region.yields[k] for k in carried]
        if marked.taken in self.mirror.known:
            self.mirror.join(region, self.builder.region)
            self.mirror.index[region.params[0]] = marked.last
            self._iteration(region, ends, started)
            found = [self._or_zero(self.adjoints.get(v), v) for v in params]
        else:
            found = self._if_there_is(marked, ends, started, params)
        for k, adjoint in zip(carried, found, strict=True):
            self.accumulate(op.inputs[3 + k], adjoint)

    def _if_there_is(
        self, marked: Marked, ends: list[Value], started: list[Value], params: list[Value]
    ) -> list[Value]:
        """The reverse of the iteration in a branch; gives the adjoints of `params` before it."""
        loop, region = marked.loop, marked.loop.regions[0]
        free = self._free_scalars(region)
        start = [*started, *(self._or_zero(self.adjoints.get(v), v) for v in free)]
        before, reverse = dict(self.adjoints), Region()
        self.mirror.pair(region, reverse, region.params[0], marked.last)
        with self.builder.inside(reverse):
            self.adjoints = dict(zip(free, start[len(params) :], strict=True))
            self._iteration(region, ends, started)
            reverse.yields = [self._or_zero(self.adjoints.get(v), v) for v in [*params, *free]]
        self.adjoints = before
        # computed from what is saved, and not saved itself
        taken = self.builder.op("ne", marked.last, loop.inputs[0] - loop.inputs[2])
        sides = [reverse, Region(yields=start)]
        outputs = self.builder.structured("if", [taken], sides, start)
        self._adopt(free, outputs[len(params) :])
        return outputs[: len(params)]

    def _iteration(self, region: Region, ends: list[Value], adjoints: list[Value]) -> None:
        for value, adjoint in zip(ends, adjoints, strict=True):
            self.accumulate(value, adjoint)
        self._region(region.ops)

    def _carried(self, op: Op, params: Sequence[Value]) -> list[int]:
        """Which of the values that a loop carries have adjoints."""
        active = self.activity.active
        return [
            k
            for k, p in enumerate(params)
            if is_continuous(p.type) and (active(p) or active(op.outputs[k]))
        ]

    def _reverse_while(self, op: Op) -> None:
        if self._touches_active(op):
            count = self.mirror.count_iterations(op, self.builder)
            bounds = [self.builder.constant(0), count, self.builder.constant(1)]
            self._reverse_loop(op, op.inputs[:-1], op.regions[0], bounds)

    def _reverse_loop(
        self, op: Op, initial: Sequence[Value], region: Region, bounds: list[Value]
    ) -> None:
        outgoing = self._outgoing(op)
        params = region.params[1:] if op.name == "for" else region.params[: len(initial)]
        carried, free = self._carried(op, params), self._free_scalars(region)
        start = [self._started(op.outputs[k], outgoing.get(k)) for k in carried]
        start += [self._or_zero(self.adjoints.get(v), v) for v in free]
        before = dict(self.adjoints)
        index = region.params[0] if op.name == "for" else None
        reverse = Region()
        reverse_index = Value(Scalar("int64", weak=True), index.hint if index else "k", named=True)
        items = [Value(v.type) for v in start]
        reverse.params = [reverse_index, *items]
        for value, item in zip([*(params[k] for k in carried), *free], items, strict=True):
            item.hint, item.named = f"{value.hint or 't'}_bar", True
        self.mirror.pair(region, reverse, index, reverse_index)
        with self.builder.inside(reverse):
            self.adjoints = dict(zip(free, items[len(carried) :], strict=True))
            for k, item in zip(carried, items[: len(carried)], strict=True):
                self.hand_over(region.yields[k], item)
            self._region(region.ops)
            ends = [self._ended(params[k], item) for k, item in zip(carried, items, strict=False)]
            reverse.yields = ends + [self._or_zero(self.adjoints.get(v), v) for v in free]
        self.adjoints = before
        outputs = self.builder.structured("for", [*bounds, *start], [reverse], items)
        self._adopt(free, outputs[len(carried) :])
        for k, output in zip(carried, outputs, strict=False):
            output.hint = f"{initial[k].hint or params[k].hint or 't'}_bar"
            self.hand_over(initial[k], output)

    def _started(self, value: Value, adjoint: Value | None) -> Value:
        """What a loop starts from: an array that no other name reaches, for it may be written."""
        if adjoint is None:
            return zeros_like(self.builder, value)
        return adjoint if self._is_ours(value, adjoint) else self.own(match(adjoint, value))

    def _ended(self, param: Value, item: Value) -> Value:
        """What an iteration hands to the one before it; its own, if that one writes it."""
        adjoint = self._or_zero(self.adjoint(param), param)
        own = item not in self._written or self._is_ours(param, adjoint)
        return adjoint if own else self.own(adjoint)

    def own(self, adjoint: Value) -> Value:
        """An array that no other name reaches."""
        if isinstance(adjoint.type, Scalar):
            return adjoint
        copy: Value = self.builder.op("copy", adjoint)
        return copy

    def _free_scalars(self, region: Region) -> list[Value]:
        own = _defined(region)
        found: dict[Value, None] = {}
        used = [v for o in region.walk() for v in o.inputs]
        used += [v for o in region.walk() for r in o.regions for v in r.yields] + region.yields
        for value in used:
            if value not in own and isinstance(value.type, Scalar) and self.activity.active(value):
                found[value] = None
        return list(found)


def _is_short(loop: Op) -> bool:
    """Whether a loop is too short to look for its extremum in a second one."""
    first, stop = (v.constant for v in loop.inputs[:2])
    return isinstance(first, int) and isinstance(stop, int) and stop - first <= _SHORT


def _defined(region: Region) -> set[Value]:
    own = set(region.params)
    for op in region.walk():
        own.update(op.outputs)
        for inner in op.regions:
            own.update(inner.params)
    return own
