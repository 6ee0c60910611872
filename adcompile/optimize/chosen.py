"""Rows that are chosen from a matrix are read where they are, not copied for a product.

Enters: a graph of arrays, before loops are made of it. Leaves: the same graph where products of a
vector with `x[rows]`, or with its transpose, are sums of products. These read each row of `x` where
it is, and the two products that a derivative needs can share one loop, while a library routine
needs the rows in memory of their own.
"""

from __future__ import annotations

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import is_continuous, shape_of
from adcompile.ops.shape_spellings import expand_dims

_FOLDS = frozenset({"sum", "max", "min"})


def read_chosen_rows(graph: Graph) -> None:
    """Rewrite in place the products of chosen rows that nothing needs as an array."""
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        _region(graph.body, builder, mapping)
    replace(graph, mapping)


def may_choose_rows(graph: Graph) -> bool:
    """Whether there are rows to ask about."""
    return any(map(_chooses_rows, graph.body.walk()))


def _region(region: Region, builder: Builder, mapping: dict[Value, Value]) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            with builder.inside(inner):
                _region(inner, builder, mapping)
        readers = _readers(op, region) if _chooses_rows(op) else []
        if any(reader.name == "matmul" for reader in readers):
            for reader in readers:
                _read_rows(op, reader, region, builder, mapping)
            _read_extents(op, region)


def _chooses_rows(op: Op) -> bool:
    if op.name != "gather" or op.attrs["axis"] != 0 or not is_continuous(op.result.type):
        return False
    return [len(shape_of(v.type)) for v in op.inputs] == [2, 1]


def _readers(op: Op, region: Region) -> list[Op]:
    """What reads rows, one element at a time or in a product with a vector; else nothing."""
    users = [o for o in region.walk() if op.result in o.inputs and o.name != "dim"]
    ends = [*region.yields, *(v for o in region.walk() for r in o.regions for v in r.yields)]
    if op.result in ends or any(o not in region.ops for o in users):
        return []
    readers: list[Op] = []
    for reader in users:
        if reader.name == "transpose":
            products = _readers(reader, region)
            if not products or any(o.name != "matmul" for o in products):
                return []
            readers += products
        elif reader.record.scalar is None and reader.name not in _FOLDS and not _by_vector(reader):
            return []
        else:
            readers.append(reader)
    return readers


def _by_vector(op: Op) -> bool:
    """Whether an operation is the product of a matrix and a vector of one dtype."""
    if op.name != "matmul" or {v.type.dtype for v in op.inputs} != {op.result.type.dtype}:
        return False
    return sorted(len(shape_of(v.type)) for v in op.inputs) == [1, 2]


def _read_rows(
    chosen: Op, reader: Op, region: Region, builder: Builder, mapping: dict[Value, Value]
) -> None:
    """Let a reader have the rows for itself; a product becomes a sum."""
    copy = clone_op(chosen, {})
    with builder.inside(Region(same=dict(region.same))) as made, builder.at(reader.location):
        if reader.name == "matmul":
            mapping[reader.result] = _sum_of_products(copy.result, reader, builder)
    place = region.ops.index(reader)
    if made.ops:
        region.ops[place : place + 1] = made.ops
    else:
        reader.inputs = [copy.result if v is chosen.result else v for v in reader.inputs]
    region.ops.insert(region.ops.index(chosen) + 1, copy)


def _read_extents(chosen: Op, region: Region) -> None:
    """Read the extents of chosen rows from the matrix and from the indices."""
    for op in region.walk():
        if op.name == "dim":
            array, axis = _turned_back(op.inputs[0], op.attrs["axis"])
            if array is chosen.result:
                op.inputs, op.attrs = [chosen.inputs[1 - axis]], {**op.attrs, "axis": axis}


def _turned_back(array: Value, axis: int) -> tuple[Value, int]:
    """What was transposed, once or several times, and its axis that became `axis`."""
    while (maker := array.op) is not None and maker.name == "transpose":
        array, axis = maker.inputs[0], maker.attrs["axes"][axis]
    return array, axis


def _sum_of_products(rows: Value, product: Op, builder: Builder) -> Value:
    a, b = product.inputs
    matrix, vector = (a, b) if len(shape_of(a.type)) == 2 else (b, a)
    _, summed = _turned_back(matrix, 1 if matrix is a else 0)
    factor = vector if summed == 1 else expand_dims(vector, 1)
    products = builder.op("mul", rows, factor)
    # of extents that a check has found equal each value keeps those that were known without it
    products.type = rows.type
    result: Value = builder.op("sum", products, axes=(summed,), keepdims=False)
    result.type = product.result.type
    result.hint, result.named = product.result.hint, product.result.named
    return result
