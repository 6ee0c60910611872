"""The Lennard-Jones energy of atoms that are nearer than a cutoff: a branch over pairs."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def lennard_jones(position, cutoff):
    energy = 0.0
    for i in range(len(position)):
        for j in range(i):
            dx = position[i, 0] - position[j, 0]
            dy = position[i, 1] - position[j, 1]
            dz = position[i, 2] - position[j, 2]
            square = dx * dx + dy * dy + dz * dz
            if square < cutoff:
                inverse = 1.0 / square
                sixth = inverse * inverse * inverse
                energy += 4.0 * (sixth * sixth - sixth)
    return energy


@numba.njit(**HAND)
def lennard_jones_by_hand(position, cutoff):
    n = len(position)
    bar = np.zeros((n, 3))
    energy = 0.0
    for i in range(n):
        a = b = c = 0.0
        for j in range(i):
            dx = position[i, 0] - position[j, 0]
            dy = position[i, 1] - position[j, 1]
            dz = position[i, 2] - position[j, 2]
            square = dx * dx + dy * dy + dz * dz
            if square < cutoff:
                inverse = 1.0 / square
                sixth = inverse * inverse * inverse
                energy += 4.0 * (sixth * sixth - sixth)
                force = -24.0 * (2.0 * sixth * sixth - sixth) * inverse
                a += force * dx
                b += force * dy
                c += force * dz
                bar[j, 0] -= force * dx
                bar[j, 1] -= force * dy
                bar[j, 2] -= force * dz
        bar[i, 0] += a
        bar[i, 1] += b
        bar[i, 2] += c
    return energy, (bar,)


def _of_pairs(xp, position, cutoff):
    """All pairs at once; those beyond the cutoff are computed at distance 1 and left out."""
    first, second = np.tril_indices(len(position), -1)
    apart = position[first] - position[second]
    square = xp.sum(apart * apart, -1)
    near = square < cutoff
    inverse = 1.0 / xp.where(near, square, xp.ones_like(square))
    sixth = inverse**3
    return xp.sum(xp.where(near, 4.0 * (sixth * sixth - sixth), xp.zeros_like(square)))


def lennard_jones_jax(position, cutoff):
    import jax.numpy as jnp

    return _of_pairs(jnp, position, cutoff)


def lennard_jones_torch(position, cutoff):
    import torch

    return _of_pairs(torch, position, cutoff)


def lennard_jones_autograd(position, cutoff):
    import autograd.numpy as anp

    return _of_pairs(anp, position, cutoff)


def atoms(n):
    """Atoms on a lattice, moved at random: few are close to each other."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(n ** (1.0 / 3.0)))
    lattice = np.stack(np.meshgrid(*[np.arange(side) * 1.2] * 3), -1).reshape(-1, 3)[:n]
    return lattice + rng.uniform(-0.1, 0.1, (n, 3)), 6.25


Problem(
    "cutoff 400", lennard_jones, lambda: atoms(400), lambda: atoms(9),
    by_hand=lennard_jones_by_hand,
    peers={
        "jax": peers.jax(lennard_jones_jax, (0,), static=(1,)),
        "torch": peers.torch(lennard_jones_torch, (0,), static=(1,)),
        "autograd": peers.autograd(lennard_jones_autograd, (0,)),
    },
)  # fmt: skip
