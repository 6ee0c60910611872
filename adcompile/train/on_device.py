"""Training on a GPU: samples, parameters and velocities stay there for the whole run.

Enters: a model, samples, settings, progress. Leaves: epochs to run; what goes to the device in one
is the order of the samples, what comes back is the loss. A step is one graph of kernels, which
finds its batch by a position that is on the device, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.api import jit, value_and_grad
from adcompile.optim import sgd_update
from adcompile.train.models import Layers, Model


def on_device(layers: Layers) -> Any:
    """Layers as arrays of the device. Raises DeviceError where there is none."""
    from adcompile.execute.cuda import uploaded

    return tuple((uploaded(w), uploaded(b)) for w, b in layers)


def make_step(model: Model) -> Any:
    """One step as one function that changes layers, velocities, position and total in place.

    Called as `step(layers, velocities, x, y, order, position, total, batch, lr, momentum,
    weight_decay)`. It takes the `batch` samples from `position[0]` in the order on, which must be
    there, adds their losses to `total[0]` and moves the position behind them.
    """
    gradient = value_and_grad(model.loss)

    def step(
        layers: Any, velocities: Any, x: Any, y: Any, order: Any, position: Any, total: Any,
        batch: int, lr: float, momentum: float, weight_decay: float,
    ) -> None:  # fmt: skip
        first = position[0]
        rows = order[first + np.arange(batch)]
        loss, gradients = gradient(layers, x[rows], y[rows])
        for (w, b), (w_bar, b_bar), (w_v, b_v) in zip(layers, gradients, velocities):  # noqa: B905
            sgd_update(w, w_bar, w_v, lr, momentum, weight_decay)
            sgd_update(b, b_bar, b_v, lr, momentum, weight_decay)
        total[0] += loss * batch
        position[0] = first + batch

    written = ("layers", "velocities", "position", "total")
    return jit(step, inplace=written, target="cuda")


def _begin(position: Any, total: Any) -> None:
    position[0] = 0
    total[0] = 0.0


class DeviceEpochs:
    """Epochs of one run: called with the order of the samples, each gives its mean loss.

    layers, velocities   arrays of the device, changed in place
    x, y                 all samples, on the host
    tell                 called once with a line that says how steps are started
    """

    def __init__(
        self, model: Model, layers: Any, velocities: Any, x: np.ndarray, y: np.ndarray,
        batch: int, rates: tuple[float, float, float], tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        from adcompile.execute.capture import Captured
        from adcompile.execute.cuda import uploaded

        self._count, self._batch, self._rates = len(x), min(batch, len(x)), rates
        self._order = uploaded(np.zeros(len(x), np.int64))
        self._position, self._total = uploaded(np.zeros(1, np.int64)), uploaded(np.zeros(1))
        self._state = (
            layers, velocities, uploaded(x), uploaded(y), self._order, self._position, self._total
        )  # fmt: skip
        self._begin = jit(_begin, inplace=("position", "total"), target="cuda")
        self._step = make_step(model)
        fixed = (*self._state, self._batch, *rates)
        self._steps = Captured(self._step, fixed, required=False)
        self._tell: Callable[[str], None] | None = tell

    def __call__(self, order: np.ndarray) -> float:
        """Run one epoch."""
        self._order.copy_to_device(order)
        self._begin(self._position, self._total)
        full, rest = divmod(self._count, self._batch)
        for _ in range(full):
            self._steps.replay()
            self._say_how()
        if rest:
            self._step(*self._state, rest, *self._rates)
        return float(self._total.copy_to_host()[0]) / self._count

    def _say_how(self) -> None:
        if self._tell is None:
            return
        reason = self._steps.reason
        one_by_one = f"steps are launched kernel by kernel: {reason}"
        self._tell(one_by_one if reason else "steps are replayed as one CUDA graph")
        self._tell = None
