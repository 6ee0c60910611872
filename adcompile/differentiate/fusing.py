"""The reverse of an iteration right after the iteration: no tape.

Enters: a reverse sweep that meets a loop whose iterations stand alone, with cotangents of its sums
that do not depend on what the loop computes. Leaves: one loop in which every iteration runs, and is
reversed at once while all that it computed is at hand; what depends on the sums comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adcompile.differentiate.activity import Activity
from adcompile.differentiate.independent import Independence
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, inline
from adcompile.graph.closures import closed, free_values
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value
from adcompile.graph.types import Array, Scalar, is_continuous

if TYPE_CHECKING:
    from adcompile.differentiate.reverse import Reverse
    from adcompile.differentiate.structured import Adjoints


class Fusing:
    """The part of the reverse sweep that joins a loop and its reverse."""

    graph: Graph
    builder: Builder
    aliases: Aliases
    activity: Activity
    adjoints: Adjoints

    def shadow(self, value: Value) -> Value:
        """The shadow of an array."""
        raise AssertionError

    def accumulate(self, value: Value, contribution: Value) -> None:
        """Add to the adjoint of a value."""
        raise AssertionError

    def _outgoing(self, op: Op) -> dict[int, Value]:
        raise AssertionError

    def _or_zero(self, adjoint: Value | None, like: Value) -> Value:
        raise AssertionError

    def _adopt(self, values: Sequence[Value], adjoints: Sequence[Value]) -> None:
        raise AssertionError

    def swept(self, graph: Graph, wrt: Sequence[Value], shadows: dict[Value, Value]) -> Reverse:
        """A reverse sweep over another graph, which adds to the given shadows."""
        raise AssertionError

    def fuse(self, loop: Op) -> bool:
        """Join a loop with its reverse; gives whether that could be done."""
        if loop not in self.graph.body.ops:
            return False
        scratch = Independence(self.graph, self.aliases).scratch(loop)
        if scratch is None or self._overwritten(loop, scratch):
            return False
        outgoing = self._outgoing(loop)
        later = self._dependent(loop)
        if later is None or any(v.op in later for v in outgoing.values()):
            return False
        iteration = _iteration(self.builder, loop, scratch)
        captured = iteration.captured
        active = [(o, i) for o, i in captured if is_continuous(i.type) and self.activity.active(o)]
        arrays = [(o, i) for o, i in active if isinstance(i.type, Array)]
        scalars = [(o, i) for o, i in active if isinstance(i.type, Scalar)]
        outer = [o for o, _ in captured]
        outer += [self.shadow(o) for o, _ in arrays] + list(outgoing.values())
        iteration.captured = []
        iteration.parameters += [Parameter(f"c{k}", i) for k, (_, i) in enumerate(captured)]
        self._sweep(iteration, list(outgoing), arrays, scalars)
        self.graph.body.ops.remove(loop)
        known = {o: self.adjoints.get(o) for o, _ in scalars}
        held = {o: g for o, g in known.items() if g is not None and g.op in later}
        for value in held:
            del self.adjoints[value]  # it depends on the sums, and is added behind the loop
        self._run(loop, iteration, outer, [o for o, _ in scalars])
        moved = [op for op in self.graph.body.ops if op in later]
        self.graph.body.ops = [op for op in self.graph.body.ops if op not in later] + moved
        for value, adjoint in held.items():
            self.accumulate(value, adjoint)
        for k, cotangent in outgoing.items():
            self.accumulate(loop.inputs[3 + k], cotangent)
        return True

    def _overwritten(self, loop: Op, scratch: Sequence[Value]) -> bool:
        """Whether something that the loop reads is written before the loop can run."""
        return any(
            isinstance(v.type, Array)
            and v not in scratch
            and self.aliases.may_be_written_after(loop, v)
            for v in free_values(loop.regions[0])
        )

    def _dependent(self, loop: Op) -> set[Op] | None:
        """What reads the sums of a loop; None if it cannot be moved behind all else."""
        found: set[Op] = set()
        values = set(loop.outputs)
        for op in self.graph.body.ops[self.graph.body.ops.index(loop) + 1 :]:
            inside = {v for region in op.regions for v in free_values(region)}
            if not values & {*op.inputs, *inside}:
                continue
            arrays = any(isinstance(v.type, Array) for v in [*op.inputs, *op.outputs])
            if op.regions or arrays or op.keeps or op.written:
                return None
            found.add(op)
            values.update(op.outputs)
        return found

    def _sweep(
        self, iteration: Graph, seeded: Sequence[int],
        arrays: Sequence[tuple[Value, Value]], scalars: Sequence[tuple[Value, Value]],
    ) -> None:  # fmt: skip
        """Append the reverse of the iteration: parameters for shadows and cotangents, results."""
        results = list(iteration.outputs)
        shadows, seeds = {}, [None] * len(results)
        with Builder(iteration) as builder:
            for k, (_, value) in enumerate(arrays):
                assert isinstance(value.type, Array)
                type_ = Array(value.type.dtype, value.type.shape)
                shadows[value] = builder.parameter(type_, f"{value.hint}_bar")
                iteration.parameters.append(Parameter(f"s{k}", shadows[value]))
            for k in seeded:
                seed = builder.parameter(results[k].type, f"{results[k].hint or 't'}_bar")
                iteration.parameters.append(Parameter(f"g{k}", seed))
                seeds[k] = seed  # type: ignore[call-overload]
        iteration.kept += shadows.values()
        self.swept(iteration, [value for _, value in scalars], shadows).run(seeds, results)
        iteration.result = tuple(range(len(iteration.outputs)))

    def _run(self, loop: Op, iteration: Graph, outer: list[Value], scalars: list[Value]) -> None:
        """The loop over swept iterations, which carries the sums and the adjoints of numbers."""
        first = [*loop.inputs[3:], *(self._or_zero(self.adjoints.get(v), v) for v in scalars)]
        sums = len(loop.outputs)

        def run(index: Value, carried: list[Value]) -> list[Value]:
            results = inline(self.builder, iteration, [index, *carried[:sums], *outer])
            adjoints = zip(carried[sums:], results[sums:], strict=True)
            return [*results[:sums], *(a + b for a, b in adjoints)]

        hint = loop.regions[0].params[0].hint
        start, stop, step = loop.inputs[:3]
        outputs = self.builder.loop(start, stop, step, first, run, hint)
        made = self.graph.body.ops[-1]
        for own, old in zip(made.outputs[:sums], loop.outputs, strict=True):
            own.hint, own.named = old.hint, old.named
        for param, end, value in zip(
            made.regions[0].params[1 + sums :], outputs[sums:], scalars, strict=True
        ):
            param.hint, param.named = f"{value.hint or 't'}_bar", True
            end.hint, end.named = param.hint, True
        made.outputs = [*loop.outputs, *made.outputs[sums:]]
        for value in loop.outputs:
            value.op = made
        self._adopt(scalars, outputs[sums:])


def _iteration(builder: Builder, loop: Op, scratch: Sequence[Value]) -> Graph:
    """One iteration as a function of the index, the sums so far, and what it reads."""
    graph = Graph("iteration", [], Region(), lengths=dict(builder.graph.lengths))
    inner = Builder(graph)
    body = loop.regions[0]
    with inner, inner.at(loop.location):
        inner.borrow(builder)
        mapping = {v: inner.parameter(v.type, v.hint) for v in body.params}
        parameters = [Parameter(f"p{k}", mapping[v]) for k, v in enumerate(body.params)]
        for array in scratch:
            assert array.op is not None and isinstance(array.type, Array)
            extents = given_extents(array.op)
            own = inner.op("empty", *extents, dtype=array.type.dtype, shape=array.type.shape)
            own.hint, own.named = array.hint, array.named
            mapping[array] = own
        graph.body.ops += [clone_op(op, mapping) for op in body.ops]
    graph.body.yields = [mapping.get(v, v) for v in body.yields]
    known = {s: mapping.get(v, v) for s, v in body.extents.items()}
    graph.body.extents = {**graph.body.extents, **known}
    graph.body.same = {**graph.body.same, **body.same}
    graph.result = tuple(range(len(body.yields)))
    graph.parameters = parameters
    return closed(graph, builder)
