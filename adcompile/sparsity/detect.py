"""Runs a sweep on sets of element numbers: which results depend on which elements of its seed.

Enters: the graph of a forward or reverse sweep, and the arguments of one call. Leaves: the places
of its matrix for all values of the argument that it differentiates. Loops run; where a branch
depends on the argument, both sides do. What does not change with the argument has its value: the
pattern holds for these integers, masks and conditions, and `Detected.decided` says which parameters
they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.errors import AdcompileError, SparsityError
from adcompile.graph.closures import free_values
from adcompile.graph.interpret import static_attributes, stored
from adcompile.graph.ir import Graph, Op, Region, Value, joined, resolved
from adcompile.graph.types import Array, Dim, Symbol, is_continuous
from adcompile.sparsity.pattern import Pattern, pattern_of
from adcompile.sparsity.roles import Roles
from adcompile.sparsity.sets import EMPTY, Sets, filled
from adcompile.sparsity.structure import Step, structure

_HINT = "pass sparsity= as a matrix"
_SIZED = {"full": 1, "reshape": 1, "broadcast_to": 1, "empty": 0, "iota": 0, "eye": 0}


@dataclass(frozen=True)
class Detected:
    """A pattern (rows: elements of the result, columns: of the seed) and what decided about it."""

    pattern: Pattern
    decided: frozenset[int]  # numbers of the parameters


def detect(graph: Graph, seed: Value, argument: Value, items: Sequence[Any]) -> Detected:
    """The pattern of a sweep: `items` are the values of the graph's parameters, in order.

    Raises SparsityError where the structure depends on the value of `argument`.
    """
    run = _Run(graph, seed, argument, items)
    outputs = run.results()
    rows, columns = run.sets.places(outputs)
    pattern = pattern_of(rows, columns, (len(outputs), run.sets.count))
    structural = run.roles.structural - {argument, seed}
    decided = frozenset(k for k, v in enumerate(graph.params) if v in structural)
    return Detected(pattern, decided)


class _Run:
    """One run of a graph.

    `frame` holds, for each value: a set or an array of sets if it depends on the seed; else its
    value if it decides about structure and does not change with the argument; else a stand-in of
    its shape for an array, nothing for a number.
    """

    def __init__(self, graph: Graph, seed: Value, argument: Value, items: Sequence[Any]) -> None:
        self.graph, self.roles = graph, Roles(graph, seed, argument)
        self.frame: dict[Value, Any] = {}
        self._extents: dict[Symbol, int] = {}
        self._steps: dict[Region, list[tuple[Callable[[Op], None], Op]]] = {}
        self._guarded: dict[Op, list[Value]] = {}
        self._same: dict[Symbol, Dim] = dict(graph.body.same)
        for op in graph.body.walk():
            for region in op.regions:
                self._same = joined(self._same, region.same)
        for value, item in zip(graph.params, items, strict=True):
            if value is seed:
                self.sets = Sets(int(np.size(item)))
                self._put(value, self.sets.singletons(np.shape(item)))
            elif isinstance(value.type, Array):
                self._put(value, np.array(stored(item, value)))  # written perhaps
            elif value not in self.roles.varying:
                self._put(value, stored(item, value))

    def results(self) -> list[Any]:
        """The sets of all elements of the output."""
        self._run(self.graph.body)
        (output,) = self.graph.outputs
        found = self._elements(output)
        return list(found.flat) if isinstance(found, np.ndarray) else [found]

    # -- values ---------------------------------------------------------------------------------

    def _put(self, value: Value, item: Any) -> None:
        self.frame[value] = item
        if isinstance(value.type, Array) and item is not None:
            for dim, extent in zip(value.type.shape, item.shape, strict=True):
                if isinstance(dim, Symbol):
                    self._extents[dim] = extent

    def _tracked(self, value: Value) -> bool:
        return value in self.roles.tracked

    def _known(self, value: Value) -> bool:
        """Whether the value itself is in the frame."""
        if value.op is not None and value.op.name in ("constant", "dim"):
            return True
        roles = self.roles
        return value in roles.structural and not (value in roles.varying or value in roles.tracked)

    def _decide(self, value: Value, op: Op, what: str) -> Any:
        """A value that must be known; raises SparsityError for one that the argument changes."""
        if not self._known(value):
            raise self._undecided(what, op)
        return self.frame[value]

    def _undecided(self, what: str, op: Op) -> SparsityError:
        return SparsityError(
            f"{what} depends on the values that the derivative is taken for, and with it the "
            "pattern", op.location, _HINT,
        )  # fmt: skip

    def _elements(self, value: Value) -> Any:
        """A value as sets: empty ones for what does not depend on the seed."""
        item = self.frame.get(value)
        if self._tracked(value) and item is not None:
            return item
        return filled(item.shape) if isinstance(item, np.ndarray) else EMPTY

    def _blank(self, op: Op, value: Value) -> Any:
        """A stand-in for an array that only its shape matters of."""
        if not isinstance(value.type, Array):
            return None
        return np.broadcast_to(np.zeros((), value.type.dtype), self._shape(op, value))

    def _extent(self, dim: Dim) -> int:
        if isinstance(dim, Symbol) and dim not in self._extents:
            dim = resolved(self._same, dim)
        if isinstance(dim, Symbol) and dim not in self._extents:
            dim = next(d for d in self._extents if resolved(self._same, d) is dim)
        return self._extents[dim] if isinstance(dim, Symbol) else dim

    def _shape(self, op: Op, value: Value) -> tuple[int, ...]:
        """The shape of an output; an extent that no input shares with it is worked out."""
        if not isinstance(value.type, Array):
            return ()
        first = self.frame.get(op.inputs[0]) if op.inputs else None
        if op.name in ("slice", "gather"):
            bounds = [self._decide(v, op, "which elements are used") for v in op.inputs[1:]]
            assert op.record.evaluate is not None
            stand_in = np.broadcast_to(np.zeros(()), first.shape)  # type: ignore[union-attr]
            return np.shape(op.record.evaluate(stand_in, *bounds, **op.attrs))
        if op.name in _SIZED:
            given = op.inputs[_SIZED[op.name] :][: value.type.ndim]
            return tuple(int(self._decide(v, op, "an extent")) for v in given)
        if op.name == "concatenate":
            shape, axis = list(first.shape), op.attrs["axis"]  # type: ignore[union-attr]
            shape[axis] = sum(self.frame[v].shape[axis] for v in op.inputs)
            return tuple(shape)
        if op.name in ("qr", "svd"):
            stand_ins = op.record.evaluate(np.zeros(first.shape))  # type: ignore
            return np.shape(stand_ins[op.outputs.index(value)])
        return tuple(map(self._extent, value.type.shape))

    # -- operations -----------------------------------------------------------------------------

    def _run(self, region: Region) -> None:
        steps = self._steps.get(region)
        if steps is None:
            found = ((self._step(op), op) for op in region.ops)
            steps = self._steps[region] = [(run, op) for run, op in found if run is not None]
        for run, op in steps:
            try:
                run(op)
            except (IndexError, ValueError, TypeError) as error:
                if isinstance(error, AdcompileError):
                    raise
                raise SparsityError(
                    f"detection of the pattern: {error}", op.location, _HINT
                ) from None

    def _step(self, op: Op) -> Callable[[Op], None] | None:
        """How to run an operation; None if nothing of it matters."""
        special: Callable[[Op], None] | None = getattr(self, f"_run_{op.name}", None)
        if special is not None:
            return special
        changed = [op.inputs[0]] if op.record.writes else op.outputs
        if any(map(self._tracked, changed)):
            numbers = not any(isinstance(v.type, Array) for v in [*op.inputs, *op.outputs])
            return self._combine if numbers and op.record.scalar is not None else self._track
        if any(map(self._known, changed)):
            return self._evaluate
        return self._outline if any(isinstance(v.type, Array) for v in op.outputs) else None

    def _run_invoke(self, op: Op) -> None:
        name = op.attrs["procedure"].name
        raise SparsityError(
            f"`{name}` calls itself, so its pattern cannot be detected", op.location, _HINT
        )

    def _combine(self, op: Op) -> None:
        """An elementwise operation on numbers."""
        result: Any = EMPTY
        for value in op.inputs:
            if value in self.roles.tracked:
                result = self.sets.union(result, self.frame.get(value, EMPTY) or EMPTY)
        self.frame[op.result] = result

    def _track(self, op: Op) -> None:
        inputs = []
        for value in op.inputs:
            if self._tracked(value):
                inputs.append(self._elements(value))
            elif op.record.scalar is None and not is_continuous(value.type):
                inputs.append(self._decide(value, op, "which elements are used"))
            else:
                inputs.append(self.frame.get(value))
        tracked = list(map(self._tracked, op.inputs))
        shapes = [self._shape(op, v) for v in op.outputs]
        outcome = structure(Step(op, self.sets, inputs, tracked, shapes))
        for value, item in zip(op.outputs, outcome, strict=True):
            self._put(value, item if self._tracked(value) else self._blank(op, value))

    def _evaluate(self, op: Op) -> None:
        assert op.record.evaluate is not None, op
        inputs = [self._decide(v, op, "a value") for v in op.inputs]
        outcome = op.record.evaluate(*inputs, **static_attributes(op))
        outcome = outcome if isinstance(outcome, tuple) else (outcome,)
        for value, item in zip(op.outputs, outcome, strict=True):
            self._put(value, stored(item, value))

    def _outline(self, op: Op) -> None:
        """The shapes of what an operation makes."""
        for value in op.outputs:
            self._put(value, self._blank(op, value))

    def _run_constant(self, op: Op) -> None:
        self.frame[op.result] = op.attrs["value"]

    def _run_dim(self, op: Op) -> None:
        self.frame[op.result] = self.frame[op.inputs[0]].shape[op.attrs["axis"]]

    def _run_undefined(self, op: Op) -> None:
        self.frame[op.result] = None

    def _run_nonzero(self, op: Op) -> None:
        self._decide(op.inputs[0], op, "which elements are chosen")
        self._evaluate(op)

    def _run_check_equal(self, op: Op) -> None:
        self._evaluate(op)

    def _run_stack(self, op: Op) -> None:
        self.frame[op.result] = []

    def _run_push(self, op: Op) -> None:
        stack, value = op.inputs
        item = self._elements(value) if self._tracked(stack) else self.frame.get(value)
        self.frame[stack].append(item)

    def _run_pop(self, op: Op) -> None:
        self._put(op.result, self.frame[op.inputs[0]].pop())

    # -- control flow ---------------------------------------------------------------------------

    def _pass(self, targets: Sequence[Value], sources: Sequence[Value]) -> None:
        """Hand values on, all of them at once."""
        known = [self.frame.get(source) for source in sources]  # None is undefined
        items = [
            self._elements(source) if self._tracked(target) and item is not None else item
            for target, source, item in zip(targets, sources, known, strict=True)
        ]
        for target, item in zip(targets, items, strict=True):
            self._put(target, item)

    def _run_for(self, op: Op) -> None:
        bounds = [self._decide(v, op, "the number of iterations") for v in op.inputs[:3]]
        (body,) = op.regions
        index, *carried = body.params
        self._pass(carried, op.inputs[3:])
        for number in range(*bounds):
            self.frame[index] = number
            self._run(body)
            self._pass(carried, body.yields)
        self._pass(op.outputs, carried)

    def _run_while(self, op: Op) -> None:
        body, test = op.regions
        self._pass(body.params, op.inputs)
        while True:
            self._pass(test.params, body.params)
            self._run(test)
            every = list(_conditions(test.yields[0]))
            known = [v for v in every if self._known(v)]
            if not known:
                self._decide(every[0], op, "how often the loop runs")
            if not all(self.frame[v] for v in known):
                break
            if len(known) == len(every):
                self._run(body)
                self._pass(body.params, body.yields)
            else:
                self._perhaps(op, body)
        self._pass(op.outputs, body.params)

    def _perhaps(self, op: Op, body: Region) -> None:
        """An iteration of a loop that may have been left before."""
        carried = [p for p in body.params if self._tracked(p)]
        old = [self.frame.get(p) for p in carried]
        memory = [self.frame[v] for v in self._written_in(op)]
        memory += [item for item in old if isinstance(item, np.ndarray | list)]
        before = [item.copy() for item in memory]
        self._run(body)
        self._pass(body.params, body.yields)
        for item, other in zip(memory, before, strict=True):
            item[:] = self._either(op, item, other)
        for value, item in zip(carried, old, strict=True):
            self._put(value, self._either(op, self.frame.get(value), item))

    def _run_if(self, op: Op) -> None:
        condition = op.inputs[0]
        if self._known(condition):
            side = op.regions[0 if self.frame[condition] else 1]
            self._run(side)
            self._pass(op.outputs, side.yields)
            return
        memory = [self.frame[v] for v in self._written_in(op)]
        before = [item.copy() for item in memory]
        first = self._side(op, 0)
        after = [item.copy() for item in memory]
        for item, old in zip(memory, before, strict=True):
            item[:] = old
        second = self._side(op, 1)
        for item, other in zip(memory, after, strict=True):
            item[:] = self._either(op, item, other)
        for value, one, two in zip(op.outputs, first, second, strict=True):
            if self._tracked(value) or isinstance(value.type, Array):
                self._put(value, self._either(op, one, two))

    def _side(self, op: Op, number: int) -> list[Any]:
        region = op.regions[number]
        self._run(region)
        return [
            self._elements(v) if self._tracked(out) and self.frame.get(v) is not None
            else self.frame.get(v) for out, v in zip(op.outputs, region.yields, strict=True)
        ]  # fmt: skip

    def _either(self, op: Op, one: Any, two: Any) -> Any:
        """What may be one or the other."""
        if one is None or two is None:
            return two if one is None else one
        alike = (
            np.shape(one) == np.shape(two) if not isinstance(one, list) else len(one) == len(two)
        )
        if not alike:
            what = "how often the loop runs" if isinstance(one, list) else "the shape of an array"
            raise self._undecided(what, op)
        if isinstance(one, list):
            return [self._either(op, a, b) for a, b in zip(one, two, strict=True)]
        if isinstance(one, np.ndarray):
            return self.sets.unions(one, two) if one.dtype == object else one
        return self.sets.union(one, two)

    def _written_in(self, op: Op) -> list[Value]:
        """The arrays and stacks from outside that an operation writes, of those that matter."""
        if op not in self._guarded:
            roots = self.roles.aliases.roots
            walk = [inner for region in op.regions for inner in region.walk()]
            written = {r for o in walk if o.record.writes for r in roots[o.inputs[0]]}
            free = dict.fromkeys(free_values(Region(ops=[op])))
            self._guarded[op] = [
                v for v in free if roots.get(v, frozenset()) & written
                and (self._tracked(v) or not isinstance(v.type, Array))
            ]  # fmt: skip
        return self._guarded[op]


def _conditions(value: Value) -> Iterator[Value]:
    """The conditions that all must hold for a value to be true."""
    if value.op is not None and value.op.name == "logical_and":
        for part in value.op.inputs:
            yield from _conditions(part)
    else:
        yield value
