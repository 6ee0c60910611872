"""The price of a European call as the mean over given draws, with its sensitivities."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

YEARS = 1.5


def price(spot, strike, vol, rate, draws):
    drift = (rate - 0.5 * vol**2) * YEARS
    spread = vol * math.sqrt(YEARS)
    total = 0.0
    for k in range(len(draws)):
        total += max(spot * math.exp(drift + spread * draws[k]) - strike, 0.0)
    return math.exp(-rate * YEARS) * total / len(draws)


def price_arrays(spot, strike, vol, rate, draws):
    end = spot * np.exp((rate - 0.5 * vol**2) * YEARS + vol * math.sqrt(YEARS) * draws)
    return np.exp(-rate * YEARS) * np.mean(np.maximum(end - strike, 0.0))


@numba.njit(**HAND)
def price_by_hand(spot, strike, vol, rate, draws):
    drift = (rate - 0.5 * vol**2) * YEARS
    spread = vol * math.sqrt(YEARS)
    paid, growth, weighted = 0, 0.0, 0.0  # over the paths that end above the strike
    for k in range(len(draws)):
        factor = math.exp(drift + spread * draws[k])
        if spot * factor > strike:
            paid += 1
            growth += factor
            weighted += factor * draws[k]
    discount = math.exp(-rate * YEARS) / len(draws)
    value = discount * (spot * growth - strike * paid)
    by_drift = discount * spot * growth * YEARS
    by_vol = discount * spot * weighted * math.sqrt(YEARS) - vol * by_drift
    return value, (discount * growth, -discount * paid, by_vol, by_drift - YEARS * value)


def price_jax(spot, strike, vol, rate, draws):
    import jax.numpy as jnp

    end = spot * jnp.exp((rate - 0.5 * vol**2) * YEARS + vol * math.sqrt(YEARS) * draws)
    return jnp.exp(-rate * YEARS) * jnp.mean(jnp.maximum(end - strike, 0.0))


def price_torch(spot, strike, vol, rate, draws):
    import torch

    end = spot * torch.exp((rate - 0.5 * vol**2) * YEARS + vol * math.sqrt(YEARS) * draws)
    return torch.exp(-rate * YEARS) * torch.mean(torch.relu(end - strike))


def price_autograd(spot, strike, vol, rate, draws):
    import autograd.numpy as anp

    end = spot * anp.exp((rate - 0.5 * vol**2) * YEARS + vol * math.sqrt(YEARS) * draws)
    return anp.exp(-rate * YEARS) * anp.mean(anp.maximum(end - strike, 0.0))


def price_pytensor(spot, strike, vol, rate, draws):
    import pytensor.tensor as pt

    symbols = [pt.dscalar(name) for name in ("spot", "strike", "vol", "rate")]
    s, k, v, r = symbols
    end = s * pt.exp((r - 0.5 * v**2) * YEARS + v * math.sqrt(YEARS) * pt.constant(draws))
    value = pt.exp(-r * YEARS) * pt.mean(pt.maximum(end - k, 0.0))
    return value, symbols, [np.asarray(a) for a in (spot, strike, vol, rate)]


def market(paths):
    return 100.0, 105.0, 0.25, 0.03, np.random.default_rng(0).standard_normal(paths)


WRT = (0, 1, 2, 3)

for _name, _function in (
    ("black-scholes 1e6", price),
    ("black-scholes arrays 1e6", price_arrays),
):
    Problem(
        _name, _function, lambda: market(1_000_000), lambda: market(200), wrt=WRT,
        by_hand=price_by_hand,
        peers={
            "jax": peers.jax(price_jax, WRT),
            "torch": peers.torch(price_torch, WRT),
            "torch.compile": peers.torch(price_torch, WRT, compiled=True),
            "autograd": peers.autograd(price_autograd, WRT),
            "pytensor": peers.pytensor(price_pytensor),
        },
    )  # fmt: skip
