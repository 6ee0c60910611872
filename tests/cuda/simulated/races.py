"""A stricter simulator: threads take turns in an order drawn from a seed, and races are errors.

Enters: kernels that run inside `strictly(...)`. Leaves: `Race` for two threads that use one element,
where one writes it and nothing says which is first; for barriers that not all threads of a block
reach; and memory that is not set holds numbers that do not pass for results.
"""

import contextlib
import random
import sys
import threading

import numpy as np
from numba.cuda.simulator import kernel, kernelapi
from numba.cuda.simulator.cudadrv import devicearray

from adcompile.execute import device


class Race(AssertionError):
    """Threads that meet at an element, or do not meet at a barrier."""


class _Launch:
    """What the threads of one launch have done with each element."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.uses, self.barriers = {}, {}

    def use(self, array, index, kind):
        thread = threading.current_thread()
        index = index if isinstance(index, tuple) else (index,)
        if not isinstance(thread, kernel.BlockThread) or len(index) != array.ndim:
            return
        places = zip(index, array.shape, array.strides, strict=True)
        address = array.__array_interface__["data"][0]
        address += sum((int(i) + (n if i < 0 else 0)) * s for i, n, s in places)
        block, own = tuple(thread.blockIdx), tuple(thread.threadIdx)
        found = (kind, block, own, self.barriers.get((block, own), 0))
        for other in self.uses.setdefault(address, []):
            if _is_race(found, other):
                raise Race(f"{array.dtype}{array.shape}[{index}]: {other} and {found}")
        if found not in self.uses[address]:
            self.uses[address].append(found)


def _is_race(one, other):
    (kind, block, own, barriers), (kind2, block2, own2, barriers2) = one, other
    if kind == kind2 != "write" or (block, own) == (block2, own2):
        return False
    return block != block2 or barriers == barriers2


_launch = _Launch()


class _Turns(kernel.BlockManager):
    """The threads of a block, one at a time, each up to the next barrier."""

    order = random.Random(0)

    def run(self, grid_point, *args):
        if not any(grid_point):
            _launch.reset()
        threads = [
            kernel.BlockThread(lambda: self._f(*args), self, grid_point, point, self._debug)
            for point in np.ndindex(*self._block_dim)
        ]
        live = list(threads)
        for thread in live:
            thread.stopped, thread.started = threading.Event(), False
        while live:
            self.order.shuffle(live)
            for thread in live:
                self._turn(thread)
            ended = [t for t in live if not t.is_alive()]
            failed = [t for t in live if t.exception]
            if failed or (ended and len(ended) < len(live)):
                self._abort(live)
                if failed:
                    raise failed[0].exception[0].with_traceback(failed[0].exception[1])
                raise Race("some threads of a block wait at a barrier that others do not reach")
            live = [t for t in live if t.is_alive()]

    def _turn(self, thread):
        if thread.started:
            thread.syncthreads_event.set()
        else:
            thread.started = True
            thread.start()
        thread.stopped.wait()
        thread.stopped.clear()
        if not thread.syncthreads_blocked:
            thread.join()
        thread.syncthreads_blocked = False

    def _abort(self, threads):
        for thread in threads:
            thread.abort = True
            thread.syncthreads_event.set()


def _run(self, _before=kernel.BlockThread.run):
    _before(self)
    self.stopped.set()


def _syncthreads(self):
    key = tuple(self.blockIdx), tuple(self.threadIdx)
    _launch.barriers[key] = _launch.barriers.get(key, 0) + 1
    self.syncthreads_blocked = True
    self.stopped.set()
    self.syncthreads_event.wait()
    self.syncthreads_event.clear()
    if self.abort:
        raise RuntimeError("stopped")


def _read(self, index, _before=devicearray.FakeWithinKernelCUDAArray.__getitem__):
    _launch.use(self._item._ary, index, "read")
    return _before(self, index)


def _write(self, index, value):
    _launch.use(self._item._ary, index, "write")
    self._item.__setitem__(index, value)


def _add(self, array, index, value):
    item = array._item._ary
    _launch.use(item, index, "add")
    before = item[index]
    item[index] += value
    return before


def _unset(shape, dtype):
    made = np.empty(shape, dtype)
    if made.dtype == object:
        return made  # None, which no number adds to
    made.view("u1" if made.ndim else made.dtype).fill(0xF3) if made.size else None
    if made.dtype.kind in "fc":
        made.fill(np.nan)
    if made.dtype.kind == "b":
        made.fill(True)
    return made


def _shared(self, shape, dtype, alignment=None):
    """The simulator has one array for a line of text, whatever its type: here one for each type."""
    caller = sys._getframe(1)
    dtype = np.dtype(getattr(dtype, "name", dtype))
    place = caller.f_code.co_filename, caller.f_lineno, dtype
    if place not in self._allocations:
        self._allocations[place] = _unset(shape, dtype)
    return self._allocations[place]


@contextlib.contextmanager
def strictly(seed=0):
    """Kernels that run inside are checked."""
    places = [
        (kernel, "BlockManager", _Turns),
        (kernel.BlockThread, "run", _run),
        (kernel.BlockThread, "syncthreads", _syncthreads),
        (devicearray.FakeWithinKernelCUDAArray, "__getitem__", _read),
        (devicearray.FakeWithinKernelCUDAArray, "__setitem__", _write),
        (kernelapi.FakeCUDAAtomic, "add", _add),
        (kernelapi.FakeCUDAShared, "array", _shared),
        (kernelapi.FakeCUDALocal, "array", lambda self, shape, dtype: _unset(shape, dtype)),
        (device, "empty", lambda shape, dtype: devicearray.FakeCUDAArray(_unset(shape, dtype))),
    ]
    before = [getattr(owner, name) for owner, name, _ in places]
    _Turns.order = random.Random(seed)
    for owner, name, new in places:
        setattr(owner, name, new)
    try:
        yield
    finally:
        for (owner, name, _), old in zip(places, before, strict=True):
            setattr(owner, name, old)
