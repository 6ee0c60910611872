"""Stores one number, or those of another array, in all elements of an array.

Enters: an array, what is stored, the extents. Leaves: a nest of loops. Where a worker has memory
of its own, what makes arrays becomes that memory and such a nest.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Region, Value


def fill(
    builder: Builder, array: Value, value: Value, ranges: Sequence[Value | tuple[Value, Value]],
    index: Sequence[Value] = (),
) -> None:  # fmt: skip
    """Append the stores into all elements, or into those of the rows with an index."""
    builder.each(ranges, lambda rest: builder.op("store", array, value, *index, *rest), len(index))


def copy_elements(
    builder: Builder, source: tuple[Value, Sequence[Value]], target: tuple[Value, Sequence[Value]],
    extents: Sequence[Value],
) -> None:  # fmt: skip
    """Append a nest that stores each element of an array, or of a row of it, in another one."""

    def store(index: list[Value]) -> None:
        element = builder.op("load", source[0], *source[1], *index)
        builder.op("store", target[0], element, *target[1], *index)

    builder.each(extents, store)


def given_extents(made: Op) -> list[Value]:
    """The extents that an operation which makes an array, `empty` or `full`, is given."""
    return made.inputs[made.name == "full" :]


def fill_as_made(builder: Builder, made: Op, array: Value) -> None:
    """Append what gives an array the contents that an operation, `empty` or `full`, gives."""
    if made.name == "full":
        fill(builder, array, made.inputs[0], given_extents(made))


def settle_memory(region: Region, made: dict[Value, Value], builder: Builder) -> None:
    """Take the arrays in `made` for those that a region makes, else new ones; then fill them.

    Enters into `made` what stands for each array; the caller replaces it.
    """
    for op in list(region.ops):
        for inner in op.regions:
            with builder.inside(inner):
                settle_memory(inner, made, builder)
        if op.name not in ("empty", "full"):
            continue
        extents = given_extents(op)
        known = zip(extents, op.attrs["shape"], strict=True)
        shape = tuple(dim if v.constant is None else int(v.constant) for v, dim in known)
        with builder.inside(Region()) as new, builder.at(op.location):
            array = made.get(op.result)
            if array is None:
                array = builder.op("empty", *extents, dtype=op.result.type.dtype, shape=shape)
                array.hint, array.named = op.result.hint, op.result.named
            fill_as_made(builder, op, array)
        place = region.ops.index(op)
        region.ops[place : place + 1] = new.ops
        made[op.result] = array
