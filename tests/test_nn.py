"""Layers and losses: values, derivatives, stability, both precisions."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import nn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4))
LABELS = np.array([0, 3, 1, 1, 2, 0])


@pytest.mark.parametrize("function", [nn.relu, nn.sigmoid, nn.softmax, nn.log_softmax])
@pytest.mark.parametrize("target", ["cpu", "python"])
def test_elementwise_layers(function, target):
    np.testing.assert_allclose(ad.jit(function, target=target)(X), function(X), rtol=1e-13)
    ad.check_grads(function, (X,), target=target)
    single = ad.jit(function, target=target)(X.astype(np.float32))
    assert single.dtype == np.float32


def test_losses_are_their_formulas():
    log_probabilities = X - np.log(np.exp(X).sum(axis=1, keepdims=True))
    wanted = -np.mean(log_probabilities[np.arange(6), LABELS])
    assert nn.cross_entropy(X, LABELS) == pytest.approx(wanted)
    assert nn.nll_loss(log_probabilities, LABELS) == pytest.approx(wanted)
    assert nn.mse_loss(X, 2 * X) == pytest.approx(np.mean(X**2))
    ad.check_grads(nn.cross_entropy, (X, LABELS), order=2)
    ad.check_grads(nn.nll_loss, (X, LABELS))
    ad.check_grads(nn.mse_loss, (X, X * X), order=2)
    ad.check_grads(nn.linear, (X, RNG.standard_normal((4, 3)), RNG.standard_normal(3)))


def test_gradient_of_cross_entropy_is_softmax_minus_one_hot():
    wanted = (nn.softmax(X) - np.eye(4)[LABELS]) / 6
    np.testing.assert_allclose(ad.grad(nn.cross_entropy)(X, LABELS), wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_inputs_stay_finite(dtype):
    far = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 5e3]], dtype)
    for function in (nn.sigmoid, nn.softmax, nn.log_softmax):
        assert np.isfinite(ad.jit(function)(far)).all()
    value, gradient = ad.value_and_grad(nn.cross_entropy)(far, np.array([0, 0]))
    assert np.isfinite(value) and np.isfinite(gradient).all() and gradient.dtype == dtype
    assert nn.sigmoid(-40.0) == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_derivatives_at_zero():
    assert ad.grad(nn.sigmoid)(0.0) == 0.25
    assert ad.grad(nn.relu)(0.0) == 0.0
    assert ad.grad(ad.grad(nn.sigmoid))(0.0) == pytest.approx(0.0, abs=1e-15)
