"""A loop as a procedure of a range of its iterations.

Enters: a `for` whose iterations may run in any order, in steps of 1. Leaves: a procedure of the
first iteration, the one after the last, and the sums so far, which gives the sums; and the values
of the graph around it that it is called with besides.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op, clone_region, clone_value
from adcompile.graph.closures import closed, free_values
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.outside import COUNTING
from adcompile.graph.procedures import Procedure, note_effects
from adcompile.graph.types import Scalar, is_integer

_INTEGER = Scalar("int64", weak=True)


def outlined(
    loop: Op, name: str, scratch: Sequence[Value], bounds: Bounds, builder: Builder
) -> tuple[Procedure, list[Value]]:
    """The procedure `name`, which makes the arrays in `scratch` itself; `builder` is at the loop.

    Integers are computed again inside, and those that are never negative are said to be so.
    """
    part, body = Graph(name, [], Region()), loop.regions[0]
    brought: dict[Value, Value] = {}
    with Builder(part) as inner, inner.at(loop.location):
        first, last = (inner.parameter(_INTEGER, text) for text in ("first", "last"))
        sums = [inner.parameter(v.type, v.hint or "total") for v in loop.outputs]
        inner.borrow(builder)
        if bounds.never_negative(body.params[0], body):
            least = bounds.least(bounds.sum_of(body.params[0], body), body)
            known = least.constant if least is not None and not least.factors else 0
            first = inner.op("maximum", first, known)
        for array in scratch:
            _bring(array, part, brought)
        for value in dict.fromkeys(free_values(body)):
            if _is_counted(value):
                _bring(value, part, brought)
            elif is_integer(value.type) and isinstance(value.type, Scalar):
                if bounds.never_negative(value, builder.region):
                    brought[value] = inner.op("maximum", value, 0)
        outputs = [clone_value(v, brought) for v in loop.outputs]
        inputs = [first, last, inner.constant(1), *sums]
        region = clone_region(body, brought)
        part.body.ops.append(Op(loop.record, inputs, {}, outputs, [region], loop.location))
    extents = builder.known_extents().items()
    part.body.extents.update((s, brought[v]) for s, v in extents if v in brought)
    part.body.yields = outputs
    result = closed(part, builder)
    captured = [outer for outer, _ in result.captured]
    result.captured = []
    procedure = Procedure(name)
    procedure.results = [v.type for v in outputs]
    procedure.settle(result)
    note_effects([procedure])
    return procedure, captured


def _is_counted(value: Value) -> bool:
    """Whether an integer is cheaper to compute again than to hand over."""
    op = value.op
    return op is not None and op.name in COUNTING and value.type == _INTEGER


def _bring(value: Value, part: Graph, brought: dict[Value, Value]) -> None:
    """Repeat the operation that makes a value, and what it counts with, in the procedure."""
    if value in brought or value.op is None:
        return
    for item in value.op.inputs:
        if _is_counted(item):
            _bring(item, part, brought)
    part.body.ops.append(clone_op(value.op, brought))
