"""The heat equation on a line: an explicit stencil on two buffers that change places."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def heat(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    return np.sum(old**2)


@numba.njit(**HAND)
def heat_by_hand(u, steps, rate):
    n = len(u)
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, n - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    value = 0.0
    for i in range(n):
        value += old[i] ** 2
        old[i] *= 2.0
    first, last = old[0], old[n - 1]  # the ends stay as they are, so they only collect
    old[0] = old[n - 1] = new[0] = new[n - 1] = 0.0
    for _ in range(steps):
        first += rate * old[1]
        last += rate * old[n - 2]
        for i in range(1, n - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    old[0], old[n - 1] = first, last
    return value, (old,)


def heat_jax(u, steps, rate):
    import jax

    def step(_, u):
        return u.at[1:-1].add(rate * (u[:-2] - 2.0 * u[1:-1] + u[2:]))

    return jax.numpy.sum(jax.lax.fori_loop(0, steps, step, u) ** 2)


def heat_torch(u, steps, rate):
    import torch

    for _ in range(steps):
        middle = u[1:-1] + rate * (u[:-2] - 2.0 * u[1:-1] + u[2:])
        u = torch.cat((u[:1], middle, u[-1:]))
    return torch.sum(u**2)


def heat_autograd(u, steps, rate):
    import autograd.numpy as anp

    for _ in range(steps):
        middle = u[1:-1] + rate * (u[:-2] - 2.0 * u[1:-1] + u[2:])
        u = anp.concatenate((u[:1], middle, u[-1:]))
    return anp.sum(u**2)


def bump(cells, steps):
    return np.exp(-(np.linspace(-3.0, 3.0, cells) ** 2)), steps, 0.4


Problem(
    "heat 1000 x 1000", heat, lambda: bump(1000, 1000), lambda: bump(20, 30),
    by_hand=heat_by_hand,
    peers={
        "jax": peers.jax(heat_jax, (0,), static=(1,)),
        "torch": peers.torch(heat_torch, (0,), static=(1, 2)),
        "autograd": peers.autograd(heat_autograd, (0,)),
    },
)  # fmt: skip
