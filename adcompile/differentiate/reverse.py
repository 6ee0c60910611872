"""Reverse mode: appends to a graph the sweep that computes adjoints.

Enters: a graph and the values to differentiate with respect to. Leaves: the same operations
followed by their reverse, the result replaced by adjoints. Scalars and whole arrays have adjoint
values; arrays that are written, indexed or used inside loops have shadow buffers, and the adjoint
of a view is the same view of the shadow. What the reverse sweep reads of the forward sweep is
settled afterwards in `residuals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcompile.differentiate.activity import Activity
from adcompile.differentiate.memory import MemoryReverse
from adcompile.differentiate.mirror import Mirror
from adcompile.differentiate.residuals import settle
from adcompile.differentiate.shadows import Shadows
from adcompile.differentiate.structured import Adjoints, StructuredReverse
from adcompile.differentiate.sweeps import SplitRun, Sweep, Sweeps
from adcompile.errors import NotDifferentiable
from adcompile.graph.builder import Builder
from adcompile.graph.calls import Rule, inline_calls
from adcompile.graph.clone import clone_graph, inline
from adcompile.graph.ir import RECORDS, Graph, Note, Op, Parameter, Region, Value
from adcompile.graph.procedures import overlaps
from adcompile.graph.prune import prune
from adcompile.graph.transfers import separate_transfers
from adcompile.graph.trees import leaves
from adcompile.graph.types import Array, Scalar, StackOf, is_complex, is_continuous
from adcompile.ops.elementwise import match, of_kind
from adcompile.ops.memory import zeros_like


def append_reverse(
    graph: Graph, wrt: Sequence[Value], seeds: Sequence[Value | None], keep: Sequence[Value] = ()
) -> None:
    """Append the reverse sweep; the results become `keep`, then the adjoint of each of `wrt`.

    seeds    the cotangent of each output of the graph, None for zero
    """
    _prune_keeping(graph, [*wrt, *(s for s in seeds if s is not None), *keep])
    Reverse(graph, wrt).run(seeds, keep)


def _prune_keeping(graph: Graph, values: Sequence[Value]) -> None:
    """Remove what is not needed; values carried around loops in vain would get adjoints."""
    results = graph.body.yields
    graph.body.yields = [*results, *values]
    prune(graph)
    graph.body.yields = graph.body.yields[: len(results)]


def pullback(graph: Graph) -> Graph:
    """A function of the arguments and cotangents that gives the cotangents of float arguments."""
    copy, mapping = clone_graph(graph)
    own = [v for p in graph.parameters for v in leaves(p.structure)]
    return _swept(copy, [mapping[v] for v in own if is_continuous(v.type)], 0)


def transposed(graph: Graph, count: int) -> Graph:
    """Of a function of primals and tangents: the cotangents of the tangents."""
    copy, mapping = clone_graph(graph)
    own = [v for p in graph.parameters for v in leaves(p.structure)]
    floats = sum(is_continuous(v.type) for v in own)
    return _swept(copy, [mapping[v] for v in own[len(own) - floats // 2 :]], count)


def _swept(graph: Graph, wanted: list[Value], skipped: int) -> Graph:
    """The reverse sweep of a graph, with a parameter for each float result after `skipped`."""
    seeds: list[Value | None] = [None] * len(graph.outputs)
    with Builder(graph) as builder:
        for k, value in enumerate(graph.outputs):
            if k >= skipped and is_continuous(value.type):
                seed = builder.parameter(value.type, f"{value.hint or 'y'}_bar")
                graph.parameters.append(Parameter(f"seed_{k}", seed))
                seeds[k] = seed
    append_reverse(graph, wanted, seeds)
    graph.result = tuple(range(len(wanted)))
    return graph


def expose_residuals(graph: Graph) -> None:
    """Let calls with a reverse rule give what their backward part reads."""
    builder = Builder(graph)
    for region, op in list(_calls(graph.body)):
        rule = op.attrs["rule"]
        if rule.kind != "vjp":
            continue
        count = len(op.outputs)
        residuals = [Value(v.type, v.hint) for v in rule.forward.outputs[count:]]
        op.attrs = {
            "graph": rule.forward,
            "rule": Rule("residuals", rule.make, count),
        }
        op.outputs += residuals
        with builder, builder.inside(Region()) as made:
            for value in residuals:
                value.op = op
                builder.record_extents(value)
        position = region.ops.index(op) + 1
        region.ops[position:position] = made.ops
        region.extents = {**made.extents, **region.extents}


def _calls(region: Region) -> Iterator[tuple[Region, Op]]:
    for op in region.ops:
        if op.name == "call":
            yield region, op
        for inner in op.regions:
            yield from _calls(inner)


class Reverse(StructuredReverse, MemoryReverse):
    """One reverse sweep over one graph.

    given      arrays whose shadows are there before, and are only added to
    sweeps     the derivatives of procedures, if another sweep has begun them
    run        of a procedure: the region of one run of it
    outputs    what is differentiated, if it is not what the graph gives
    """

    def __init__(
        self, graph: Graph, wrt: Sequence[Value], given: dict[Value, Value] | None = None,
        sweeps: Sweeps | None = None, run: Region | None = None,
        outputs: Sequence[Value] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.graph = graph
        self.wrt = list(wrt)
        self.sweeps = Sweeps(_split) if sweeps is None else sweeps
        inline_calls(graph, lambda rule: rule is None)
        expose_residuals(graph)
        self.builder = Builder(graph)
        self.aliases = separate_transfers(graph)
        self.activity = Activity(graph, self.aliases, [*wrt, *(given or ())], outputs)
        self.shadows = Shadows(graph, self.aliases)
        self.shadows.shadowed.update(dict.fromkeys(given or (), "it is added to outside"))
        self.mirror = Mirror(graph, self.aliases, run)
        self.forward_ops = list(graph.body.ops)
        self.adjoints: Adjoints = {}
        self.shadow_values.update(given or {})
        self._results: dict[Value, Value] = {}

    def run(self, seeds: Sequence[Value | None], keep: Sequence[Value]) -> None:
        """Append the sweep for the given seeds."""
        with self.builder:
            for output, seed in zip(self.graph.outputs, seeds, strict=True):
                if seed is not None and self.activity.active(output):
                    self.accumulate(output, seed)
            self._region(self.forward_ops)
            results = [self._final(value) for value in self.wrt]
        self.graph.body.yields = [*keep, *results]
        settle(self.mirror)
        inline_calls(self.graph, lambda rule: rule is not None and rule.kind == "residuals")
        self.sweeps.finish(self.graph)

    def _final(self, value: Value) -> Value:
        if value in self._results:
            return self._results[value]
        adjoint = self.adjoint(value)
        if adjoint is None:
            adjoint = zeros_like(self.builder, value)
        if isinstance(adjoint.type, Array) and adjoint in self.shadow_values.values():
            return adjoint
        return match(adjoint, value)

    # -- adjoints -------------------------------------------------------------------------------

    def adjoint(self, value: Value) -> Value | None:
        """The adjoint collected so far."""
        if self.shadows.has_shadow(value):
            return self.shadow(value) if self.activity.active(value) else None
        return self.adjoints.get(value)

    def accumulate(self, value: Value, contribution: Value) -> None:
        """Add to the adjoint of an active value."""
        if not self.activity.active(value):
            return
        if is_complex(contribution.type):
            contribution = of_kind(contribution, value)
        if self.shadows.has_shadow(value):
            self.builder.op("accumulate", self.shadow(value), contribution)
            return
        old = self.adjoints.get(value)
        new = of_kind(contribution, value) if old is None else old + contribution
        if value.named and value.hint and not new.named and new.constant is None:
            new.hint, new.named = f"{value.hint}_bar", True
        elif not new.hint and value.hint:
            new.hint = f"{value.hint}_bar"
        self.adjoints[value] = new

    def shadow(self, value: Value) -> Value:
        """The shadow of an array: zeros made once, or the view of its owner's shadow."""
        if value in self.shadow_values:
            return self.shadow_values[value]
        with self.builder.inside(self.place_of_shadow(value)):
            if isinstance(value.type, StackOf):
                made = self.builder.op("stack", type=value.type)
            elif self.shadows.owner(value) is value:
                made = zeros_like(self.builder, value)
                assert made.op is not None
                because = self.shadows.shadowed[value]
                made.op.note = Note("adjoint", value.origin, because, value.location)
            else:
                op = value.op
                assert op is not None
                inner = self.shadow(op.inputs[0])
                made = self.builder.op(op.name, inner, *op.inputs[1:], **op.attrs)
        made.hint, made.named = f"{value.hint or 'array'}_bar", True
        self.shadow_values[value] = made
        return made

    # -- operations -----------------------------------------------------------------------------

    def _region(self, ops: Sequence[Op]) -> None:
        for op in reversed(ops):
            with self.builder.at(op.location and op.location.computing("adjoint")):
                self._operation(op)
            for value in op.outputs:
                if value in self.wrt:
                    final = self.adjoint(value)
                    if final is not None:
                        self._results[value] = match(final, value)

    def _operation(self, op: Op) -> None:
        if op.record.inactive or not op.inputs:
            return
        special = getattr(self, f"_reverse_{op.name}", None)
        if special is not None:
            special(op)
            return
        if op.record.view and self.shadows.owner(op.result) is not op.result:
            if self.shadows.has_shadow(op.result):
                return  # the shadow of a view is a view: nothing to add up
        cotangents = [
            self.adjoint(v) if is_continuous(v.type) and self.activity.active(v) else None
            for v in op.outputs
        ]
        if all(g is None for g in cotangents):
            return
        if op.record.vjp is None:
            raise NotDifferentiable(f"`{op.name}` has no reverse rule", op.location)
        inputs, outputs = self.mirror.contents(op)
        contributions = op.record.vjp(cotangents, outputs, inputs, op.attrs)
        for value, contribution in zip(op.inputs, contributions, strict=True):
            if contribution is not None:
                self.accumulate(value, contribution)

    def _reverse_call(self, op: Op) -> None:
        rule = op.attrs["rule"]
        results = op.outputs[: rule.results] if rule.kind == "residuals" else op.outputs
        if not any(self.activity.active(v) for v in results):
            return
        cotangents = []
        for value in results:
            if is_continuous(value.type):
                known = self.adjoint(value)
                whole = zeros_like(self.builder, value) if known is None else match(known, value)
                cotangents.append(self.own(whole))
        inputs, outputs = self.mirror.contents(op)
        wanted = [v for v in op.inputs if is_continuous(v.type)]
        if rule.kind == "residuals":
            sweep, arguments = rule.backward, outputs[rule.results :]
        elif rule.kind == "jvp":
            sweep = transposed(rule.forward, len(results))
            arguments = [*inputs, *(zeros_like(self.builder, v) for v in wanted)]
        else:
            sweep, arguments = pullback(op.attrs["graph"]), inputs
        found = inline(self.builder, sweep, [*arguments, *cotangents])
        for value, contribution in zip(wanted, found, strict=True):
            self.accumulate(value, match(contribution, value))

    def swept(self, graph: Graph, wrt: Sequence[Value], shadows: dict[Value, Value]) -> Reverse:
        """A reverse sweep over another graph, which adds to the given shadows."""
        return Reverse(graph, wrt, shadows)

    def _reverse_invoke(self, op: Op) -> None:
        """Call the reverse sweep of a procedure; its forward part saves what that reads."""
        active = self.activity.active
        if not any(active(v) for v in [*op.outputs, *op.written]):
            return
        sweep = self.sweeps.of(
            op.attrs["procedure"], list(map(active, op.inputs)), list(map(active, op.outputs)),
            [self._is_settled(op, v) for v in op.inputs], overlaps(op, self.aliases),
        )  # fmt: skip
        cotangents = [self._or_zero(self.adjoint(v), v) for v in op.outputs if active(v)]
        shadows = [self.shadow(v) for v in op.inputs if active(v) and not _is_number(v)]
        moving = [v for v in op.inputs if active(v) and _is_number(v)]
        op.attrs = {"procedure": sweep.forward}
        primals = [v for v in op.inputs if not isinstance(v.type, StackOf)]
        inputs = [*primals, *cotangents, *shadows]
        found = self.builder.op("invoke", *inputs, procedure=sweep.backward) or ()
        found = found if isinstance(found, tuple) else (found,)
        for value, contribution in zip(moving, found, strict=True):
            self.accumulate(value, contribution)

    def _is_settled(self, op: Op, value: Value) -> bool:
        """Whether nobody writes an argument from the call on."""
        if not isinstance(value.type, Array):
            return True
        return value not in op.written and not self.aliases.may_be_written_after(op, value)


