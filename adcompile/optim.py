"""Optimisers: update rules written in the compiled language, run in place.

The update functions change their arrays in place and can be called inside a compiled training loop.
The classes `SGD` and `Adam` hold the state and call them, compiled, on a sequence of parameters.
With `target="cuda"` parameters, gradients and state are arrays of the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.api import jit
from adcompile.errors import TypeMismatch


def sgd_update(
    parameter: Any, gradient: Any, velocity: Any, lr: float, momentum: float, weight_decay: float
) -> None:
    """v = momentum v + g + weight_decay p; p = p - lr v. Arrays of one shape, changed in place."""
    velocity[...] = momentum * velocity + gradient + weight_decay * parameter
    parameter[...] = parameter - lr * velocity


def adam_update(
    parameter: Any, gradient: Any, mean: Any, square: Any, step: int,
    lr: float, beta1: float, beta2: float, epsilon: float, weight_decay: float,
) -> None:  # fmt: skip
    """Adam (Kingma and Ba, 2015, algorithm 1) with weight decay added to the gradient.

    `step` counts from 1; `mean` and `square` hold the running moments. Arrays of one shape, changed
    in place.
    """
    slope = gradient + weight_decay * parameter
    mean[...] = beta1 * mean + (1 - beta1) * slope
    square[...] = beta2 * square + (1 - beta2) * slope**2
    mean_scale = 1 / (1 - beta1**step)
    square_scale = 1 / (1 - beta2**step)
    parameter[...] = parameter - lr * (mean * mean_scale) / (
        np.sqrt(square * square_scale) + epsilon
    )


class SGD:
    """Stochastic gradient descent with momentum and weight decay.

    lr             learning rate
    momentum       share of the last step that is kept; 0 for plain gradient descent
    weight_decay   factor of the penalty |p|^2 / 2
    target         "cpu", "cuda" or "python"
    """

    def __init__(
        self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0, target: str = "cpu"
    ) -> None:
        self.lr, self.momentum, self.weight_decay = float(lr), float(momentum), float(weight_decay)
        self._target = target
        self._run = jit(sgd_update, inplace=("parameter", "velocity"), target=target)

    def init(self, parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The state for parameters: one array of velocities each."""
        return [_zeros_like(p, self._target) for p in parameters]

    def step(
        self,
        parameters: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        state: list[np.ndarray],
    ) -> None:
        """Change parameters and state in place."""
        _check(parameters, gradients, self._target)
        for parameter, gradient, velocity in zip(parameters, gradients, state, strict=True):
            self._run(parameter, gradient, velocity, self.lr, self.momentum, self.weight_decay)


class Adam:
    """Adam: steps scaled by running means of the gradient and of its square.

    lr             learning rate
    beta1, beta2   decay of the two running means
    epsilon        added to the root of the second mean
    weight_decay   factor of the penalty |p|^2 / 2, added to the gradient
    target         "cpu", "cuda" or "python"
    """

    def __init__(
        self, lr: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
        weight_decay: float = 0.0, target: str = "cpu",
    ) -> None:  # fmt: skip
        self.lr = float(lr)
        self._rest = float(beta1), float(beta2), float(epsilon), float(weight_decay)
        self._target = target
        self._count = jit(_count, inplace="steps", target=target)
        self._run = jit(_adam_step, inplace=("parameter", "mean", "square"), target=target)

    def init(self, parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The state: the number of steps taken, then two running means per parameter."""
        state = [_counter(self._target)]
        for p in parameters:
            state += [_zeros_like(p, self._target), _zeros_like(p, self._target)]
        return state

    def step(
        self,
        parameters: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        state: list[np.ndarray],
    ) -> None:
        """Change parameters and state in place."""
        _check(parameters, gradients, self._target)
        self._count(state[0])
        means, squares = state[1::2], state[2::2]
        for parameter, gradient, mean, square in zip(
            parameters, gradients, means, squares, strict=True
        ):
            self._run(parameter, gradient, mean, square, state[0], self.lr, *self._rest)


def _count(steps: Any) -> None:
    steps[0] += 1


def _adam_step(
    parameter: Any, gradient: Any, mean: Any, square: Any, steps: Any,
    lr: float, beta1: float, beta2: float, epsilon: float, weight_decay: float,
) -> None:  # fmt: skip
    step = int(steps[0])  # of memory, so that a captured step counts on
    adam_update(
        parameter, gradient, mean, square, step, lr, beta1, beta2, epsilon, weight_decay
    )  # fmt: skip


def _zeros_like(parameter: Any, target: str) -> Any:
    if target != "cuda":
        return np.zeros_like(parameter)
    from adcompile.execute.cuda import zeros_like

    return zeros_like(parameter)


def _counter(target: str) -> Any:
    zero = np.zeros(1, np.int64)
    if target != "cuda":
        return zero
    from adcompile.execute.cuda import uploaded

    return uploaded(zero)


def _check(parameters: Sequence[Any], gradients: Sequence[Any], target: str) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        elsewhere = target == "cuda" and np.shape(parameter) != ()
        is_array = isinstance(parameter, np.ndarray) or elsewhere
        if not is_array or np.shape(parameter) != np.shape(gradient):
            raise TypeMismatch(
                "an optimiser needs arrays, each with a gradient of its shape",
                hint="keep a scalar parameter in an array of shape (1,)",
            )
