"""The log-likelihood of a Kalman filter: products of small matrices in a long loop."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

STATE, SEEN = 4, 2


def likelihood(moves, noise, sees, blur, observed):
    x = np.zeros(STATE)
    cov = np.eye(STATE)
    total = 0.0
    for k in range(len(observed)):
        x = moves @ x
        cov = moves @ cov @ moves.T + noise
        cross = cov @ sees.T
        seen = sees @ cross + blur
        inverse = np.linalg.inv(seen)
        e = observed[k] - sees @ x
        total -= 0.5 * (e @ inverse @ e + np.log(np.linalg.det(seen)))
        gain = cross @ inverse
        x = x + gain @ e
        cov = cov - gain @ cross.T
    return total


@numba.njit(**HAND)
def add(out, a, b, scale):
    """out += scale * (a @ b); the loops unroll where the sizes are known."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            t = 0.0
            for k in range(a.shape[1]):
                t += a[i, k] * b[k, j]
            out[i, j] += scale * t


@numba.njit(**HAND)
def put(out, a, b):
    """out = a @ b"""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            t = 0.0
            for k in range(a.shape[1]):
                t += a[i, k] * b[k, j]
            out[i, j] = t


@numba.njit(**HAND)
def copied(out, a):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = a[i, j]


@numba.njit(**HAND)
def inverted(out, a):
    """The inverse of two by two, and the determinant."""
    det = a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
    out[0, 0], out[0, 1] = a[1, 1] / det, -a[0, 1] / det
    out[1, 0], out[1, 1] = -a[1, 0] / det, a[0, 0] / det
    return det


@numba.njit(**HAND)
def likelihood_by_hand(moves, noise, sees, blur, observed):
    steps = len(observed)
    f, h = np.empty((4, 4)), np.empty((2, 4))  # numbers, so that LLVM knows the sizes
    copied(f, moves)
    copied(h, sees)
    square, seen = np.empty((4, 4)), np.empty((2, 2))
    x, cov, column = np.zeros((4, 1)), np.zeros((4, 4)), np.empty((4, 1))
    for i in range(4):
        cov[i, i] = 1.0
    xs, covs, crosses = np.empty((steps, 4, 1)), np.empty((steps, 4, 4)), np.empty((steps, 4, 2))
    errors, inverses = np.empty((steps, 2, 1)), np.empty((steps, 2, 2))
    gain = np.empty((4, 2))
    total = 0.0
    for k in range(steps):
        cross, inverse, e = crosses[k], inverses[k], errors[k]
        copied(xs[k], x)
        copied(covs[k], cov)
        put(column, f, x)
        copied(x, column)
        put(square, f, cov)
        copied(cov, noise)
        add(cov, square, f.T, 1.0)
        put(cross, cov, h.T)
        copied(seen, blur)
        add(seen, h, cross, 1.0)
        det = inverted(inverse, seen)
        put(e, h, x)
        e[0, 0], e[1, 0] = observed[k, 0] - e[0, 0], observed[k, 1] - e[1, 0]
        put(gain, cross, inverse)
        add(x, gain, e, 1.0)
        add(cov, gain, cross.T, -1.0)
        total -= 0.5 * math.log(det)
        for i in range(2):
            for j in range(2):
                total -= 0.5 * e[i, 0] * inverse[i, j] * e[j, 0]

    f_bar, noise_bar, blur_bar = np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((2, 2))
    x_bar, cov_bar = np.zeros((4, 1)), np.zeros((4, 4))
    cross_bar, inverse_bar, seen_bar = np.empty((4, 2)), np.empty((2, 2)), np.empty((2, 2))
    gain_bar, e_bar, small = np.empty((4, 2)), np.empty((2, 1)), np.empty((2, 2))
    moved = np.empty((4, 4))
    for k in range(steps - 1, -1, -1):
        cross, inverse, e = crosses[k], inverses[k], errors[k]
        put(gain, cross, inverse)
        put(gain_bar, x_bar, e.T)
        add(gain_bar, cov_bar, cross, -1.0)
        put(cross_bar, cov_bar.T, gain)
        for i in range(4):
            for j in range(2):
                cross_bar[i, j] = -cross_bar[i, j]
        add(cross_bar, gain_bar, inverse.T, 1.0)
        put(inverse_bar, cross.T, gain_bar)
        add(inverse_bar, e, e.T, -0.5)
        put(e_bar, gain.T, x_bar)
        add(e_bar, inverse, e, -0.5)
        add(e_bar, inverse.T, e, -0.5)
        put(small, inverse.T, inverse_bar)
        put(seen_bar, small, inverse.T)
        for i in range(2):
            for j in range(2):
                seen_bar[i, j] = -seen_bar[i, j] - 0.5 * inverse[j, i]
                blur_bar[i, j] += seen_bar[i, j]
        add(cross_bar, h.T, seen_bar, 1.0)
        add(cov_bar, cross_bar, h, 1.0)
        add(x_bar, h.T, e_bar, -1.0)
        for i in range(4):
            for j in range(4):
                noise_bar[i, j] += cov_bar[i, j]
        put(square, cov_bar, f)
        add(f_bar, square, covs[k].T, 1.0)
        add(f_bar, x_bar, xs[k].T, 1.0)
        put(column, f.T, x_bar)
        copied(x_bar, column)
        put(moved, f, covs[k])
        add(f_bar, cov_bar.T, moved, 1.0)
        put(cov_bar, f.T, square)
    return total, (f_bar, noise_bar, blur_bar)


