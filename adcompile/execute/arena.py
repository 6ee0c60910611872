"""Memory that a recorded call took and later calls take again, and where their kernels are queued.

Enters: requests for memory, in the order of a call. Leaves: new memory while a call is recorded,
the same memory in the same order while one is captured. Nothing here knows of a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from adcompile.errors import DeviceError

_Request = tuple[tuple[int, ...], np.dtype[Any]]


class Arena:
    """The memory of one call; it lives as long as the arena.

    stream     where kernels are queued while the arena is in use
    """

    def __init__(self) -> None:
        self.stream: Any = 0
        self._requests: list[_Request] = []
        self._made: list[Any] = []
        self._taken: int | None = None  # how many a captured call took so far

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Keep what the call inside asks for."""
        with self._in_use():
            yield

    @contextmanager
    def replaying(self, stream: Any) -> Iterator[None]:
        """Hand out what was recorded; kernels go to `stream`.

        Raises DeviceError where the call inside asks for other memory than the recorded one.
        """
        self.stream, self._taken = stream, 0
        try:
            with self._in_use():
                yield
            if self._taken != len(self._made):
                raise _different(f"{self._taken} arrays, not {len(self._made)}")
        finally:
            self.stream, self._taken = 0, None

    def take(self, shape: tuple[int, ...], dtype: Any, make: Callable[[], Any]) -> Any:
        """Memory for an array: made now and kept, or the next one that was recorded."""
        request = tuple(map(int, shape)), np.dtype(dtype)
        if self._taken is None:
            self._requests.append(request)
            self._made.append(make())
            return self._made[-1]
        place = self._taken
        if place == len(self._made):
            raise _different(f"more than {place} arrays")
        if self._requests[place] != request:
            raise _different(f"{_text(request)}, not {_text(self._requests[place])}")
        self._taken += 1
        return self._made[place]

    def forget(self, count: int) -> None:
        """Keep the first requests only."""
        if self._taken is None:
            del self._requests[count:], self._made[count:]

    def __len__(self) -> int:
        return len(self._made)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Arena | None] = ContextVar("arena", default=None)


def current() -> Arena | None:
    """The arena in use, if there is one."""
    return _current.get()


@contextmanager
def forgotten_if_it_fails() -> Iterator[None]:
    """Take the requests inside back on an error, after which the call may go another way."""
    used = _current.get()
    count = 0 if used is None else len(used)
    try:
        yield
    except BaseException:
        if used is not None:
            used.forget(count)
        raise


def _text(request: _Request) -> str:
    shape, dtype = request
    return f"an array of {dtype} of shape {shape}"


def _different(what: str) -> DeviceError:
    return DeviceError(
        f"a second call asks for other memory than the first: {what}",
        hint="what is captured must take the same steps each time",
    )
