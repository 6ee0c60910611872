"""Training on the device equals training on the CPU."""

import os
import subprocess
import sys

import numpy as np
import pytest

import adcompile as ad
from adcompile import optim
from adcompile.execute.toolkit import SIMULATED
from adcompile.train import checkpoint, loop, models
from adcompile.train.data import Dataset
from tests.cuda.simulated.running import in_simulator

RNG = np.random.default_rng(0)
TABLE = np.array([1.0, 2.0, 3.0])


def _samples(count, inputs, classes):
    x = RNG.standard_normal((count, inputs)).astype(np.float32)
    y = np.arange(count) % classes
    return Dataset("", x, y, x, y)


def _train(model, sizes, samples, target, epochs, progress=None):
    lines = []
    if progress is None:
        layers = model.initial(sizes, np.random.default_rng(1), "float32")
        progress = loop.start(layers)
    settings = loop.Settings(epochs, 4, 0.1, 0.5, 0.01, 0, target)
    loop.train(model, samples, settings, progress, tell=lines.append)
    return progress, lines


def _on_host(array):
    return array if isinstance(array, np.ndarray) else array.copy_to_host()


def _assert_equal(found, wanted):
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=1e-5)
    for kind in ("layers", "velocities"):
        for pair, want in zip(getattr(found, kind), getattr(wanted, kind), strict=True):
            for array, other in zip(pair, want, strict=True):
                assert array.dtype == other.dtype
                np.testing.assert_allclose(_on_host(array), other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("count", [6, 3], ids=["smaller last", "smaller only"])
def test_adaline(count):
    samples = _samples(count, 3, 2)
    wanted, _ = _train(models.ADALINE, (3, 1), samples, "cpu", 3)
    found, lines = _train(models.ADALINE, (3, 1), samples, "cuda", 3)
    assert all(not isinstance(array, np.ndarray) for pair in found.layers for array in pair)
    _assert_equal(found, wanted)
    if SIMULATED:
        assert lines == ["steps are launched kernel by kernel: the simulator has no graphs"]


def test_mlp_and_its_accuracy():
    samples = _samples(18, 4, 3)  # five steps, the last smaller
    wanted, _ = _train(models.MLP, (4, 5, 3), samples, "cpu", 1)
    found, _ = _train(models.MLP, (4, 5, 3), samples, "cuda", 1)
    _assert_equal(found, wanted)
    shares = [
        float(loop.accuracy(models.MLP, target)(progress.layers, samples.x_test, samples.y_test))
        for target, progress in (("cuda", found), ("cpu", wanted))
    ]
    assert shares[0] == shares[1]


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    samples = _samples(6, 3, 2)
    wanted, _ = _train(models.ADALINE, (3, 1), samples, "cpu", 3)
    half, _ = _train(models.ADALINE, (3, 1), samples, "cuda", 1)
    checkpoint.save(tmp_path / "half.npz", half, {})
    again = checkpoint.load(tmp_path / "half.npz", {})
    _assert_equal(again, _progress_on_host(half))
    _train(models.ADALINE, (3, 1), samples, "cuda", 3, again)
    _assert_equal(again, wanted)


def _progress_on_host(progress):
    layers, velocities = (
        tuple((_on_host(w), _on_host(b)) for w, b in kind)
        for kind in (progress.layers, progress.velocities)
    )
    return loop.Progress(layers, velocities, progress.losses)


@pytest.mark.parametrize(
    "make",
    [
        lambda target: optim.SGD(0.1, momentum=0.9, weight_decay=0.01, target=target),
        lambda target: optim.Adam(0.05, weight_decay=0.02, target=target),
    ],
    ids=["sgd", "adam"],
)
def test_optimisers(make):
    from adcompile.execute.toolkit import cuda

    wanted = [RNG.standard_normal(shape).astype(np.float32) for shape in ((3, 2), (1,))]
    gradients = [RNG.standard_normal(p.shape).astype(np.float32) for p in wanted]
    found, given = (list(map(cuda.to_device, arrays)) for arrays in (wanted, gradients))
    by_cpu, by_device = make("cpu"), make("cuda")
    states = by_cpu.init(wanted), by_device.init(found)
    assert not any(isinstance(array, np.ndarray) for array in states[1])
    for _ in range(3):
        by_cpu.step(wanted, gradients, states[0])
        by_device.step(found, given, states[1])
    for array, other in zip(found + states[1], wanted + states[0], strict=True):
        np.testing.assert_allclose(array.copy_to_host(), other, rtol=1e-5, atol=1e-7)
    with pytest.raises(ad.TypeMismatch, match="memory of the host"):
        by_device.step(wanted, gradients, states[1])


@in_simulator
def test_captured_calls_in_the_simulator():
    from adcompile.execute.capture import Captured
    from adcompile.execute.toolkit import cuda

    def grow(x, by):
        x[...] = x + by

    x = cuda.to_device(np.zeros(3))
    run = ad.jit(grow, inplace="x", target="cuda")
    with pytest.raises(ad.errors.DeviceError, match="the simulator has no graphs"):
        Captured(run, (x, 2.0))
    captured = Captured(run, (x, 2.0), required=False)
    assert captured.reason == "the simulator has no graphs"
    for count in (1, 2, 3):
        captured.replay()
        np.testing.assert_array_equal(x.copy_to_host(), np.full(3, 2.0 * count))


@in_simulator
def test_captured_memory_is_that_of_the_first_call(monkeypatch):
    """The graph of this stand-in does the call once more, with the memory of the first."""
    from contextlib import contextmanager

    from adcompile.execute import capture
    from adcompile.execute.toolkit import cuda

    class Graph:
        def launch(self, stream):
            launched.append(stream)

    @contextmanager
    def building():
        with monkeypatch.context() as patch:
            patch.setattr(cuda, "device_array", lambda *_: pytest.fail("memory is asked for"))
            patch.setattr(cuda, "to_device", lambda *_: pytest.fail("memory is copied"))
            yield "queue", [Graph()]

    launched = []
    monkeypatch.setattr(capture, "SIMULATED", False)
    monkeypatch.setattr(capture, "_building", building)
    monkeypatch.setattr(capture, "core_stream", lambda stream: stream)
    x = cuda.to_device(np.arange(3.0))
    captured = capture.Captured(ad.jit(_with_a_table, target="cuda"), (x,))
    result = captured.replay()
    assert captured.reason == ""
    np.testing.assert_array_equal(result.copy_to_host(), np.arange(3.0) @ np.diag(TABLE) + TABLE)
    assert captured.replay() is result
    assert launched == [0]


def _with_a_table(x):
    return x @ np.diag(TABLE) + TABLE


def test_constants_are_new_at_each_call():
    run = ad.jit(_table, target="cuda")
    for _ in range(2):
        result = run(np.ones(3))
        np.testing.assert_array_equal(result.copy_to_host(), TABLE)
        result[0] = 9.0  # it belongs to the caller


def _table(x):
    return TABLE


def test_extents_of_one_are_found_out_once(monkeypatch):
    def add(a, b):
        return a + b

    run = ad.jit(add, target="cuda")
    a, b = np.ones((2, 1)), np.arange(6.0)[::2].reshape(1, 3)
    for _ in range(2):
        np.testing.assert_array_equal(run(a, b).copy_to_host(), a + b)
        monkeypatch.setattr(run, "_after_failure", lambda *_: pytest.fail("it is known"))
    monkeypatch.undo()
    with pytest.raises(ad.ShapeError, match="must be equal"):
        run(np.ones((2, 3)), np.ones((1, 2)))


@in_simulator
@pytest.mark.parametrize(("model", "epochs"), [("adaline", 2), ("mlp", 1)])
def test_command(model, epochs, tmp_path):
    x = RNG.integers(0, 256, (9, 2, 2), np.uint8)
    y = (x[:, 0, 0] > 127).astype(np.uint8)
    y[:2] = 0, 1
    path, saved, plot = tmp_path / "few.npz", tmp_path / "run.npz", tmp_path / "loss.png"
    np.savez(path, x_train=x[:6], y_train=y[:6], x_test=x[6:], y_test=y[6:])
    words = [
        *("train", model, "--target", "cuda", "--data", "mnist", "--data-file", str(path)),
        *(
            "--epochs",
            str(epochs),
            "--batch-size",
            "4",
            "--hidden",
            "3",
            "--checkpoint",
            str(saved),
        ),
    ]
    if model == "adaline":
        words += ["--plot", str(plot)]
    done = subprocess.run(
        [sys.executable, "-m", "adcompile", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
    )
    assert done.returncode == 0, done.stderr
    told, *shown = done.stdout.splitlines()
    assert told == "steps are launched kernel by kernel: the simulator has no graphs"
    starts = [f"epoch   {k + 1}  loss" for k in range(epochs)] + ["train accuracy", "test accuracy"]
    assert all(map(str.startswith, shown, starts))
    with np.load(saved) as found:
        assert len(found["losses"]) == epochs
        assert found["layer_0_w"].dtype == np.float32
    assert plot.exists() == (model == "adaline")
