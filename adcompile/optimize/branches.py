"""Reads from an earlier branch what it has computed under the same condition.

Enters: a graph. Leaves: the same graph where a number that takes long to compute, in a branch on
the condition of an earlier one beside it, is yielded by that one. The reverse of a branch asks
again for the sines and roots of its forward part.
"""

from __future__ import annotations

from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.equal import attributes
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import final, replace
from adcompile.graph.types import Scalar, is_continuous


def share_branches(graph: Graph) -> None:
    """Merge equal operations on numbers in place."""
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        _region(graph.body, builder, mapping)
    replace(graph, mapping)


def _region(region: Region, builder: Builder, mapping: dict[Value, Value]) -> None:
    earlier: dict[Value, list[Op]] = {}
    for op in region.ops:
        if op.name == "if":
            beside = earlier.setdefault(op.inputs[0], [])
            for other in beside:
                for side in (0, 1):
                    _share(other, op, side, builder, mapping)
            beside.append(op)
        for inner in op.regions:
            _region(inner, builder, mapping)


def _share(
    earlier: Op, later: Op, side: int, builder: Builder, mapping: dict[Value, Value]
) -> None:
    yields = earlier.regions[side].yields
    known = {_key(op, {}): op.result for op in earlier.regions[side].ops if _takes_long(op)}
    for op in later.regions[side].ops if known else ():
        if op.outputs and op.outputs[0] not in mapping and _takes_long(op):
            inside = dict(zip(earlier.outputs, yields, strict=True))
            inputs = {v: final(v, mapping) for v in op.inputs}
            found = known.get(_key(op, {v: inside.get(w, w) for v, w in inputs.items()}))
            if found is not None:
                mapping[op.result] = _yielded(earlier, side, found, builder)


def _takes_long(op: Op) -> bool:
    numbers = all(isinstance(v.type, Scalar) for v in [*op.inputs, *op.outputs])
    if not numbers or len(op.outputs) != 1 or not op.inputs or not is_continuous(op.result.type):
        return False
    return not (op.regions or op.written or op.keeps or op.record.cheap)


def _key(op: Op, inputs: dict[Value, Value]) -> Any:
    values = [inputs.get(v, v) for v in op.inputs]
    named = tuple(v if v.constant is None else (repr(v.constant), str(v.type)) for v in values)
    return op.name, named, attributes(op), op.result.type


def _yielded(branch: Op, side: int, value: Value, builder: Builder) -> Value:
    """The output of a branch for a number of one of its sides."""
    for output, own in zip(branch.outputs, branch.regions[side].yields, strict=True):
        if own is value:
            return output
    output = Value(value.type, value.hint, value.named)
    output.op = branch
    branch.outputs.append(output)
    for k, region in enumerate(branch.regions):
        with builder.inside(region):
            other = value if k == side else builder.op("undefined", type=value.type)
        region.yields.append(other)
    return output
