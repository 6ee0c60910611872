"""Powers are products and roots, where the exponent is known and small.

Enters: a graph of loops. Leaves: the same graph where `x ** 5` is a product of squares, `x ** -1.5`
a quotient of a product and a root, within 4 units in the last place; where larger whole exponents
are marked `whole`, for products that keep what they round off; and where other powers are marked
`several`, as the compiler may compute several at once.
"""

from __future__ import annotations

import numpy as np

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Scalar

# exponents for which what is multiplied, divided and rounded each time is off by 4 units at most
_SMALL = frozenset({1.5, 2.5, 3.5, 4.5, 5, 6, -0.5, -1.5, -2.5, -2, -3, -4})
_WHOLE = 64  # the largest with a mark


def multiply_powers(graph: Graph) -> None:
    """Rewrite in place."""
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        for region in graph.regions:
            for op in [o for o in region.ops if o.name == "pow" and _is_real(o)]:
                _power(op, region, builder, mapping)
    replace(graph, mapping)


def _is_real(op: Op) -> bool:
    type_ = op.result.type
    return isinstance(type_, Scalar) and np.dtype(type_.dtype).kind == "f"


def _power(op: Op, region: Region, builder: Builder, mapping: dict[Value, Value]) -> None:
    base, exponent = op.inputs[0], op.inputs[1].constant
    if exponent not in _SMALL:
        whole = exponent is not None and exponent % 1 == 0 and 0 < abs(exponent) <= _WHOLE
        op.attrs |= {"whole": int(exponent)} if whole else {"several": True}
        return
    with builder.inside(Region()) as made, builder.at(op.location):
        result = _product(builder, base, abs(exponent))
        if exponent < 0:
            result = builder.op("reciprocal", result)
    result.hint, result.named = op.result.hint, op.result.named
    mapping[op.result] = result
    place = region.ops.index(op)
    region.ops[place : place + 1] = made.ops


def _product(builder: Builder, base: Value, exponent: float) -> Value:
    """Of squares of squares, which other powers of the base share, and of its root."""
    factors = [builder.op("sqrt", base)] if exponent % 1 else []
    square, left = base, int(exponent)
    while left:
        if left % 2:
            factors.insert(0, square)
        left //= 2
        if left:
            square = square * square
    result: Value = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result