def step(numbers, moves, noise, sees, blur, x, cov, y):
    """One step for JAX, PyTorch and autograd; `numbers` is the library."""
    x = moves @ x
    cov = moves @ cov @ moves.T + noise
    cross = cov @ sees.T
    seen = sees @ cross + blur
    inverse = numbers.linalg.inv(seen)
    e = y - sees @ x
    change = -0.5 * (e @ inverse @ e + numbers.log(numbers.linalg.det(seen)))
    gain = cross @ inverse
    return x + gain @ e, cov - gain @ cross.T, change


def likelihood_jax(moves, noise, sees, blur, observed):
    import jax
    import jax.numpy as jnp

    def body(carried, y):
        x, cov, total = carried
        x, cov, change = step(jnp, moves, noise, sees, blur, x, cov, y)
        return (x, cov, total + change), None

    start = (jnp.zeros(STATE), jnp.eye(STATE), 0.0)
    return jax.lax.scan(body, start, observed)[0][2]


def likelihood_torch(moves, noise, sees, blur, observed):
    import torch

    x, cov = torch.zeros(STATE).double(), torch.eye(STATE).double()
    total = torch.zeros(()).double()
    for y in observed:
        x, cov, change = step(torch, moves, noise, sees, blur, x, cov, y)
        total = total + change
    return total


def likelihood_autograd(moves, noise, sees, blur, observed):
    import autograd.numpy as anp

    x, cov, total = np.zeros(STATE), np.eye(STATE), 0.0
    for y in observed:
        x, cov, change = step(anp, moves, noise, sees, blur, x, cov, y)
        total = total + change
    return total


def likelihood_casadi(moves, noise, sees, blur, observed):
    import casadi as ca

    f, q = ca.SX.sym("f", STATE, STATE), ca.SX.sym("q", STATE, STATE)
    r, y = ca.SX.sym("r", SEEN, SEEN), ca.SX.sym("y", SEEN)
    x, cov, total = ca.SX.sym("x", STATE), ca.SX.sym("cov", STATE, STATE), ca.SX.sym("total")
    new_x = f @ x
    new_cov = f @ cov @ f.T + q
    cross = new_cov @ sees.T
    seen = sees @ cross + r
    inverse, e = ca.inv(seen), y - sees @ new_x
    gain = cross @ inverse
    change = -0.5 * (e.T @ inverse @ e + ca.log(ca.det(seen)))
    pack = lambda x, cov, total: ca.vertcat(x, ca.vec(cov), total)
    after = pack(new_x + gain @ e, new_cov - gain @ cross.T, total + change)
    before = pack(x, cov, total)
    body = ca.Function("body", [x, cov, total, f, q, r, y], [after])
    packed = ca.SX.sym("packed", before.shape[0])
    n = STATE * STATE
    taken = packed[:STATE], ca.reshape(packed[STATE : STATE + n], STATE, STATE), packed[-1]
    one = ca.Function("one", [packed, f, q, r, y], [body(*taken, f, q, r, y)])
    steps = len(observed)
    symbols = [ca.MX.sym(s, *m.shape) for s, m in zip("fqr", (moves, noise, blur), strict=True)]
    start = ca.vertcat(ca.DM.zeros(STATE), ca.vec(ca.DM.eye(STATE)), 0)
    repeated = [ca.repmat(s, 1, steps) for s in symbols]
    end = one.fold(steps)(start, *repeated, ca.DM(observed.T))
    return end[-1], symbols, (moves, noise, blur)


def model(steps):
    rng = np.random.default_rng(0)
    moves = 0.9 * np.linalg.qr(rng.standard_normal((STATE, STATE)))[0]
    sees = rng.standard_normal((SEEN, STATE))
    noise = 0.1 * np.eye(STATE) + 0.02
    blur = 0.5 * np.eye(SEEN) + 0.1
    return moves, noise, sees, blur, rng.standard_normal((steps, SEEN))


WRT = (0, 1, 3)

Problem(
    "kalman 500", likelihood, lambda: model(500), lambda: model(10), wrt=WRT,
    by_hand=likelihood_by_hand,
    peers={
        "jax": peers.jax(likelihood_jax, WRT),
        "torch": peers.torch(likelihood_torch, WRT),
        "autograd": peers.autograd(likelihood_autograd, WRT),
        "casadi": peers.casadi(likelihood_casadi),
    },
)  # fmt: skip
