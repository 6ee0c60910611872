"""The price of a European put on a binomial tree, in place, and its delta and vega."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

STRIKE, RATE, YEARS = 105.0, 0.03, 1.0


def put(spot, sigma, n):
    step = YEARS / n
    up = math.exp(sigma * math.sqrt(step))
    down = 1.0 / up
    p = (math.exp(RATE * step) - down) / (up - down)
    discount = math.exp(-RATE * step)
    value = np.empty(n + 1)
    for i in range(n + 1):
        value[i] = max(STRIKE - spot * up ** (2 * i - n), 0.0)
    for t in range(n - 1, -1, -1):
        for i in range(t + 1):
            value[i] = discount * (p * value[i + 1] + (1.0 - p) * value[i])
    return value[0]


@numba.njit(**HAND)
def put_by_hand(spot, sigma, n):
    step = YEARS / n
    up = math.exp(sigma * math.sqrt(step))
    down, growth = 1.0 / up, math.exp(RATE * step)
    p = (growth - down) / (up - down)
    discount = math.exp(-RATE * step)
    a, b = discount * p, discount * (1.0 - p)
    value = np.empty((n + 1, n + 1))
    for i in range(n + 1):
        value[n, i] = max(STRIKE - spot * up ** (2 * i - n), 0.0)
    for t in range(n - 1, -1, -1):
        for i in range(t + 1):
            value[t, i] = a * value[t + 1, i + 1] + b * value[t + 1, i]
    p_bar = 0.0
    bar, other = np.zeros(n + 1), np.zeros(n + 1)
    bar[0] = 1.0
    for t in range(n):
        total = 0.0
        for i in range(t + 1):
            total += bar[i] * (value[t + 1, i + 1] - value[t + 1, i])
        p_bar += discount * total
        other[0] = b * bar[0]
        for i in range(1, t + 1):
            other[i] = a * bar[i - 1] + b * bar[i]
        other[t + 1] = a * bar[t]
        bar, other = other, bar
    spot_bar = up_bar = 0.0
    for i in range(n + 1):
        power = up ** (2 * i - n)
        if STRIKE - spot * power > 0.0:
            spot_bar -= bar[i] * power
            up_bar -= bar[i] * spot * (2 * i - n) * power / up
    gap = up - down
    up_bar += p_bar * (down * down * gap - (growth - down) * (1.0 + down * down)) / (gap * gap)
    return value[0, 0], (spot_bar, up_bar * up * math.sqrt(step))


def put_jax(spot, sigma, n):
    import jax
    import jax.numpy as jnp

    step = YEARS / n
    up = jnp.exp(sigma * math.sqrt(step))
    p = (math.exp(RATE * step) - 1.0 / up) / (up - 1.0 / up)
    discount = math.exp(-RATE * step)
    value = jnp.maximum(STRIKE - spot * up ** (2.0 * jnp.arange(n + 1) - n), 0.0)

    def back(_, value):
        return discount * (p * jnp.roll(value, -1) + (1.0 - p) * value)

    return jax.lax.fori_loop(0, n, back, value)[0]


def _put_with(xp, power, spot, sigma, n):
    step = YEARS / n
    up = xp.exp(sigma * math.sqrt(step))
    p = (math.exp(RATE * step) - 1.0 / up) / (up - 1.0 / up)
    discount = math.exp(-RATE * step)
    value = STRIKE - spot * up**power
    value = xp.where(value > 0.0, value, xp.zeros_like(value))
    for _ in range(n):
        value = discount * (p * value[1:] + (1.0 - p) * value[:-1])
    return value[0]


def put_torch(spot, sigma, n):
    import torch

    return _put_with(torch, 2.0 * torch.arange(n + 1, dtype=torch.float64) - n, spot, sigma, n)


def put_autograd(spot, sigma, n):
    import autograd.numpy as anp

    return _put_with(anp, 2.0 * np.arange(n + 1) - n, spot, sigma, n)


Problem(
    "binomial tree 500", put, lambda: (100.0, 0.2, 500), lambda: (100.0, 0.2, 9), wrt=(0, 1),
    by_hand=put_by_hand,
    peers={
        "jax": peers.jax(put_jax, (0, 1), static=(2,)),
        "torch": peers.torch(put_torch, (0, 1), static=(2,)),
        "autograd": peers.autograd(put_autograd, (0, 1)),
    },
)  # fmt: skip
