"""Forward mode: tangents computed beside the values they belong to.

Enters: a graph and the tangents of some parameters. Leaves: the same operations, each followed by
the one that computes its tangent. Arrays that are written in place have a tangent buffer that goes
through the same views and writes.
"""

from __future__ import annotations

from collections.abc import Mapping

from adcompile.differentiate.activity import Activity
from adcompile.errors import NotDifferentiable
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.calls import inline_calls
from adcompile.graph.clone import clone_graph, inline
from adcompile.graph.ir import Graph, Op, Region, Value, is_undefined
from adcompile.graph.procedures import (
    Procedure,
    note_effects,
    procedures_of,
    separate_results,
)
from adcompile.graph.types import Array, StackOf, beside, is_continuous, shape_of
from adcompile.ops.elementwise import match, of_kind
from adcompile.ops.memory import zeros_like


def append_forward(graph: Graph, tangents: Mapping[Value, Value]) -> list[Value]:
    """Interleave tangent operations; gives the tangent of each output of the graph."""
    procedures = ProcedureTangents()
    results = Forward(graph, tangents, procedures).run()
    note_effects(procedures_of(graph))
    return results


class Forward:
    """One forward sweep over one graph."""

    def __init__(
        self, graph: Graph, tangents: Mapping[Value, Value], procedures: ProcedureTangents,
        written_outside: bool = False,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.procedures = procedures
        inline_calls(graph, lambda rule: rule is None or rule.kind == "checkpoint")
        self.builder = Builder(graph)
        self.aliases = Aliases(graph)
        self.activity = Activity(graph, self.aliases, list(tangents))
        self.tangents: dict[Value, Value] = dict(tangents)
        self._extents: dict[Value, list[Op]] = {}
        self._buffers: set[Value] = set()  # tangents whose memory is written, and views of it
        if written_outside:  # by the caller, once this graph has run
            self._buffers |= {t for t in tangents.values() if isinstance(t.type, Array)}

    def run(self) -> list[Value]:
        """Transform the body; gives the tangents of the outputs."""
        with self.builder, self.builder.inside(self.graph.body):
            old, self.graph.body.ops = self.graph.body.ops, []
            for value in self.graph.params:
                if self._needs_buffer(value) and value not in self.tangents:
                    self._extents_first(old, value)
                    self.tangents[value] = zeros_like(self.builder, value)
            self._buffers |= {t for v, t in self.tangents.items() if self._needs_buffer(v)}
            self._ops(old)
            return [self._or_zero(v) for v in self.graph.outputs]

    def _extents_first(self, old: list[Op], value: Value) -> None:
        for op in [o for o in old if o.name == "dim" and o.inputs[0] is value]:
            old.remove(op)
            self.builder.region.ops.append(op)

    def _varied(self, value: Value) -> bool:
        return value in self.activity.varied

    def _needs_buffer(self, value: Value) -> bool:
        """Whether a tangent buffer must exist because the array is written with varied values."""
        roots = self.aliases.roots.get(value, frozenset())
        return self._varied(value) and bool(roots & self.aliases.written)

    def _or_zero(self, value: Value) -> Value:
        tangent = self.tangents.get(value)
        if tangent is not None:
            return match(tangent, value)
        if value.op is not None and is_undefined(value):  # it has no extents either
            return self.builder.op("undefined", **value.op.attrs)
        return zeros_like(self.builder, value)

    def _ops(self, ops: list[Op]) -> None:
        own = set(ops)
        for op in ops:
            if op.name == "dim" and op.inputs[0].op in own:
                self._extents.setdefault(op.inputs[0], []).append(op)
        for op in ops:
            if op.name == "dim" and op.inputs[0].op in own:
                continue
            with self.builder.at(op.location and op.location.computing("tangent")):
                self._operation(op)

    def _keep(self, op: Op) -> None:
        """Append an operation of the function, and the extents of what it makes."""
        region = self.builder.region
        region.ops.append(op)
        for value in op.outputs:
            region.ops += self._extents.pop(value, [])

    def _operation(self, op: Op) -> None:
        special = getattr(self, f"_forward_{op.name}", None)
        if special is not None:
            special(op)
            return
        self._keep(op)
        if not any(self._varied(v) for v in op.outputs):
            return
        tangents = [self.tangents.get(v) if is_continuous(v.type) else None for v in op.inputs]
        results: list[Value | None] = [None] * len(op.outputs)
        if not op.record.inactive and any(t is not None for t in tangents):
            results = self._rule(op, tangents)
        for value, tangent in zip(op.outputs, results, strict=True):
            self._settle(op, value, tangent)

    def _rule(self, op: Op, tangents: list[Value | None]) -> list[Value | None]:
        if op.record.view and isinstance(op.result.type, Array) and op.name != "reshape":
            view = self.builder.op(op.name, tangents[0], *op.inputs[1:], **op.attrs)
            self._same_shape(view, op.result)  # also where the bounds got other values
            return [view]
        if op.record.jvp is None:
            raise NotDifferentiable(f"`{op.name}` has no forward rule", op.location)
        results: list[Value | None] = op.record.jvp(tangents, op.outputs, op.inputs, op.attrs)
        for value, tangent in zip(op.outputs, results, strict=True):
            if tangent is not None and isinstance(value.type, Array):
                self._same_shape(tangent, value)
        return results

    def _same_shape(self, tangent: Value, value: Value) -> None:
        """What is computed of tangents as a value is of values has its shape."""
        self.builder.record_extents(value)
        for own, primal in zip(shape_of(tangent.type), shape_of(value.type), strict=True):
            self.builder.assume(own, primal)

    def _settle(self, op: Op, value: Value, tangent: Value | None) -> None:
        is_view = op.record.view and tangent is not None
        if not is_view and self._needs_buffer(value):
            if tangent is None:
                tangent = zeros_like(self.builder, value)
                if tangent.op is not None:
                    tangent.op.note = op.note  # the tangents of a tape are saved beside it
            else:
                tangent = self.builder.op("copy", tangent)
        elif tangent in self._buffers and not is_view:
            tangent = self.builder.op("copy", tangent)  # later writes must not reach it
        if tangent is None:
            return
        tangent = of_kind(tangent, value)
        if self._needs_buffer(value):
            self._buffers.add(tangent)
        if value.hint and not tangent.named and tangent.constant is None:
            tangent.hint, tangent.named = f"{value.hint}_dot", value.named
        self.tangents[value] = tangent

    # -- memory ---------------------------------------------------------------------------------

    def _forward_load(self, op: Op) -> None:
        self._read(op)

    def _forward_gather(self, op: Op) -> None:
        self._read(op)

    def _read(self, op: Op) -> None:
        self._keep(op)
        tangent = self.tangents.get(op.inputs[0])
        if tangent is not None and self._varied(op.result):
            self._settle(
                op, op.result, self.builder.op(op.name, tangent, *op.inputs[1:], **op.attrs)
            )

    def _write(self, op: Op) -> None:
        """The same write into the tangent buffer; it reads nothing that the write changes."""
        self._keep(op)
        array, value, *rest = op.inputs
        buffer = self.tangents.get(array)
        if buffer is None:
            return
        tangent = self.tangents.get(value)
        if tangent is not None:
            self.builder.op(op.name, buffer, tangent, *rest, **op.attrs)
        elif op.name in ("store", "assign"):
            self.builder.op(op.name, buffer, 0.0, *rest, **op.attrs)

    _forward_store = _forward_assign = _forward_accumulate = _write
    _forward_accumulate_at = _forward_scatter_add = _write

    def _forward_stack(self, op: Op) -> None:
        self._keep(op)
        if self._varied(op.result):
            tangent = self.builder.op("stack", **op.attrs)
            tangent.hint, tangent.named = f"{op.result.hint}_dot", True
            tangent.op.note = op.note
            self.tangents[op.result] = tangent

    def _forward_push(self, op: Op) -> None:
        self._keep(op)
        stack, value = op.inputs
        if stack in self.tangents:
            tangent = self._or_zero(value)
            self.builder.op("push", self.tangents[stack], tangent)

    def _forward_pop(self, op: Op) -> None:
        self._keep(op)
        stack = op.inputs[0]
        if stack in self.tangents:
            self._settle(op, op.result, self.builder.op("pop", self.tangents[stack], **op.attrs))

    def _forward_call(self, op: Op) -> None:
        self._keep(op)
        if not any(self._varied(v) for v in op.outputs):
            return
        rule = op.attrs["rule"]
        if rule.kind != "jvp":
            raise NotDifferentiable(
                "a function with a reverse rule of its own has no forward derivative",
                op.location,
                "use custom_jvp, which serves both modes",
            )
        tangents = [self._or_zero(v) for v in op.inputs if is_continuous(v.type)]
        results = inline(self.builder, rule.forward, [*op.inputs, *tangents])
        for value, tangent in zip(op.outputs, results[len(op.outputs) :], strict=True):
            is_array = isinstance(tangent.type, Array)
            self._settle(op, value, self.builder.op("copy", tangent) if is_array else tangent)

    def _forward_invoke(self, op: Op) -> None:
        """The call gives the tangents of its results, too, and of what it writes."""
        moving = tuple(self._varied(v) and v in self.tangents for v in op.inputs)
        if not any(moving):
            self._keep(op)
            return
        floats = [v for v in op.outputs if is_continuous(v.type)]
        given = [self._handed(v) for v, moves in zip(op.inputs, moving, strict=True) if moves]
        tangents = [Value(v.type, f"{v.hint or 't'}_dot", v.named) for v in floats]
        procedure = self.procedures.of(op.attrs["procedure"], moving)
        together = Op(op.record, [*op.inputs, *given], {"procedure": procedure},
                      [*op.outputs, *tangents], location=op.location)  # fmt: skip
        self._keep(together)
        for value, tangent in zip(floats, tangents, strict=True):
            self._settle(op, value, tangent)

    def _handed(self, value: Value) -> Value:
        """The tangent of an argument; memory that is written is handed on as it is."""
        tangent = self.tangents[value]
        if isinstance(value.type, Array) and isinstance(tangent.type, Array):
            shapes = zip(tangent.type.shape, value.type.shape, strict=False)
            if tangent.type.ndim == value.type.ndim and not any(d == 1 != e for d, e in shapes):
                return tangent
        return tangent if isinstance(value.type, StackOf) else match(tangent, value)

    # -- control flow ---------------------------------------------------------------------------

    def _forward_if(self, op: Op) -> None:
        active = [k for k, v in enumerate(op.outputs) if self._varied(v)]
        for region in op.regions:
            before = dict(self.tangents)
            self._inner(region, region.yields, active)
            self.tangents = before
        self._finish(op, active)

    def _forward_for(self, op: Op) -> None:
        self._loop(op, op.inputs[3:], 1)

    def _forward_while(self, op: Op) -> None:
        self._loop(op, list(op.inputs), 0)

    def _loop(self, op: Op, initial: list[Value], skip: int) -> None:
        body = op.regions[0]
        active = [k for k, v in enumerate(body.params[skip:]) if self._varied(v)]
        op.inputs = op.inputs + [self._or_zero(initial[k]) for k in active]
        before = dict(self.tangents)
        for region in op.regions:
            for k in active:
                value = region.params[skip + k]
                tangent = Value(value.type, f"{value.hint or 't'}_dot", value.named)
                region.params.append(tangent)
                self.tangents[value] = tangent
                if self._needs_buffer(value):
                    self._buffers.add(tangent)
        self._inner(body, body.yields, active)
        for test in op.regions[1:]:
            self._inner(test, test.yields, [])
        self.tangents = before
        self._finish(op, active)

    def _inner(self, region: Region, yields: list[Value], active: list[int]) -> None:
        old, region.ops = region.ops, []
        with self.builder.inside(region):
            self._ops(old)
            region.yields = yields + [self._or_zero(yields[k]) for k in active]

    def _finish(self, op: Op, active: list[int]) -> None:
        self._keep(op)
        for k in active:
            value = op.outputs[k]
            tangent = Value(value.type, f"{value.hint or 't'}_dot", value.named)
            tangent.op = op
            self.tangents[value] = tangent
            if self._needs_buffer(value):
                self._buffers.add(tangent)
        op.outputs = op.outputs + [self.tangents[op.outputs[k]] for k in active]


class ProcedureTangents:
    """The procedures that also compute tangents, one for each choice of moving arguments."""

    def __init__(self) -> None:
        self._made: dict[tuple[Procedure, tuple[bool, ...]], Procedure] = {}

    def of(self, procedure: Procedure, moving: tuple[bool, ...]) -> Procedure:
        """Takes the arguments and the tangents of moving ones; gives results, then tangents."""
        key = (procedure, moving)
        if key not in self._made:
            made = self._made[key] = Procedure(f"{procedure.name}_jvp")
            floats = [t for t in procedure.results if is_continuous(t)]
            made.results = [*procedure.results, *floats]
            place = [sum(moving[:k]) + len(moving) for k in range(len(moving))]
            made.written = (*procedure.written, *(place[k] for k in procedure.written if moving[k]))
            made.keeps = procedure.keeps
            self._fill(made, procedure, moving)
        return self._made[key]

    def _fill(self, made: Procedure, procedure: Procedure, moving: tuple[bool, ...]) -> None:
        graph, _ = clone_graph(procedure.graph)
        tangents = {}
        with Builder(graph) as builder:
            first, graph.body.ops = graph.body.ops, []
            for value, moves in list(zip(graph.params, moving, strict=True)):
                if moves:
                    type_ = beside(value.type)
                    tangents[value] = builder.parameter(type_, f"{value.hint}_dot")
            graph.body.ops += first
        groups = [[tangents[v] for v in group if v in tangents] for group in graph.overlapping]
        graph.overlapping += [group for group in groups if group]
        results = Forward(graph, tangents, self, written_outside=True).run()
        floats = [is_continuous(v.type) for v in graph.outputs]
        graph.body.yields = [
            *graph.outputs, *(r for r, wanted in zip(results, floats, strict=True) if wanted)
        ]  # fmt: skip
        graph.doc = f"`{procedure.name}` and its tangents."
        made.settle(graph)
        separate_results(graph)
