"""Procedures look how much of the machine's stack is used, and stop before its end.

Enters: a scheduled graph and scheduled procedures. Leaves: the same, where a procedure that may
call itself takes the place on the stack where the first call was made, and raises RecursionError
where most of 8 MB lies between that and its own: compiled code that runs over the end of its stack
takes the process with it.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Region
from adcompile.graph.procedures import Procedure, invocations, procedures_of
from adcompile.graph.types import Scalar

_STACK = 7_000_000  # bytes, of the 8 MB that systems give
_PLACE = Scalar("int64", weak=True)


def limit_depth(graph: Graph, procedures: Collection[Procedure]) -> None:
    """Change graphs in place."""
    limited = {p for p in procedures if p in procedures_of(p.graph)}
    for procedure in [None, *procedures]:
        body = graph if procedure is None else procedure.graph
        calls = [op for op in invocations(body) if op.attrs["procedure"] in limited]
        if not calls and procedure not in limited:
            continue
        with Builder(body) as builder:
            top = builder.parameter(_PLACE, "top") if procedure in limited else None
            with builder.inside(Region()) as first:
                place = builder.op("stack_place")
                if procedure is not None and top is not None:
                    message = f"`{procedure.name}` calls itself too deeply for a stack of 8 MB"
                    shallow = builder.op("lt", top - place, _STACK)
                    builder.op("require", shallow, message=message, error="RecursionError")
        for op in calls:
            op.inputs.append(place if top is None else top)
        body.body.ops[:0] = first.ops
    for procedure in limited:
        procedure.settle(procedure.graph)
