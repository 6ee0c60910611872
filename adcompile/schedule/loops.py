"""Lowers whole-array operations to loop nests over scalars.

Enters: a graph. Leaves: a graph for the same function whose array operations are allocations,
element reads and writes in loops, matrix products and little else. An elementwise value that is
read once, by an operation of the same shape, is computed inside the loop nest of its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.errors import InternalError
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_graph, clone_value
from adcompile.graph.ir import Graph, Note, Op, Region, Value, count_uses
from adcompile.graph.types import Array, Dim, Scalar, Symbol, shape_of
from adcompile.ops.memory import wrapped
from adcompile.schedule import access as access_of
from adcompile.schedule.access import Access, Index
from adcompile.schedule.expand import expand_composites
from adcompile.schedule.fusion import Fusion, last_readers
from adcompile.schedule.reduce import ReductionLoops
from adcompile.schedule.scalars import converted, scalar_operation

_REAL = frozenset(
    {"full", "empty", "nonzero", "array_constant", "stack", "undefined", "draw", "print"}
)


def schedule_loops(graph: Graph) -> Graph:
    """A new graph of loops; `graph` stays as it is."""
    copy, _ = clone_graph(graph)
    expand_composites(copy)
    return LoopScheduler(copy).run()


class _ScheduleBuilder(Builder):
    """Appends to the scheduled graph, whose extents the scheduler knows."""

    def __init__(self, scheduler: LoopScheduler) -> None:
        super().__init__(scheduler.new)
        self._scheduler = scheduler

    def extent(self, dim: Dim) -> Value:
        return self._scheduler.extent(dim)


class LoopScheduler(Fusion, ReductionLoops):
    """Rebuilds one graph."""

    def __init__(self, graph: Graph) -> None:
        self.old = graph
        self.aliases = Aliases(graph)
        self.uses = count_uses(graph.body)
        self.readers = last_readers(graph.body)
        body = Region(same=_known_before(graph.body))
        self.new = Graph(graph.name, graph.parameters, body, graph.result, doc=graph.doc)
        self.new.checks, self.new.kept = graph.checks, graph.kept
        self.new.notes = list(graph.notes)
        self.old_extents = graph.body.extents
        self.builder = _ScheduleBuilder(self)
        self.values: dict[Value, Value] = {}
        self.accesses: dict[Value, Access] = {}
        self.waiting: dict[Value, Op] = {}
        self.seen: dict[Symbol, Value | tuple[Value, int]] = {}
        self.region = self.new.body  # where operations go that are in no loop nest of ours

    def run(self) -> Graph:
        """The scheduled graph."""
        with self.builder:
            for value in self.old.params:
                self.new.body.params.append(value)
                self._name(value, value)
            self._ops(self.old.body.ops)
            self.new.body.yields = [self.value(v) for v in self.old.outputs]
        return self.new

    # -- values ---------------------------------------------------------------------------------

    def value(self, old: Value) -> Value:
        """The new scalar, or the array in memory, of an old value."""
        if old in self.values:
            return self.values[old]
        if old in self.waiting:
            self._materialise(old, self.waiting.pop(old))
        elif old in self.accesses:
            assert old.op is not None
            base = self.value(old.op.inputs[0])
            inputs = [self.value(v) for v in old.op.inputs[1:]]
            self.values[old] = self.builder.op(old.op.name, base, *inputs, **old.op.attrs)
            self.values[old].hint, self.values[old].named = old.hint, old.named
            self._keep_shape(old, self.values[old])
        return self.values[old]

    def extent(self, dim: Dim) -> Value:
        """The new value of an extent."""
        dim = self.builder.resolve(dim)
        if isinstance(dim, int):
            return self.builder.constant(dim)
        found = self.seen.get(dim)
        if found is None:
            found = self._recorded(self.old_extents[dim])
        elif isinstance(found, tuple):
            found = self.builder.op("dim", found[0], axis=found[1])
        if self.builder.region is self.region:
            self.seen[dim] = found
        return found

    def _recorded(self, old: Value) -> Value:
        """The recorded holder of an extent; its array is computed if nothing else has it."""
        if old not in self.values and old.op is not None and old.op.name == "dim":
            array = self.value(old.op.inputs[0])
            self.values[old] = self.builder.op("dim", array, **old.op.attrs)
        return self.values[old]

    def _see(self, old: Value, extents: Sequence[Value] | None, array: Value | None) -> None:
        """Remember where the symbolic extents of an array can be had."""
        for axis, dim in enumerate(shape_of(old.type)):
            resolved = self.builder.resolve(dim)
            if isinstance(resolved, Symbol) and resolved not in self.seen:
                if extents is not None:
                    self.seen[resolved] = extents[axis]
                elif array is not None:
                    self.seen[resolved] = (array, axis)

    def extents(self, old: Value) -> list[Value]:
        """The new extents of an old array."""
        return [self.extent(d) for d in shape_of(old.type)]

    def access(self, old: Value) -> Access:
        """How to reach the elements of an old array that is in memory."""
        if old in self.accesses:
            return self.accesses[old]
        reached = Access(self.value(old), self.extents(old), lambda index: index, direct=True)
        if self.builder.region is self.region:  # what a nest makes is known in it alone
            self.accesses[old] = reached
        return reached

    def read(self, old: Value, index: Index) -> Value:
        """The element of an old value at an index of its own shape."""
        if isinstance(old.type, Scalar):
            return self.value(old)
        if old in self.waiting:
            return self._element(self.waiting[old], index)
        reached = self.access(old)
        result: Value = self.builder.op("load", reached.base, *reached.place(list(index)))
        return result

    def read_stretched(self, old: Value, index: Index, copy: Value | None = None) -> Value:
        """The element, also in a copy, behind an index of a shape that `old` broadcasts to."""
        shape = shape_of(old.type)
        own = index[len(index) - len(shape) :] if shape else []
        zero = self.builder.constant(0)
        own = [zero if self.builder.resolve(d) == 1 else i for d, i in zip(shape, own, strict=True)]
        if copy is None:
            return self.read(old, own)
        result: Value = self.builder.op("load", copy, *own)
        return result

    def _element(self, op: Op, index: Index) -> Value:
        """The scalar an operation gives at one index."""
        with self.builder.at(op.location):
            if op.record.scalar is not None:
                operands = [self.read_stretched(v, index) for v in op.inputs]
                return scalar_operation(self.builder, op, operands)
            if op.name == "full":
                return converted(self.builder, self.value(op.inputs[0]), op.result.type.dtype)
            if op.name == "gather":
                return self._gathered(op, index)
            if op.record.element is None:
                raise InternalError(f"`{op.name}` cannot be scheduled", op.location)
            read = lambda k, place: self.read(op.inputs[k], list(place))  # noqa: E731
            element: Value = op.record.element(read, index, op)
            return converted(self.builder, element, op.result.type.dtype)

    def _gathered(self, op: Op, index: Index) -> Value:
        array, *indices = op.inputs
        axis = op.attrs["axis"]
        common = max(len(shape_of(v.type)) for v in indices)
        inner = index[axis : axis + common]
        extents = self.extents(array)
        found = [self.read_stretched(v, inner) for v in indices]
        if not self.access(array).direct:
            found = [wrapped(self.builder, f, extents[axis + k]) for k, f in enumerate(found)]
        return self.read(array, [*index[:axis], *found, *index[axis + common :]])

    # -- operations -----------------------------------------------------------------------------

    def _ops(self, ops: Sequence[Op]) -> None:
        for op in ops:
            with self.builder.at(op.location):
                self._operation(op)
            if op.name != "dim" and not (op.outputs and op.outputs[0] in self.waiting):
                self._consumed(op)

    def _consumed(self, op: Op) -> None:
        """Forget the waiting operands that `op` has computed in its loops."""
        for value in op.inputs:
            waiting = self.waiting.pop(value, None)
            if waiting is not None:
                self._note("fused", waiting, f"it is computed in the loops of `{op.name}`")
                self._consumed(waiting)

    def _operation(self, op: Op) -> None:
        special = getattr(self, f"_{op.name}", None)
        if op.written or op.regions:
            self._settle_memory(op)
        if op.name == "concatenate":
            self._see_concatenation(op)
        if op.regions:
            self._structured(op)
        elif special is not None:
            special(op)
        elif op.record.library or op.name == "invoke":
            self._library(op)
        elif op.name in _REAL or not any(
            isinstance(v.type, Array) for v in [*op.inputs, *op.outputs]
        ):
            self._scalar_or_real(op)
        elif op.name == "slice":
            bounds = [self.value(v) for v in op.inputs[1:]]
            reached = access_of.sliced(self.builder, self.access(op.inputs[0]), op, bounds)
            self.accesses[op.result] = reached
            self._see(op.result, reached.extents, None)
        elif self._fuses(op):
            self.waiting[op.result] = op
        else:
            self._materialise(op.result, op)

    def _scalar_or_real(self, op: Op) -> None:
        if op.record.scalar is not None:
            self._name(
                op.result, scalar_operation(self.builder, op, [self.value(v) for v in op.inputs])
            )
            return
        if op.name == "full" and self._fuses(op):
            self.waiting[op.result] = op
            return
        inputs = [self.value(v) for v in op.inputs]
        if op.name == "full":
            inputs[0] = converted(self.builder, inputs[0], op.attrs["dtype"])
        results = self.builder.op(op.name, *inputs, **op.attrs)
        results = results if isinstance(results, tuple) else (results,) * len(op.outputs)
        for old, new in zip(op.outputs, results, strict=False):
            if old.type != new.type and isinstance(new.type, Array):
                new.type = old.type
            new.op.note = op.note
            self._name(old, new)

    def _library(self, op: Op) -> None:
        """A call of a routine on arrays in memory."""
        inputs = [
            self.contiguous(v, _layouts(op, k)) if isinstance(v.type, Array) else self.value(v)
            for k, v in enumerate(op.inputs)
        ]
        results = self.builder.op(op.name, *inputs, **op.attrs)
        results = results if isinstance(results, tuple) else (results,) * len(op.outputs)
        for old, new in zip(op.outputs, results, strict=True):
            self._name(old, new)

    def _see_concatenation(self, op: Op) -> None:
        axis = op.attrs["axis"]
        dim = self.builder.resolve(shape_of(op.result.type)[axis])
        if isinstance(dim, Symbol) and dim not in self.seen:
            total = self.builder.constant(0)
            for part in op.inputs:
                total = total + self.extent(shape_of(part.type)[axis])
            self.seen[dim] = total

    def _name(self, old: Value, new: Value) -> None:
        if not new.named and new.constant is None and old.hint:
            new.hint, new.named = old.hint, old.named
        self.values[old] = new
        if isinstance(new.type, Array):
            self._keep_shape(old, new)
            self._see(old, None, new)

    def _keep_shape(self, old: Value, new: Value) -> None:
        """Name the extents of an array as they were named before."""
        if isinstance(new.type, Array) and isinstance(old.type, Array):
            new.type = Array(new.type.dtype, old.type.shape, new.type.layout)

    def _check_equal(self, op: Op) -> None:
        self.builder.op("check_equal", *map(self._unresolved, op.inputs), **op.attrs)
        self.builder.assume(*op.attrs["dims"])

    def _unresolved(self, old: Value) -> Value:
        """An extent read from its own array, not from one that a check makes equal."""
        if old.op is not None and old.op.name == "dim":
            array, axis = old.op.inputs[0], old.op.attrs["axis"]
            if array in self.values:
                extent: Value = self.builder.op("dim", self.values[array], axis=axis)
                return extent
            if array in self.accesses:
                return self.accesses[array].extents[axis]
        return self.value(old)

    def _dim(self, op: Op) -> None:
        dim = shape_of(op.inputs[0].type)[op.attrs["axis"]]
        self._name(op.result, self.extent(dim))

    def _transpose(self, op: Op) -> None:
        source = op.inputs[0]
        if source in self.waiting:
            self.value(source)
        self.accesses[op.result] = access_of.transposed(self.access(source), op.attrs["axes"])

    def _reshape(self, op: Op) -> None:
        base = self.contiguous(op.inputs[0], "C")
        inputs = [self.value(v) for v in op.inputs[1:]]
        self._name(op.result, self.builder.op("reshape", base, *inputs, **op.attrs))

    def _pack(self, op: Op) -> None:
        dtype = op.result.type.dtype
        items = [converted(self.builder, self.value(v), dtype) for v in op.inputs]
        new = self.allocated(op.result)
        for k, item in enumerate(items):
            self.builder.op("store", new, item, k)
        self._name(op.result, new)

    def _identity(self, op: Op) -> None:
        self._name(op.result, self.value(op.inputs[0]))

    def contiguous(self, old: Value, layouts: str) -> Value:
        """The array in memory, copied if its layout is none of `layouts`."""
        assert isinstance(old.type, Array)
        if old.type.layout in layouts:
            return self.value(old)
        return self._copied(old)

    def _copied(self, old: Value) -> Value:
        new = self.allocated(old)
        self.nest(self.extents(old), lambda i: self.builder.op("store", new, self.read(old, i), *i))
        return new

    def allocated(self, old: Value) -> Value:
        """A fresh array for the elements of an old value."""
        assert isinstance(old.type, Array)
        extents, shape = self.extents(old), old.type.shape
        new: Value = self.builder.op("empty", *extents, dtype=old.type.dtype, shape=shape)
        return new

    def _materialise(self, old: Value, op: Op) -> None:
        """Compute an array in a loop nest of its own."""
        waited = self.waiting.pop(old, None) is not None
        because = "memory that it reads is written" if waited else self._why_stored(op)
        self._note("temporary", op, because)
        new = self.allocated(old)
        self._name(old, new)
        self.nest(
            self.extents(old), lambda i: self.builder.op("store", new, self._element(op, i), *i)
        )
        self._consumed(op)

    def _note(self, kind: str, op: Op, because: str) -> None:
        value = op.outputs[0] if op.outputs else op.inputs[0]
        self.new.notes.append(Note(kind, value.origin, because, op.location))

    # -- loops ----------------------------------------------------------------------------------

    def nest(self, extents: Sequence[Value], body: Callable[[Index], Any]) -> None:
        """A loop nest without carried values."""
        self.builder.each(extents, body)

    # -- writes ---------------------------------------------------------------------------------

    def _load(self, op: Op) -> None:
        array, *index = op.inputs
        place = self._place(array, index)
        self._name(op.result, self.builder.op("load", *place))

    def _place(self, array: Value, index: Sequence[Value]) -> list[Value]:
        reached = self.access(array)
        new = [self.value(i) for i in index]
        if not reached.direct:
            new = [wrapped(self.builder, i, e) for i, e in zip(new, reached.extents, strict=True)]
        return [reached.base, *reached.place(new)]

    def _store(self, op: Op) -> None:
        array, value, *index = op.inputs
        base, *place = self._place(array, index)
        new = converted(self.builder, self.value(value), array.type.dtype)
        self.builder.op(op.name, base, new, *place)

    _accumulate_at = _store

    def _assign(self, op: Op) -> None:
        target, value = op.inputs
        copy = None  # for this write alone: a view stays one
        if isinstance(value.type, Array) and not self._reads_in_place(value, target):
            self._note("temporary", op, "what is written is read in another order")
            copy = self._copied(value)
        reached = self.access(target)
        name = "store" if op.name == "assign" else "accumulate_at"

        def body(index: Index) -> None:
            read = self.read_stretched(value, index, copy)
            element = converted(self.builder, read, target.type.dtype)
            self.builder.op(name, reached.base, element, *reached.place(index))

        self.nest(reached.extents, body)

    _accumulate = _assign

    def _scatter_add(self, op: Op) -> None:
        array, value, *indices = op.inputs
        axis = op.attrs["axis"]
        chosen = self.builder.broadcast([shape_of(v.type) for v in indices], "indexing")
        common = len(chosen)
        reached = self.access(array)
        seen = reached.extents
        loops = [*seen[:axis], *map(self.extent, chosen), *seen[axis + len(indices) :]]

        def body(index: Index) -> None:
            found = [self.read_stretched(v, index[axis : axis + common]) for v in indices]
            if not reached.direct:
                found = [wrapped(self.builder, f, seen[axis + k]) for k, f in enumerate(found)]
            place = reached.place([*index[:axis], *found, *index[axis + common :]])
            element = converted(self.builder, self.read_stretched(value, index), array.type.dtype)
            self.builder.op("accumulate_at", reached.base, element, *place)

        self.nest(loops, body)

    def _push(self, op: Op) -> None:
        stack, value = (self.value(v) for v in op.inputs)
        if isinstance(value.type, Array) and value.type.layout != "C":
            value = self._copied(op.inputs[1])
        self.builder.op("push", stack, value)

    def _pop(self, op: Op) -> None:
        type_ = op.attrs["type"]
        if isinstance(type_, Array):
            type_ = Array(type_.dtype, type_.shape)
        self._name(op.result, self.builder.op("pop", self.value(op.inputs[0]), type=type_))

    # -- control flow ---------------------------------------------------------------------------

    def _structured(self, op: Op) -> None:
        inputs = [self.value(v) for v in op.inputs]
        skip = 3 if op.name == "for" else 0
        types = [v.type for v in op.outputs]
        if op.name != "if":
            wanted = zip(inputs[skip:], types, strict=True)
            inputs[skip:] = [
                converted(self.builder, v, t.dtype) if isinstance(t, Scalar) else v
                for v, t in wanted
            ]
        regions = [self._region(region, types) for region in op.regions]
        outputs = [clone_value(v, self.values) for v in op.outputs]
        self.builder.region.ops.append(Op(op.record, inputs, {}, outputs, regions, op.location))
        for value in op.outputs:
            self._see(value, None, self.values[value])

    def _region(self, old: Region, types: list[Any]) -> Region:
        params = [clone_value(v, self.values) for v in old.params]
        region = Region(params, same=_known_before(old))
        outer_extents = self.old_extents
        self.old_extents = {**outer_extents, **old.extents}
        known = dict(self.values), dict(self.accesses), dict(self.seen)
        outer, self.region = self.region, region
        with self.builder.inside(region):
            for value in old.params:
                self._see(value, None, self.values[value])
            self._ops(old.ops)
            region.yields = [self.value(v) for v in old.yields]
            if len(region.yields) == len(types):
                region.yields = [
                    converted(self.builder, v, t.dtype) if isinstance(t, Scalar) else v
                    for v, t in zip(region.yields, types, strict=True)
                ]
        self.region, self.old_extents = outer, outer_extents
        self.values, self.accesses, self.seen = known
        return region


def _layouts(op: Op, k: int) -> str:
    """What the layout of an argument may be: a procedure writes some where they are."""
    if op.name != "invoke":
        return "CF"
    layout = getattr(op.attrs["procedure"].graph.params[k].type, "layout", "A")
    return "ACF" if layout == "A" else layout


def _known_before(region: Region) -> dict[Symbol, Dim]:
    """The equal extents of a region that no check inside it has yet to establish."""
    checked = {dim for op in region.ops if op.name == "check_equal" for dim in op.attrs["dims"]}
    return {one: other for one, other in region.same.items() if one not in checked}
