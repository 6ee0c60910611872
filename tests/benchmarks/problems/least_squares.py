"""A polynomial of 128 coefficients fitted to the sign of 131072 points: half the sum of squares."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

BLOCK = 64  # points whose powers stay in the nearest cache


def loops(x, n):
    value = 0.0
    for i in range(n):
        t = -1.0 + i * (2.0 / (n - 1))
        rest = np.sign(t)
        power = 1.0
        for j in range(len(x)):
            rest -= x[j] * power
            power *= t
        value += rest * rest
    return 0.5 * value


def arrays(x, n):
    t = np.linspace(-1.0, 1.0, n)
    fit = np.zeros(n)
    for j in range(len(x) - 1, -1, -1):
        fit = fit * t + x[j]
    return 0.5 * np.sum((np.sign(t) - fit) ** 2)


@numba.njit(**HAND)
def by_hand(x, n):
    m = len(x)
    x_bar = np.zeros(m)
    t = np.empty(BLOCK)
    rest = np.empty(BLOCK)
    value = 0.0
    for first in range(0, n, BLOCK):
        for i in range(BLOCK):
            t[i] = -1.0 + (first + i) * (2.0 / (n - 1))
            rest[i] = 0.0
        for j in range(m - 1, -1, -1):
            for i in range(BLOCK):
                rest[i] = rest[i] * t[i] + x[j]
        for i in range(BLOCK):
            rest[i] = rest[i] - np.sign(t[i]) if first + i < n else 0.0
            value += rest[i] * rest[i]
        for j in range(m):
            total = 0.0
            for i in range(BLOCK):
                total += rest[i]
                rest[i] *= t[i]
            x_bar[j] += total
    return 0.5 * value, (x_bar,)


def in_jax(x, n):
    import jax
    import jax.numpy as jnp

    t = jnp.linspace(-1.0, 1.0, n)
    fit, _ = jax.lax.scan(lambda p, c: (p * t + c, None), jnp.zeros(n), x, reverse=True)
    return 0.5 * jnp.sum((jnp.sign(t) - fit) ** 2)


def in_torch(x, n):
    import torch

    t = torch.linspace(-1.0, 1.0, n, dtype=torch.float64)
    fit = torch.zeros(n, dtype=torch.float64)
    for coefficient in x.flip(0):
        fit = fit * t + coefficient
    return 0.5 * torch.sum((torch.sign(t) - fit) ** 2)


def in_autograd(x, n):
    import autograd.numpy as anp

    t = np.linspace(-1.0, 1.0, n)
    fit = np.zeros(n)
    for j in range(len(x) - 1, -1, -1):
        fit = fit * t + x[j]
    return 0.5 * anp.sum((np.sign(t) - fit) ** 2)


def in_pytensor(x, n):
    import pytensor.tensor as pt

    symbol = pt.dvector("x")
    powers = np.vander(np.linspace(-1.0, 1.0, n), len(x), increasing=True)
    rest = np.sign(powers[:, 1]) - pt.constant(powers) @ symbol
    return 0.5 * pt.sum(rest**2), [symbol], [x]


def arguments(m, n):
    return np.random.default_rng(2).random(m), n


for name, function in (("least squares loops", loops), ("least squares arrays", arrays)):
    Problem(
        name, function, lambda: arguments(128, 131072), lambda: arguments(6, 100),
        by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0,), static=(1,)),
            "torch": peers.torch(in_torch, (0,), static=(1,)),
            "autograd": peers.autograd(in_autograd, (0,)),
            "pytensor": peers.pytensor(in_pytensor),
        },
    )  # fmt: skip