class ProcedureReverse(Reverse):
    """The reverse sweep of one run of a procedure: `run` is the region of its forward part."""

    def sweep(self, seeds: Sequence[tuple[Value, Value]]) -> Region:
        """The region that gives the adjoints of the numbers among the arguments.

        seeds      outputs of the run, each with its cotangent
        """
        run = self.mirror.run
        assert run is not None
        reverse = Region()
        self.mirror.pair(run, reverse)
        with self.builder, self.builder.inside(reverse):
            for output, seed in seeds:
                self.accumulate(output, seed)
            self._region(run.ops)
            reverse.yields = [self._final(v) for v in self.wrt if _is_number(v)]
        self.graph.body.ops.append(Op(RECORDS["scope"], [], {}, [], [reverse]))
        settle(self.mirror)
        return reverse


def _split(sweep: Sweep, sweeps: Sweeps) -> None:
    """Fill in both parts of the reverse of a procedure."""
    work = SplitRun(sweep)
    reverse = ProcedureReverse(work.graph, work.moving, work.shadows, sweeps, work.run, work.useful)
    work.take(reverse.sweep(work.seeds), reverse.mirror.stacks)
    for procedure in (sweep.forward, sweep.backward):
        inline_calls(procedure.graph, lambda rule: rule is not None and rule.kind == "residuals")


def _is_number(value: Value) -> bool:
    return isinstance(value.type, Scalar)
