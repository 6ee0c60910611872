"""Runs a graph in plain NumPy, operation by operation: the oracle for every later stage.

Enters: a graph and NumPy arguments. Leaves: its results in the structure of the graph's result.
Arrays are references here too: writes go to the arrays that were passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.trees import as_tuples, leaves, restored
from adcompile.graph.types import Array, Scalar, StackOf

Frame = dict[Value, Any]


def interpret(graph: Graph, *arguments: Any) -> Any:
    """The result of `graph` for the given arguments; raises ShapeError where a check fails."""
    items = list(leaves(as_tuples(arguments)))
    frame: Frame = {}
    for value, item in zip(graph.params, items, strict=True):
        frame[value] = item if isinstance(value.type, StackOf) else _typed(item, value)
    results = iter(_run(graph.body, frame))
    return restored(graph.result, results)


def interpret_flat(graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of `graph`, for values of its parameters' leaves in order."""
    frame: Frame = dict(zip(graph.params, inputs, strict=True))
    return _run(graph.body, frame)


def _typed(item: Any, value: Value) -> Any:
    if isinstance(value.type, Array):
        return np.asarray(item)
    assert isinstance(value.type, Scalar)
    if value.type.weak:
        return np.asarray(item).item()
    return np.dtype(value.type.dtype).type(item)


def _run(region: Region, frame: Frame) -> list[Any]:
    for op in region.ops:
        execute(op, frame)
    return [frame[v] for v in region.yields]


def _enter(region: Region, items: Sequence[Any], frame: Frame) -> list[Any]:
    frame.update(zip(region.params, items, strict=True))
    return _run(region, frame)


def execute(op: Op, frame: Frame) -> None:
    """Enter the outputs of one operation into `frame`, which holds its inputs."""
    inputs = [frame[v] for v in op.inputs]
    if op.name == "if":
        outcome: Any = _run(op.regions[0 if inputs[0] else 1], frame)
    elif op.name == "for":
        carried = inputs[3:]
        for index in range(*inputs[:3]):
            carried = _enter(op.regions[0], [index, *carried], frame)
        outcome = carried
    elif op.name == "while":
        carried = inputs
        body, test = op.regions
        while _enter(test, carried, frame)[0]:
            carried = _enter(body, carried, frame)
        outcome = carried
    else:
        assert op.record.evaluate is not None, op
        outcome = op.record.evaluate(*inputs, **static_attributes(op))
        outcome = list(outcome) if isinstance(outcome, tuple) else [outcome]
    for value, item in zip(op.outputs, outcome, strict=True):
        frame[value] = stored(item, value)


def static_attributes(op: Op) -> dict[str, Any]:
    """The attributes that the evaluation of an operation takes."""
    return {k: v for k, v in op.attrs.items() if k != "strong"}


def stored(item: Any, value: Value) -> Any:
    """`item` in the dtype the graph says, scalars weak or strong as typed."""
    if isinstance(item, list) or item is None or isinstance(value.type, StackOf):
        return item
    if isinstance(value.type, Array):
        array = np.asarray(item)
        return array if array.dtype.name == value.type.dtype else array.astype(value.type.dtype)
    return _typed(item, value)
