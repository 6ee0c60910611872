"""The training loop: an epoch is one compiled function, gradient and updates included; on a GPU a
step is.

Enters: a model, data, settings. Leaves: trained parameters and the loss of each epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adcompile.api import jit, value_and_grad
from adcompile.optim import sgd_update
from adcompile.train.data import Dataset
from adcompile.train.models import Layers, Model
from adcompile.train.on_device import DeviceEpochs, on_device


@dataclass(frozen=True)
class Settings:
    """How to train: `lr` is the learning rate, `target` where the compiled functions run."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    seed: int
    target: str


@dataclass
class Progress:
    """Parameters, velocities of the optimiser, and the loss of each epoch so far.

    The arrays are on the device while a run with the target "cuda" goes on, and after it.
    """

    layers: Layers
    velocities: Layers
    losses: list[float] = field(default_factory=list)


def start(layers: Layers) -> Progress:
    """Progress before the first epoch."""
    return Progress(layers, tuple((np.zeros_like(w), np.zeros_like(b)) for w, b in layers))


def make_epoch(model: Model, target: str) -> Any:
    """A whole epoch as one function; it changes layers and velocities in place.

    Called as `epoch(layers, velocities, x, y, order, batch, lr, momentum, weight_decay)` with the
    order of the samples; gives the mean loss over them, each taken before its step.
    """
    gradient = value_and_grad(model.loss, target=target)

    def epoch(
        layers: Any, velocities: Any, x: Any, y: Any, order: Any,
        batch: int, lr: float, momentum: float, weight_decay: float,
    ) -> Any:  # fmt: skip
        total = 0.0
        for step in range((len(order) + batch - 1) // batch):
            rows = order[step * batch : (step + 1) * batch]
            loss, gradients = gradient(layers, x[rows], y[rows])
            for (w, b), (w_bar, b_bar), (w_v, b_v) in zip(layers, gradients, velocities):  # noqa: B905
                sgd_update(w, w_bar, w_v, lr, momentum, weight_decay)
                sgd_update(b, b_bar, b_v, lr, momentum, weight_decay)
            total += loss * len(rows)
        return total / len(order)

    return jit(epoch, inplace=("layers", "velocities"), target=target)


def accuracy(model: Model, target: str) -> Callable[[Layers, np.ndarray, np.ndarray], float]:
    """A compiled function of (layers, x, labels) that gives the share of right predictions."""

    def share(layers: Any, x: Any, y: Any) -> Any:
        return np.mean(model.predict(layers, x) == y)

    return jit(share, target=target)


def train(
    model: Model, data: Dataset, settings: Settings, progress: Progress,
    after_epoch: Callable[[Progress], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> None:  # fmt: skip
    """Run the epochs that `progress` does not hold yet.

    The order of the samples in an epoch depends on the seed and the number of the epoch alone, so a
    resumed run repeats what an uninterrupted run does. On a GPU, `tell` is called with a line that
    says how steps are started. Raises DeviceError where there is no GPU for the target "cuda".
    """
    targets = data.y_train
    if model.name == "adaline":
        targets = targets.astype(data.x_train.dtype)
    run = (_epochs_on_device if settings.target == "cuda" else _epochs)(
        model, data.x_train, targets, settings, progress, tell
    )
    while len(progress.losses) < settings.epochs:
        number = len(progress.losses)
        order = np.random.default_rng([settings.seed, number]).permutation(len(targets))
        progress.losses.append(run(order))
        after_epoch(progress)


def _epochs(
    model: Model, x: np.ndarray, y: np.ndarray, settings: Settings, progress: Progress, _: Any
) -> Callable[[np.ndarray], float]:
    epoch = make_epoch(model, settings.target)
    return lambda order: float(
        epoch(
            progress.layers, progress.velocities, x, y, order,
            settings.batch_size, settings.lr, settings.momentum, settings.weight_decay,
        )
    )  # fmt: skip


def _epochs_on_device(
    model: Model, x: np.ndarray, y: np.ndarray, settings: Settings, progress: Progress,
    tell: Callable[[str], None],
) -> Callable[[np.ndarray], float]:  # fmt: skip
    progress.layers = on_device(progress.layers)
    progress.velocities = on_device(progress.velocities)
    rates = settings.lr, settings.momentum, settings.weight_decay
    return DeviceEpochs(
        model, progress.layers, progress.velocities, x, y, settings.batch_size, rates, tell
    )
