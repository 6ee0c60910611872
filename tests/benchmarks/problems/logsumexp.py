"""log(sum(exp(x))) of a long vector, the largest element subtracted first."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def arrays(x):
    largest = x.max()
    return largest + np.log(np.sum(np.exp(x - largest)))


def loops(x):
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] - largest)
    return largest + math.log(total)


@numba.njit(**HAND)
def by_hand(x):
    lanes = np.full(8, -np.inf)  # one maximum would be a chain of n comparisons
    whole = len(x) // 8 * 8
    for i in range(0, whole, 8):
        for j in range(8):
            lanes[j] = x[i + j] if x[i + j] > lanes[j] else lanes[j]
    largest = lanes.max()
    for i in range(whole, len(x)):
        largest = max(largest, x[i])
    x_bar = np.empty(len(x))
    total = 0.0
    for i in range(len(x)):
        power = math.exp(x[i] - largest)
        x_bar[i] = power
        total += power
    scale = 1.0 / total
    for i in range(len(x)):
        x_bar[i] *= scale  # the derivative by the largest, as an argument of its own, is zero
    return largest + math.log(total), (x_bar,)


def in_jax(x):
    import jax

    return jax.scipy.special.logsumexp(x)


def in_torch(x):
    return x.logsumexp(0)


def in_autograd(x):
    import autograd.scipy.special as special

    return special.logsumexp(x)


def in_casadi(x):
    import casadi as ca

    symbol = ca.MX.sym("x", len(x))
    return ca.logsumexp(symbol), [symbol], [x]


def in_pytensor(x):
    import pytensor.tensor as pt

    symbol = pt.dvector("x")
    return pt.logsumexp(symbol), [symbol], [x]


def arguments(n):
    return (np.random.default_rng(1).random(n),)


for name, function in (("logsumexp arrays", arrays), ("logsumexp loops", loops)):
    Problem(
        name, function, lambda: arguments(1_280_000), lambda: arguments(100),
        by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0,)),
            "torch": peers.torch(in_torch, (0,)),
            "torch.compile": peers.torch(in_torch, (0,), compiled=True),
            "autograd": peers.autograd(in_autograd, (0,)),
            "casadi": peers.casadi(in_casadi),
            "pytensor": peers.pytensor(in_pytensor),
        },
    )  # fmt: skip
