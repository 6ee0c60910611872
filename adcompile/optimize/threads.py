"""Loops whose iterations stand alone run on several threads.

Enters: a graph of loops. Leaves: the same graph where such a loop is a procedure of a range of its
iterations: one thread calls it once for all of them, several call it for blocks. Where all
iterations add to one array or number, each thread adds to its own; these are added up in order, so
that the same number of threads always gives the same result. Where only near iterations add to one
element, as the adjoint of a stencil does, threads share the array: first they do every other block,
then the blocks between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from adcompile.graph.builder import Builder
from adcompile.graph.concurrency import Concurrency, Plan
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.magnitude import DEAR, Product, is_small_beside, magnitudes
from adcompile.graph.outline import outlined
from adcompile.graph.outside import COUNTING, outside
from adcompile.ops.memory import FULL, full
from adcompile.optimize.nests import steps_by_one

WORTH = 30_000  # operations that a thread must have to do: about 10 microseconds
PER_ELEMENT = 16  # operations, as memory is slow, that clearing and adding up an element costs
_UNKNOWN = 8  # iterations of a loop whose range only the run knows


def spread_loops(graph: Graph) -> None:
    """Rewrite in place the outermost loops that threads can share."""
    _Spreading(graph).region(graph.body, False)


class _Spreading:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder(graph)
        self.known = Concurrency(graph)
        self.count = 0

    def region(self, region: Region, repeated: bool) -> None:
        """The loops of a region; what is repeated must hold loops itself to be worth it."""
        bounds = self.known.bounds
        loops = [op for op in region.ops if op.name in ("for", "while")]
        sizes = {op: magnitudes(op, region, bounds) for op in loops}
        large = [op for op in loops if not _any_beside(sizes[op], sizes.values())]
        plans = {op: self._plan(op, repeated) for op in large}
        alone = [op for op in large if plans[op] is None]
        with self.builder, self.builder.inside(region):
            for op in list(region.ops):
                if op in loops and op not in large:
                    continue
                plan = plans.get(op)
                if plan is not None and is_cheap(op) and alone:
                    why = f"it does little with what the loop at line {_line(alone[0])} has at hand"
                    self._note("sequential", op, why)
                elif plan is not None:
                    self._note("parallel", op, _shares(plan))
                    self._spread(op, plan)
                else:
                    for inner in op.regions:
                        self.region(inner, repeated or op.name in ("for", "while"))

    def _plan(self, loop: Op, repeated: bool) -> Plan | None:
        if loop.name != "for" or not is_worth(loop, repeated):
            return None
        plan = self.known.plan(loop)
        if isinstance(plan, Plan):
            return plan
        self._note("sequential", loop, plan)
        return None

    def _note(self, kind: str, loop: Op, why: str) -> None:
        what = f"the loop over `{loop.regions[0].params[0].hint}`"
        self.graph.notes.append(Note(kind, what, why, loop.location))

    def _spread(self, loop: Op, plan: Plan) -> None:
        self.count += 1
        with self.builder.at(loop.location), self.builder.in_place_of(loop):
            calls = _Calls(self.builder, self.known, loop, plan, self.count)
            several = self.builder.op("gt", calls.threads, 1)
            self.builder.branch(several, calls.by_several, calls.by_one)


def _any_beside(size: list[Product], others: Iterable[list[Product]]) -> bool:
    return any(is_small_beside(size, other) for other in others)


def _line(loop: Op) -> int:
    return loop.location.line if loop.location else 0


def _shares(plan: Plan) -> str:
    why = "its iterations stand alone"
    own = [f"`{v.hint}`" for v in plan.sums if v not in plan.near]
    if own:
        why += ", each thread adds to its own " + ", ".join(own)
    if plan.near:
        names = ", ".join(f"`{v.hint}`" for v in plan.near)
        why += f", blocks side by side add to {names} one after the other"
    return why


def is_cheap(loop: Op) -> bool:
    """Whether a loop takes about as long as its memory."""
    return not any(op.regions or op.name in DEAR for op in loop.regions[0].walk())


def is_worth(loop: Op, repeated: bool) -> bool:
    """Whether threads may pay for a loop; starting them in every round of another must, too."""
    inner = any(op.name in ("for", "while") for op in loop.regions[0].walk())
    return steps_by_one(loop) and (inner or not repeated)


class _Calls:
    """The calls of a loop's procedure, in the region where the loop was."""

    def __init__(
        self, builder: Builder, known: Concurrency, loop: Op, plan: Plan, number: int
    ) -> None:
        self.builder, self.known, self.loop, self.plan = builder, known, loop, plan
        self.start, self.stop = loop.inputs[:2]
        if loop.inputs[2].constant == -1:  # alone, iterations may run in any order
            self.start, self.stop = self.stop + 1, self.start + 1
        self.sums = loop.inputs[3:]
        self.own = [v for v in plan.sums if v not in plan.near]
        name = f"{builder.graph.name}_part_{number}"
        self.procedure, self.captured = outlined(loop, name, plan.scratch, known.bounds, builder)
        body = self.procedure.graph
        arrays = body.params[len(body.params) - len(self.captured) :]
        body.owned = [
            inner for outer, inner in zip(self.captured, arrays, strict=True) if outer in self.own
        ]
        self.means: dict[Value, Value] = {}
        self.trips = builder.op("maximum", self.stop - self.start, 0)
        self.threads = self._threads()

    def by_one(self) -> list[Value]:
        """One call for all iterations."""
        return self._call(self.start, self.stop, self.sums, self.captured)

    def by_several(self) -> list[Value]:
        """Calls on threads, each for one block from the front and one from the back.

        So that a loop whose later iterations take more, or less, is shared evenly.
        """
        builder, threads = self.builder, self.threads
        copies = [self._copies(v) for v in self.own]
        parts = [full(builder, [threads], 0, v.type.dtype) for v in self.sums]
        for part, value in zip(parts, self.loop.outputs, strict=True):
            part.hint = f"{value.hint or 'total'}_parts"
        turns = 2 if self.plan.near else 1
        blocks = 2 * turns * threads

        def end(block: Value) -> Value:
            return self.start + builder.op("floordiv", self.trips * block, blocks)

        def work(turn: int, thread: Value, _: list[Value]) -> list[Value]:
            own = dict(zip(self.own, copies, strict=True))
            arguments = []
            for value in self.captured:
                if value in own:
                    spec = ("index", *[FULL] * value.type.ndim)  # type: ignore[union-attr]
                    value = builder.op("slice", own[value], thread, spec=spec)
                arguments.append(value)
            sums = [builder.op("load", part, thread) for part in parts]
            first = turns * thread + turn
            for block in (first, blocks - turns + 2 * turn - first):
                sums = self._call(end(block), end(block + 1), sums, arguments)
            for part, value in zip(parts, sums, strict=True):
                builder.op("store", part, value, thread)
            return []

        for turn in range(turns):
            builder.loop(0, threads, 1, [], partial(work, turn), "thread")
            builder.region.ops[-1].attrs["parallel"] = True

        def add(thread: Value, sums: list[Value]) -> list[Value]:
            for array, copy in zip(self.own, copies, strict=True):
                self._add(array, copy, thread)
            return [s + builder.op("load", p, thread) for s, p in zip(sums, parts, strict=True)]

        return builder.loop(0, threads, 1, self.sums, add, "thread")

    def _call(
        self, first: Value, last: Value, sums: Sequence[Value], captured: Sequence[Value]
    ) -> list[Value]:
        made = self.builder.op("invoke", first, last, *sums, *captured, procedure=self.procedure)
        return [] if made is None else [*made] if isinstance(made, tuple) else [made]

    def _copies(self, array: Value) -> Value:
        extents = [self.threads, *self.builder.shape(array)]
        made = full(self.builder, extents, 0, array.type.dtype)
        made.hint = f"{array.hint}_parts"
        return made

    def _add(self, array: Value, copies: Value, thread: Value) -> None:
        """Add the elements of one thread's array."""

        def add(index: list[Value]) -> None:
            part = self.builder.op("load", copies, thread, *index)
            self.builder.op("accumulate_at", array, part, *index)

        self.builder.each(self.builder.shape(array), add)

    # -- how many threads -----------------------------------------------------------------------

    def _threads(self) -> Value:
        """As many as there are, if each has enough to do."""
        builder = self.builder
        least = builder.constant(WORTH)
        for array in self.own:
            size = builder.constant(PER_ELEMENT)
            for extent in builder.shape(array):
                size = size * extent
            least = least + size
        counter = self.loop.regions[0].params[0]
        self.means[counter] = self.start + builder.op("floordiv", self.trips, 2)
        work = self.trips * self._work(self.loop.regions[0])
        share = builder.op("floordiv", work, least)
        if self.plan.near:  # blocks are so long that those of one turn do not meet
            widest = 4 * max(1, *self.plan.near.values())
            share = builder.op("minimum", share, builder.op("floordiv", self.trips, widest))
        threads: Value = builder.op("minimum", builder.op("threads"), share)
        threads.hint, threads.named = "threads", True
        return threads

    def _work(self, region: Region) -> Value:
        """Roughly how many operations a region takes."""
        own = sum(DEAR.get(op.name, 1) for op in region.ops if op.name not in COUNTING)
        total = self.builder.constant(1 + own)
        for op in region.ops:
            trips = self._trips(op)
            for inner in op.regions:
                total = total + self._work(inner) * trips
        return total

    def _trips(self, op: Op) -> Value:
        """How many iterations an inner loop takes in the mean, as far as that is known outside."""
        if op.name == "for":
            ends = [self._outside(v) for v in op.inputs[:2]]
            step = op.inputs[2].constant
            if step == -1:
                ends.reverse()
            low, high = ends
            if abs(step or 0) == 1 and high is not None:
                trips = self.builder.op("maximum", high if low is None else high - low, 0)
                half = self.builder.op("floordiv", trips, 2)
                self.means[op.regions[0].params[0]] = half if low is None else low + half
                return trips
        return self.builder.constant(1 if op.name == "if" else _UNKNOWN)

    def _outside(self, value: Value) -> Value | None:
        """An integer inside the loop by what is known before it, and by the means of counters."""
        return outside(value, self.loop, self.known.aliases, self.builder, self.means)
