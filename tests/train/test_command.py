"""The command: training to a known accuracy, checkpoints, sources and graphs, wrong use."""

import os
import subprocess
import sys

import numpy as np
import pytest

from adcompile.cli import main
from adcompile.errors import AdcompileError
from adcompile.train import checkpoint, data, loop, models

pytest.importorskip("sklearn")

PROGRAM = """
import numpy as np


def loss(w, x):
    u = x @ w
    return np.mean(u ** 2)
"""


def _accuracy(printed, part):
    line = next(line for line in printed.splitlines() if line.startswith(f"{part} accuracy"))
    return float(line.split()[-1].rstrip("%"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["cpu", "python"])
def test_adaline(dtype, target, capsys):
    assert main(["train", "adaline", "--dtype", dtype, "--target", target]) == 0
    assert _accuracy(capsys.readouterr().out, "test") > 90


def test_mlp_with_plot_and_two_hidden_layers(tmp_path, capsys):
    plot = tmp_path / "loss.png"
    words = "train mlp --epochs 6 --hidden 64,32 --lr 0.3 --momentum 0.5 --weight-decay 0.0001"
    assert main([*words.split(), "--plot", str(plot)]) == 0
    assert _accuracy(capsys.readouterr().out, "test") > 80
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_resuming_gives_what_an_uninterrupted_run_gives(tmp_path, capsys):
    whole, half = tmp_path / "whole.npz", tmp_path / "half.npz"
    base = ["train", "mlp", "--data", "iris", "--hidden", "8", "--momentum", "0.9"]
    assert main([*base, "--epochs", "6", "--checkpoint", str(whole)]) == 0
    assert main([*base, "--epochs", "3", "--checkpoint", str(half)]) == 0
    assert main([*base, "--epochs", "6", "--resume", str(half), "--checkpoint", str(half)]) == 0
    with np.load(whole) as one, np.load(half) as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".npz"] == []
    assert main([*base, "--seed", "1", "--resume", str(half)]) == 1
    assert "seed" in capsys.readouterr().err
    half.write_bytes(b"torn")
    assert main([*base, "--resume", str(half)]) == 1
    assert "is no checkpoint" in capsys.readouterr().err


def test_checkpoint_is_left_whole_when_writing_fails(tmp_path):
    path = tmp_path / "run.npz"
    progress = loop.start(((np.zeros((2, 2)), np.zeros(2)),))
    checkpoint.save(path, progress, {"seed": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, progress, {"seed": object()})
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_whole_epoch_equals_its_steps():
    samples = data.load("digits", 0, "float64")
    layers = models.MLP.initial((64, 16, 10), np.random.default_rng(0), "float64")
    copies = tuple((w.copy(), b.copy()) for w, b in layers)
    progress = loop.start(layers)
    order = np.arange(95)
    epoch = loop.make_epoch(models.MLP, "cpu")
    x, y = samples.x_train, samples.y_train
    loss = epoch(progress.layers, progress.velocities, x, y, order, 10, 0.2, 0.0, 0.0)
    gradient = loop.value_and_grad(models.MLP.loss, target="python")
    total = 0.0
    for start in range(0, 95, 10):
        rows = order[start : start + 10]
        value, adjoints = gradient(copies, x[rows], y[rows])
        for (w, b), (w_bar, b_bar) in zip(copies, adjoints, strict=True):
            w -= 0.2 * w_bar
            b -= 0.2 * b_bar
        total += value * len(rows)
    assert loss == pytest.approx(total / 95)
    for (w, b), (w_wanted, b_wanted) in zip(progress.layers, copies, strict=True):
        np.testing.assert_allclose(w, w_wanted, rtol=1e-10)
        np.testing.assert_allclose(b, b_wanted, rtol=1e-10)


def test_data_from_a_file(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 4, 4), np.uint8)
    y = (x[:, 0, 0] > 127).astype(np.uint8)
    path = tmp_path / "digits.npz"
    np.savez(path, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    words = [
        "train",
        "mlp",
        "--data",
        "mnist",
        "--data-file",
        str(path),
        "--epochs",
        "2",
        "--hidden",
        "4",
    ]
    assert main(words) == 0
    with pytest.raises(AdcompileError, match="cannot be read"):
        data.load("mnist", 0, "float32", str(tmp_path / "absent.npz"))
    with pytest.raises(AdcompileError, match="not known"):
        data.load("flowers", 0, "float32")


def test_source_and_graph(tmp_path, capsys):
    file = tmp_path / "model.py"
    file.write_text(PROGRAM)
    target = f"{file}:loss"
    types = ["--args", "f8[:], f8[:, :]"]
    assert main(["source", target, *types]) == 0
    assert "def grad_loss(w, x):" in capsys.readouterr().out
    assert main(["source", target, *types, "--wrt", "w,u", "--stage", "compiled"]) == 0
    assert "return w_bar, u_bar" in capsys.readouterr().out
    assert main(["graph", target, *types, "--transform", "jit"]) == 0
    assert "matmul(x, w)" in capsys.readouterr().out
    for ending, start in ((".svg", "<svg"), (".dot", "digraph"), (".txt", "grad_loss")):
        out = tmp_path / f"graph{ending}"
        assert main(["graph", target, *types, "-o", str(out)]) == 0
        assert out.read_text().startswith(start)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["source", "nothing.py:f", "--args", "f8"], "there is no file"),
        (["source", "nothing", "--args", "f8"], "names no function"),
        (["source", "{file}:other", "--args", "f8"], "has no function `other`"),
        (["source", "{file}:loss", "--args", "f9"], "is not a type"),
        (["source", "{file}:loss", "--args", "f8"], "needs an argument or type for `x`"),
        (
            ["graph", "{file}:loss", "--args", "f8[:], f8[:, :]", "-o", "graph.gif"],
            "no known ending",
        ),
    ],
)
def test_wrong_use(words, message, tmp_path, capsys):
    file = tmp_path / "model.py"
    file.write_text(PROGRAM)
    assert main([word.format(file=file) for word in words]) == 1
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed


@pytest.mark.parametrize("model", ["adaline", "mlp"])
def test_without_a_gpu_there_is_a_clear_error(model):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("NUMBA_ENABLE_CUDASIM", None)
    done = subprocess.run(
        [sys.executable, "-m", "adcompile", "train", model, "--target", "cuda"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("adcompile: ")
    assert "GPU" in done.stderr or "numba-cuda" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
