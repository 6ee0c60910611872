"""Sets of element numbers: of which inputs an element is made.

Enters: numbers from 0 to before `count`. Leaves: sets that share memory where they are equal. A
small set is a frozenset, a large one the bits of an integer, so that a union costs what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

EMPTY: frozenset[int] = frozenset()
Set = frozenset[int] | int
Elements = np.ndarray[Any, Any]  # an array whose elements are sets


class Sets:
    """The sets of numbers below `count`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._small = max(64, count // 64)  # of more numbers the bits take less memory
        self._elementwise = np.frompyfunc(self.union, 2, 1)

    def union(self, first: Set, second: Set) -> Set:
        """All numbers of both."""
        if first is second or not second:
            return first
        if not first:
            return second
        if isinstance(first, int) or isinstance(second, int):
            return self._bits(first) | self._bits(second)
        if second <= first:
            return first
        if first <= second:
            return second
        return self._kept(first | second)

    def union_all(self, items: Iterable[Set]) -> Set:
        """All numbers of all items."""
        small: list[frozenset[int]] = []
        large: list[int] = []
        for item in set(items):
            if isinstance(item, int):
                large.append(item)
            else:
                small.append(item)
        together = self._kept(EMPTY.union(*small))
        return reduce(self.union, large, together)

    def unions(self, first: Any, second: Any) -> Any:
        """The union of each pair of elements, as NumPy broadcasts them; of two sets their union."""
        return self._elementwise(first, second)

    def running(self, items: Elements, axis: int) -> Elements:
        """The union of each element with all before it."""
        return self._elementwise.accumulate(items, axis, dtype=object)  # type: ignore[no-any-return]

    def along(self, items: Elements, axes: tuple[int, ...], keepdims: bool = False) -> Any:
        """The union along axes; a set if no axis is left."""
        left = [k for k in range(items.ndim) if k not in axes]
        shape = [items.shape[k] for k in left]
        rows = items.transpose([*left, *axes]).reshape(int(np.prod(shape, dtype=int)), -1)
        folded = filled(len(rows))
        for k, row in enumerate(rows):
            folded[k] = self.union_all(row)
        if keepdims:
            shape = [1 if k in axes else n for k, n in enumerate(items.shape)]
        return folded.reshape(shape) if shape else folded[0]

    def places(self, items: Iterable[Set]) -> tuple[Any, Any]:
        """The number of each item and the numbers in it, as two arrays side by side."""
        found = [self._numbers(item) for item in items]
        rows = np.repeat(np.arange(len(found)), [len(numbers) for numbers in found])
        return rows, np.concatenate(found) if found else rows

    def singletons(self, shape: tuple[int, ...]) -> Any:
        """An array whose elements depend on themselves; the set of 0 for a number."""
        result = filled(self.count)
        for k in range(self.count):
            result[k] = frozenset((k,))
        return result.reshape(shape) if shape else result[0]

    def _kept(self, item: frozenset[int]) -> Set:
        return self._bits(item) if len(item) > self._small else item

    def _bits(self, item: Set) -> int:
        if isinstance(item, int):
            return item
        if len(item) < 8:
            return sum(1 << k for k in item)
        flags = np.zeros(self.count, bool)
        flags[list(item)] = True
        return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")

    def _numbers(self, item: Set) -> Any:
        if not isinstance(item, int):
            return np.fromiter(item, np.int64, len(item))
        data = np.frombuffer(item.to_bytes(self.count // 8 + 1, "little"), np.uint8)
        return np.flatnonzero(np.unpackbits(data, bitorder="little"))


def filled(shape: Any, item: Set = EMPTY) -> Elements:
    """A fresh array of equal sets."""
    result = np.empty(shape, object)
    result.fill(item)
    return result
