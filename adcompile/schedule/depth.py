"""Procedures count how deep they are, and stop before the machine's stack is used up.

Enters: a scheduled graph and scheduled procedures. Leaves: the same, where a procedure that may
call itself takes its depth, and raises RecursionError where it fills most of a stack of 8 MB:
compiled code that runs over the end of its stack takes the process with it.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Region
from adcompile.graph.procedures import Procedure, invocations, procedures_of
from adcompile.graph.types import Array, Scalar, Type

_STACK = 7_000_000  # bytes, of the 8 MB that systems give
_FRAME = 128  # bytes of a frame without arguments; measured with Numba 0.68
_COUNT = Scalar("int64", weak=True)


def count_depth(graph: Graph, procedures: Collection[Procedure]) -> None:
    """Change graphs in place."""
    counted = {p: _limit(p) for p in procedures if p in procedures_of(p.graph)}
    for procedure in [None, *procedures]:
        body = graph if procedure is None else procedure.graph
        with Builder(body) as builder:
            limit = None if procedure is None else counted.get(procedure)
            depth = None if limit is None else builder.parameter(_COUNT, "depth")
            with builder.inside(Region()) as first:
                if procedure is not None and depth is not None:
                    message = f"`{procedure.name}` calls itself more than {limit} deep"
                    shallow = builder.op("lt", depth, limit)
                    builder.op("require", shallow, message=message, error="RecursionError")
                inside = builder.constant(0) if depth is None else depth + 1
        for op in invocations(body):
            if op.attrs["procedure"] in counted:
                op.inputs.append(inside)
        body.body.ops[:0] = first.ops
    for procedure in counted:
        procedure.settle(procedure.graph)


def _limit(procedure: Procedure) -> int:
    arguments = sum(_bytes(v.type) for v in procedure.graph.params)
    return _STACK // (_FRAME + arguments * 6 // 5)


def _bytes(type_: Type) -> int:
    """What an argument takes of a frame: Numba passes arrays by their parts."""
    if isinstance(type_, Array):
        return 8 * (5 + 2 * type_.ndim)
    return 8 if isinstance(type_, Scalar) else 16
