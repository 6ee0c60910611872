"""What a `for` goes through: a counter and the item it stands for.

Enters: ranges, arrays, tuples, and `zip`, `enumerate`, `reversed` of them. Leaves: a tuple whose
items are known one by one, or an `Iteration`: bounds of a counter, and the item at each count.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from adcompile.errors import ShapeError, TypeMismatch, UnsupportedSyntax
from adcompile.graph.builder import current
from adcompile.graph.ir import Value
from adcompile.graph.trees import Leaf
from adcompile.graph.types import Array, Scalar, is_integer
from adcompile.ops.spellings import as_value, counting, described
from adcompile.parse import indexing
from adcompile.parse.scope import is_number

_LONG = 8  # tuples of more numbers than this are looped over as arrays


@dataclass(frozen=True)
class Iteration(Leaf):
    """`item(k)` for k from `start` to before `stop`; `step` is known when compiled.

    A `segmented` one is run again in pieces by the reverse sweep, instead of saved.
    """

    start: Any
    stop: Any
    step: int
    item: Callable[[Value], Any]
    is_range: bool = False
    segmented: bool = False

    def counted(self) -> Iteration:
        """The same items, counted from 0 by 1."""
        if self.step == 1 and not isinstance(self.start, Value) and self.start == 0:
            return self
        start, step = self.start, self.step
        count = trip_count(self.start, self.stop, self.step)
        return Iteration(0, count, 1, lambda k: self.item(k * step + start))


def iteration_over(item: Any) -> Any:
    """The iteration over an item of the environment, or a tuple of its items."""
    if isinstance(item, Iteration):
        return item
    if isinstance(item, (tuple, list)):
        return _over_items(tuple(item))
    if isinstance(item, dict):
        return tuple(item)
    if isinstance(item, range):
        return Iteration(item.start, item.stop, item.step, lambda k: k, True)
    if isinstance(item, Value) and isinstance(item.type, Array):
        extent = current().extent(item.type.shape[0])
        return Iteration(0, extent, 1, lambda k: indexing.read(current(), item, k))
    what = described(item)
    raise UnsupportedSyntax(
        f"`for` cannot go through {what}",
        hint="loop over a range, an array, a tuple, or zip, enumerate, reversed of them",
    )


def _over_items(items: tuple[Any, ...]) -> Any:
    """A long tuple of numbers is an array: its loop stays a loop."""
    types = {i.type if isinstance(i, Value) else type(i) for i in items}
    alike = len(types) == 1 and all(
        is_number(i) or (isinstance(i, Value) and isinstance(i.type, Scalar)) for i in items
    )
    return iteration_over(as_value(items)) if alike and len(items) > _LONG else items


def over_range(*bounds: Any) -> Iteration:
    """`range`, also with a step that only the run knows."""
    for bound in bounds:
        fits = isinstance(bound, int) and not isinstance(bound, bool)
        if isinstance(bound, Value):
            fits = isinstance(bound.type, Scalar) and is_integer(bound.type)
        if not fits:
            raise TypeMismatch("a bound of range must be an integer", hint="convert it: int(n)")
    if not 1 <= len(bounds) <= 3:
        raise TypeMismatch(f"range takes 1 to 3 arguments, got {len(bounds)}")
    bounds = tuple(map(counting, bounds))
    start, stop, step = {1: (0, *bounds, 1), 2: (*bounds, 1)}.get(len(bounds), bounds)
    if isinstance(step, Value) and step.constant is not None:
        step = step.constant
    if not isinstance(step, Value):
        if step == 0:
            raise ShapeError("the step of range cannot be 0")
        return Iteration(start, stop, step, lambda k: k, True)
    builder = current()
    nonzero = builder.op("ne", step, 0)
    builder.op("require", nonzero, message="the step of range cannot be 0", error="ValueError")
    return Iteration(0, trip_count(start, stop, step), 1, lambda k: k * step + start)


def trip_count(start: Any, stop: Any, step: Any) -> Any:
    """How many items a range has: the quotient rounded up, at least 0."""
    if not any(isinstance(b, Value) for b in (start, stop, step)):
        return len(range(start, stop, step))
    down = current().op("floordiv", as_value(start) - stop, step)
    return current().op("maximum", -down, 0)


def over_zip(*items: Any, strict: bool = False) -> Any:
    """`zip`: as long as the shortest; with `strict`, arrays of other lengths raise an error."""
    if not items:
        raise TypeMismatch("zip needs an argument")
    sources = [iteration_over(item) for item in items]
    if all(isinstance(s, tuple) for s in sources):
        if strict and len({len(s) for s in sources}) > 1:
            raise ShapeError("zip of tuples of different lengths")
        return tuple(zip(*sources, strict=False))
    counted = [_as_iteration(s).counted() for s in sources]
    stop = counted[0].stop
    for other in counted[1:]:
        if other.stop is stop or _equal(stop, other.stop):
            continue
        if strict:
            same = current().op("eq", as_value(stop), as_value(other.stop))
            message = "zip: arguments of different lengths"
            current().op("require", same, message=message, error="ValueError")
        else:
            stop = current().op("minimum", as_value(stop), as_value(other.stop))
    return Iteration(0, stop, 1, lambda k: tuple(c.item(k) for c in counted))


def _equal(first: Any, second: Any) -> bool:
    numbers = [i.constant if isinstance(i, Value) else i for i in (first, second)]
    return numbers[0] is not None and numbers[0] == numbers[1]


def _as_iteration(source: Any) -> Iteration:
    if isinstance(source, Iteration):
        return source
    alike = all(is_number(i) or isinstance(i, Value) for i in source)
    if not alike:
        raise UnsupportedSyntax(
            "a tuple of different things beside an array", hint="index the array: for k, t in ..."
        )
    result: Iteration = iteration_over(as_value(source))
    return result


def over_enumerate(items: Any, start: Any = 0) -> Any:
    """`enumerate`."""
    source = iteration_over(items)
    if isinstance(source, tuple):
        return tuple((k + start, item) for k, item in enumerate(source))
    counted = source.counted()
    shift = isinstance(start, Value) or start != 0
    return Iteration(
        0, counted.stop, 1, lambda k: (k + start if shift else k, counted.item(k)), not shift
    )


def in_segments(items: Any) -> Any:
    """`checkpoint` of what a loop goes through."""
    source = iteration_over(items)
    if isinstance(source, tuple):
        raise UnsupportedSyntax("checkpoint of a tuple", hint="loop over a range or an array")
    return replace(source, segmented=True)


def over_reversed(items: Any) -> Any:
    """`reversed`."""
    source = iteration_over(items)
    if isinstance(source, tuple):
        return source[::-1]
    if source.is_range and source.step == 1:
        last = as_value(source.stop) - 1
        first = as_value(source.start) - 1
        return Iteration(last, first, -1, source.item, True)
    counted = source.counted()
    last = as_value(counted.stop) - 1
    return Iteration(last, -1, -1, counted.item)


FRONTS: dict[Any, Callable[..., Any]] = {
    builtins.range: over_range,
    builtins.zip: over_zip,
    builtins.enumerate: over_enumerate,
    builtins.reversed: over_reversed,
}


def is_parallel_range(function: Any) -> bool:
    """Whether it is Numba's `prange`, which is a range; Numba itself need not be there."""
    named = getattr(function, "__name__", "") == "prange"
    return named and function.__module__.startswith("numba.")
