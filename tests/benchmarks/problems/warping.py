"""Dynamic time warping of two series: the least, or the softly least, of three paths in a table."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

SOFT = 0.1
FAR = 1e30  # in place of infinity where a peer computes with it

# -- the least -----------------------------------------------------------------------------------


def warping(a, b):
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            least = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = (a[i] - b[j]) ** 2 + least
    return cost[len(a), len(b)]


@numba.njit(**HAND)
def warping_by_hand(a, b):
    """Keeps the step taken to each cell; the adjoint is one on the path and zero elsewhere."""
    n, m = len(a), len(b)
    taken = np.empty((n, m), np.uint8)
    cost = np.full(m + 1, np.inf)
    cost[0] = 0.0
    for i in range(n):
        diagonal, left = cost[0], np.inf
        cost[0] = np.inf
        for j in range(m):
            above = cost[j + 1]
            straight = min(above, left)
            taken[i, j] = 0 if diagonal <= straight else 1 if above <= left else 2
            left = (a[i] - b[j]) ** 2 + min(diagonal, straight)
            diagonal = above
            cost[j + 1] = left
    a_bar, b_bar = np.zeros(n), np.zeros(m)
    i, j = n - 1, m - 1
    while i >= 0 and j >= 0:
        twice = 2.0 * (a[i] - b[j])
        a_bar[i] += twice
        b_bar[j] -= twice
        step = taken[i, j]
        i -= step != 2
        j -= step != 1
    return cost[m], (a_bar, b_bar)


# -- the softly least ----------------------------------------------------------------------------


def soft_warping(a, b):
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            x, y, z = cost[i, j], cost[i, j + 1], cost[i + 1, j]
            least = min(x, y, z)
            weights = (
                math.exp((least - x) / SOFT)
                + math.exp((least - y) / SOFT)
                + math.exp((least - z) / SOFT)
            )
            cost[i + 1, j + 1] = (a[i] - b[j]) ** 2 + least - SOFT * math.log(weights)
    return cost[len(a), len(b)]


@numba.njit(**HAND)
def soft_warping_by_hand(a, b):
    """Keeps two of the three weights, which add up to one; the least of three needs no `exp`."""
    n, m = len(a), len(b)
    diagonals, aboves = np.empty((n, m)), np.empty((n, m))
    cost = np.full(m + 1, np.inf)
    cost[0] = 0.0
    for i in range(n):
        x, z = cost[0], np.inf
        cost[0] = np.inf
        for j in range(m):
            y = cost[j + 1]
            low, high = min(x, y), max(x, y)
            least = min(low, z)
            middle = max(low, min(high, z))
            most = max(high, z)
            second = math.exp((least - middle) * (1.0 / SOFT))
            third = math.exp((least - most) * (1.0 / SOFT))
            weights = 1.0 + second + third
            share = 1.0 / weights
            first, second, third = share, second * share, third * share
            diagonals[i, j] = first if x == least else second if x == middle else third
            aboves[i, j] = first if y == least else second if y == middle else third
            z = (a[i] - b[j]) ** 2 + least - SOFT * math.log(weights)
            x = y
            cost[j + 1] = z
    a_bar, b_bar = np.empty(n), np.zeros(m)
    below = np.zeros(m)  # the adjoints of the row, from what follows
    below[m - 1] = 1.0
    for i in range(n - 1, -1, -1):
        right = after = total = 0.0
        for j in range(m - 1, -1, -1):
            bar = below[j] + right
            twice = 2.0 * bar * (a[i] - b[j])
            total += twice
            b_bar[j] -= twice
            diagonal, above = bar * diagonals[i, j], bar * aboves[i, j]
            right = bar - diagonal - above
            below[j] = above + after
            after = diagonal
        a_bar[i] = total
    return cost[m], (a_bar, b_bar)


# -- the peers: one diagonal after another, vectors along it ---------------------------------------


def diagonal(numbers, least, a, b, k, before, last):
    """The costs of the cells i + j = k from those of the two diagonals before."""
    i = np.arange(len(a))
    far = numbers.full_like(a[:1], FAR)
    shifted = lambda v: numbers.concatenate((far, v[:-1]))
    j = k - i
    inside = (j >= 0) & (j < len(b))
    away = (a - b[j % len(b)]) ** 2
    return numbers.where(inside, away + least(shifted(before), shifted(last), last), FAR)


def over_diagonals(numbers, least, a, b):
    """For PyTorch and autograd."""
    before = numbers.full_like(a, FAR)
    last = numbers.concatenate(((a[:1] - b[:1]) ** 2, numbers.full_like(a[1:], FAR)))
    for k in range(1, len(a) + len(b) - 1):
        before, last = last, diagonal(numbers, least, a, b, k, before, last)
    return last[-1]


def peer_jax(soft):
    def function(a, b):
        import jax
        import jax.numpy as jnp

        def least(x, y, z):
            if soft:
                return -SOFT * jax.nn.logsumexp(jnp.stack((x, y, z)) * (-1.0 / SOFT), axis=0)
            return jnp.minimum(jnp.minimum(x, y), z)

        def step(carried, k):
            before, last = carried
            return (last, diagonal(jnp, least, a, b, k, before, last)), None

        first = jnp.full_like(a, FAR).at[0].set((a[0] - b[0]) ** 2)
        start = jnp.full_like(a, FAR), first
        return jax.lax.scan(step, start, jnp.arange(1, len(a) + len(b) - 1))[0][1][-1]

    return peers.jax(function, (0, 1))


def peer_torch(soft):
    def function(a, b):
        import torch

        class Numbers:
            full_like, concatenate = torch.full_like, torch.cat

            @staticmethod
            def where(inside, x, y):
                return torch.where(torch.tensor(inside), x, y)

        def least(x, y, z):
            if soft:
                return -SOFT * torch.logsumexp(torch.stack((x, y, z)) * (-1.0 / SOFT), 0)
            return torch.minimum(torch.minimum(x, y), z)

        return over_diagonals(Numbers, least, a, b)

    return peers.torch(function, (0, 1))


def peer_autograd(soft):
    def function(a, b):
        import autograd.numpy as anp
        from autograd.scipy.special import logsumexp

        def least(x, y, z):
            if soft:
                return -SOFT * logsumexp(anp.array((x, y, z)) * (-1.0 / SOFT), axis=0)
            return anp.minimum(anp.minimum(x, y), z)

        class Numbers:
            concatenate, where = anp.concatenate, anp.where
            full_like = staticmethod(lambda like, value: np.full(like.shape, value))

        return over_diagonals(Numbers, least, a, b)

    return peers.autograd(function, (0, 1))


def series(n, m):
    rng = np.random.default_rng(0)
    wave = lambda length, speed: np.sin(np.linspace(0.0, speed, length))
    noise = lambda length: 0.1 * rng.standard_normal(length)
    return wave(n, 9.0) + noise(n), wave(m, 8.0) + noise(m)


for _name, _function, _by_hand, _soft in (
    ("warping 1000 x 1000", warping, warping_by_hand, False),
    ("soft warping 1000 x 1000", soft_warping, soft_warping_by_hand, True),
):
    Problem(
        _name, _function, lambda: series(1000, 1000), lambda: series(11, 9), wrt=(0, 1),
        by_hand=_by_hand,
        peers={
            "jax": peer_jax(_soft),
            "torch": peer_torch(_soft),
            "autograd": peer_autograd(_soft),
        },
    )  # fmt: skip
