"""Functions of a few operations: what is measured is the call."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

# -- three numbers -------------------------------------------------------------------------------


def scalars(a, b, c):
    return a * math.sin(b) + math.exp(-c) * b


@numba.njit(**HAND)
def scalars_by_hand(a, b, c):
    sine, power = math.sin(b), math.exp(-c)
    return a * sine + power * b, (sine, a * math.cos(b) + power, -power * b)


def scalars_jax(a, b, c):
    import jax.numpy as jnp

    return a * jnp.sin(b) + jnp.exp(-c) * b


def scalars_torch(a, b, c):
    import torch

    return a * torch.sin(b) + torch.exp(-c) * b


def scalars_autograd(a, b, c):
    import autograd.numpy as anp

    return a * anp.sin(b) + anp.exp(-c) * b


def scalars_casadi(a, b, c):
    import casadi as ca

    x, y, z = (ca.SX.sym(name) for name in "abc")
    return x * ca.sin(y) + ca.exp(-z) * y, (x, y, z), (a, b, c)


def scalars_pytensor(a, b, c):
    import pytensor.tensor as pt

    x, y, z = (pt.dscalar(name) for name in "abc")
    return x * pt.sin(y) + pt.exp(-z) * y, (x, y, z), tuple(np.asarray(v) for v in (a, b, c))


Problem(
    "three numbers", scalars, lambda: (0.7, 1.3, 0.4), lambda: (0.2, 0.9, 1.1), wrt=(0, 1, 2),
    by_hand=scalars_by_hand,
    peers={
        "jax": peers.jax(scalars_jax, (0, 1, 2)),
        "torch": peers.torch(scalars_torch, (0, 1, 2)),
        "autograd": peers.autograd(scalars_autograd, (0, 1, 2)),
        "casadi": peers.casadi(scalars_casadi),
        "pytensor": peers.pytensor(scalars_pytensor),
    },
)  # fmt: skip

# -- a short vector ------------------------------------------------------------------------------


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


@numba.njit(**HAND)
def rosenbrock_by_hand(x):
    total = 0.0
    x_bar = np.empty(len(x))
    carried = 0.0  # what the term before adds to the adjoint of x[i]
    for i in range(len(x) - 1):
        valley, left = x[i + 1] - x[i] ** 2, 1.0 - x[i]
        total += 100.0 * valley**2 + left**2
        x_bar[i] = carried - 400.0 * valley * x[i] - 2.0 * left
        carried = 200.0 * valley
    x_bar[-1] = carried
    return total, (x_bar,)


def rosenbrock_arrays(x):
    """For JAX, PyTorch, autograd and PyTensor alike."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def rosenbrock_autograd(x):
    import autograd.numpy as anp

    return anp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_casadi(x):
    import casadi as ca

    y = ca.SX.sym("x", len(x))
    return ca.sum1(100 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2), (y,), (x,)


def rosenbrock_pytensor(x):
    import pytensor.tensor as pt

    y = pt.dvector("x")
    return rosenbrock_arrays(y), (y,), (x,)


def start(n):
    return (0.5 + 0.4 * np.sin(np.arange(n)),)


Problem(
    "rosenbrock 10", rosenbrock, lambda: start(10), lambda: start(4),
    by_hand=rosenbrock_by_hand,
    peers={
        "jax": peers.jax(rosenbrock_arrays, (0,)),
        "torch": peers.torch(rosenbrock_arrays, (0,)),
        "autograd": peers.autograd(rosenbrock_autograd, (0,)),
        "casadi": peers.casadi(rosenbrock_casadi),
        "pytensor": peers.pytensor(rosenbrock_pytensor),
    },
)  # fmt: skip
