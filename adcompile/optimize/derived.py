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
from adcompile.graph.types import is_continuous
from adcompile.optimize.loads import defined

_QUICK = frozenset({"add", "sub", "mul", "neg"})
_MOST = 2  # operations that a reader computes again


def derive_elements(graph: Graph) -> None:
    """Rewrite in place, one array after the other."""
    while any(_derive(graph, array, arrays) for arrays in [_arrays(graph)] for array in arrays):
        pass


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


def _arrays(graph: Graph) -> list[_Array]:
    homes: dict[Op, Region] = {}
    users: dict[Value, list[Op]] = {}
    for region in graph.regions:
        for op in region.ops:
            homes[op] = region
            for value in op.used:
                users.setdefault(value, []).append(op)
    given = {*graph.kept, *(v for region in graph.regions for v in region.yields)}
    found = []
    for made, home in homes.items():
        if made.name != "empty" or made.result in given:
            continue
        array = made.result
        stores = [op for op in users.get(array, []) if op.name == "store"]
        loads = [op for op in users.get(array, []) if op.name == "load"]
        own = len(stores) == 1 and len(stores) + len(loads) == len(users[array])
        if own and loads and stores[0].inputs.index(array) == 0 and _is_whole(stores[0]):
            (store,) = stores
            found.append(_Array(made, home, store, homes[store], [(op, homes[op]) for op in loads]))
    return found


def _is_whole(store: Op) -> bool:
    """Whether a number is stored as it is."""
    array, number = store.inputs[:2]
    return number.type.dtype == array.type.dtype and is_continuous(array.type)


def _derive(graph: Graph, array: _Array, arrays: list[_Array]) -> bool:
    """Compute the elements of an array of those of another one, if there is such a one."""
    made = array.home.ops.index(array.made)
    late = {v for op in array.home.ops[made:] for v in (*op.outputs, *_inside(op))}
    for other in arrays:
        if other is not array and _are_beside(array, other) and _is_kept_up(array, other):
            steps = _steps(array, other.value, late)
            if steps is not None:
                _replace(graph, array, other, steps)
                return True
    return False


def _inside(op: Op) -> set[Value]:
    return {v for region in op.regions for v in defined(region)}


def _are_beside(array: _Array, other: _Array) -> bool:
    """Whether both arrays are alike, and made at once, before any of them is used."""
    extents = given_extents(array.made), given_extents(other.made)
    if array.home is not other.home or len(extents[0]) != len(extents[1]):
        return False
    place = array.home.ops.index
    first = min(array.first(), other.first())
    return are_same(*extents) and max(place(array.made), place(other.made)) < first


def _is_kept_up(array: _Array, other: _Array) -> bool:
    """Whether an element of one is stored with that of the other, and not read in between."""
    stores, block = (array.store, other.store), array.block
    if other.block is not block or index_of(array.store) != index_of(other.store):
        return False
    first, last = sorted(map(block.ops.index, stores))
    between = {inner for op in block.ops[first:last] for inner in op.walk()}
    return not any(op in between for op, _ in array.loads)


def _steps(array: _Array, start: Value, late: set[Value]) -> list[Op] | None:
    """How an element comes of another one, by what is known when the array is made."""
    steps: list[Op] = []
    needed = [array.value]
    while needed:
        value = needed.pop()
        if value is start:
            continue
        op = value.op
        if value.constant is None and value not in late:
            continue
        if op is None or op not in array.block.ops or len(steps) > 2 * _MOST:
            return None
        if op not in steps:
            steps.append(op)
            needed += op.inputs
    numbers = [op for op in steps if op.name != "constant"]
    quick = all(op.name in _QUICK for op in numbers)
    if not quick or not 0 < len(numbers) <= _MOST:
        return None
    return sorted(steps, key=array.block.ops.index)


def _replace(graph: Graph, array: _Array, other: _Array, steps: list[Op]) -> None:
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        for load, home in array.loads:
            with builder.inside(Region()) as made, builder.at(load.location):
                element = builder.op("load", other.made.result, *index_of(load))
                computed = {other.value: element}
                builder.region.ops += [clone_op(op, computed) for op in steps]
            mapping[load.result] = computed[array.value]
            place = home.ops.index(load)
            home.ops[place : place + 1] = made.ops
    replace(graph, mapping)
    remove(graph.body, {array.store, array.made})
