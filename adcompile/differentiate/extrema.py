"""Loops that look for the largest or the smallest element.

Enters: a `for` of a forward graph. Leaves: nothing, or the loop behind it that finds the first and
the last iteration whose element is the one that was found. The adjoint of the result passes through
all other iterations as it is, so that the reverse sweep runs through these and what lies between
them. Nothing has to be saved for it: behind the first of them the loop carried the result, and
before it a number that compares to the element as the one that the loop began with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Scalar, is_continuous

_fixed: ContextVar[bool] = ContextVar("fixed", default=False)
_BETTER = frozenset({"maximum", "minimum"})
_COMPARED = frozenset({"gt", "ge", "lt", "le"})


@contextmanager
def fixed_ranges() -> Iterator[None]:
    """Reverse such loops as all others, for who must know the ranges of loops beforehand."""
    token = _fixed.set(True)
    try:
        yield
    finally:
        _fixed.reset(token)


def ranges_are_fixed() -> bool:
    """Whether the ranges of all loops must be known beforehand."""
    return _fixed.get()


@dataclass
class Extremum:
    """A loop that carries the best of the elements it reads.

    position   which of the carried values that is
    element    the number that an iteration reads
    makers     the operations that read it
    """

    loop: Op
    position: int
    element: Value
    makers: list[Op]

    @property
    def param(self) -> Value:
        """What the loop carries, before an iteration."""
        return self.loop.regions[0].params[1 + self.position]


def followed(loop: Op, active: Callable[[Value], bool]) -> list[int]:
    """Which of the values that a `for` carries an adjoint follows."""
    params = loop.regions[0].params[1:]
    return [k for k, v in enumerate(loop.outputs) if active(v) or active(params[k])]


def extremum_of(loop: Op, active: Callable[[Value], bool]) -> Extremum | None:
    """What a loop looks for, if that is all it does that an adjoint follows."""
    if ranges_are_fixed():
        return None
    body = loop.regions[0]
    positions = followed(loop, active)
    if len(positions) != 1 or loop.inputs[2].constant != 1:
        return None
    if any(op.written or op.keeps for op in body.walk()):
        return None
    (position,) = positions
    param, end = body.params[1 + position], body.yields[position]
    element = _compared(body, param, end)
    others = [v for op in body.walk() for v in op.outputs if v not in (element, end)]
    if element is None or any(map(active, others)):
        return None
    makers = _makers(body, element)
    return None if makers is None else Extremum(loop, position, element, makers)


def _compared(body: Region, param: Value, end: Value) -> Value | None:
    """The element that is carried on in place of `param` where it is better, and only then."""
    op = end.op
    if op not in body.ops or not isinstance(param.type, Scalar):
        return None
    readers = [o for o in body.walk() if param in o.inputs]
    regions = [r for o in body.walk() for r in o.regions if param in r.yields]
    if op.name in _BETTER:
        alone = readers == [op] and not regions
        return next((v for v in op.inputs if v is not param), None) if alone else None
    if op.name == "where":
        (condition, element, kept), known = op.inputs, readers[:-1] if readers[-1:] == [op] else []
    elif op.name == "if" and not any(r.ops for r in op.regions):
        condition, (element, kept) = (
            op.inputs[0],
            (r.yields[op.outputs.index(end)] for r in op.regions),
        )
        known = readers if regions == op.regions[1:] else []
    else:
        return None
    test = condition.op
    if kept is not param or test is None or known != [test] or test.name not in _COMPARED:
        return None
    return element if set(test.inputs) == {param, element} else None


def _makers(body: Region, element: Value) -> list[Op] | None:
    """The operations of an iteration that read the element: it is the same bits every time."""
    if element.op not in body.ops or element.op.name != "load" or not is_continuous(element.type):
        return None
    needed, found = {element}, []
    for op in reversed(body.ops):
        if needed.isdisjoint(op.outputs):
            continue
        if op.regions or not all(isinstance(v.type, Scalar) for v in op.outputs):
            return None
        if op is not element.op and any(is_continuous(v.type) for v in op.outputs):
            return None
        needed.update(op.inputs)
        found.append(op)
    return None if needed & set(body.params[1:]) else found[::-1]


def search(extremum: Extremum, builder: Builder) -> tuple[Value, Value]:
    """Append a loop that gives the first and the last iteration that read what was found.

    All of them, where a NaN was found. Where none did, the first comes behind the last.
    """
    loop, body = extremum.loop, extremum.loop.regions[0]
    start, stop = loop.inputs[:2]
    best = loop.outputs[extremum.position]
    nothing = builder.op("ne", best, best)

    def compare(index: Value, ends: list[Value]) -> list[Value]:
        mapping = {body.params[0]: index}
        builder.region.ops += [clone_op(op, mapping) for op in extremum.makers]
        equal = builder.op("eq", mapping[extremum.element], best)
        reached = builder.op("logical_or", equal, nothing)
        first = builder.op("minimum", ends[0], builder.op("where", reached, index, stop))
        last = builder.op("maximum", ends[1], builder.op("where", reached, index, start - 1))
        return [first, last]

    after, before = builder.op("maximum", start, stop), start - 1
    after.hint, before.hint = "first", "last"
    first, last = builder.loop(start, stop, 1, [after, before], compare, body.params[0].hint)
    return first, last
