"""Which operations compute the same.

Enters: operations, with the regions inside them. Leaves: for every value that was computed before,
in the same region or one around it, that first value. Only operations that read no written memory
take part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Op, Value
from adcompile.graph.rewrite import final
from adcompile.graph.types import Type


def are_same(first: Sequence[Value], second: Sequence[Value]) -> bool:
    """Whether values, such as indices, are the same ones or equal constants, one by one."""
    return all(
        a is b or (a.constant is not None and a.constant == b.constant)
        for a, b in zip(first, second, strict=True)
    )


def equal_values(
    ops: Sequence[Op], aliases: Aliases, kind: Callable[[Type], bool]
) -> dict[Value, Value]:
    """The first of all values that are equal, for values whose type is of a kind."""
    mapping: dict[Value, Value] = {}
    _region(ops, {}, mapping, aliases, kind)
    return mapping


def _region(
    ops: Sequence[Op], known: dict[Any, Value], mapping: dict[Value, Value], aliases: Aliases,
    kind: Callable[[Type], bool],
) -> None:  # fmt: skip
    known = dict(known)
    for op in ops:
        for inner in op.regions:
            _region(inner.ops, known, mapping, aliases, kind)
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
    return (op.name, inputs, attributes(op), str(op.result.type.dtype))


def attributes(op: Op) -> Any:
    """What is equal of two operations that are the same but for their inputs; hashable."""
    return tuple((name, _attribute(op.attrs[name])) for name in sorted(op.attrs))


def _attribute(item: Any) -> Any:
    if isinstance(item, (tuple, list)):
        return tuple(map(_attribute, item))
    if item is None or isinstance(item, (bool, int, float, complex, str, slice)):
        return repr(item)  # tells 1 from True and 1.0
    try:
        hash(item)
    except TypeError:
        return id(item)
    return item


def _view_key(op: Op, mapping: dict[Value, Value]) -> Any:
    """Equal views of one array are the same memory, written or not."""
    inputs = tuple(_identity(final(v, mapping)) for v in op.inputs)
    return (op.name, inputs, attributes(op))


def _identity(value: Value) -> Any:
    if value.constant is not None:
        return (repr(value.constant), str(value.type), getattr(value.type, "weak", None))
    if value.op is not None and value.op.name == "dim":
        return ("dim", value.op.inputs[0], value.op.attrs["axis"])
    return value
