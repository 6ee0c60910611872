"""A loop that waits for each step saves what its reverse sweep multiplies by.

Enters: a graph of loops. Leaves: the same graph where arithmetic on saved numbers moves from the
reverse sweep to the loop that saves them, if what comes of them is saved by no more arrays:
`factor[i] = 1.0 + h * math.cos(x)` in place of `x`. Steps that need the one before leave the
processor time for it, and the reverse sweep is nothing but products.
"""

from __future__ import annotations

from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.rewrite import replace


def save_factors(graph: Graph) -> None:
    """Rewrite in place, wherever `order_products` has found a reverse sweep of products."""
    uses = count_uses(graph.body)
    for region in graph.regions:
        loops = [op for op in region.ops if op.name == "for"]
        for k, reverse in enumerate(loops):
            if any(op.attrs.get("ordered") for op in reverse.regions[0].ops):
                for forward in loops[:k]:
                    _Sweeps(region, forward, reverse, uses).move(graph)


class _Sweeps:
    """A loop, one of its reverse sweep, and the numbers that the first saves for the second.

    stores  how each of them is saved, by the value that the second reads
    late    what is not known when the loop begins
    """

    def __init__(self, region: Region, forward: Op, reverse: Op, uses: dict[Value, int]) -> None:
        self.first, self.second = forward.regions[0], reverse.regions[0]
        self.stores: dict[Value, Op] = {}
        kept = {
            op.inputs[0]: op for op in self.first.ops
            if op.name == "store" and op.inputs[2:] == [self.first.params[0]]
        }  # fmt: skip
        for op in self.second.ops:
            if op.name == "load" and op.inputs[1:] == [self.second.params[0]]:
                array, store = op.inputs[0], kept.get(op.inputs[0])
                if store is not None and _is_new(array, region) and uses[array] == 2:
                    if store.inputs[1].type.dtype == op.result.type.dtype:
                        self.stores[op.result] = store
        after = region.ops[region.ops.index(forward) :]
        self.late = {v for op in after for inner in op.walk() for v in _made(inner)}

    def move(self, graph: Graph) -> None:
        """Save what comes of the numbers, if it takes no more arrays."""
        if not self.stores or len(self.second.params) < 2 or len(self.first.params) < 2:
            return
        moving = self._arithmetic()
        ends = self._ends(moving)
        types = {v.type.dtype for v in (*ends, *self.stores)}
        if set(ends) == set(self.stores) or len(ends) > len(self.stores) or len(types) > 1:
            return
        mapping = {read: store.inputs[1] for read, store in self.stores.items()}
        mapping[self.second.params[0]] = self.first.params[0]
        self.first.ops = [op for op in self.first.ops if op not in self.stores.values()]
        self.first.ops += [clone_op(op, mapping) for op in moving]
        replaced = {}
        for end, (read, store) in zip(ends, self.stores.items(), strict=False):
            assert read.op is not None
            saved, again = clone_op(store, {}), clone_op(read.op, {})
            saved.inputs[1] = mapping[end]
            saved.location = end.op.location if end.op else None
            again.result.hint, again.result.named = end.hint, end.named
            self.first.ops.append(saved)
            self.second.ops.insert(0, again)
            replaced[end] = again.result
        replace(graph, replaced)

    def _arithmetic(self) -> list[Op]:
        """The operations of the reverse sweep that need nothing but the numbers, in their order."""
        found: list[Op] = []
        made = {self.second.params[0], *self.stores}
        for op in self.second.ops:
            known = all(v in made or v not in self.late for v in op.inputs)
            if known and (op.record.scalar is not None or op.name == "constant"):
                found.append(op)
                made.update(op.outputs)
        return found

    def _ends(self, moving: list[Op]) -> list[Value]:
        """The numbers, and what comes of them, that the rest of the reverse sweep needs."""
        own = dict.fromkeys(self.stores)
        for op in moving:
            if any(v in own for v in op.inputs):
                own.update(dict.fromkeys(op.outputs))
        rest = [op for op in self.second.ops if op not in moving]
        needed = {v for op in rest for inner in op.walk() for v in inner.used}
        return [v for v in own if v in needed or v in self.second.yields]


def is_tape(op: Op) -> bool:
    """Whether an operation makes an array to which numbers are saved for the reverse sweep."""
    return op.name == "empty" and op.note is not None and op.note.kind == "saved"


def _is_new(array: Value, region: Region) -> bool:
    return array.op is not None and array.op.name == "empty" and array.op in region.ops


def _made(op: Op) -> list[Value]:
    return [*op.outputs, *(v for region in op.regions for v in region.params)]
