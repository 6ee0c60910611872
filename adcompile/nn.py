"""Layers and losses: pure functions over arrays, written in the compiled language.

Each works under plain NumPy, inside functions that adcompile differentiates, and on float32 and
float64 alike. `n` is the number of samples, `k` the number of classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.api import stop_gradient
from adcompile.ops.special_spellings import expit


def linear(x: Any, w: Any, b: Any) -> Any:
    """`x @ w + b` for x (n, d), w (d, h), b (h)."""
    return x @ w + b


def relu(x: Any) -> Any:
    """`max(x, 0)`, elementwise; the derivative at 0 is 0."""
    return np.where(x > 0, x, 0)


def sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))`, elementwise; SciPy's `expit`."""
    return expit(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """`exp(x) / sum(exp(x))` along an axis; the largest entry is subtracted first."""
    powers = np.exp(x - stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """`log(softmax(x))` without leaving the range of floats."""
    shifted = x - stop_gradient(np.max(x, axis=axis, keepdims=True))
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def nll_loss(log_probabilities: Any, labels: Any) -> Any:
    """Mean negative log likelihood of integer labels (n) under log probabilities (n, k)."""
    return -np.mean(log_probabilities[np.arange(len(labels)), labels])


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Mean cross-entropy of integer labels (n) and the softmax of logits (n, k)."""
    return nll_loss(log_softmax(logits, axis=1), labels)


def mse_loss(prediction: Any, target: Any) -> Any:
    """Mean of the squared differences of two arrays of one shape."""
    return np.mean((prediction - target) ** 2)
