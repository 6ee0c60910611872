"""Stores one number in all elements of an array.

Enters: an array, the number, the extents. Leaves: a nest of loops.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value


def fill(
    builder: Builder, array: Value, value: Value, extents: Sequence[Value],
    index: Sequence[Value] = (),
) -> None:  # fmt: skip
    """Append the stores; `index` are the counters of the loops so far."""
    if len(index) == len(extents):
        builder.op("store", array, value, *index)
        return

    def body(i: Value, _: list[Value]) -> list[Value]:
        fill(builder, array, value, extents, [*index, i])
        return []

    builder.loop(0, extents[len(index)], 1, [], body, "ijklmn"[len(index) % 6])
