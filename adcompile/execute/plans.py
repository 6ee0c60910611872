"""Calls that start the kernels of an earlier one again, without running the host function.

Enters: the host function of a program, and the arguments of calls. Leaves: its results. What a call
starts is the same for the same extents, strides and numbers. The second call of a kind is written
down, with the place of each array in the memory of the call; later ones take memory and launch.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.execute import arena, launches
from adcompile.execute.device_view import part_of
from adcompile.execute.launches import Again, is_array
from adcompile.execute.toolkit import SIMULATED, address_of, cuda

_KEPT = 16  # plans of one function
_MOST_LAUNCHES = 2000
_MOST_BYTES = 1 << 28  # of memory; beyond, kernels take so long that the host is hidden behind them
_ALIGNED = 256

Place = tuple[int, int]  # which memory of a call, and how many bytes from where it begins


class Planned:
    """A host function that runs twice for each kind of call.

    Calls are of one kind if shapes, strides and dtypes of arrays are the same, and the numbers.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._plans: dict[Any, Plan | None] = {}  # None: a call that has no plan
        self._seen: set[Any] = set()

    def __call__(self, *items: Any) -> Any:
        """The results of the host function."""
        if arena.current() is not None:  # which keeps the memory of a captured call itself
            return self._run(*items)
        flat = list(_flat(items))
        key = (*map(_kind, flat), 0 if SIMULATED else cuda.get_current_device().id)
        if key in self._plans:
            plan = self._plans[key]
            return self._run(*items) if plan is None else plan.start(flat)
        if key in self._seen:
            self._seen.discard(key)
            return self._recorded(key, items, flat)
        if len(self._seen) >= _KEPT:
            self._seen.clear()
        self._seen.add(key)
        return self._run(*items)

    def _recorded(self, key: Any, items: Sequence[Any], flat: list[Any]) -> Any:
        recording = _Recording(flat)
        with launches.told_to(recording):
            result = self._run(*items)
        if len(self._plans) >= _KEPT:
            self._plans.clear()
        self._plans[key] = recording.plan(result)
        return result


