"""Numbers that the reverse sweep wants only as a sum are saved as that.

Enters: a graph of loops. Leaves: the same graph where `total += x * a[i] - x * b[i]`, with tapes
`a` and `b` that are used nowhere else, reads one tape that holds the difference: the adjoint of
the weight in `w * x + (1.0 - w) * y` takes half the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from adcompile.graph.builder import Builder
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.rewrite import remove, replace
from adcompile.graph.types import is_real
from adcompile.optimize.tapes import is_tape


def join_tapes(graph: Graph) -> None:
    """Rewrite in place, one pair of tapes after the other."""
    while (pair := _pair(graph)) is not None:
        _join(graph, *pair)


@dataclass
class _Tape:
    """An array of which one operation stores all elements, and one loads them.

    product  what is computed of an element, used once
    """

    store: Op
    saving: Region
    load: Op
    reading: Region
    product: Op

    def is_beside(self, other: _Tape) -> bool:
        """Whether elements of both are saved, and read, at once, and multiply the same number."""
        return (
            self.saving is other.saving
            and self.reading is other.reading
            and index_of(self.store) == index_of(other.store)
            and index_of(self.load) == index_of(other.load)
            and self._extents() == other._extents()
            and self.store.inputs[1].type == other.store.inputs[1].type
            and self.factor is other.factor
        )

    def _extents(self) -> list[Value]:
        made = self.store.inputs[0].op
        assert made is not None
        return made.inputs

    @property
    def factor(self) -> Value:
        """What an element is multiplied by."""
        one, other = self.product.inputs
        return other if one is self.load.result else one


@dataclass
class _Term:
    """A part of a sum.

    sum  the operation that adds it to something, or subtracts it, so that it can be left out
    """

    sign: int
    made: Value
    sum: Op | None


def _pair(graph: Graph) -> tuple[_Tape, _Tape, int, Op] | None:
    """Two tapes, the sign of the second, and the sum that it is left out of."""
    uses = count_uses(graph.body)
    tapes = _tapes(graph, uses)
    for region in {tape.reading: None for tape in tapes.values()}:
        for op in region.ops:
            if op.name not in ("add", "sub") or not is_real(op.result.type):
                continue
            terms = [t for t in _terms(region, op, 1, uses) if t.made in tapes]
            for one, two in permutations(terms, 2):
                kept, other = tapes[one.made], tapes[two.made]
                if two.sum is not None and kept.is_beside(other):
                    return kept, other, one.sign * two.sign, two.sum
    return None


def _tapes(graph: Graph, uses: dict[Value, int]) -> dict[Value, _Tape]:
    """The tapes of numbers that are only multiplied, by the products."""
    homes: dict[Op, Region] = {}
    stores: dict[Value, Op] = {}
    loads: dict[Value, Op] = {}
    products: dict[Value, Op] = {}
    for region in graph.regions:
        for op in region.ops:
            homes[op] = region
            if op.name in ("store", "load"):
                found = stores if op.name == "store" else loads
                found[op.inputs[0]] = op
            elif op.name == "mul" and is_real(op.result.type) and uses.get(op.result) == 1:
                products.update((v, op) for v in op.inputs if uses[v] == 1)
    tapes = {}
    for array, store in stores.items():
        load = loads.get(array)
        if load is None or load.result not in products or not _is_tape(array, store, uses):
            continue
        product, made = products[load.result], array.op
        assert made is not None
        if homes[product] is homes[load] and _is_before(homes[made], store, load):
            tapes[product.result] = _Tape(store, homes[store], load, homes[load], product)
    return tapes


def _is_tape(array: Value, store: Op, uses: dict[Value, int]) -> bool:
    """Whether an array keeps for the reverse sweep what one operation stores, and one loads."""
    saved = array.op is not None and is_tape(array.op)
    return saved and uses[array] == 2 and store.inputs[1].type.dtype == array.type.dtype


def _is_before(region: Region, store: Op, load: Op) -> bool:
    """Whether all is stored when the first element is loaded."""
    places = [
        next((k for k, op in enumerate(region.ops) if access in op.walk()), -1)
        for access in (store, load)
    ]  # fmt: skip
    return -1 < places[0] < places[1]


def _terms(region: Region, op: Op, sign: int, uses: dict[Value, int]) -> list[_Term]:
    """The terms of a sum, through sums that are used nowhere else."""
    found = []
    for k, value in enumerate(op.inputs):
        own = -sign if k == 1 and op.name == "sub" else sign
        inner = value.op
        is_sum = inner is not None and inner.name in ("add", "sub") and inner in region.ops
        if is_sum and uses[value] == 1 and value.type == op.result.type:
            assert inner is not None
            found += _terms(region, inner, own, uses)
        else:
            may_go = k == 1 and op.inputs[0].type == op.result.type
            found.append(_Term(own, value, op if may_go else None))
    return found


def _join(graph: Graph, kept: _Tape, other: _Tape, sign: int, total: Op) -> None:
    """Save the sum of what both save, the second with its sign, and leave out its product."""
    ops = kept.saving.ops
    later = max(kept.store, other.store, key=ops.index)
    with Builder(graph) as builder, builder.inside(Region()) as made, builder.at(total.location):
        numbers = kept.store.inputs[1], other.store.inputs[1]
        saved = builder.op("add" if sign == 1 else "sub", *numbers)
        builder.op("store", kept.store.inputs[0], saved, *index_of(kept.store))
    place = ops.index(later)
    ops[place:place] = made.ops
    tape = other.store.inputs[0].op
    assert tape is not None
    remove(graph.body, {kept.store, other.store, other.load, other.product, total, tape})
    replace(graph, {total.result: total.inputs[0]})
