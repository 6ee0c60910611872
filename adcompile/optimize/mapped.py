"""What iterations add up is multiplied once by what is the same for all of them.

Enters: a graph of loops. Leaves: the same graph, where iterations that stand alone only sum up the
terms of what they add (`images`). After the loop, the operations that are linear in these run once,
in a copy of the loops inside. So an adjoint goes back to the mean of a distribution by one product
with a matrix in place of one for each point.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, keep_extents
from adcompile.graph.concurrency import Concurrency, Plan
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.outside import outside
from adcompile.graph.prune import prune
from adcompile.graph.types import Scalar
from adcompile.ops.memory import empty, full
from adcompile.optimize.images import TERM, ZERO, Images
from adcompile.optimize.lanes import carried
from adcompile.optimize.nests import has_loops, steps_by_one


def map_sums(graph: Graph) -> None:
    """Rewrite in place the outermost loops that gain by it."""
    known = Concurrency(graph)
    with Builder(graph) as builder:
        changed = _region(graph.body, builder, known) is not known
    if changed:
        prune(graph)


def may_map(graph: Graph) -> bool:
    """Whether there is a loop to ask about."""
    return any(map(_is_candidate, graph.body.walk()))


def _is_candidate(op: Op) -> bool:
    """Whether a loop has a nest inside, and adds to arrays. Asked first, as it costs least."""
    if op.name != "for" or not steps_by_one(op):
        return False
    inside = list(op.regions[0].walk())
    nested = any(inner.name == "for" and has_loops(inner) for inner in inside)
    return nested and any(inner.name == "accumulate_at" for inner in inside)


def _region(region: Region, builder: Builder, known: Concurrency) -> Concurrency:
    """Rewrite loops of a region, or else those inside; gives what is known afterwards."""
    for op in list(region.ops):
        if _is_candidate(op):
            with builder.at(op.location):
                if _map(op, region, builder, known):
                    known = Concurrency(builder.graph)
                    continue
        for inner in op.regions:
            with builder.before(op), builder.inside(inner):
                known = _region(inner, builder, known)
    return known


def _map(loop: Op, region: Region, builder: Builder, known: Concurrency) -> bool:
    """Rewrite one loop of the region at hand, if that is worth while."""
    plan = known.plan(loop)
    if not isinstance(plan, Plan):
        return False
    images = Images(loop, region, plan, known.bounds)
    addends = list(filter(images.pays, images.addends())) if images.possible() else []
    if not addends:
        return False
    emission = _Emission(images, known.aliases, builder)
    position = region.ops.index(loop)
    with builder.before(loop):
        with builder.inside(Region()) as before:
            addends = [op for op in addends if emission.sum_up(op)]
        if not addends:
            return False
        with builder.inside(Region()) as after:
            emission.map(addends)
    region.ops[position : position + 1] = [*before.ops, loop, *after.ops]
    what = f"the loop over `{loop.regions[0].params[0].hint}`"
    builder.graph.notes.append(Note("mapped", what, _why(addends), loop.location))
    return True


def _why(addends: Sequence[Op]) -> str:
    names = ", ".join(dict.fromkeys(f"`{op.inputs[0].hint}`" for op in addends))
    return f"what it adds to {names} is multiplied once, after it, by what is the same for all"


class _Emission:
    """Has the loop sum up terms, and makes what they are mapped to.

    terms     for each term the array of its sums, and what the counters around it begin with
    mapping   what stands after the loop for a value that is the same in every iteration
    mapped    what stands there for a sum
    """

    def __init__(self, images: Images, aliases: Aliases, builder: Builder) -> None:
        self.images, self.aliases, self.builder = images, aliases, builder
        self.loop, self.body = images.loop, images.body
        self.ranges: dict[Op, tuple[Value, Value] | None] = {}
        self.terms: dict[Value, tuple[Value, list[Value]]] = {}
        self.mapping: dict[Value, Value] = {}
        self.mapped: dict[Value, Value] = {}

    # -- in the loop ----------------------------------------------------------------------------

    def sum_up(self, addend: Op) -> bool:
        """Have the loop sum up what an addend is made of, if there is room for it."""
        terms = self.images.reached([addend.inputs[1]]).terms
        loops = {inner for term in terms for inner in self.images.around(term)}
        if any(self._range(inner) is None for inner in loops):
            return False
        for term in terms:
            if term not in self.terms:
                self._sum_up(term)
        return True

    def _range(self, loop: Op) -> tuple[Value, Value] | None:
        """The least number that a loop inside counts, and how many; None if it alone knows."""
        if loop not in self.ranges:
            self.ranges[loop] = None
            ends = [outside(v, self.loop, self.aliases, self.builder) for v in loop.inputs[:2]]
            step = loop.inputs[2].constant
            low, high = ends if step == 1 else ends[::-1]
            if low is not None and high is not None and step in (1, -1):
                low, high = (low, high) if step == 1 else (low + 1, high + 1)
                self.ranges[loop] = low, self.builder.op("maximum", high - low, 0)
        return self.ranges[loop]

    def _sum_up(self, term: Value) -> None:
        ranges = [self._range(inner) for inner in self.images.around(term)]
        known = [found for found in ranges if found is not None]
        extents = [count for _, count in known] or [self.builder.constant(1)]
        sums = full(self.builder, extents, 0, term.type.dtype)
        sums.hint = f"{term.hint}_sums" if term.hint else "sums"
        self.terms[term] = sums, [low for low, _ in known]
        home = self.images.home.get(term, self.body)
        place = home.ops.index(term.op) + 1 if term.op in home.ops else 0
        with self.builder.inside(Region()) as made, self.builder.at(term.location):
            self.builder.op("accumulate_at", sums, term, *self._index(term, {}))
        home.ops[place:place] = made.ops

    def _index(self, term: Value, mapping: dict[Value, Value]) -> list[Value]:
        """Where the sum of a term is, by the counters of the loops around it."""
        counters = [inner.regions[0].params[0] for inner in self.images.around(term)]
        index = [
            counter if low.constant == 0 else counter - low
            for counter, low in zip(
                (mapping.get(c, c) for c in counters), self.terms[term][1], strict=True
            )
        ]
        return index or [self.builder.constant(0)]

    # -- after the loop -------------------------------------------------------------------------

    def map(self, addends: Sequence[Op]) -> None:
        """Make what is added, and take it out of the loop."""
        self.reached = self.images.reached([op.inputs[1] for op in addends])
        self.added = set(addends)

        def once() -> list[Value]:
            for array, op in self.images.outer.items():
                extents = given_extents(op)
                self.mapping[array] = empty(self.builder, extents, array.type.dtype)
            self._emit(self.body)
            return []

        ends = self.loop.inputs[:2]
        if self.loop.inputs[2].constant == -1:
            ends.reverse()
        self.builder.branch(self.builder.op("lt", *ends), once, list)
        for op in addends:
            self.images.home[op].ops.remove(op)

    def _emit(self, region: Region) -> None:
        for op in region.ops:
            with self.builder.at(op.location):
                if self.images.lanes.in_step(op):
                    self._steps(op)
                elif op in self.reached.ops or op in self.added:
                    self._apply(op)
                elif self._is_alike(op):
                    self.builder.region.ops.append(clone_op(op, self.mapping))
        keep_extents(region, self.builder, self.mapping, self.images.varying)

    def _is_alike(self, op: Op) -> bool:
        """Whether an operation does the same in every iteration, and nothing to the outside."""
        alike = not any(v in self.images.varying for v in op.outputs)
        return alike and not op.regions and all(v in self.images.lanes.common for v in op.written)

    def _steps(self, loop: Op) -> None:
        """A loop inside, with what it carries that is the same for all, and with sums."""
        body = loop.regions[0]
        alike = [c for c in carried(loop) if c[0] not in self.images.varying]
        sums = [c for c in carried(loop) if c[0] in self.reached.carried]

        def step(counter: Value, numbers: list[Value]) -> list[Value]:
            self.mapping[body.params[0]] = counter
            self.mapping.update((c[0], v) for c, v in zip(alike, numbers, strict=False))
            self.mapped.update((c[0], v) for c, v in zip(sums, numbers[len(alike) :], strict=True))
            self._emit(body)
            ends = [self.mapping.get(c[2], c[2]) for c in alike]
            return ends + [self._image(c[2]) for c in sums]

        first = [self.mapping.get(c[1], c[1]) for c in alike] + [self._image(c[1]) for c in sums]
        start, stop, width = (self.mapping.get(v, v) for v in loop.inputs[:3])
        found = self.builder.loop(start, stop, width, first, step, body.params[0].hint)
        self.mapping.update((c[3], v) for c, v in zip(alike, found, strict=False))
        self.mapped.update((c[3], v) for c, v in zip(sums, found[len(alike) :], strict=True))

    def _apply(self, op: Op) -> None:
        """The operation on sums, where it has them, and else on what is the same for all."""
        sums = self.images.operands(op)
        if op.name in ("full", "store", "accumulate_at"):
            sums = [op.inputs[op.name != "full"]]
        mapping = {**self.mapping, **{v: self._image(v) for v in sums}}
        self.builder.region.ops.append(clone_op(op, mapping))
        for value in op.outputs:
            (self.mapping if op.name == "full" else self.mapped)[value] = mapping[value]

    def _image(self, value: Value) -> Value:
        """What stands for the sum of a value over all iterations."""
        kind = self.images.kind(value)
        if kind == ZERO:
            return self.builder.constant(0, Scalar(value.type.dtype))
        if kind == TERM:
            sums, _ = self.terms[value]
            found: Value = self.builder.op("load", sums, *self._index(value, self.mapping))
            return found
        return self.mapped[value]
