"""Van der Pol's oscillators from many starts, by the midpoint rule: the squares of where they end."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

STEP = 0.01
BLOCK = 16  # oscillators whose tape stays in the nearest cache


def oscillators(mu, x0, v0, steps):
    loss = 0.0
    for i in range(len(x0)):
        x, v = x0[i], v0[i]
        for _ in range(steps):
            xm = x + 0.5 * STEP * v
            vm = v + 0.5 * STEP * (mu * (1.0 - x * x) * v - x)
            x += STEP * vm
            v += STEP * (mu * (1.0 - xm * xm) * vm - xm)
        loss += x * x + v * v
    return loss


@numba.njit(**HAND)
def by_hand(mu, x0, v0, steps):
    x_bars, v_bars = np.empty_like(x0), np.empty_like(v0)
    tape, now = np.empty((steps, 2, BLOCK)), np.empty((2, BLOCK))
    loss = mu_bar = 0.0
    half = 0.5 * STEP
    for first in range(0, len(x0), BLOCK):
        count = min(BLOCK, len(x0) - first)
        for i in range(count):
            now[0, i], now[1, i] = x0[first + i], v0[first + i]
        for t in range(steps):
            for i in range(count):
                x, v = now[0, i], now[1, i]
                tape[t, 0, i], tape[t, 1, i] = x, v
                xm = x + half * v
                vm = v + half * (mu * (1.0 - x * x) * v - x)
                now[0, i] = x + STEP * vm
                now[1, i] = v + STEP * (mu * (1.0 - xm * xm) * vm - xm)
        for i in range(count):
            loss += now[0, i] * now[0, i] + now[1, i] * now[1, i]
            now[0, i] *= 2.0
            now[1, i] *= 2.0
        for t in range(steps):
            total = 0.0
            for i in range(count):
                x, v = tape[steps - 1 - t, 0, i], tape[steps - 1 - t, 1, i]
                x_bar, v_bar = now[0, i], now[1, i]
                xm = x + half * v
                bend, bend_m = 1.0 - x * x, 1.0 - xm * xm
                vm = v + half * (mu * bend * v - x)
                a_bar = STEP * v_bar
                vm_bar = STEP * x_bar + a_bar * mu * bend_m
                xm_bar = -a_bar * (1.0 + 2.0 * mu * xm * vm)
                b_bar = half * vm_bar
                total += a_bar * bend_m * vm + b_bar * bend * v
                now[0, i] = x_bar + xm_bar - b_bar * (1.0 + 2.0 * mu * x * v)
                now[1, i] = v_bar + vm_bar + half * xm_bar + b_bar * mu * bend
            mu_bar += total
        for i in range(count):
            x_bars[first + i], v_bars[first + i] = now[0, i], now[1, i]
    return loss, (mu_bar, x_bars, v_bars)


def _midpoint(mu, x, v):
    xm = x + 0.5 * STEP * v
    vm = v + 0.5 * STEP * (mu * (1.0 - x * x) * v - x)
    return x + STEP * vm, v + STEP * (mu * (1.0 - xm * xm) * vm - xm)


def in_jax(mu, x0, v0, steps):
    import jax
    import jax.numpy as jnp

    def step(state, _):
        return _midpoint(mu, *state), None

    (x, v), _ = jax.lax.scan(step, (x0, v0), None, length=steps)
    return jnp.sum(x * x + v * v)


def in_arrays(mu, x0, v0, steps):
    x, v = x0, v0
    for _ in range(steps):
        x, v = _midpoint(mu, x, v)
    return (x * x + v * v).sum()


def in_autograd(mu, x0, v0, steps):
    import autograd.numpy as anp

    x, v = x0, v0
    for _ in range(steps):
        x, v = _midpoint(mu, x, v)
    return anp.sum(x * x + v * v)


def arguments(count, steps):
    rng = np.random.default_rng(4)
    return 1.1, rng.random(count), rng.random(count), steps


WRT = (0, 1, 2)

Problem(
    "oscillators 2000 x 200", oscillators, lambda: arguments(2000, 200), lambda: arguments(21, 5),
    wrt=WRT, by_hand=by_hand,
    peers={
        "jax": peers.jax(in_jax, WRT, static=(3,)),
        "torch": peers.torch(in_arrays, WRT, static=(3,)),
        "autograd": peers.autograd(in_autograd, WRT),
    },
)  # fmt: skip
