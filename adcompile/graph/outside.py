"""Integers of a loop, computed again before it.

Enters: an integer that a loop computes, such as an extent or the end of an inner range. Leaves: the
same integer made of what is known outside, if it is the same in every iteration.
"""

from __future__ import annotations

from collections.abc import Callable

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Array

COUNTING = frozenset({"constant", "dim", "add", "sub", "mul", "maximum", "minimum"})


def outside(value: Value, is_inside: Callable[[Value], bool], builder: Builder) -> Value | None:
    """The integer at the builder's place, None if the loop alone knows it."""
    if not is_inside(value):
        return value
    op = value.op
    if op is None or op.name not in COUNTING:
        return None
    inputs = [v if isinstance(v.type, Array) else outside(v, is_inside, builder) for v in op.inputs]
    if None in inputs or any(isinstance(v.type, Array) and is_inside(v) for v in op.inputs):
        return None
    made: Value = builder.op(op.name, *inputs, **op.attrs)
    return made
