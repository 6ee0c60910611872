"""An element that one iteration stores and the next adds to is stored once, by the next.

Enters: a graph of loops. Leaves: the same graph where an innermost loop that stores into `a[i]` and
adds to `a[i + 1]`, which the iteration before has stored, carries what it would store, and stores
it with what is added: the adjoint of `v[i] = p * v[i + 1] + q * v[i]`. So no iteration reads what
another one writes, and several of them can go at once.
"""

from __future__ import annotations

import operator
from functools import reduce

from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_too
from adcompile.graph.types import Scalar
from adcompile.optimize.neighbours import Neighbours, innermost_loops


def carry_stored(graph: Graph) -> None:
    """Rewrite innermost loops in place."""
    for loop in innermost_loops(graph, _Carrying):
        loop.carry()


class _Carrying(Neighbours):
    """One innermost loop."""

    def carry(self) -> None:
        """Carry the elements of each array for which this can be done."""
        for store in [op for op in self.body.ops if op.name == "store"]:
            found = self._sums(store)
            if found is not None:
                self._carry(store, *found)

    def _sums(self, store: Op) -> tuple[list[Op], list[Op]] | None:
        """What adds to the element after the store, and to that of the iteration before.

        None where either is read meanwhile, or other elements may be these.
        """
        array, place = store.inputs[0], self.body.ops.index(store)
        own, earlier = [], []
        for number, op in enumerate(self.body.ops):
            if op is store or op.name == "dim":
                continue
            if not any(self.aliases.shared_at_once(v, array) for v in op.inputs):
                continue
            if op.name not in ("load", "accumulate_at") or op.inputs[0] is not array:
                return None
            later = self._offset(index_of(op), index_of(store))
            if later is None or not self._by_counter(index_of(op)):
                return None
            later *= self.loop.inputs[2].constant
            if op.name == "load" and (later == -1 or (later == 0 and number > place)):
                return None
            if op.name == "accumulate_at":
                if later == 0 and number > place:
                    own.append(op)
                elif later == -1:
                    earlier.append(op)
                else:
                    return None
        writes = [store, *own, *earlier]
        alike = array not in self.own and all(
            op.inputs[1].type.dtype == array.type.dtype for op in writes
        )
        found = alike and self._by_counter(index_of(store)) and earlier
        slices = [self._slice(op, index_of(op)) for op in (store, *earlier)]
        return (own, earlier) if found and None not in slices else None

    def _carry(self, store: Op, own: list[Op], sums: list[Op]) -> None:
        builder, body, array = self.builder, self.body, store.inputs[0]
        start, stop, step = self.loop.inputs[:3]
        number = Scalar(array.type.dtype)
        waiting, rest = Value(number, array.hint), Value(number, array.hint)

        def first() -> list[Value]:
            return [builder.op("load", array, *self._copied(sums[0], start, index_of(sums[0])))]

        def last() -> list[Value]:
            iteration = builder.op("sub", stop, step)
            place = self._copied(store, iteration, index_of(store))
            builder.op("store", array, rest, *place)
            return []

        with builder.inside(Region()) as before, builder.at(store.location):
            runs = builder.op("lt" if step.constant == 1 else "gt", start, stop)
            (begun,) = builder.branch(runs, first, lambda: [builder.constant(0, number)])
        with builder.inside(Region()) as after, builder.at(store.location):
            builder.branch(runs, last, list)
        with builder.inside(Region()) as made, builder.at(sums[0].location):
            total = reduce(operator.add, (op.inputs[1] for op in sums), waiting)
            builder.op("store", array, total, *index_of(sums[0]))
            end = reduce(operator.add, (op.inputs[1] for op in own), store.inputs[1])
        body.ops = [op for op in body.ops if op not in (store, *own, *sums)] + made.ops
        carry_too(self.loop, begun, waiting, end, rest)
        place = self.region.ops.index(self.loop)
        self.region.ops[place : place + 1] = [*before.ops, self.loop, *after.ops]
