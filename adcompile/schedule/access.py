"""How the elements of an array are reached: directly, or through views folded into their base.

Enters: a view operation and run-time bounds. Leaves: for an index into the view, the array in
memory and the index into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Value
from adcompile.ops.memory import slice_range, wrapped

Index = list[Value]


@dataclass
class Access:
    """An array in memory, the extents seen, and the way from a seen index to one in memory."""

    base: Value
    extents: list[Value]
    place: Callable[[Index], Index]
    direct: bool = False


def direct(builder: Builder, base: Value) -> Access:
    """The array itself."""
    return Access(base, builder.shape(base), lambda index: index, direct=True)


def transposed(access: Access, axes: Sequence[int]) -> Access:
    """Axes in another order."""

    def place(index: Index) -> Index:
        inner = [index[0]] * len(axes)
        for position, axis in enumerate(axes):
            inner[axis] = index[position]
        return access.place(inner)

    return Access(access.base, [access.extents[a] for a in axes], place)


def sliced(builder: Builder, access: Access, op: Op, bounds: Sequence[Value]) -> Access:
    """The view a slice gives: an offset and a step per axis."""
    rest = iter(bounds)
    axis = 0
    steps: list[Callable[[Index], Value]] = []
    extents: list[Value] = []
    for item in op.attrs["spec"]:
        if item == "new":
            extents.append(builder.constant(1))
            continue
        extent = access.extents[axis]
        if item == "index":
            fixed = wrapped(builder, next(rest), extent)
            steps.append(lambda index, fixed=fixed: fixed)  # type: ignore[misc]
        else:
            given = [next(rest) for wanted in item[1:3] if wanted]
            start, length = slice_range(builder, item, given, extent)
            seen = len(extents)
            extents.append(length)
            step = item[3]
            steps.append(
                lambda index, seen=seen, start=start, step=step: start + index[seen] * step  # type: ignore[misc]
            )
        axis += 1
    return Access(access.base, extents, lambda index: access.place([s(index) for s in steps]))
