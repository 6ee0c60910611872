"""Splits a graph of loops into kernels and the host function that starts them.

Enters: a graph of loops. Leaves: the same function as allocations, launches of kernels and the
loops around these. Nothing that the device computes comes back to the host: numbers that depend on
elements of arrays are in arrays of one element, which the next kernel reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.errors import UnsupportedOperation
from adcompile.graph.builder import Builder
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Note, Op, Region, Value, count_uses, is_undefined
from adcompile.graph.outside import outside
from adcompile.graph.rewrite import replace_in
from adcompile.graph.sizes import item_size
from adcompile.graph.types import Array, Scalar
from adcompile.ops.device import FOLDS
from adcompile.ops.memory import empty, full
from adcompile.schedule.kernels import Kernel, folds
from adcompile.schedule.placement import Placement
from adcompile.schedule.rounds import copy_between_rounds

_LOCAL = 1024  # bytes of an array that a thread keeps for itself
_WIDTH = 256  # threads that share an inner loop whose length only the device knows


_SHAPES = {
    "elements": "a thread for each iteration",
    "columns": "threads side by side add up columns",
    "rows": "a block for each iteration",
}


def launch_kernels(graph: Graph) -> None:
    """Rewrite a graph in place.

    Raises UnsupportedOperation for what no kernel does, with the reason.
    """
    if not any(isinstance(v.type, Array) for v in [*graph.params, *graph.outputs]):
        raise UnsupportedOperation(
            f'target="cuda" has nothing to do: `{graph.name}` takes and gives numbers alone',
            hint="map it over arrays with ad.vmap, let a kernel of yours call it (device=True), "
            'or use target="cpu"',
        )
    _Launches(graph).region(graph.body)


class _Launches:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder(graph)
        self.placement = self._settled(graph)
        self.known = self.placement.known
        self.numbers: dict[Value, Value] = {}  # the arrays of what the device computes
        self.uses = count_uses(graph.body)
        self.waiting: list[Op] = []  # operations on numbers, for one kernel
        self.count = 0

    def _settled(self, graph: Graph) -> Placement:
        """Where all runs, once loops inside kernels hand on copies."""
        placement = Placement(graph)
        aliases = placement.known.aliases
        kernels = [op.regions[0] for op, kind in placement.kinds.items() if kind == "kernel"]
        with self.builder:
            changed = [copy_between_rounds(body, aliases, self.builder) for body in kernels]
        return Placement(graph) if any(changed) else placement

    # -- the host -------------------------------------------------------------------------------

    def region(self, region: Region) -> None:
        """Replace what is not for the host."""
        ops, region.ops = region.ops, []
        with self.builder, self.builder.inside(region):
            for op in ops:
                with self.builder.at(op.location):
                    self._operation(op)
            self._flush()
            region.yields = [self.numbers.get(v, v) for v in region.yields]

    def _operation(self, op: Op) -> None:
        kind = self.placement.kinds[op]
        if kind == "serial":
            self.waiting.append(op)
        elif kind == "kernel":
            self._flush()
            self._kernel(op)
        else:
            if op.record.writes or op.regions:
                self._flush()
            self._on_host(op)

    def _on_host(self, op: Op) -> None:
        skip = 3 if op.name == "for" else 0
        if op.name in ("for", "while"):
            for k, output in enumerate(op.outputs):
                if output in self.placement.on_device:
                    op.inputs[skip + k] = self._in_memory(op.inputs[skip + k])
        for region in op.regions:
            shift = len(region.params) - len(op.outputs)
            for k, output in enumerate(op.outputs):
                if output in self.placement.on_device and op.name != "if":
                    self._becomes_array(region.params, shift + k)
            self.region(region)
            if len(region.yields) == len(op.outputs):
                with self.builder.inside(region):
                    for k, output in enumerate(op.outputs):
                        if output in self.placement.on_device:
                            region.yields[k] = self._in_memory(region.yields[k])
        for k, output in enumerate(op.outputs):
            if op.regions and output in self.placement.on_device:
                self._becomes_array(op.outputs, k)
                op.outputs[k].op = op
        self.builder.region.ops.append(op)

    def _becomes_array(self, values: list[Value], k: int) -> None:
        old = values[k]
        values[k] = Value(Array(old.type.dtype, (1,)), old.hint, old.named)
        self.numbers[old] = values[k]

    def _in_memory(self, value: Value) -> Value:
        """The array of one element that holds a number, made of a number of the host if need be."""
        if value in self.numbers:
            return self.numbers[value]
        if isinstance(value.type, Array):
            return value
        if is_undefined(value):
            return empty(self.builder, [1], value.type.dtype)
        return full(self.builder, [1], value, value.type.dtype)

    # -- kernels --------------------------------------------------------------------------------

    def _kernel(self, loop: Op) -> None:
        self.count += 1
        self._convert_outside(loop)
        plan = self.placement.plans[loop]
        prefix = f"{self.graph.name}_{self.count}"
        kernel = Kernel(prefix, self.placement, self.builder, self.numbers, loop.location)
        body = loop.regions[0]
        made = [op.result for op in body.walk() if op.name in ("empty", "full")]
        nest = kernel.nest(loop)
        rows = len(nest) == 1 and kernel.are_rows(loop)
        sums = kernel.column_sums(nest)
        extents = [self._trips(loop)]
        if rows:
            widths = [self._trips_outside(op, loop) for op in body.ops if op.name == "for"]
            known = [w for w in widths if w is not None and w.constant is None]
            extents.append(known[0] if known else self.builder.constant(_WIDTH))
        for inner in nest[1:]:
            extents.append(self._trips_outside(inner, loop) or self.builder.constant(_WIDTH))
        shape = "rows" if rows else "columns" if sums else "elements"
        own = {
            array: self._parts(array, loop, shape, extents)
            for array in [*plan.scratch, *made]
            if rows or not _is_small(array)
        }
        parts = self._fold_parts(loop, shape, extents)
        if rows:
            kernel.rows(loop, parts, own)
        elif sums:
            kernel.columns(nest, sums, parts)
        else:
            kernel.elements(nest, parts, own)
        self._note(loop, f"kernel {prefix}: {_SHAPES[shape]}")
        self._launch(kernel, extents, shape)
        for output, part, start, fold in zip(
            loop.outputs, parts, loop.inputs[3:], folds(loop), strict=True
        ):
            self.waiting.append(self._finish(output, part, start, fold))

    def _convert_outside(self, loop: Op) -> None:
        """Numbers of the host come in the type that the kernel computes in.

        A double among floats would bring instructions for doubles into the kernel.
        """
        regions = [r for op in loop.walk() for r in op.regions]
        inside = {v for r in regions for v in [*r.params, *(v for op in r.ops for v in op.outputs)]}
        outside: dict[tuple[Value, str], Value] = {}
        made: dict[Value, Value] = {}
        for region in regions:
            for op in [o for o in region.ops if o.name == "cast"]:
                given, dtype = op.inputs[0], op.attrs["dtype"]
                known = given in inside or given in self.placement.on_device
                if known or not isinstance(given.type, Scalar) or given.constant is not None:
                    continue
                if (given, dtype) not in outside:
                    outside[given, dtype] = self.builder.op("cast", given, **op.attrs)
                    outside[given, dtype].hint = given.hint
                made[op.result] = outside[given, dtype]
                region.ops.remove(op)
        replace_in(loop.regions[0], made)

    def _fold_parts(self, loop: Op, shape: str, extents: Sequence[Value]) -> list[Value]:
        """Memory for what each block folds."""
        made = []
        for output in loop.outputs:
            count = self.builder.op("parts", *extents, grid=shape)
            made.append(empty(self.builder, [count], output.type.dtype))
            made[-1].hint = f"{output.hint or 'total'}_parts"
        return made

    def _finish(self, output: Value, part: Value, start: Value, fold: str) -> Op:
        """The loop that folds what the blocks have."""
        with self.builder.inside(Region()) as made:

            def body(k: Value, carried: list[Value]) -> list[Value]:
                return [self.builder.op(FOLDS[fold], carried[0], self.builder.op("load", part, k))]

            size = part.op.inputs[0]  # type: ignore[union-attr]
            self.builder.loop(0, size, 1, [start], body, "k")
        loop = made.ops[-1]
        loop.outputs = [output]
        output.op = loop
        return loop

    def _parts(
        self, array: Value, loop: Op, shape: str, extents: Sequence[Value]
    ) -> Value:  # fmt: skip
        """Memory for an array that each worker has for itself."""
        assert isinstance(array.type, Array) and array.op is not None
        own = given_extents(array.op)
        sizes = [self._outside(v, loop) for v in own]
        if None in sizes:
            raise UnsupportedOperation(
                f"each iteration makes `{array.hint or 'an array'}` of another size",
                array.op.location, "make it as large as the largest that is needed",
            )  # fmt: skip
        count = self.builder.op("parts", *extents, grid=f"{shape} threads")
        made = empty(self.builder, [count, *sizes], array.type.dtype)
        made.hint = f"{array.hint or 't'}_parts"
        return made

    def _trips(self, loop: Op) -> Value:
        """The number of iterations."""
        start, stop, step = loop.inputs[:3]
        span = stop - start if step.constant and step.constant > 0 else start - stop
        if abs(step.constant or 0) != 1:
            size = abs(step.constant) if step.constant else self.builder.op("abs", step)
            span = self.builder.op("floordiv", span + size - 1, size)
        return span if start.constant != 0 or step.constant != 1 else stop

    def _trips_outside(self, inner: Op, loop: Op) -> Value | None:
        start, stop, step = (self._outside(v, loop) for v in inner.inputs[:3])
        if start is None or stop is None or step is None or abs(step.constant or 0) != 1:
            return None
        if start.constant == 0 and step.constant == 1:
            return stop
        return stop - start if step.constant == 1 else start - stop

    def _outside(self, value: Value, loop: Op) -> Value | None:
        found = outside(value, loop, self.known.aliases, self.builder)
        return None if found in self.placement.on_device else found

    def _flush(self) -> None:
        """One kernel for the operations on numbers that wait."""
        ops, self.waiting = self.waiting, []
        if not ops:
            return
        self.count += 1
        inside = count_uses(Region(ops=ops))
        made = [v for op in ops for v in op.outputs]
        needed = [v for v in made if self.uses.get(v, 0) > inside.get(v, 0)]
        results: dict[Value, Value] = {}
        for value in needed:
            results[value] = empty(self.builder, [1], value.type.dtype)
            results[value].hint, results[value].named = value.hint, value.named
        kernel = Kernel(
            f"{self.graph.name}_{self.count}", self.placement, self.builder, self.numbers,
            ops[0].location,
        )  # fmt: skip
        kernel.serial(ops, results)
        self.numbers.update(results)
        self._launch(kernel, [], "serial")

    def _launch(self, kernel: Kernel, extents: Sequence[Value], grid: str) -> None:
        procedure, captured = kernel.finished()
        self.builder.op(
            "launch", *captured, *extents, procedure=procedure, extents=len(extents), grid=grid
        )

    def _note(self, loop: Op, why: str) -> None:
        what = f"the loop over `{loop.regions[0].params[0].hint}`"
        self.graph.notes.append(Note("kernel", what, why, loop.location))


def _is_small(array: Value) -> bool:
    """Whether a thread can keep an array for itself."""
    assert isinstance(array.type, Array)
    size = item_size(array.type)
    for dim in array.type.shape:
        if not isinstance(dim, int):
            return False
        size *= dim
    return size <= _LOCAL
