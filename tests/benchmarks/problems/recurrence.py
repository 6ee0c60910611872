"""A scalar recurrence: a million dependent steps."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def recurrence(x, steps):
    for _ in range(steps):
        x = x + 1e-6 * math.sin(x)
    return x


@numba.njit(**HAND)
def recurrence_by_hand(x, steps):
    factors = np.empty(steps)
    for k in range(steps):
        factors[k] = 1.0 + 1e-6 * math.cos(x)
        x = x + 1e-6 * math.sin(x)
    x_bar = 1.0
    for k in range(steps):
        x_bar *= factors[k]
    return x, (x_bar,)


def recurrence_jax(x, steps):
    import jax

    step = lambda x, _: (x + 1e-6 * jax.numpy.sin(x), None)
    return jax.lax.scan(step, x, None, length=steps)[0]


def recurrence_torch(x, steps):
    import torch

    for _ in range(steps):
        x = x + 1e-6 * torch.sin(x)
    return x


def recurrence_autograd(x, steps):
    import autograd.numpy as anp

    for _ in range(steps):
        x = x + 1e-6 * anp.sin(x)
    return x


Problem(
    "recurrence 1e6", recurrence, lambda: (0.7, 1_000_000), lambda: (0.7, 1000),
    by_hand=recurrence_by_hand,
    peers={
        "jax": peers.jax(recurrence_jax, (0,), static=(1,)),
        "torch": peers.torch(recurrence_torch, (0,), static=(1,)),
        "autograd": peers.autograd(recurrence_autograd, (0,)),
    },
    slow=("torch", "autograd"),
)  # fmt: skip
