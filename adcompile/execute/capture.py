"""Calls on the device that are captured once, as a CUDA graph, and launched from there on.

Enters: a compiled function for the device and its arguments, arrays of the device and numbers.
Leaves: an object that does the call again with little work of the host. What changes from call to
call is in the arrays; numbers are part of the graph.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from adcompile.errors import DeviceError, TypeMismatch
from adcompile.execute.arena import Arena
from adcompile.execute.cuda import explained, is_foreign, on_device
from adcompile.execute.toolkit import SIMULATED, core_stream, cuda

# what would wait for the device is an error in the thread that captures, not in others
_MODE = "thread_local"
_unfinished: list[Any] = []  # builders would end what their stream captures when they are deleted


class Captured:
    """A call to repeat. The first repetition runs and captures it, the others launch the graph.

    function   compiled with target="cuda"
    arguments  arrays of the device and numbers, in tuples; the arrays stay in use
    required   False: where the driver captures no graph, call the function each time

    `reason` says why the function is called each time; it is empty where a graph is launched, and
    before the first repetition. Raises TypeMismatch for arrays of the host, whose memory a graph
    cannot read, and DeviceError where a graph is required and there is none.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Sequence[Any], *, required: bool = True
    ) -> None:
        with explained():
            self._arguments = tuple(map(_settled, arguments))
        self._function = function
        self._required = required
        self._memory: Arena | None = None
        self._graph: Any = None
        self._result: Any = None
        self.reason = ""
        if SIMULATED:
            self._refused("the simulator has no graphs")

    def replay(self) -> Any:
        """Do the call. The next repetition writes into the same results."""
        if self._graph is not None:
            with explained():
                self._graph.launch(core_stream(0))
        elif self.reason:
            self._result = self._function(*self._arguments)
        else:
            memory = Arena()
            with memory.recording():
                self._result = self._function(*self._arguments)
            self._capture(memory)
        return self._result

    def _capture(self, memory: Arena) -> None:
        try:
            with _building() as (stream, graphs), memory.replaying(stream):
                self._function(*self._arguments)
        except Exception as error:  # the same call has just run: it fails for want of a graph
            self._refused(f"the driver captures no graph: {error}".splitlines()[0], error)
        else:
            self._memory, self._graph = memory, graphs[0]

    def _refused(self, reason: str, error: Exception | None = None) -> None:
        self.reason = reason
        if self._required:
            hint = "required=False calls the function each time"
            raise DeviceError(reason, hint=hint) from error


@contextmanager
def _building() -> Iterator[tuple[Any, list[Any]]]:
    """A stream whose kernels become a graph, and the list in which it is found at the end."""
    graphs: list[Any] = []
    with cuda.defer_cleanup():  # to free memory is to wait for the device
        stream = core_stream(_queue(cuda.get_current_device().id, threading.get_ident()))
        builder = stream.create_graph_builder()
        builder.begin_building(_MODE)
        try:
            yield stream, graphs
            graphs.append(builder.end_building().complete())
        finally:
            try:
                builder.close()
            except Exception:  # that of a failed capture; the first error is the one to tell
                _unfinished.append(builder)


@cache
def _queue(device: int, thread: int) -> Any:
    """The stream on which a thread captures; libraries and launches may remember it.

    Stream 0 and it wait for each other: work that strays there is an error and not lost.
    """
    return cuda.stream()


def _settled(item: Any) -> Any:
    """An argument whose memory stays where it is."""
    if isinstance(item, (tuple, list)):
        return tuple(map(_settled, item))
    if isinstance(item, np.ndarray) and item.ndim:
        raise TypeMismatch(
            "a captured call takes arrays of the device", hint="numba.cuda.to_device(x)"
        )
    return on_device(item) if is_foreign(item) else item
