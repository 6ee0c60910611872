"""What does nothing on one side of a branch is done on the other alone.

Enters: a graph of loops, all else done. Leaves: the same graph where a branch of an iteration, one
side of which yields zero, holds all that follows and is a multiple of what it yields: the reverse
of `if r2 < cutoff: ...` adds nothing to the positions of two particles that are far apart. Branches
on one condition, such as those forward and back through one branch, are one. Where several
iterations go at once if both sides are computed, this is done only if they add to elements that are
apart. Zero times an infinite partial derivative, which would be no number, is zero then.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import final, replace_in
from adcompile.graph.types import Scalar, is_complex, is_continuous
from adcompile.optimize.both import loops_of_choices
from adcompile.optimize.loads import changed, touched
from adcompile.optimize.skip import FEWEST, is_multiple, stays, without

_FAR = 16  # operations between what goes into one branch


def sink_into_branches(graph: Graph) -> None:
    """Rewrite the branches in loops in place."""
    branches = list(_branches(graph.body, inside=False))
    if not branches:
        return
    aliases = Aliases(graph)
    choosing: set[Region] | None = None  # asked for where it matters
    joined: set[Op] = set()
    with Builder(graph) as builder:
        for region, branch in branches:
            if branch not in joined:
                both = [_Sinking(region, branch, idle, aliases) for idle in (0, 1)]
                best = max(both, key=lambda sinking: len(sinking.multiples))
                if not best.is_worth_it():
                    continue
                if choosing is None:
                    choosing = {loop.regions[0] for loop in loops_of_choices(graph)}
                if region not in choosing or best.scatters():
                    joined.update(best.moved)
                    best.rewrite(builder)


def _branches(region: Region, inside: bool) -> Iterator[tuple[Region, Op]]:
    """The branches of a region that loops run, those inside others first."""
    for op in region.ops:
        for inner in op.regions:
            yield from _branches(inner, inside or op.name == "for")
    if inside:
        yield from ((region, op) for op in region.ops if op.name == "if")


class _Sinking:
    """A branch, and what follows it in its region and does nothing on its idle side.

    moved    the operations that belong inside, other branches on the same condition among them
    before   those between them, which need none of these
    zero     the numbers that are zero on the idle side
    stays    those that are what others are there
    """

    def __init__(self, region: Region, branch: Op, idle: int, aliases: Aliases) -> None:
        self.region, self.branch, self.idle, self.aliases = region, branch, idle, aliases
        self.place = region.ops.index(branch)
        self.moved: list[Op] = []
        self.before: list[Op] = []
        self.zero: set[Value] = set()
        self.stays: dict[Value, Value] = {}
        self.made = set(branch.outputs)
        self._touched, self._changed = touched(branch, aliases), changed(branch, aliases)
        self._enter(branch)
        self._scan()
        self.multiples = [op for op in self.moved if op.name != "if"]

    def is_worth_it(self) -> bool:
        """Whether many operations are left out for each number that has to be chosen."""
        own = {v for op in self.multiples for v in op.outputs}
        shown = own.intersection(self._used_outside())
        size = sum(FEWEST if op.name == "for" else 1 for op in self.multiples)
        return size >= max(FEWEST, 3 * len(shown))

    def scatters(self) -> bool:
        """Whether iterations after one another add to elements that are apart."""
        sums = [op for op in self.multiples if op.name == "accumulate_at"]
        return any(op.inputs[-1] not in self.region.params[:1] for op in sums)

    def _enter(self, branch: Op) -> None:
        """Note which numbers a branch yields as zeros."""
        for output, value in zip(branch.outputs, branch.regions[self.idle].yields, strict=True):
            if value.constant == 0 and _is_real(output):
                self.zero.add(output)

    def _scan(self) -> None:
        """Find what can be moved, as far as the order allows."""
        between: list[Op] = []
        for op in self.region.ops[self.place + 1 :]:
            if self._belongs(op):
                self.moved.append(op)
                self.before += between
                between = []
                self.made.update(op.outputs)
                self._touched |= touched(op, self.aliases)
                self._changed |= changed(op, self.aliases)
            elif len(self.before) + len(between) < _FAR and self._may_precede(op):
                between.append(op)
            else:
                break

    def _belongs(self, op: Op) -> bool:
        if op.name == "if" and op.inputs[0] is self.branch.inputs[0]:
            self._enter(op)
            return True
        if op.name == "accumulate_at":
            return op.inputs[1] in self.zero
        if op.name == "for":
            return self._is_idle(op)
        if len(op.outputs) != 1 or not _is_real(op.result) or op.regions or op.keeps:
            return False
        if is_multiple(op, self.zero):
            self.zero.add(op.result)
            return True
        part = without(op, self.zero)
        if part is None or part.type != op.result.type:
            return False
        self.stays[op.result] = part
        return True

    def _is_idle(self, loop: Op) -> bool:
        """Whether a loop changes nothing on the idle side."""
        body, zero = loop.regions[0], set(self.zero)
        for op in body.ops:
            if op.regions or (
                op.keeps and not (op.name == "accumulate_at" and op.inputs[1] in zero)
            ):
                return False
            if is_multiple(op, zero):
                zero.update(op.outputs)
        if not zero > self.zero or not all(stays(body, k, zero) for k in range(len(body.yields))):
            return False
        self.stays.update(zip(loop.outputs, loop.inputs[3:], strict=True))
        return True

    def _may_precede(self, op: Op) -> bool:
        """Whether an operation may run before the branch and what belongs to it."""
        for inner in op.walk() if op.regions else (op,):
            if not self.made.isdisjoint(inner.used) or (inner.keeps and not inner.written):
                return False
        written = changed(op, self.aliases)
        read = touched(op, self.aliases)
        return written.isdisjoint(self._touched) and read.isdisjoint(self._changed)

    def _used_outside(self) -> set[Value]:
        """What the rest of the region reads."""
        end = self.place + 1 + len(self.moved) + len(self.before)
        used = {*self.region.yields, *self.region.extents.values()}
        for op in self.region.ops[end:]:
            for inner in op.walk():
                used.update(inner.used)
        return used

    def rewrite(self, builder: Builder) -> None:
        """Put the operations inside, and what is read of them behind, into the outputs."""
        used = self._used_outside()
        shown = [v for op in self.moved for v in op.outputs if v in used]
        end = self.place + 1 + len(self.moved) + len(self.before)
        self.region.ops[self.place : end] = [*self.before, self.branch]
        for side, region in enumerate(self.branch.regions):
            own = dict(zip(self.branch.outputs, region.yields, strict=True))
            with builder.inside(region):
                for op in self.moved:
                    self._fill(op, side, own, builder)
            region.yields += [own[v] for v in shown]
        self.branch.outputs += shown
        for value in shown:
            value.op = self.branch

    def _fill(self, op: Op, side: int, own: dict[Value, Value], builder: Builder) -> None:
        """Put an operation into one side, where some values are others."""
        region = builder.region
        if op.name == "if":
            inner = op.regions[side]
            replace_in(inner, own)
            region.ops += inner.ops
            region.extents.update(inner.extents)
            region.same.update(inner.same)
            own.update(zip(op.outputs, inner.yields, strict=True))
        elif side != self.idle:
            region.ops.append(clone_op(op, own))
        for output in op.outputs if op.name != "if" and side == self.idle else ():
            if output in self.zero:
                own[output] = builder.constant(0, _number(output))
            else:
                own[output] = final(self.stays[output], own)


def _number(value: Value) -> Scalar:
    assert isinstance(value.type, Scalar)
    return value.type


def _is_real(value: Value) -> bool:
    continuous = is_continuous(value.type) and not is_complex(value.type)
    return continuous and isinstance(value.type, Scalar)
