"""Integers of a loop, computed again before it.

Enters: an integer that a loop computes, such as an extent or the end of an inner range. Leaves: the
same integer made of what is known outside, if it is the same in every iteration, or if something
stands for what is not, such as the mean of a counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Array

COUNTING = frozenset({"constant", "dim", "add", "sub", "mul", "maximum", "minimum"})


def outside(
    value: Value, loop: Op, aliases: Aliases, builder: Builder,
    standing: Mapping[Value, Value] = MappingProxyType({}),
) -> Value | None:  # fmt: skip
    """The integer at the builder's place, None if the loop alone knows it.

    standing   what stands for integers that change from iteration to iteration
    """
    known: dict[Value, Value | None] = dict(standing)

    def is_inside(inner: Value) -> bool:
        region = aliases.home.get(inner)
        return region is not None and aliases.is_inside(region, loop.regions[0])

    def moved(inner: Value) -> Value | None:
        if inner not in known:
            known[inner] = again(inner.op) if is_inside(inner) else inner
        return known[inner]

    def again(op: Op | None) -> Value | None:
        if op is None or op.name not in COUNTING:
            return None
        inputs: list[Value] = []
        for v in op.inputs:
            array = isinstance(v.type, Array)
            new = (None if is_inside(v) else v) if array else moved(v)
            if new is None:
                return None
            inputs.append(new)
        made: Value = builder.op(op.name, *inputs, **op.attrs)
        return made

    return moved(value)
