"""An array of what is quickly computed of another array's elements is not kept.

Enters: a graph of loops. Leaves: the same graph where an array of which each element is that of
another one times a number, or the like, is gone: whoever read it reads the other one and computes
again. Memory, even the nearest, is slower than a product.
"""

from __future__ import annotations

from dataclasses import dataclass

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import index_of
from adcompile.graph.equal import are_same
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import remove, replace
from adcompile.graph.types import is_real
from adcompile.optimize.loads import defined

_QUICK = frozenset({"add", "sub", "mul", "neg"})
_MOST = 2  # operations that a reader computes again


def derive_elements(graph: Graph) -> None:
    """Rewrite in place."""
    mapping: dict[Value, Value] = {}
    dropped: set[Op] = set()
    with Builder(graph) as builder:
        for beside in _arrays(graph):
            for array in list(beside):
                for other in beside:
                    steps = _steps(array, other) if other is not array else None
                    if steps is not None:
                        _replace(array, other, steps, mapping, builder)
                        dropped |= {array.store, array.made}
                        beside.remove(array)
                        break
    replace(graph, mapping)
    remove(graph.body, dropped)


@dataclass
class _Array:
    """A new array whose elements one operation stores, and others load.

    home     the region in which it is made
    block    the region in which they are stored
    """

    made: Op
    home: Region
    store: Op
    block: Region
    loads: list[tuple[Op, Region]]

    @property
    def value(self) -> Value:
        """What is stored in an element."""
        return self.store.inputs[1]

    def first(self) -> int:
        """The place of the first operation beside the array that uses it."""
        uses = {self.store, *(op for op, _ in self.loads)}
        return next(k for k, op in enumerate(self.home.ops) if not uses.isdisjoint(op.walk()))


def _arrays(graph: Graph) -> list[list[_Array]]:
    """The arrays by where, and at which index, their elements are stored."""
    homes: dict[Op, Region] = {}
    users: dict[Value, list[Op]] = {}
    for region in graph.regions:
        for op in region.ops:
            homes[op] = region
            for value in op.used:
                users.setdefault(value, []).append(op)
    given = {*graph.kept, *(v for region in graph.regions for v in region.yields)}
    found: dict[tuple[object, ...], list[_Array]] = {}
    for made, home in homes.items():
        if made.name != "empty" or made.result in given:
            continue
        array = made.result
        stores = [op for op in users.get(array, []) if op.name == "store"]
        loads = [op for op in users.get(array, []) if op.name == "load"]
        own = len(stores) == 1 and len(stores) + len(loads) == len(users[array])
        if own and loads and stores[0].inputs.index(array) == 0 and _is_whole(stores[0]):
            (store,) = stores
            block, reads = homes[store], [(op, homes[op]) for op in loads]
            key = (home, block, *index_of(store))
            found.setdefault(key, []).append(_Array(made, home, store, block, reads))
    return list(found.values())


def _is_whole(store: Op) -> bool:
    """Whether a number is stored as it is."""
    array, number = store.inputs[:2]
    return number.type.dtype == array.type.dtype and is_real(number.type)


def _are_beside(array: _Array, other: _Array) -> bool:
    """Whether both arrays are alike, and made at once, before any of them is used."""
    extents = given_extents(array.made), given_extents(other.made)
    if len(extents[0]) != len(extents[1]):
        return False
    place = array.home.ops.index
    first = min(array.first(), other.first())
    return are_same(*extents) and max(place(array.made), place(other.made)) < first


def _is_kept_up(array: _Array, other: _Array) -> bool:
    """Whether an element of one is stored with that of the other, and not read in between."""
    block = array.block
    first, last = sorted(map(block.ops.index, (array.store, other.store)))
    between = {inner for op in block.ops[first:last] for inner in op.walk()}
    return not any(op in between for op, _ in array.loads)


def _steps(array: _Array, other: _Array) -> list[Op] | None:
    """How the elements come of those of another array, if that may be asked at any time."""
    steps: list[Op] = []
    needed, rest = [array.value], []
    while needed:
        value = needed.pop()
        if value is other.value:
            continue
        op = value.op
        if (
            op is None
            or op not in array.block.ops
            or (op.name not in _QUICK and op.name != "constant")
        ):
            rest.append(value)
        elif op not in steps:
            steps.append(op)
            needed += op.inputs
        if len(steps) > 2 * _MOST:
            return None
    if not 0 < sum(op.name != "constant" for op in steps) <= _MOST:
        return None
    if not (_are_beside(array, other) and _is_kept_up(array, other)):
        return None
    made = array.home.ops.index(array.made)
    late = {v for op in array.home.ops[made:] for v in (*op.outputs, *_inside(op))} if rest else ()
    if any(value in late and value.constant is None for value in rest):
        return None
    return sorted(steps, key=array.block.ops.index)


def _inside(op: Op) -> set[Value]:
    return {v for region in op.regions for v in defined(region)}


def _replace(
    array: _Array, other: _Array, steps: list[Op], mapping: dict[Value, Value], builder: Builder
) -> None:  # fmt: skip
    """Read the other array, and compute again."""
    for load, home in array.loads:
        with builder.inside(Region()) as made, builder.at(load.location):
            element = builder.op("load", other.made.result, *index_of(load))
            other.loads.append((builder.region.ops[-1], home))
            computed = {other.value: element}
            builder.region.ops += [clone_op(op, computed) for op in steps]
        mapping[load.result] = computed[array.value]
        place = home.ops.index(load)
        home.ops[place : place + 1] = made.ops
