"""Prefix sums: every result depends on all elements before it."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def running(x):
    sums = np.empty(len(x))
    current = 0.0
    for i in range(len(x)):
        current += x[i]
        sums[i] = current
    return np.sum(sums**2)


def cumulative(x):
    return np.sum(np.cumsum(x) ** 2)


@numba.njit(**HAND)
def by_hand(x):
    current = total = 0.0
    x_bar = np.empty(len(x))
    for i in range(len(x)):
        current += x[i]
        total += current * current
        x_bar[i] = 2.0 * current
    after = 0.0
    for i in range(len(x) - 1, -1, -1):
        after += x_bar[i]
        x_bar[i] = after
    return total, (x_bar,)


def prefix_jax(x):
    import jax.numpy as jnp

    return jnp.sum(jnp.cumsum(x) ** 2)


def prefix_torch(x):
    import torch

    return torch.sum(torch.cumsum(x, 0) ** 2)


def prefix_autograd(x):
    import autograd.numpy as anp

    return anp.sum(anp.cumsum(x) ** 2)


def steps(n):
    return (np.random.default_rng(0).standard_normal(n),)


for _name, _function in (("running sums 1e6", running), ("cumsum 1e6", cumulative)):
    Problem(
        _name, _function, lambda: steps(1_000_000), lambda: steps(50),
        by_hand=by_hand,
        peers={
            "jax": peers.jax(prefix_jax, (0,)),
            "torch": peers.torch(prefix_torch, (0,)),
            "autograd": peers.autograd(prefix_autograd, (0,)),
        },
    )  # fmt: skip
