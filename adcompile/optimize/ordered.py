"""Products that a loop carries keep the order of its iterations.

Enters: a graph of loops. Leaves: the same graph where the products that a loop carries are marked.
The compiler may add in any order; in another order factors that are large in turn and small would
give infinity times zero, which is no number, although no product on the way is large.
"""

from __future__ import annotations

from adcompile.graph.equal import are_same
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import is_real


def order_products(graph: Graph) -> None:
    """Mark the multiplications in place, also of an element that is multiplied where it is."""
    for op in graph.body.walk():
        if op.name in ("for", "while"):
            body = op.regions[0]
            skip = len(body.params) - len(body.yields)
            for start, end in zip(body.params[skip:], body.yields, strict=True):
                if is_real(start.type) and start is not end:
                    _mark(body, start, end)
        if op.name == "store" and is_real(op.inputs[1].type):
            _mark_back(op.inputs[1], [op.inputs[0], *op.inputs[2:]])


def _mark(body: Region, start: Value, end: Value) -> None:
    """Mark the products on the way from a number to what it becomes, if that is all it is for."""
    way = {start}
    products: list[Op] = []
    if _follow(body, way, products) and end in way and sum(v in way for v in body.yields) == 1:
        for op in products:
            op.attrs["ordered"] = True


def _follow(region: Region, way: set[Value], products: list[Op]) -> bool:
    """Add what hands on or multiplies values on the way; whether nothing else uses them."""
    for op in region.ops:
        if not all(_follow(inner, way, products) for inner in op.regions):
            return False
        if op.name == "if":
            ends = zip(op.outputs, *(inner.yields for inner in op.regions), strict=True)
            way.update(v for v, *sides in ends if not way.isdisjoint(sides))
        elif not way.isdisjoint(op.used):
            if op.name not in ("mul", "neg", "where"):
                return False
            if op.name == "mul":
                products.append(op)
            way.update(op.outputs)
    return True


def _mark_back(value: Value, element: list[Value]) -> bool:
    """Mark the products that lead from an element to a value; whether there are some."""
    op = value.op
    if op is None or op.name not in ("mul", "neg", "where", "load"):
        return False
    if op.name == "load":
        return are_same(op.inputs, element)
    found = [v for v in op.inputs if _mark_back(v, element)]
    if found and op.name == "mul":
        op.attrs["ordered"] = True
    return bool(found)
