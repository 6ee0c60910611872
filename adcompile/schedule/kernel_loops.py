"""Lowers whole-array operations to loop nests that become kernels.

Enters: a graph. Leaves: a graph of loops as `schedule.loops` makes them, but for what a device does
otherwise: an axis of one element has no loop, products take matrices of any layout, and an array is
filled with a number by a loop, for the host may not know the number.
"""

from __future__ import annotations

from adcompile.graph.clone import clone_graph
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.types import is_continuous
from adcompile.schedule.access import Index
from adcompile.schedule.expand import expand_composites
from adcompile.schedule.loops import LoopScheduler
from adcompile.schedule.reduce import worst


def schedule_kernel_loops(graph: Graph) -> Graph:
    """A new graph of loops; `graph` stays as it is."""
    copy, _ = clone_graph(graph)
    expand_composites(copy)
    return _KernelLoops(copy).run()


class _KernelLoops(LoopScheduler):
    def contiguous(self, old: Value, layouts: str) -> Value:
        """The array in memory; the factors of a product stay where they are."""
        return self.value(old) if layouts == "CF" else super().contiguous(old, layouts)

    def _arg_extremum(self, op: Op, better: str, name: str) -> None:
        """First the best element, then the least place where it is: two folds without an order."""
        source, axes = op.inputs[0], op.attrs["axes"]
        extents = self.extents(source)
        start = self.builder.constant(*worst(source.type.dtype, name))
        last = self.builder.constant(0)
        for axis in axes:
            last = last * extents[axis] + (extents[axis] - 1)

        def best(element: Value, index: Index, carried: list[Value]) -> list[Value]:
            return [self.builder.op(name, carried[0], element)]

        def at(kept: Index) -> Value:
            (wins,) = self.folded(op, kept, [start], best)

            def place(element: Value, index: Index, carried: list[Value]) -> list[Value]:
                here = self.builder.constant(0)
                for axis in axes:
                    here = here * extents[axis] + index[axis]
                found = self.builder.op("eq", element, wins)
                if is_continuous(source.type):  # the first that is no number wins over all
                    nan = self.builder.op("ne", element, element)
                    found = self.builder.op("logical_or", found, nan)
                chosen = self.builder.op("where", found, here, last)
                return [self.builder.op("minimum", carried[0], chosen)]

            return self.folded(op, kept, [last], place)[0]

        self.reduced(op, at)

    def _scalar_or_real(self, op: Op) -> None:
        if op.name == "full" and op.inputs[0].constant is None and not self._fuses(op):
            self._materialise(op.result, op)
        else:
            super()._scalar_or_real(op)
