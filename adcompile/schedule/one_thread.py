"""A function for one thread of a kernel that somebody else has written.

Enters: a graph of loops. Leaves: the same graph, whose arrays are the thread's own memory, of sizes
that are known when it is compiled; or an error that says what a thread cannot do.
"""

from __future__ import annotations

import math

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.concurrency import ORDERED
from adcompile.graph.filling import given_extents, settle_memory
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.sizes import item_size
from adcompile.graph.types import Array, StackOf
from adcompile.schedule.rounds import copy_between_rounds

_MOST = 16 * 1024  # bytes of a thread's own memory


def for_one_thread(graph: Graph) -> None:
    """Rewrite in place. Raises UnsupportedOperation with the user's line."""
    for value in graph.outputs:
        if isinstance(value.type, Array):
            raise UnsupportedOperation(
                f"`{graph.name}` gives an array, and a thread has no memory that outlives a call",
                value.location, "differentiate with respect to numbers, or use it on the host",
            )  # fmt: skip
    size = sum(_bytes(op) for op in graph.body.walk())
    if size > _MOST:
        raise UnsupportedOperation(
            f"`{graph.name}` keeps {size} bytes, and a thread may have {_MOST}",
            hint="shorten its loops, or use it on the host: a kernel has the memory of the device",
        )
    with Builder(graph) as builder:
        copy_between_rounds(graph.body, Aliases(graph), builder)
        made: dict[Value, Value] = {}
        settle_memory(graph.body, made, builder)
        replace(graph, made)


def _bytes(op: Op) -> int:
    """The memory that an operation needs of its thread."""
    hint = 'compute it on the host, with target="cuda" and no device=True'
    if op.name in ORDERED:
        raise UnsupportedOperation(f"a thread of a kernel: {ORDERED[op.name]}", op.location, hint)
    if op.record.library and op.name != "matmul_into":
        raise UnsupportedOperation(f"`{op.name}` has no form for one thread", op.location, hint)
    if any(isinstance(v.type, StackOf) for v in op.outputs):
        raise UnsupportedOperation(
            "values are kept on a stack that grows while a loop runs", op.location,
            "let the loop run a number of times that is written in the function: range(10)",
        )  # fmt: skip
    if op.name not in ("empty", "full"):
        return 0
    extents = [v.constant for v in given_extents(op)]
    if any(n is None for n in extents):
        raise UnsupportedOperation(
            f"the size of `{op.result.hint or 'an array'}` is not known when it is compiled",
            op.location, "write sizes and numbers of iterations in the function: range(10)",
        )  # fmt: skip
    return item_size(op.result.type) * math.prod(extents)
