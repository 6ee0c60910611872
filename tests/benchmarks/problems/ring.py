"""Reaction and diffusion on a ring: each step makes a new state from neighbours modulo the length."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

DIFFUSION, REACTION = 0.1, 0.01


def ring(u, steps):
    u = u.copy()
    n = len(u)
    for _ in range(steps):
        new = np.empty(n)
        for i in range(n):
            left, right = u[(i - 1) % n], u[(i + 1) % n]
            new[i] = u[i] + DIFFUSION * (left - 2.0 * u[i] + right) - REACTION * u[i] ** 3
        u = new
    return np.sum(u**2)


@numba.njit(**HAND)
def ring_by_hand(u, steps):
    n = len(u)
    states = np.empty((steps + 1, n))
    states[0] = u
    for t in range(steps):
        old, new = states[t], states[t + 1]
        for i in range(1, n - 1):
            change = old[i - 1] - 2.0 * old[i] + old[i + 1]
            new[i] = old[i] + DIFFUSION * change - REACTION * old[i] * old[i] * old[i]
        for i, left, right in ((0, n - 1, 1), (n - 1, n - 2, 0)):
            change = old[left] - 2.0 * old[i] + old[right]
            new[i] = old[i] + DIFFUSION * change - REACTION * old[i] * old[i] * old[i]
    value = 0.0
    bar, other = np.empty(n), np.empty(n)
    for i in range(n):
        value += states[steps, i] ** 2
        bar[i] = 2.0 * states[steps, i]
    own = 1.0 - 2.0 * DIFFUSION
    for t in range(steps - 1, -1, -1):
        old = states[t]
        for i in range(1, n - 1):
            factor = own - 3.0 * REACTION * old[i] * old[i]
            other[i] = bar[i] * factor + DIFFUSION * (bar[i - 1] + bar[i + 1])
        for i, left, right in ((0, n - 1, 1), (n - 1, n - 2, 0)):
            factor = own - 3.0 * REACTION * old[i] * old[i]
            other[i] = bar[i] * factor + DIFFUSION * (bar[left] + bar[right])
        bar, other = other, bar
    return value, (bar,)


def ring_jax(u, steps):
    import jax
    import jax.numpy as jnp

    def step(_, u):
        change = jnp.roll(u, 1) - 2.0 * u + jnp.roll(u, -1)
        return u + DIFFUSION * change - REACTION * u**3

    return jnp.sum(jax.lax.fori_loop(0, steps, step, u) ** 2)


def ring_torch(u, steps):
    import torch

    for _ in range(steps):
        change = torch.roll(u, 1) - 2.0 * u + torch.roll(u, -1)
        u = u + DIFFUSION * change - REACTION * u**3
    return torch.sum(u**2)


def ring_autograd(u, steps):
    import autograd.numpy as anp

    for _ in range(steps):
        change = anp.roll(u, 1) - 2.0 * u + anp.roll(u, -1)
        u = u + DIFFUSION * change - REACTION * u**3
    return anp.sum(u**2)


def noise(cells, steps):
    return np.random.default_rng(0).standard_normal(cells), steps


Problem(
    "ring 500 x 400", ring, lambda: noise(500, 400), lambda: noise(9, 5),
    by_hand=ring_by_hand,
    peers={
        "jax": peers.jax(ring_jax, (0,), static=(1,)),
        "torch": peers.torch(ring_torch, (0,), static=(1,)),
        "autograd": peers.autograd(ring_autograd, (0,)),
    },
)  # fmt: skip
