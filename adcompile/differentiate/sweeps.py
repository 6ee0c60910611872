"""The two parts of the derivative of a procedure: forward, and reverse.

Enters: calls of procedures, with what is active of their arguments and results. Leaves: a procedure
that does what the original does and pushes what its reverse reads on stacks, and one that pops it
and gives adjoints. All runs of a procedure share its stacks: each run pushes at the end of its
regions, when the runs inside it have pushed theirs, and its reverse pops first. So a gradient costs
as much as the function, up to a factor. The function that is differentiated makes the stacks, and
hands them down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.calls import inline_calls
from adcompile.graph.clone import clone_graph
from adcompile.graph.ir import RECORDS, Graph, Note, Op, Region, Value
from adcompile.graph.procedures import (
    Procedure,
    invocations,
    note_effects,
    procedures_of,
    repeat_constants,
)
from adcompile.graph.prune import prune
from adcompile.graph.types import Array, Scalar, StackOf, beside

Choice = tuple[bool, ...]


class Sweep:
    """The derivative of a procedure for one choice of active arguments and results.

    inputs     which arguments are active
    outputs    which results are active
    settled    which arguments nobody writes from the call on, so that the reverse may read them
    overlaps   groups of arguments, by position, that may share memory: so do their shadows
    """

    def __init__(
        self, primal: Procedure, inputs: Choice, outputs: Choice, settled: Choice,
        overlaps: tuple[tuple[int, ...], ...],
    ) -> None:  # fmt: skip
        self.primal, self.inputs, self.outputs, self.settled = primal, inputs, outputs, settled
        self.overlaps = overlaps
        self.forward = Procedure(f"{primal.name}_forward")
        self.backward = Procedure(f"{primal.name}_backward")
        self.stacks: list[Value] = []
        params = primal.graph.params
        count = sum(not isinstance(p.type, StackOf) for p in params) + sum(outputs)
        shadows = sum(a and not _is_number(p) for a, p in zip(inputs, params, strict=True))
        self.forward.results = list(primal.results)
        self.forward.written = primal.written
        self.backward.results = [
            p.type for a, p in zip(inputs, params, strict=True) if a and _is_number(p)
        ]
        self.backward.written = tuple(range(count, count + shadows))
        self.forward.keeps = self.backward.keeps = True  # until the stacks are known


class Sweeps:
    """The derivatives of all procedures that one function reaches."""

    def __init__(self, fill: Callable[[Sweep, Sweeps], None]) -> None:
        self._fill = fill
        self._made: dict[Any, Sweep] = {}

    def of(
        self, procedure: Procedure, inputs: Sequence[bool], outputs: Sequence[bool],
        settled: Sequence[bool], overlaps: tuple[tuple[int, ...], ...],
    ) -> Sweep:  # fmt: skip
        """The derivative of a procedure; see `Sweep` for the choices."""
        key = (procedure, tuple(inputs), tuple(outputs), tuple(settled), overlaps)
        if key not in self._made:
            self._made[key] = Sweep(*key)
            self._fill(self._made[key], self)
        return self._made[key]

    def finish(self, graph: Graph) -> None:
        """Make the stacks in `graph`, and hand them to all that use them."""
        if not self._made:
            return
        sweep_of = {p: s for s in self._made.values() for p in (s.forward, s.backward)}
        needed = {s: dict.fromkeys(s.stacks) for s in self._made.values()}
        size = -1
        while size != sum(map(len, needed.values())):
            size = sum(map(len, needed.values()))
            for sweep in needed:
                for procedure in (sweep.forward, sweep.backward):
                    for called in _called(procedure.graph, sweep_of):
                        needed[sweep].update(needed[called])
        for sweep, stacks in needed.items():
            for procedure in (sweep.forward, sweep.backward):
                own = {s: _named(s) for s in stacks}
                _hand_down(procedure.graph, own, sweep_of, needed)
                procedure.graph.body.params += own.values()
                procedure.settle(procedure.graph)
        wanted = {s: None for called in _called(graph, sweep_of) for s in needed[called]}
        with Builder(graph) as builder, builder.inside(Region()) as first:
            made = {stack: builder.op("stack", type=stack.type) for stack in wanted}
        for stack, value in made.items():
            value.hint, value.named = stack.hint, True
            assert value.op is not None
            what = stack.hint.removesuffix("_stack")
            value.op.note = Note("saved", what, _EVERY_RUN, stack.location)
        graph.body.ops[:0] = first.ops
        _hand_down(graph, made, sweep_of, needed)
        note_effects(procedures_of(graph))
        for procedure in sweep_of:
            prune(procedure.graph)


_EVERY_RUN = "a function that calls itself saves it in every run"


def _named(stack: Value) -> Value:
    return Value(stack.type, stack.hint, True)


def _called(graph: Graph, sweep_of: dict[Procedure, Sweep]) -> list[Sweep]:
    called = (op.attrs["procedure"] for op in invocations(graph))
    return list(dict.fromkeys(sweep_of[p] for p in called if p in sweep_of))


def _hand_down(
    graph: Graph, own: dict[Value, Value], sweep_of: dict[Procedure, Sweep],
    needed: dict[Sweep, dict[Value, None]],
) -> None:  # fmt: skip
    """Pass stacks on, and use them: `own` gives the graph's value of each."""
    for op in graph.body.walk():
        op.inputs = [own.get(v, v) for v in op.inputs]
        if op.name == "invoke" and op.attrs["procedure"] in sweep_of:
            op.inputs += [own[s] for s in needed[sweep_of[op.attrs["procedure"]]]]


