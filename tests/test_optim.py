"""Optimisers against their formulas in plain NumPy."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import optim

RNG = np.random.default_rng(1)


def _parameters(dtype):
    return [RNG.standard_normal((3, 2)).astype(dtype), RNG.standard_normal(4).astype(dtype)]


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sgd(dtype, target):
    parameters, gradients = _parameters(dtype), _parameters(dtype)
    wanted, velocities = [p.astype(float) for p in parameters], [0.0, 0.0]
    optimiser = optim.SGD(0.1, momentum=0.9, weight_decay=0.01, target=target)
    state = optimiser.init(parameters)
    same = [id(p) for p in parameters]
    for _ in range(3):
        optimiser.step(parameters, gradients, state)
        for k in range(2):
            velocities[k] = 0.9 * velocities[k] + gradients[k] + 0.01 * wanted[k]
            wanted[k] = wanted[k] - 0.1 * velocities[k]
    assert [id(p) for p in parameters] == same
    for found, want in zip(parameters, wanted, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, want, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam(dtype, target):
    parameters, gradients = _parameters(dtype), _parameters(dtype)
    wanted = [p.astype(float) for p in parameters]
    means, squares = [0.0, 0.0], [0.0, 0.0]
    optimiser = optim.Adam(0.05, weight_decay=0.02, target=target)
    state = optimiser.init(parameters)
    for step in range(1, 4):
        optimiser.step(parameters, gradients, state)
        for k in range(2):
            slope = gradients[k] + 0.02 * wanted[k]
            means[k] = 0.9 * means[k] + 0.1 * slope
            squares[k] = 0.999 * squares[k] + 0.001 * slope**2
            scaled = np.sqrt(squares[k] / (1 - 0.999**step)) + 1e-8
            wanted[k] = wanted[k] - 0.05 * means[k] / (1 - 0.9**step) / scaled
    for found, want in zip(parameters, wanted, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, want, rtol=2e-4 if dtype == "float32" else 1e-12)


def test_scalars_are_refused():
    optimiser = optim.SGD(0.1)
    with pytest.raises(ad.TypeMismatch, match="arrays"):
        optimiser.step([1.0], [1.0], [0.0])