@dataclass(frozen=True)
class _Result:
    """An array that a call gives: part of an argument or of memory that the call takes."""

    place: Place
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What calls of one kind start.

    given     which arguments are arrays; they are the first memory of a call
    taken     shape and dtype of the memory that holds results
    scratch   how many bytes all other memory takes together
    parts     where in that the rest of the memory begins
    steps     launches, and the places of the arrays of each
    result    numbers, arrays and tuples of them
    """

    given: tuple[int, ...]
    taken: tuple[tuple[tuple[int, ...], Any], ...]
    scratch: int
    parts: tuple[int, ...]
    steps: tuple[tuple[Again, tuple[Place, ...]], ...]
    result: Any

    def start(self, flat: list[Any]) -> Any:
        """Start it all and give the results, without waiting."""
        memory = [flat[k] for k in self.given]
        memory += [cuda.device_array(shape, dtype) for shape, dtype in self.taken]
        scratch = cuda.device_array(self.scratch, np.uint8) if self.scratch else None
        first = 0 if scratch is None else address_of(scratch)
        begins = [0, *map(address_of, memory), *(first + part for part in self.parts)]
        for again, places in self.steps:
            again([begins[which] + offset for which, offset in places])
        return _mapped(lambda leaf: _found(leaf, memory), self.result)


def _found(leaf: Any, memory: list[Any]) -> Any:
    if not isinstance(leaf, _Result):
        return leaf
    which, offset = leaf.place
    whole = memory[which - 1]
    if offset == 0 and (whole.shape, whole.strides) == (leaf.shape, leaf.strides):
        return whole
    return part_of(whole, leaf.shape, leaf.strides, offset)


class _Recording:
    """Writes a call down. Memory 0 is the whole device: its offsets are addresses."""

    def __init__(self, flat: list[Any]) -> None:
        self._given = [k for k, item in enumerate(flat) if is_array(item)]
        self._memory = [flat[k] for k in self._given]
        self._spans: list[tuple[int, int, int]] = []  # first byte, behind the last, which memory
        self._steps: list[tuple[Again, tuple[Place, ...]]] = []
        self._bytes = 0
        self._complete = True
        for k, array in enumerate(self._memory):
            self._enter(array, k + 1)

    def launched(self, arrays: list[Any], prepare: Callable[[], Again]) -> None:
        """A launch becomes a step."""
        if not self._complete:
            return
        places = [self._place(array) for array in arrays]
        if len(self._steps) == _MOST_LAUNCHES or None in places:
            self._give_up()
        else:
            self._steps.append((prepare(), tuple(p for p in places if p is not None)))

    def took(self, array: Any) -> None:
        """Memory is kept until the end, so that no address has two meanings."""
        self._bytes += array.nbytes
        if self._bytes > _MOST_BYTES:
            self._give_up()
        if self._complete:
            self._memory.append(array)
            self._enter(array, len(self._memory))

    def keeps(self, array: Any) -> None:
        """A table that all calls read."""
        if self._complete and not self._covers(array):
            self._enter(array, 0)

    def plan(self, result: Any) -> Plan | None:
        """The plan of the call that gave this result; none where one cannot be made."""
        if not self._complete:
            return None
        leaves = list(_flat((result,)))
        places = [self._place(leaf) for leaf in leaves if is_array(leaf)]
        if any(place is None or place[0] == 0 for place in places):
            return None
        count = len(self._given)
        kept = sorted({p[0] for p in places if p is not None and p[0] > count})
        order = [*range(count + 1), *kept]
        order += [k for k in range(count + 1, len(self._memory) + 1) if k not in kept]
        new = {old: k for k, old in enumerate(order)}
        parts, scratch = [], 0
        for k in order[count + 1 + len(kept) :]:
            parts.append(scratch)
            scratch += -(-self._memory[k - 1].nbytes // _ALIGNED) * _ALIGNED

        def found(leaf: Any) -> Any:
            if not is_array(leaf):
                return leaf
            which, offset = self._place(leaf) or (0, 0)
            return _Result((new[which], offset), leaf.shape, leaf.strides)

        return Plan(
            tuple(self._given),
            tuple((self._memory[k - 1].shape, self._memory[k - 1].dtype) for k in kept),
            scratch,
            tuple(parts),
            tuple((a, tuple((new[w], o) for w, o in places)) for a, places in self._steps),
            _mapped(found, result),
        )

    def _give_up(self) -> None:
        self._complete = False
        self._memory, self._spans, self._steps = [], [], []

    def _enter(self, array: Any, which: int) -> None:
        low, high = _bytes_of(array)
        if low == high:
            return
        place = bisect_right(self._spans, (low, high, which))
        beside = self._spans[max(0, place - 1) : place + 1]
        if any(low < other_high and other_low < high for other_low, other_high, _ in beside):
            self._give_up()  # the next call may have two arrays where this one has one
        else:
            insort(self._spans, (low, high, which))

    def _covers(self, array: Any) -> bool:
        return not array.size or self._place(array) is not None

    def _place(self, array: Any) -> Place | None:
        """In which memory an array lies; none where that is not known."""
        if not array.size:
            return 0, 0
        address = address_of(array)
        k = bisect_right(self._spans, (address, np.inf, 0)) - 1
        if k < 0 or self._spans[k][1] <= address:
            return None
        which = self._spans[k][2]
        return which, address - (address_of(self._memory[which - 1]) if which else 0)


def kind_of(items: Sequence[Any]) -> Any:
    """All that the types of a call depend on; none where it has more than arrays and numbers.

    items   arrays of the device, numbers, and tuples of them
    """
    kinds = tuple(map(_typed, items))
    return None if None in kinds else kinds


def _typed(item: Any) -> Any:
    if type(item) is tuple:
        return kind_of(item)
    if is_array(item):
        return item.shape, item.strides, item.dtype
    if type(item) is int:
        return int if -(2**63) <= item < 2**63 else None
    return type(item) if isinstance(item, (bool, float, complex, np.generic)) else None


def _bytes_of(array: Any) -> tuple[int, int]:
    """The addresses of an array's first byte and of that behind its last."""
    first = address_of(array)
    if not array.size:
        return first, first
    spans = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    low, high = (sum(pick(span, 0) for span in spans) for pick in (min, max))
    return first + low, first + high + array.dtype.itemsize


def _kind(item: Any) -> Any:
    if is_array(item):
        return item.shape, item.strides, item.dtype
    return type(item), repr(item)  # which tells 0.0 from -0.0


def _flat(item: Any) -> Iterator[Any]:
    if isinstance(item, tuple):
        for part in item:
            yield from _flat(part)
    else:
        yield item


def _mapped(function: Callable[[Any], Any], item: Any) -> Any:
    if isinstance(item, tuple):
        return tuple(_mapped(function, part) for part in item)
    return function(item)
