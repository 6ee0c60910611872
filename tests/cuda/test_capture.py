"""What a captured training step asks of the device: no memory, no transfer, one stream.

The compiler's package is the real one; nothing is launched, so no GPU is needed.
"""

import contextlib

import numpy as np
import pytest
from numba import config

import adcompile as ad
from adcompile.train import loop, models
from adcompile.train.data import Dataset

if config.ENABLE_CUDASIM:
    pytest.skip("the simulator captures nothing", allow_module_level=True)
try:
    from adcompile.execute import capture, device, launches
    from adcompile.execute import cuda as calls
    from adcompile.execute.toolkit import core_stream, cuda
except ad.errors.DeviceError as error:
    pytest.skip(str(error), allow_module_level=True)

SAMPLES, BATCH, EPOCHS = 14, 4, 2


class _Device:
    compute_capability, MULTIPROCESSOR_COUNT, id = (9, 0), 132, 0


class _Memory:
    """An address: nothing is read there."""

    def __init__(self, address):
        self.device_ctypes_pointer = _Address(address)

    def view(self, start, stop=None):
        return _Memory(self.device_ctypes_pointer.value + start)


class _Address:
    def __init__(self, value):
        self.value = value


class _Driver:
    """Counts what it is asked for."""

    def __init__(self):
        self.arrays, self.copies, self.streams, self.graphs = 0, 0, [], 0
        self.end = 4096  # of the memory that is handed out

    def array(self, shape, dtype):
        self.arrays += 1
        host, start = np.empty(shape, dtype), self.end
        self.end += host.nbytes
        return cuda.devicearray.DeviceNDArray(
            host.shape, host.strides, host.dtype, gpu_data=_Memory(start)
        )

    def upload(self, array, stream=0):
        self.copies += 1
        return self.array(array.shape, array.dtype)

    def launch(self, stream):
        self.graphs += 1


@pytest.fixture
def driver(monkeypatch):
    made = _Driver()
    arrays = cuda.devicearray.DeviceNDArray
    monkeypatch.setattr(device, "most_blocks", lambda: 1056)
    monkeypatch.setattr(cuda, "get_current_device", lambda: _Device)
    monkeypatch.setattr(calls, "_require_device", lambda: None)
    monkeypatch.setattr(cuda, "device_array", made.array)
    monkeypatch.setattr(cuda, "to_device", made.upload)
    monkeypatch.setattr(arrays, "copy_to_device", lambda *_: None)
    monkeypatch.setattr(arrays, "copy_to_host", lambda array: np.zeros(array.shape))
    again = lambda kernel, shape, arguments: lambda addresses: made.streams.append(shape[2])
    monkeypatch.setattr(launches, "_again", again)
    monkeypatch.setattr(
        cuda.dispatcher.CUDADispatcher,
        "call",
        lambda kernel, args, launch: (
            [kernel.typeof_pyval(item) for item in args],
            made.streams.append(launch.stream),
        ),
    )
    return made


def _train(name, target="cuda"):
    rng = np.random.default_rng(0)
    model = {"adaline": models.ADALINE, "mlp": models.MLP}[name]
    sizes, classes = ((3, 1), 2) if name == "adaline" else ((5, 4, 3), 3)
    x = rng.standard_normal((SAMPLES, sizes[0])).astype(np.float32)
    y = rng.integers(0, classes, SAMPLES)
    progress = loop.start(model.initial(sizes, rng, "float32"))
    settings = loop.Settings(EPOCHS, BATCH, 0.1, 0.5, 0.01, 0, target)
    lines = []
    loop.train(model, Dataset("", x, y, x, y), settings, progress, tell=lines.append)
    return lines


@pytest.mark.parametrize("name", ["adaline", "mlp"])
def test_a_step_is_captured(name, driver, monkeypatch):
    stream = core_stream(4711)
    captured = []

    @contextlib.contextmanager
    def building():
        arrays, copies, count = driver.arrays, driver.copies, len(driver.streams)
        yield stream, [driver]
        assert (driver.arrays, driver.copies) == (arrays, copies)
        captured.extend(driver.streams[count:])

    monkeypatch.setattr(capture, "_building", building)
    assert _train(name) == ["steps are replayed as one CUDA graph"]
    assert len(captured) > 4
    assert all(used == stream for used in captured)
    assert sum(used == stream for used in driver.streams) == len(captured)
    assert driver.graphs == EPOCHS * (SAMPLES // BATCH) - 1


def test_steps_are_launched_where_nothing_can_be_captured(driver, monkeypatch):
    @contextlib.contextmanager
    def building():
        yield core_stream(4711), []
        raise RuntimeError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: not here\nand more")

    monkeypatch.setattr(capture, "_building", building)
    (line,) = _train("adaline")
    assert line.startswith("steps are launched kernel by kernel: the driver captures no graph: ")
    assert line.endswith("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: not here")
    twice = capture.Captured(ad.jit(_twice, target="cuda"), (driver.array(3, "f4"),))
    with pytest.raises(ad.errors.DeviceError, match="captures no graph"):
        twice.replay()


def _twice(x):
    return 2 * x


def test_arrays_of_the_host_are_refused(driver):
    with pytest.raises(ad.TypeMismatch, match="arrays of the device"):
        capture.Captured(ad.jit(_twice, target="cuda"), (np.ones(3),))


class _Builder:
    """A stream and the builder of its graph, as the driver's package has them."""

    def __init__(self, told, fails=""):
        self.told, self.fails = told, fails

    def __getattr__(self, name):
        def told(*args):
            self.told.append((name, *args))
            if name == self.fails:
                raise RuntimeError(name)
            return self

        return told


@pytest.mark.parametrize("fails", ["", "begin_building", "end_building", "complete", "close"])
def test_how_a_graph_is_built(fails, driver, monkeypatch):
    told = []
    builder = _Builder(told, fails)

    @contextlib.contextmanager
    def nothing_is_freed():
        told.append("keep")
        yield
        told.append("free")

    monkeypatch.setattr(cuda, "defer_cleanup", nothing_is_freed)
    monkeypatch.setattr(capture, "_unfinished", [])
    monkeypatch.setattr(capture, "_queue", lambda device, thread: 4711)
    monkeypatch.setattr(capture, "core_stream", lambda stream: builder)
    run = capture.Captured(lambda: told.append("call"), (), required=False)
    run.replay()
    steps = ["create_graph_builder", "begin_building", "call", "end_building", "complete"]
    failed = fails in steps
    done = steps[: steps.index(fails) + 1] if failed else steps
    seen = [item if isinstance(item, str) else item[0] for item in told]
    closed = ["close"] if fails != "begin_building" else []
    assert seen == ["call", "keep", *done, *closed, *([] if failed else ["free"])]
    assert ("begin_building", "thread_local") in told
    assert run.reason == (f"the driver captures no graph: {fails}" if failed else "")
    assert capture._unfinished == ([builder] if fails == "close" else [])
    told.clear()
    run.replay()
    assert told == (["call"] if failed else [("launch", builder)])
