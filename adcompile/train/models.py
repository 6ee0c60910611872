"""The models of the command line, written in the compiled language.

Parameters are a tuple of layers, a layer is a pair (w, b). A loss takes (layers, x, y) and gives a
scalar; a prediction takes (layers, x) and gives class numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from adcompile.nn import cross_entropy, linear, mse_loss, sigmoid

Layers = tuple[tuple[np.ndarray, np.ndarray], ...]


@dataclass(frozen=True)
class Model:
    """A loss, a prediction, and first parameters for the numbers of units in each layer."""

    name: str
    loss: Callable[..., Any]
    predict: Callable[..., Any]
    initial: Callable[[Sequence[int], np.random.Generator, str], Layers]


def _adaline_output(layers: Any, x: Any) -> Any:
    w, b = layers[0]
    return linear(x, w, b)


def _adaline_loss(layers: Any, x: Any, y: Any) -> Any:
    return mse_loss(_adaline_output(layers, x), y)


def _adaline_predict(layers: Any, x: Any) -> Any:
    return np.where(_adaline_output(layers, x) > 0.5, 1, 0)


def _adaline_initial(sizes: Sequence[int], generator: np.random.Generator, dtype: str) -> Layers:
    return ((np.zeros(sizes[0], dtype), np.zeros(1, dtype)),)


def _mlp_logits(layers: Any, x: Any) -> Any:
    for w, b in layers[:-1]:
        x = sigmoid(linear(x, w, b))
    w, b = layers[-1]
    return linear(x, w, b)


def _mlp_loss(layers: Any, x: Any, y: Any) -> Any:
    return cross_entropy(_mlp_logits(layers, x), y)


def _mlp_predict(layers: Any, x: Any) -> Any:
    return np.argmax(_mlp_logits(layers, x), axis=1)


def _mlp_initial(sizes: Sequence[int], generator: np.random.Generator, dtype: str) -> Layers:
    layers = []
    for inputs, outputs in pairwise(sizes):
        w = generator.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        layers.append((w.astype(dtype), np.zeros(outputs, dtype)))
    return tuple(layers)


ADALINE = Model("adaline", _adaline_loss, _adaline_predict, _adaline_initial)
MLP = Model("mlp", _mlp_loss, _mlp_predict, _mlp_initial)
