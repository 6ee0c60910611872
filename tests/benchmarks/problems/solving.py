"""Systems of equations: a matrix that is factored once, and iterations until they converge."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

# -- the likelihood of a Gaussian process --------------------------------------------------------


def process(k, y):
    _, size = np.linalg.slogdet(k)
    return 0.5 * (y @ np.linalg.solve(k, y)) + 0.5 * size


@numba.njit(**HAND)
def process_by_hand(k, y):
    inverse = np.linalg.inv(k)
    weights = inverse @ y
    _, size = np.linalg.slogdet(k)
    k_bar = np.empty(k.shape)
    for i in range(len(y)):
        for j in range(len(y)):
            k_bar[i, j] = 0.5 * (inverse[i, j] - weights[i] * weights[j])
    return 0.5 * (y @ weights) + 0.5 * size, (k_bar, weights)


def process_jax(k, y):
    import jax.numpy as jnp

    _, size = jnp.linalg.slogdet(k)
    return 0.5 * (y @ jnp.linalg.solve(k, y)) + 0.5 * size


def process_torch(k, y):
    import torch

    _, size = torch.linalg.slogdet(k)
    return 0.5 * (y @ torch.linalg.solve(k, y)) + 0.5 * size


def process_autograd(k, y):
    import autograd.numpy as anp

    _, size = anp.linalg.slogdet(k)
    return 0.5 * anp.dot(y, anp.linalg.solve(k, y)) + 0.5 * size


def covariance(n):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, n))
    return a @ a.T + n * np.eye(n), rng.standard_normal(n)


Problem(
    "process 300", process, lambda: covariance(300), lambda: covariance(8), wrt=(0, 1),
    by_hand=process_by_hand,
    peers={
        "jax": peers.jax(process_jax, (0, 1)),
        "torch": peers.torch(process_torch, (0, 1)),
        "autograd": peers.autograd(process_autograd, (0, 1)),
    },
)  # fmt: skip

# -- implicit steps ------------------------------------------------------------------------------


def implicit(a, x, steps):
    for _ in range(steps):
        x = np.linalg.solve(a, x)
    return np.sum(x * x)


@numba.njit(**HAND)
def implicit_by_hand(a, x, steps):
    inverse = np.linalg.inv(a)
    states = np.empty((steps, len(x)))
    for k in range(steps):
        x = inverse @ x
        states[k] = x
    x_bar = 2.0 * x
    a_bar = np.zeros(a.shape)
    backwards = np.ascontiguousarray(inverse.T)
    for k in range(steps - 1, -1, -1):
        x_bar = backwards @ x_bar
        for i in range(len(x)):
            for j in range(len(x)):
                a_bar[i, j] -= x_bar[i] * states[k, j]
    return np.sum(x * x), (a_bar, x_bar)


def implicit_jax(a, x, steps):
    import jax
    import jax.numpy as jnp

    step = lambda x, _: (jnp.linalg.solve(a, x), None)
    return jnp.sum(jax.lax.scan(step, x, None, length=steps)[0] ** 2)


def implicit_torch(a, x, steps):
    import torch

    for _ in range(steps):
        x = torch.linalg.solve(a, x)
    return (x * x).sum()


def diffusion(n, steps):
    a = 1.6 * np.eye(n) - 0.3 * np.eye(n, k=1) - 0.3 * np.eye(n, k=-1)
    return a, np.sin(np.linspace(0.0, 9.0, n)), steps


Problem(
    "implicit 200 x 50", implicit, lambda: diffusion(200, 50), lambda: diffusion(6, 3), wrt=(0, 1),
    by_hand=implicit_by_hand,
    peers={
        "jax": peers.jax(implicit_jax, (0, 1), static=(2,)),
        "torch": peers.torch(implicit_torch, (0, 1), static=(2,)),
    },
)  # fmt: skip

# -- Newton's iteration for each element, on Kepler's equation ------------------------------------

_STEPS = 12  # of peers that must know how many; more than any element needs


def kepler(mean, eccentricity):
    total = 0.0
    for i in range(len(mean)):
        x = mean[i]
        step = 1.0
        while abs(step) > 1e-12:
            step = (x - eccentricity[i] * math.sin(x) - mean[i]) / (
                1.0 - eccentricity[i] * math.cos(x)
            )
            x -= step
        total += x * x
    return total


@numba.njit(**HAND)
def kepler_by_hand(mean, eccentricity):
    total = 0.0
    mean_bar, eccentricity_bar = np.empty(len(mean)), np.empty(len(mean))
    saved = np.empty((64, 4))
    for i in range(len(mean)):
        m, e = mean[i], eccentricity[i]
        x, step, count = m, 1.0, 0
        while abs(step) > 1e-12:
            sin, cos = math.sin(x), math.cos(x)
            slope = 1.0 - e * cos
            step = (x - e * sin - m) / slope
            saved[count, 0], saved[count, 1] = sin, cos
            saved[count, 2], saved[count, 3] = slope, step
            count += 1
            x -= step
        total += x * x
        x_bar, m_bar, e_bar = 2.0 * x, 0.0, 0.0
        for k in range(count - 1, -1, -1):
            sin, cos, slope, step = saved[k, 0], saved[k, 1], saved[k, 2], saved[k, 3]
            above_bar = -x_bar / slope
            slope_bar = -above_bar * step
            m_bar -= above_bar
            e_bar -= above_bar * sin + slope_bar * cos
            x_bar += above_bar * slope + slope_bar * e * sin
        mean_bar[i], eccentricity_bar[i] = m_bar + x_bar, e_bar
    return total, (mean_bar, eccentricity_bar)


def kepler_jax(mean, eccentricity):
    import jax
    import jax.numpy as jnp

    def step(x, _):
        above = x - eccentricity * jnp.sin(x) - mean
        return x - above / (1.0 - eccentricity * jnp.cos(x)), None

    return jnp.sum(jax.lax.scan(step, mean, None, length=_STEPS)[0] ** 2)


def kepler_torch(mean, eccentricity):
    x = mean
    for _ in range(_STEPS):
        above = x - eccentricity * x.sin() - mean
        x = x - above / (1.0 - eccentricity * x.cos())
    return (x * x).sum()


def orbits(n):
    rng = np.random.default_rng(0)
    return rng.uniform(0.0, 3.0, n), rng.uniform(0.0, 0.6, n)


Problem(
    "kepler 1e4", kepler, lambda: orbits(10_000), lambda: orbits(20), wrt=(0, 1),
    by_hand=kepler_by_hand,
    peers={
        "jax": peers.jax(kepler_jax, (0, 1)),
        "torch": peers.torch(kepler_torch, (0, 1)),
    },
)  # fmt: skip
