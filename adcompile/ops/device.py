"""What a kernel knows of its threads, and how the host starts it.

Enters: nothing, or the numbers that the threads of a block fold into one. Leaves: records that are
made when loops become kernels, long after derivatives. The oracle acts as if there were one thread
in one block: each kernel is written so that any number of threads gives the same elements.
"""

from __future__ import annotations

from typing import Any

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Record, register
from adcompile.graph.types import Scalar, Type

Attrs = dict[str, Any]
_INTEGER = Scalar("int64", weak=True)

# which thread, or block of threads, this is: its spelling, and what the oracle takes it for
PLACES = {
    "thread": ("cuda.grid(1)", 0),
    "threads": ("cuda.gridsize(1)", 1),
    "column": ("cuda.grid(2)[0]", 0),
    "columns": ("cuda.gridsize(2)[0]", 1),
    "row": ("cuda.grid(2)[1]", 0),
    "rows": ("cuda.gridsize(2)[1]", 1),
    "cell": ("cuda.grid(3)[0]", 0),
    "cells": ("cuda.gridsize(3)[0]", 1),
    "row of layer": ("cuda.grid(3)[1]", 0),
    "rows of layer": ("cuda.gridsize(3)[1]", 1),
    "layer": ("cuda.grid(3)[2]", 0),
    "layers": ("cuda.gridsize(3)[2]", 1),
    "block": ("cuda.blockIdx.x", 0),
    "blocks": ("cuda.gridDim.x", 1),
    "lane": ("cuda.threadIdx.x", 0),
    "lanes": ("cuda.blockDim.x", 1),
}
FOLDS = {
    "sum": "add",
    "product": "mul",
    "maximum": "maximum",
    "minimum": "minimum",
    "any": "logical_or",
    "all": "logical_and",
}


def _whole(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    return [_INTEGER]


def _nothing(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    return []


register(
    Record(
        "place", _whole, lambda which: PLACES[which][1],
        show=lambda op: PLACES[op.attrs["which"]][0], reads=False, inactive=True,
        notes="the number of this thread or block, or how many there are",
    )
)  # fmt: skip
register(
    Record(
        "fold_lanes", lambda builder, types, attrs: [types[0]], lambda value, fold: value,
        show=lambda op: f"device.{op.attrs['fold']}_of_lanes({{0}}, np.{op.result.type.dtype})",
        reads=False, inactive=True, keeps=True, takes_complex=True,
        notes="one number of those that the threads of a block have; all of them get it",
    )
)  # fmt: skip


def _store_part(parts: Any, value: Any, fold: str) -> tuple[()]:
    parts[0] = value
    return ()


register(
    Record(
        "fold_part", _nothing, _store_part,
        show=lambda op: (
            f"device.{op.attrs['fold']}_of_block({{0}}, {{1}}, np.{op.inputs[1].type.dtype})"
        ),
        writes=True, keeps=True, inactive=True, takes_complex=True,
        notes="what the threads of this block have, as the block's element of an array",
    )
)  # fmt: skip
register(
    Record(
        "meet", _nothing, lambda: (), show="cuda.syncthreads()", reads=False, keeps=True,
        inactive=True, notes="the threads of a block wait here for each other",
    )
)  # fmt: skip
register(
    Record(
        "parts", _whole, lambda *extents, grid: 1, reads=False, inactive=True,
        notes="the number of blocks that work on a nest of loops of these extents",
    )
)  # fmt: skip


def _launch(*inputs: Any, procedure: Any, extents: int, grid: str) -> tuple[()]:
    from adcompile.graph.interpret import interpret_flat

    interpret_flat(procedure.graph, inputs[: len(inputs) - extents])
    return ()


register(
    Record(
        "launch", _nothing, _launch, keeps=True, inactive=True, takes_complex=True,
        notes="a kernel is started on its arguments, with threads for the extents behind them",
    )
)  # fmt: skip
