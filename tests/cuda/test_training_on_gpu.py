"""Training on a GPU, where there is one: captured steps, plain steps and the CPU agree."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.train import loop, models
from adcompile.train.data import Dataset
from tests.cuda.gpu import capture, cuda, needs_gpu

pytestmark = needs_gpu

SIZES = {"adaline": (20, 1), "mlp": (20, 33, 5)}


def _train(name, target):
    rng = np.random.default_rng(0)
    model = {"adaline": models.ADALINE, "mlp": models.MLP}[name]
    x = rng.standard_normal((330, 20)).astype(np.float32)
    y = np.arange(330) % (2 if name == "adaline" else 5)
    samples = Dataset("", x, y, x, y)
    progress = loop.start(model.initial(SIZES[name], rng, "float32"))
    lines = []
    settings = loop.Settings(4, 32, 0.05, 0.5, 0.001, 0, target)
    loop.train(model, samples, settings, progress, tell=lines.append)
    share = float(loop.accuracy(model, target)(progress.layers, x, y))
    return progress, share, lines


@pytest.mark.parametrize("name", SIZES)
def test_graphs_plain_launches_and_the_cpu_agree(name, monkeypatch):
    by_graph, share, lines = _train(name, "cuda")
    assert lines == ["steps are replayed as one CUDA graph"]
    by_cpu, wanted_share, _ = _train(name, "cpu")
    monkeypatch.setattr(capture, "SIMULATED", True)
    by_launches, _, lines = _train(name, "cuda")
    assert lines[0].startswith("steps are launched kernel by kernel")
    for other in (by_cpu, by_launches):
        np.testing.assert_allclose(by_graph.losses, other.losses, rtol=1e-4)
        for pair, wanted in zip(by_graph.layers, other.layers, strict=True):
            for array, want in zip(pair, wanted, strict=True):
                np.testing.assert_allclose(
                    np.asarray(array), np.asarray(want), rtol=1e-3, atol=1e-4
                )
    assert share == pytest.approx(wanted_share, abs=0.01)


def _moved(x, by):
    x[...] = x + by
    return x * x


def test_results_are_written_again():
    x = cuda.to_device(np.zeros(1000))
    captured = capture.Captured(ad.jit(_moved, inplace="x", target="cuda"), (x, 1.5))
    results = [captured.replay() for _ in range(5)]
    assert captured.reason == ""
    assert all(result is results[0] for result in results)
    np.testing.assert_array_equal(x.copy_to_host(), np.full(1000, 7.5))
    np.testing.assert_array_equal(results[0].copy_to_host(), np.full(1000, 7.5**2))


@pytest.mark.parametrize("stray", ["wait", "copy", "stream 0"])
def test_what_cannot_be_captured(stray):
    """It is an error, never half a graph; the next capture works."""
    run = ad.jit(_moved, inplace="x", target="cuda")
    x = cuda.to_device(np.zeros(1000))
    other = cuda.to_device(np.zeros(10))

    def step(x):
        result = run(x, 1.0)
        if stray == "wait":
            cuda.synchronize()
        elif stray == "copy":
            result.copy_to_host()
        else:
            _set[1, 32](other)
        return result

    captured = capture.Captured(step, (x,), required=False)
    for _ in range(3):
        captured.replay()
    assert captured.reason.startswith("the driver captures no graph: ")
    np.testing.assert_array_equal(x.copy_to_host(), np.full(1000, 3.0))
    test_results_are_written_again()


@cuda.jit
def _set(array):
    i = cuda.grid(1)
    if i < array.shape[0]:
        array[i] = 1
