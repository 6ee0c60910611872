"""The Lorenz system by Runge-Kutta steps: long dependent scalar arithmetic, parameters throughout."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def velocity(x, y, z, sigma, rho, beta):
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def lorenz(state, sigma, rho, beta, steps):
    x, y, z = state[0], state[1], state[2]
    h = 1.0 / steps
    for _ in range(steps):
        a1, b1, c1 = velocity(x, y, z, sigma, rho, beta)
        a2, b2, c2 = velocity(
            x + 0.5 * h * a1, y + 0.5 * h * b1, z + 0.5 * h * c1, sigma, rho, beta
        )
        a3, b3, c3 = velocity(
            x + 0.5 * h * a2, y + 0.5 * h * b2, z + 0.5 * h * c2, sigma, rho, beta
        )
        a4, b4, c4 = velocity(x + h * a3, y + h * b3, z + h * c3, sigma, rho, beta)
        x += h / 6.0 * (a1 + 2.0 * a2 + 2.0 * a3 + a4)
        y += h / 6.0 * (b1 + 2.0 * b2 + 2.0 * b3 + b4)
        z += h / 6.0 * (c1 + 2.0 * c2 + 2.0 * c3 + c4)
    return x * x + y * y + z * z


velocity_by_hand = numba.njit(**HAND)(velocity)


@numba.njit(**HAND)
def velocity_back(x, y, z, a_bar, b_bar, c_bar, sigma, rho, beta):
    """The adjoints of position and parameters."""
    x_bar = (rho - z) * b_bar + y * c_bar - sigma * a_bar
    y_bar = sigma * a_bar - b_bar + x * c_bar
    z_bar = -x * b_bar - beta * c_bar
    return x_bar, y_bar, z_bar, (y - x) * a_bar, x * b_bar, -z * c_bar


@numba.njit(**HAND)
def lorenz_by_hand(state, sigma, rho, beta, steps):
    h = 1.0 / steps
    half, sixth, third = 0.5 * h, h / 6.0, h / 3.0
    x, y, z = state[0], state[1], state[2]
    passed = np.empty((steps, 3))
    for k in range(steps):
        passed[k, 0], passed[k, 1], passed[k, 2] = x, y, z
        a1, b1, c1 = velocity_by_hand(x, y, z, sigma, rho, beta)
        a2, b2, c2 = velocity_by_hand(x + half * a1, y + half * b1, z + half * c1, sigma, rho, beta)
        a3, b3, c3 = velocity_by_hand(x + half * a2, y + half * b2, z + half * c2, sigma, rho, beta)
        a4, b4, c4 = velocity_by_hand(x + h * a3, y + h * b3, z + h * c3, sigma, rho, beta)
        x += sixth * (a1 + 2.0 * (a2 + a3) + a4)
        y += sixth * (b1 + 2.0 * (b2 + b3) + b4)
        z += sixth * (c1 + 2.0 * (c2 + c3) + c4)
    value = x * x + y * y + z * z
    p, q, r = 2.0 * x, 2.0 * y, 2.0 * z  # adjoints of the state
    sigma_bar = rho_bar = beta_bar = 0.0
    for k in range(steps - 1, -1, -1):
        x, y, z = passed[k, 0], passed[k, 1], passed[k, 2]
        a1, b1, c1 = velocity_by_hand(x, y, z, sigma, rho, beta)
        x2, y2, z2 = x + half * a1, y + half * b1, z + half * c1
        a2, b2, c2 = velocity_by_hand(x2, y2, z2, sigma, rho, beta)
        x3, y3, z3 = x + half * a2, y + half * b2, z + half * c2
        a3, b3, c3 = velocity_by_hand(x3, y3, z3, sigma, rho, beta)
        x4, y4, z4 = x + h * a3, y + h * b3, z + h * c3
        p4, q4, r4, s4, t4, u4 = velocity_back(
            x4, y4, z4, sixth * p, sixth * q, sixth * r, sigma, rho, beta
        )
        p3, q3, r3, s3, t3, u3 = velocity_back(
            x3, y3, z3, third * p + h * p4, third * q + h * q4, third * r + h * r4,
            sigma, rho, beta,
        )  # fmt: skip
        p2, q2, r2, s2, t2, u2 = velocity_back(
            x2, y2, z2, third * p + half * p3, third * q + half * q3, third * r + half * r3,
            sigma, rho, beta,
        )  # fmt: skip
        p1, q1, r1, s1, t1, u1 = velocity_back(
            x, y, z, sixth * p + half * p2, sixth * q + half * q2, sixth * r + half * r2,
            sigma, rho, beta,
        )  # fmt: skip
        p += p1 + p2 + p3 + p4
        q += q1 + q2 + q3 + q4
        r += r1 + r2 + r3 + r4
        sigma_bar += s1 + s2 + s3 + s4
        rho_bar += t1 + t2 + t3 + t4
        beta_bar += u1 + u2 + u3 + u4
    return value, (np.array([p, q, r]), sigma_bar, rho_bar, beta_bar)


def step(stack, state, sigma, rho, beta, h):
    """One step on an array; `stack` of the peer's library makes one from three numbers."""

    def slope(s):
        return stack(velocity(s[0], s[1], s[2], sigma, rho, beta))

    k1 = slope(state)
    k2 = slope(state + 0.5 * h * k1)
    k3 = slope(state + 0.5 * h * k2)
    k4 = slope(state + h * k3)
    return state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def lorenz_jax(state, sigma, rho, beta, steps):
    import jax
    import jax.numpy as jnp

    def body(_, s):
        return step(jnp.stack, s, sigma, rho, beta, 1.0 / steps)

    return jnp.sum(jax.lax.fori_loop(0, steps, body, state) ** 2)


def lorenz_torch(state, sigma, rho, beta, steps):
    import torch

    for _ in range(steps):
        state = step(torch.stack, state, sigma, rho, beta, 1.0 / steps)
    return torch.sum(state**2)


def lorenz_autograd(state, sigma, rho, beta, steps):
    import autograd.numpy as anp

    for _ in range(steps):
        state = step(anp.array, state, sigma, rho, beta, 1.0 / steps)
    return anp.sum(state**2)


def lorenz_casadi(state, sigma, rho, beta, steps):
    import casadi as ca

    s = ca.SX.sym("state", 3)
    parameters = [ca.SX.sym(name) for name in ("sigma", "rho", "beta")]

    def stack(parts):
        return ca.vertcat(*parts)

    one = ca.Function("step", [s, *parameters], [step(stack, s, *parameters, 1.0 / steps)])
    start = ca.MX.sym("start", 3)
    symbols = [ca.MX.sym(name) for name in ("sigma", "rho", "beta")]
    end = one.fold(steps)(start, *symbols)
    return ca.sumsqr(end), (start, *symbols), (state, sigma, rho, beta)


def arguments(steps):
    return np.array([1.0, 1.2, 20.0]), 10.0, 28.0, 8.0 / 3.0, steps


WRT = (0, 1, 2, 3)

Problem(
    "lorenz 1e4", lorenz, lambda: arguments(10_000), lambda: arguments(40), wrt=WRT,
    by_hand=lorenz_by_hand,
    peers={
        "jax": peers.jax(lorenz_jax, WRT, static=(4,)),
        "torch": peers.torch(lorenz_torch, WRT, static=(4,)),
        "autograd": peers.autograd(lorenz_autograd, WRT),
        "casadi": peers.casadi(lorenz_casadi),
    },
    slow=("torch", "autograd"),
)  # fmt: skip
