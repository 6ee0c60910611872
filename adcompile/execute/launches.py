"""Launches of kernels that are written down, to be done again without the host function.

Enters: kernels, as a compiled module defines them, and what a host function starts with them.
Leaves: kernels that tell whoever records; launches that want addresses alone to be done again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from adcompile.execute.toolkit import SIMULATED, cuda, launcher

Again = Callable[[list[int]], None]  # does a launch again, given the addresses of its arrays


class Recorder(Protocol):
    """What is told of the launches, the memory and the tables of a call."""

    def launched(self, arrays: list[Any], prepare: Callable[[], Again]) -> None:
        """Something was started that reads and writes these arrays."""

    def took(self, array: Any) -> None:
        """Memory was taken."""

    def keeps(self, array: Any) -> None:
        """This array stays where it is for good."""


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
current = _recorder.get


@contextmanager
def told_to(recorder: Recorder) -> Iterator[None]:
    """Tell a recorder what is started inside."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


class Kernel:
    """A kernel as host functions start it, `kernel[blocks, threads, stream](*arguments)`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def __getitem__(self, shape: tuple[Any, ...]) -> Callable[..., None]:
        if (recorder := current()) is None:
            return self._compiled[shape]

        def start(*arguments: Any) -> None:
            self._compiled[shape](*arguments)
            arrays = [item for item in arguments if is_array(item)]
            recorder.launched(arrays, lambda: _again(self._compiled, shape, arguments))

        return start


def kernels_in(module: Any) -> Any:
    """A module whose kernels tell of their launches, and are kept on disk beside its text.

    Functions that kernels call stay as they are.
    """
    for name, item in list(vars(module).items()):
        if isinstance(item, _KIND) and not _is_for_threads(item):
            if not SIMULATED:
                item.enable_caching()
            setattr(module, name, Kernel(item))
    return module


_KIND = type(cuda.jit(lambda: None))


def _is_for_threads(compiled: Any) -> bool:
    return compiled._device if SIMULATED else bool(compiled.targetoptions.get("device"))


def is_array(item: Any) -> bool:
    """Whether an item is an array of the device."""
    return hasattr(item, "copy_to_host")


def _again(kernel: Any, shape: tuple[Any, ...], arguments: tuple[Any, ...]) -> Again:
    """The launch of a kernel that has been started like this before."""
    if SIMULATED:
        return _simulated(kernel, shape, arguments)
    places = [k for k, item in enumerate(arguments) if is_array(item)]
    launch, words, where = launcher(kernel, shape, arguments, places)

    def again(addresses: list[int]) -> None:
        given = words.copy()
        for place, address in zip(where, addresses, strict=True):
            given[place] = address
        launch(*given)

    return again


def _simulated(kernel: Any, shape: tuple[Any, ...], arguments: tuple[Any, ...]) -> Again:
    """A launch that finds its arrays at addresses of the host."""

    def again(addresses: list[int]) -> None:
        left = iter(addresses)
        kernel[shape](*(_placed(a, next(left)) if is_array(a) else a for a in arguments))

    return again


def _placed(array: Any, address: int) -> Any:
    """An array of the simulator like another one, elsewhere."""
    if not array.size:
        return array
    steps = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    before = sum(min(step, 0) for step in steps)
    count = sum(map(abs, steps)) + array.dtype.itemsize
    memory = (ctypes.c_char * count).from_address(address + before)
    return type(array)(np.ndarray(array.shape, array.dtype, memory, -before, array.strides))
