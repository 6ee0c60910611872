"""The gravitational energy of many bodies: a loop over pairs that scatters to both of them."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

SOFT = 0.01  # added to squared distances


def energy(position, mass):
    total = 0.0
    for i in range(len(mass)):
        for j in range(i + 1, len(mass)):
            dx = position[i, 0] - position[j, 0]
            dy = position[i, 1] - position[j, 1]
            dz = position[i, 2] - position[j, 2]
            total -= mass[i] * mass[j] / math.sqrt(dx * dx + dy * dy + dz * dz + SOFT)
    return total


@numba.njit(**HAND)
def energy_by_hand(position, mass):
    """Each pair twice: sums without scattered writes are worth more than half of the pairs."""
    n = len(mass)
    x, y, z = position[:, 0].copy(), position[:, 1].copy(), position[:, 2].copy()
    position_bar, mass_bar = np.empty((n, 3)), np.empty(n)
    own = 1.0 / math.sqrt(SOFT)
    total = 0.0
    for i in range(n):
        a = b = c = potential = 0.0
        for j in range(n):
            dx, dy, dz = x[i] - x[j], y[i] - y[j], z[i] - z[j]
            inverse = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz + SOFT)
            part = mass[j] * inverse
            potential += part
            force = part * inverse * inverse
            a += force * dx
            b += force * dy
            c += force * dz
        potential -= mass[i] * own
        total -= 0.5 * mass[i] * potential
        mass_bar[i] = -potential
        position_bar[i, 0], position_bar[i, 1], position_bar[i, 2] = (
            mass[i] * a, mass[i] * b, mass[i] * c,
        )  # fmt: skip
    return total, (position_bar, mass_bar)


def energy_jax(position, mass):
    import jax.numpy as jnp

    apart = position[:, None] - position
    inverse = 1.0 / jnp.sqrt(jnp.sum(apart**2, axis=-1) + SOFT)
    return -jnp.sum(jnp.triu(mass[:, None] * mass * inverse, 1))


def energy_torch(position, mass):
    import torch

    apart = position[:, None] - position
    inverse = torch.rsqrt(torch.sum(apart**2, dim=-1) + SOFT)
    return -torch.sum(torch.triu(mass[:, None] * mass * inverse, 1))


def energy_autograd(position, mass):
    import autograd.numpy as anp

    apart = position[:, None] - position
    inverse = 1.0 / anp.sqrt(anp.sum(apart**2, axis=-1) + SOFT)
    return -anp.sum(anp.triu(mass[:, None] * mass * inverse, 1))


def bodies(n):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 3)), 0.5 + rng.random(n)


Problem(
    "bodies 200", energy, lambda: bodies(200), lambda: bodies(7), wrt=(0, 1),
    by_hand=energy_by_hand,
    peers={
        "jax": peers.jax(energy_jax, (0, 1)),
        "torch": peers.torch(energy_torch, (0, 1)),
        "torch.compile": peers.torch(energy_torch, (0, 1), compiled=True),
        "autograd": peers.autograd(energy_autograd, (0, 1)),
    },
)  # fmt: skip
