"""Computes equal expressions once.

Enters: a graph. Leaves: the same graph where an operation on the same values, in the same region or
one around it, is read from the first. Only operations that read no written memory take part. Index
arithmetic has a pass of its own, for loops: people read it best where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import final, replace
from adcompile.graph.types import Type, is_continuous, is_integer


def share_common(graph: Graph) -> None:
    """Merge equal operations on floats in place."""
    mapping: dict[Value, Value] = {}
    _region(graph.body, {}, mapping, Aliases(graph), is_continuous)
    replace(graph, mapping)


def share_indices(graph: Graph) -> None:
    """Merge equal integers in place: where loops start and end, and what they read."""
    mapping: dict[Value, Value] = {}
    _region(graph.body, {}, mapping, Aliases(graph), is_integer)
    replace(graph, mapping)


def _region(
    region: Region, known: dict[Any, Value], mapping: dict[Value, Value], aliases: Aliases,
    kind: Callable[[Type], bool],
) -> None:  # fmt: skip
    known = dict(known)
    for op in region.ops:
        for inner in op.regions:
            _region(inner, known, mapping, aliases, kind)
        key = _key(op, mapping, aliases, kind)
        if key is None:
            continue
        if key in known:
            first = known[key]
            if not (first.named and op.result.named) or first.hint == op.result.hint:
                mapping[op.result] = first
                if op.result.named:
                    first.hint, first.named = op.result.hint, True
        else:
            known[key] = op.result


def _key(
    op: Op, mapping: dict[Value, Value], aliases: Aliases, kind: Callable[[Type], bool]
) -> Any:
    if len(op.outputs) != 1 or op.regions or op.written or op.keeps:
        return None
    if op.record.view:
        return _view_key(op, mapping)
    if not kind(op.result.type) or op.name in (
        "load",
        "constant",
        "full",
        "empty",
        "undefined",
    ):
        return None
    touched = aliases.roots.get(op.result, frozenset())
    for value in op.inputs:
        touched |= aliases.roots.get(value, frozenset())
    if touched & aliases.written:
        return None
    inputs = tuple(_identity(final(v, mapping)) for v in op.inputs)
    attrs = tuple(sorted((k, repr(v)) for k, v in op.attrs.items()))
    return (op.name, inputs, attrs, str(op.result.type.dtype))


def _view_key(op: Op, mapping: dict[Value, Value]) -> Any:
    """Equal views of one array are the same memory, written or not."""
    inputs = tuple(_identity(final(v, mapping)) for v in op.inputs)
    return (op.name, inputs, tuple(sorted((k, repr(v)) for k, v in op.attrs.items())))


def _identity(value: Value) -> Any:
    if value.constant is not None:
        return (repr(value.constant), str(value.type), getattr(value.type, "weak", None))
    if value.op is not None and value.op.name == "dim":
        return ("dim", value.op.inputs[0], value.op.attrs["axis"])
    return value
