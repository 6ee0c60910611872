"""A chain of elementwise functions of long vectors and their sum, in single precision."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def arrays(x, y, z):
    return np.sum(np.tanh(x * y + z) ** 2)


def loops(x, y, z):
    total = np.float32(0.0)
    for i in range(len(x)):
        total += math.tanh(x[i] * y[i] + z[i]) ** 2
    return total


@numba.njit(**HAND)
def by_hand(x, y, z):
    x_bar = np.empty_like(x)
    total = np.float32(0.0)
    for i in range(len(x)):
        t = math.tanh(x[i] * y[i] + z[i])
        square = t * t
        total += square
        x_bar[i] = np.float32(2.0) * t * (np.float32(1.0) - square) * y[i]
    return total, (x_bar,)


def in_jax(x, y, z):
    import jax.numpy as jnp

    return jnp.sum(jnp.tanh(x * y + z) ** 2)


def in_torch(x, y, z):
    import torch

    return torch.sum(torch.tanh(x * y + z) ** 2)


def in_autograd(x, y, z):
    import autograd.numpy as anp

    return anp.sum(anp.tanh(x * y + z) ** 2)


def in_pytensor(x, y, z):
    import pytensor.tensor as pt

    symbol = pt.fvector("x")
    return pt.sum(pt.tanh(symbol * y + z) ** 2), [symbol], [x]


def arguments(n):
    return tuple(np.random.default_rng(3).standard_normal((3, n), dtype=np.float32))


for name, function in (("tanh chain arrays", arrays), ("tanh chain loops", loops)):
    Problem(
        name, function, lambda: arguments(10_000_000), lambda: arguments(100),
        by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0,)),
            "torch": peers.torch(in_torch, (0,)),
            "torch.compile": peers.torch(in_torch, (0,), compiled=True),
            "autograd": peers.autograd(in_autograd, (0,)),
            "pytensor": peers.pytensor(in_pytensor),
        },
        tolerance=1e-4,
    )  # fmt: skip
