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


class Interpreter:
    """Runs regions; `frame` holds what each value stands for at the moment."""

    def __init__(self) -> None:
        self.frame: Frame = {}

    def run(self, region: Region) -> list[Any]:
        """Execute a region; gives what it yields."""
        for op in region.ops:
            self.execute(op)
        return [self.frame[v] for v in region.yields]

    def execute(self, op: Op) -> None:
        """Execute one operation, with the regions inside."""
        if op.name == "if":
            region = op.regions[0 if self.frame[op.inputs[0]] else 1]
            self.run(region)
            self.hand_on(region.yields, op.outputs)
        elif op.name == "for":
            (region,) = op.regions
            index, *carried = region.params
            bounds = [self.frame[v] for v in op.inputs[:3]]
            self.hand_on(op.inputs[3:], carried)
            for number in range(*bounds):
                self.frame[index] = number
                self.round(op, number)
                self.run(region)
                self.hand_on(region.yields, carried)
            self.hand_on(carried, op.outputs)
            self.leave(op)
        elif op.name == "while":
            body, test = op.regions
            self.hand_on(op.inputs, test.params)
            number = 0
            while self.run(test)[0]:
                self.hand_on(test.params, body.params)
                self.round(op, number)
                self.run(body)
                self.hand_on(body.yields, test.params)
                number += 1
            self.hand_on(test.params, op.outputs)
            self.leave(op)
        else:
            self.apply(op)

    def hand_on(self, sources: Sequence[Value], targets: Sequence[Value]) -> None:
        """Let `targets` stand for what `sources` stand for."""
        items = [self.frame[v] for v in sources]
        for value, item in zip(targets, items, strict=True):
            self.frame[value] = stored(item, value)

    def apply(self, op: Op) -> None:
        """Execute an operation without regions."""
        assert op.record.evaluate is not None, op
        inputs = [self.frame[v] for v in op.inputs]
        outcome = op.record.evaluate(*inputs, **static_attributes(op))
        items = list(outcome) if isinstance(outcome, tuple) else [outcome]
        for value, item in zip(op.outputs, items, strict=True):
            self.frame[value] = stored(item, value)

    def round(self, op: Op, number: int) -> None:
        """Called before each round of a loop."""

    def leave(self, op: Op) -> None:
        """Called after a loop."""


def interpret(graph: Graph, *arguments: Any) -> Any:
    """The result of `graph` for the given arguments; raises ShapeError where a check fails."""
    machine = Interpreter()
    bind(machine, graph, list(leaves(as_tuples(arguments))))
    return restored(graph.result, iter(machine.run(graph.body)))


def bind(machine: Interpreter, graph: Graph, items: Sequence[Any]) -> None:
    """Let the parameters stand for `items`, which come in the order of their leaves."""
    for value, item in zip(graph.params, items, strict=True):
        machine.frame[value] = item if isinstance(value.type, StackOf) else _typed(item, value)


def interpret_flat(graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of `graph`, for values of its parameters' leaves in order."""
    machine = Interpreter()
    machine.frame.update(zip(graph.params, inputs, strict=True))
    return machine.run(graph.body)


def _typed(item: Any, value: Value) -> Any:
    if isinstance(value.type, Array):
        return np.asarray(item)
    assert isinstance(value.type, Scalar)
    if value.type.weak:
        return np.asarray(item).item()
    return np.dtype(value.type.dtype).type(item)


def execute(op: Op, frame: Frame) -> None:
    """Enter the outputs of one operation into `frame`, which holds its inputs."""
    machine = Interpreter()
    machine.frame = frame
    machine.execute(op)


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
