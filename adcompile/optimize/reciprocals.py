"""Derivatives that divide by one number several times divide once; powers do not divide.

Enters: a graph of loops. Leaves: the same graph where `0.5 / d` and `-(a / d) / d`, as the
derivatives of roots and quotients have it, multiply by one `1 / d`, and `exp(a / 0.1)` by 10. Other
quotients stay, as users write them: 49 times the reciprocal of 49 is less than 1. Products by a
power of two round as the quotient does, those by `a / d` otherwise, and the reciprocal of a number
below 1e-308 (in single precision 1e-38) may be infinite.
"""

from __future__ import annotations

import math

import numpy as np

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Scalar, is_real


def share_reciprocals(graph: Graph) -> None:
    """Rewrite in place, region by region."""
    mapping: dict[Value, Value] = {}
    uses = count_uses(graph.body)
    with Builder(graph) as builder:
        for region in graph.regions:
            _region(region, builder, mapping)
            _powers(region, builder, mapping, uses)
    replace(graph, mapping)


def _region(region: Region, builder: Builder, mapping: dict[Value, Value]) -> None:
    groups: dict[Value, list[Op]] = {}
    for op in region.ops:
        if op.name == "div" and _is_real(op) and (_by_power(op) or _again(op)):
            groups.setdefault(op.inputs[1], []).append(op)
    for divisor, group in groups.items():
        if len(group) > 1:
            _share(region, divisor, group, builder, mapping)


_POWERS = ("exp", "exp2", "expm1")


def _powers(
    region: Region, builder: Builder, mapping: dict[Value, Value], uses: dict[Value, int]
) -> None:
    """Multiply where a quotient by a constant, or its negative, is only the exponent of a power."""
    for power in [op for op in region.ops if op.name in _POWERS]:
        op = power.inputs[0].op
        while op is not None and op.name == "neg" and uses[op.result] == 1:
            op = op.inputs[0].op
        if op is None or op not in region.ops or op.name != "div" or uses[op.result] != 1:
            continue
        factor = _reciprocal(op)
        if factor is None:
            continue
        with builder.inside(Region()) as made, builder.at(op.location):
            product = builder.op("mul", op.inputs[0], builder.constant(*factor))
        product.hint, product.named = op.result.hint, op.result.named
        mapping[op.result] = product
        position = region.ops.index(op)
        region.ops[position : position + 1] = made.ops


def _reciprocal(op: Op) -> tuple[float, Scalar] | None:
    """What multiplies as a constant divides; None for what LLVM does so itself, or cannot do so."""
    number, type_ = op.inputs[1].constant, op.result.type
    if number is None or not is_real(type_) or op.inputs[0].type.dtype != type_.dtype:
        return None
    assert isinstance(type_, Scalar)
    kind = np.dtype(type_.dtype).type
    mantissa, exponent = math.frexp(kind(number))
    if not 0.5 < abs(mantissa) < 1.0 or abs(exponent) >= np.finfo(kind).maxexp - 1:
        return None
    return float(kind(1.0) / kind(number)), type_


def _is_real(op: Op) -> bool:
    types = [op.result.type, *(v.type for v in op.inputs)]
    return (
        all(map(is_real, types))
        and op.inputs[1].constant is None
        and op.inputs[1].type == op.result.type
    )


def _by_power(op: Op) -> bool:
    """Whether a power of two is divided."""
    number = op.inputs[0].constant
    return number is not None and abs(math.frexp(float(number.real))[0]) == 0.5


def _again(op: Op) -> bool:
    """Whether a quotient, or its negative, is divided by the same number once more."""
    above = op.inputs[0].op
    while above is not None and above.name == "neg":
        above = above.inputs[0].op
    return above is not None and above.name == "div" and above.inputs[1] is op.inputs[1]


def _share(
    region: Region, divisor: Value, group: list[Op], builder: Builder,
    mapping: dict[Value, Value],
) -> None:  # fmt: skip
    position = region.ops.index(group[0])
    with builder.inside(Region()) as made, builder.at(group[0].location):
        type_ = group[0].result.type
        assert isinstance(type_, Scalar)
        one = builder.constant(1.0, type_)
        shared = builder.op("div", one, divisor)
    region.ops[position:position] = made.ops
    for op in group:
        with builder.inside(Region()) as made, builder.at(op.location):
            factor = op.inputs[0].constant
            product = shared if factor == 1 else builder.op("mul", op.inputs[0], shared)
        product.hint, product.named = product.hint or op.result.hint, op.result.named
        mapping[op.result] = product
        position = region.ops.index(op)
        region.ops[position : position + 1] = made.ops