class SplitRun:
    """A copy of a procedure in which one run of it is a region, so that its reverse can be built.

    graph      the copy: parameters, the run, then a write to every argument that is not settled
    run        the region of the run
    moving     the active arguments
    useful     what the run is differentiated for: active results, and active arguments it writes
    seeds      the parameter for the cotangent of each active result
    shadows    the parameter for the shadow of each active array or stack among the arguments
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.graph, _ = clone_graph(sweep.primal.graph)
        inline_calls(self.graph, lambda rule: rule is None)
        body = self.graph.body
        self.own = list(body.params)
        self.moving = [v for v, a in zip(self.own, sweep.inputs, strict=True) if a]
        outputs = body.yields
        active = [v for v, a in zip(outputs, sweep.outputs, strict=True) if a]
        written = [self.own[k] for k in sweep.primal.written if sweep.inputs[k]]
        self.useful = [*active, *written]
        self.run = self._cut(body)
        self.seeds: list[tuple[Value, Value]] = []
        self.shadows: dict[Value, Value] = {}
        self._extra: list[Value] = []
        with Builder(self.graph) as builder:
            self.seeds = [(v, self._parameter(builder, v)) for v in active]
            for value in self.moving:
                if not _is_number(value):
                    self.shadows[value] = self._parameter(builder, value)
        for group in sweep.overlaps:
            members = [self.own[k] for k in group]
            shadows = [self.shadows[v] for v in members if v in self.shadows]
            self.graph.overlapping += [g for g in (members, shadows) if g]
        body.ops.append(Op(RECORDS["scope"], [], {}, [], [self.run]))
        for value, settled in zip(self.own, sweep.settled, strict=True):
            if isinstance(value.type, Array) and not settled:
                body.ops.append(Op(RECORDS["clobber"], [value], {}, []))
        self.graph.kept = [v for v in body.params if not _is_number(v)]

    def _cut(self, body: Region) -> Region:
        """Move the operations into a region; extents of the arguments stay outside."""
        outside = [op for op in body.ops if op.name == "dim" and op.inputs[0] in self.own]
        known = {*self.own, *(op.result for op in outside)}
        run = Region([], [op for op in body.ops if op not in outside], body.yields)
        run.extents = {s: v for s, v in body.extents.items() if v not in known}
        run.same, body.same = body.same, {}
        body.extents = {s: v for s, v in body.extents.items() if v in known}
        body.ops, body.yields = outside, []
        return run

    def _parameter(self, builder: Builder, value: Value) -> Value:
        parameter = builder.parameter(beside(value.type), f"{value.hint or 'y'}_bar")
        self._extra.append(parameter)
        return parameter

    def take(self, reverse: Region, stacks: Sequence[Value]) -> None:
        """Make the two procedures of the regions of the run and of its reverse."""
        self.sweep.stacks = list(stacks)
        name = self.sweep.primal.name
        doc = f"`{name}`, saving what its reverse sweep reads."
        self._fill(self.sweep.forward, self.run, self.own, doc)
        doc = f"The reverse sweep of `{name}`."
        read = [v for v in self.own if not isinstance(v.type, StackOf)]
        self._fill(self.sweep.backward, reverse, [*read, *self._extra], doc)

    def _fill(self, procedure: Procedure, region: Region, params: list[Value], doc: str) -> None:
        body = self.graph.body
        given = set(params)
        first = [op for op in body.ops if op.name == "dim" and op.inputs[0] in given]
        known = {*given, *(op.result for op in first)}
        extents = {s: v for s, v in body.extents.items() if v in known}
        whole = Region(params, [*first, *region.ops], region.yields)
        whole.extents = {**extents, **region.extents}
        whole.same = dict(region.same)
        graph = Graph(procedure.name, [], whole, doc=doc, checks=self.graph.checks)
        graph.lengths = self.graph.lengths
        groups = ([v for v in group if v in given] for group in self.graph.overlapping)
        graph.overlapping = [group for group in groups if group]
        copy, _ = clone_graph(graph)
        repeat_constants(copy)  # those of the run, in its reverse
        procedure.settle(copy)


def _is_number(value: Value) -> bool:
    return isinstance(value.type, Scalar)
