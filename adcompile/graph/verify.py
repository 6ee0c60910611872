"""Checks that a graph keeps the rules of the representation.

Enters: a graph. Leaves: nothing, or an InternalError that names the operation: a value is defined
once and before it is read, regions yield what their operation gives, types agree.
"""

from __future__ import annotations

from adcompile.errors import InternalError
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.procedures import procedures_of
from adcompile.graph.types import Array, Scalar, StackOf, Type, leaves


def verify(graph: Graph) -> None:
    """Raise InternalError if `graph`, or a procedure that it calls, breaks a rule."""
    _function(graph)
    for procedure in procedures_of(graph):
        _function(procedure.graph)


def _function(graph: Graph) -> None:
    params = {v for p in graph.parameters for v in leaves(p.structure)}
    if params | {inner for _, inner in graph.captured} != set(graph.params):
        raise InternalError(f"{graph.name}: parameters and their structure differ")
    _region(graph.body, set())
    if len(list(leaves(graph.result))) != len(graph.outputs):
        raise InternalError(f"{graph.name}: results and their structure differ")


def _define(value: Value, known: set[Value]) -> None:
    if value in known:
        raise InternalError(f"{value} is defined twice")
    known.add(value)


def _region(region: Region, outer: set[Value]) -> None:
    known = set(outer)
    for value in region.params:
        _define(value, known)
    for op in region.ops:
        for value in op.inputs:
            if value not in known:
                raise InternalError(f"{op} reads {value} before it is defined", op.location)
        _operation(op, known)
        for value in op.outputs:
            if value.op is not op:
                raise InternalError(f"{value} forgets that {op} defines it", op.location)
            _define(value, known)
    for value in region.yields:
        if value not in known:
            raise InternalError(f"a region yields {value}, which is not defined in it")


def _operation(op: Op, known: set[Value]) -> None:
    if op.name == "invoke":
        called = op.attrs["procedure"]
        _agree(op, [v.type for v in op.inputs], [v.type for v in called.graph.params])
        _agree(op, [v.type for v in op.outputs], [v.type for v in called.graph.outputs])
    for region in op.regions:
        _region(region, known)
    if op.name == "for":
        carried = [v.type for v in op.inputs[3:]]
        _agree(op, carried, [v.type for v in op.regions[0].params[1:]])
    elif op.name == "while":
        carried = [v.type for v in op.inputs]
        for region in op.regions:
            _agree(op, carried, [v.type for v in region.params])
    given = op.regions if op.name == "if" else op.regions[:1]
    for region in given:
        _agree(op, [v.type for v in region.yields], [v.type for v in op.outputs])


def _agree(op: Op, first: list[Type], second: list[Type]) -> None:
    if len(first) != len(second):
        raise InternalError(f"{op} carries {len(first)} values and yields {len(second)}")
    for one, other in zip(first, second, strict=True):
        scalars = isinstance(one, Scalar) and isinstance(other, Scalar)
        arrays = isinstance(one, Array) and isinstance(other, Array) and one.ndim == other.ndim
        if isinstance(one, StackOf) and isinstance(other, StackOf):
            _agree(op, [one.item], [other.item])
        elif type(one) is not type(other) or one.dtype != other.dtype or not (scalars or arrays):
            if not (type(one) is type(other) and one == other):
                raise InternalError(f"{op}: {one} does not agree with {other}", op.location)
