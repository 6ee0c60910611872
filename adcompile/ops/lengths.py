"""How long slices are, as far as their bounds say so.

Enters: the extent of an axis, an item of a slice, and its bounds. Leaves: a number, or a symbol:
the same for slices that are known to be equally long, one that says so for slices of one element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adcompile.graph.bounds import Sum
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Dim, Symbol

FULL = ("slice", False, False, 1)  # a whole axis, among the items of a slice


def bounds_of(item: Any) -> int:
    """How many numbers an item of a slice takes: the index, or the bounds that it has."""
    return {"index": 1, "new": 0}[item] if isinstance(item, str) else item[1] + item[2]


def length_of(builder: Builder, dim: Dim, item: Any, bounds: Sequence[Value]) -> Dim:
    """The extent of a slice: known, or the same symbol for the same slice of the same extent."""
    dim = builder.resolve(dim)
    constants = [b.constant for b in bounds]
    if isinstance(dim, int) and None not in constants:
        rest = iter(constants)
        start, stop = (next(rest) if given else None for given in item[1:3])
        return len(range(*slice(start, stop, item[3]).indices(dim)))
    keys = [b if c is None else c for b, c in zip(bounds, constants, strict=True)]
    key = length_key(item, keys) or (item, *keys)
    length = Symbol("n", of_one=_is_of_one(item, bounds))
    return builder.graph.lengths.setdefault((dim, *key), length)


def length_key(item: Any, bounds: Sequence[Any]) -> tuple[Any, ...] | None:
    """What decides the extent of a slice with constant bounds: `a[1:-1]` is as long as `a[2:]`."""
    _, has_start, has_stop, step = item
    if step != 1 or not all(isinstance(b, int) for b in bounds):
        return None
    start = bounds[0] if has_start else 0
    stop = bounds[-1] if has_stop else None
    if start >= 0 and (stop is None or stop < 0):
        return ("all but", start - (stop or 0))
    if (start == 0 and stop is not None) or (start < 0 and stop is None):
        return ("at most", stop if start == 0 else -start)
    return None


def _is_of_one(item: Any, bounds: Sequence[Value]) -> bool:
    """Whether a slice has one element or none: `a[:1]`, `a[-1:]`, `a[k : k + 1]`, `a[k - 1 : k]`.

    item       whether it has a start, a stop, and its step
    """
    _, has_start, has_stop, step = item
    if step != 1 or not bounds:
        return False
    if has_start and has_stop:
        between = _sum(bounds[1]).plus(_sum(bounds[0]), -1)
        return not between.factors and between.constant == 1
    return bounds[0].constant == (1 if has_stop else -1)


def _sum(value: Value) -> Sum:
    """An integer as a sum of multiples, as far as the operations that it comes from say so."""
    if value.constant is not None:
        return Sum(value.constant)
    if value.op is not None and value.op.name in ("add", "sub"):
        first, second = map(_sum, value.op.inputs)
        return first.plus(second, 1 if value.op.name == "add" else -1)
    if value.op is not None and value.op.name == "mul":
        for factor, other in (value.op.inputs, reversed(value.op.inputs)):
            if factor.constant is not None:
                return Sum().plus(_sum(other), factor.constant)
    return Sum(0, {value: 1})
