"""Reads an element of an array once, until its memory may have changed.

Enters: a graph. Leaves: the same graph where a read of an element that was read or written before,
in the same region or one around it, is that value, nothing is stored that is there already, and
reads that no iteration of a loop can change stand before the loop.
"""

from __future__ import annotations

from typing import Any

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import final, replace
from adcompile.graph.types import Scalar, is_single_precision

Key = tuple[Value, tuple[Any, ...]]


def share_loads(graph: Graph) -> None:
    """Replace repeated reads in place."""
    _Sharing(graph).run()


def hoist_loads(graph: Graph) -> None:
    """Move reads of elements that are surely there, and that a loop does not change, before it."""
    aliases, bounds = Aliases(graph), Bounds(graph)
    _hoist(graph.body, aliases, bounds)


def _hoist(region: Region, aliases: Aliases, bounds: Bounds) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _hoist(inner, aliases, bounds)
        if op.name in ("for", "while"):
            body = op.regions[0]
            written = changed(op, aliases)
            own = {v for r in op.regions for v in defined(r)}
            moved = [o for o in body.ops if _stays(o, own, written, aliases, bounds, region)]
            body.ops = [o for o in body.ops if o not in moved]
            position = region.ops.index(op)
            region.ops[position:position] = [made for o in moved for made in _outside(o, own)]


def _outside(op: Op, own: set[Value]) -> list[Op]:
    """The operation, after copies of the constants that it reads inside the loop."""
    copies = {v: clone_op(v.op, {}) for v in op.inputs if v in own and v.op is not None}
    op.inputs = [copies[v].result if v in copies else v for v in op.inputs]
    return [*copies.values(), op]


def _stays(
    op: Op, own: set[Value], written: frozenset[Value], aliases: Aliases, bounds: Bounds,
    outside: Region,
) -> bool:  # fmt: skip
    """Whether a loop that may not run at all leaves an element alone that is surely there."""
    if op.name != "load" or any(v in own and v.constant is None for v in op.inputs):
        return False
    if aliases.roots[op.inputs[0]] & written:
        return False
    return bounds.within(op.inputs[0], op.inputs[1:], outside)


def defined(region: Region) -> set[Value]:
    """All values that a region and the regions inside define."""
    values = set(region.params)
    for op in region.ops:
        values.update(op.outputs)
        for inner in op.regions:
            values |= defined(inner)
    return values


def changed(op: Op, aliases: Aliases) -> frozenset[Value]:
    """The roots whose memory an operation, or one inside it, may write."""
    found: frozenset[Value] = frozenset()
    for inner in [op, *(o for region in op.regions for o in region.walk())]:
        for value in inner.written:
            found |= aliases.roots.get(value, frozenset())
    return found


def touched(op: Op, aliases: Aliases) -> frozenset[Value]:
    """The roots whose memory an operation, or one inside it, reads, writes or hands on."""
    found: set[Value] = set()
    for inner in [op, *(o for region in op.regions for o in region.walk())]:
        if inner.name != "dim":
            for value in [*inner.inputs, *(v for region in inner.regions for v in region.yields)]:
                found |= aliases.roots.get(value, frozenset())
    return frozenset(found)


class _Sharing:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.aliases = Aliases(graph)
        self.bounds = Bounds(graph)
        self.mapping: dict[Value, Value] = {}
        self.constants: dict[int, Value] = {}
        self.single = any(
            is_single_precision(v.type)
            for op in graph.body.walk()
            for v in [*op.inputs, *op.outputs]
        )

    def run(self) -> None:
        self._region(self.graph.body, {})
        replace(self.graph, self.mapping)

    def _region(self, region: Region, known: dict[Key, Value]) -> None:
        kept: list[Op] = []
        for op in region.ops:
            op.inputs = [final(v, self.mapping) for v in op.inputs]
            if op.name == "load":
                key = self._key(op.inputs[0], op.inputs[1:])
                if key in known:
                    self._take(op.result, known[key])
                    continue
                known[key] = op.result
            elif self._is_there(op, region, known):
                continue
            elif op.written or op.regions:
                self._write(op, region, known)
            kept.append(op)
        region.ops = kept
        region.yields = [final(v, self.mapping) for v in region.yields]

    def _take(self, old: Value, new: Value) -> None:
        self.mapping[old] = new
        if old.named and not new.named and new.constant is None:
            new.hint, new.named = old.hint, True

    def _write(self, op: Op, region: Region, known: dict[Key, Value]) -> None:
        written = changed(op, self.aliases)
        before = dict(known)
        for key in list(known):
            if self.aliases.roots[key[0]] & written and not self._elsewhere(op, key, region):
                del known[key]
        for inner in op.regions:
            self._region(inner, dict(before if op.name == "if" else known))
        if op.name == "store" and self._keeps_value(op):
            known[self._key(op.inputs[0], op.inputs[2:])] = op.inputs[1]

    def _is_there(self, op: Op, region: Region, known: dict[Key, Value]) -> bool:
        """Whether an element that surely exists is stored where it has just been read."""
        if op.name != "store":
            return False
        array, stored, *index = op.inputs
        value = known.get(self._key(array, index))
        there = value is not None and value is final(stored, self.mapping)
        return there and self.bounds.within(array, index, region)

    def _elsewhere(self, op: Op, key: Key, region: Region) -> bool:
        """Whether a write of one element is of another than the known one."""
        if op.name not in ("store", "accumulate_at"):
            return False
        if op.inputs[0] is not key[0]:
            return not self.aliases.shared_at_once(op.inputs[0], key[0])
        return self.bounds.differ(op.inputs[2:], [self._value_of(k) for k in key[1]], region)

    def _keeps_value(self, op: Op) -> bool:
        """Whether what is stored is read again as it was."""
        stored, array = op.inputs[1].type, op.inputs[0].type
        if not isinstance(stored, Scalar) or stored.dtype != array.dtype:
            return False
        return op.inputs[1].constant is None and not (stored.weak and self.single)

    def _key(self, array: Value, index: list[Value]) -> Key:
        items: list[Any] = []
        for value in index:
            if value.constant is not None:
                self.constants.setdefault(value.constant, value)
            items.append(value if value.constant is None else value.constant)
        return array, tuple(items)

    def _value_of(self, item: Any) -> Value:
        return item if isinstance(item, Value) else self.constants[item]
