"""A stencil in the plane with a nonlinear term: the squared residual of the Allen-Cahn equation."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def stencil(u, rate):
    total = 0.0
    rows, columns = u.shape
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
            r = rate * (around - 4.0 * u[i, j]) + u[i, j] - u[i, j] ** 3
            total += r * r
    return total


@numba.njit(**HAND)
def stencil_by_hand(u, rate):
    total = 0.0
    rows, columns = u.shape
    u_bar = np.empty((rows, columns))
    above, here, below = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for i in range(rows):  # gathers the residuals of three rows, so that each element is set once
        if i + 2 < rows:
            for j in range(1, columns - 1):
                around = u[i, j] + u[i + 2, j] + u[i + 1, j - 1] + u[i + 1, j + 1]
                middle = u[i + 1, j]
                r = rate * (around - 4.0 * middle) + middle - middle**3
                total += r * r
                below[j] = 2.0 * r
        else:
            below[:] = 0.0
        u_bar[i, 0] = rate * here[1]
        for j in range(1, columns - 1):
            around = above[j] + below[j] + here[j - 1] + here[j + 1]
            u_bar[i, j] = rate * around + (1.0 - 4.0 * rate - 3.0 * u[i, j] ** 2) * here[j]
        u_bar[i, columns - 1] = rate * here[columns - 2]
        above, here, below = here, below, above
    return total, (u_bar,)


def stencil_arrays(u, rate):
    """As NumPy users write it; for JAX, PyTorch and autograd too."""
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    middle = u[1:-1, 1:-1]
    return ((rate * (around - 4.0 * middle) + middle - middle**3) ** 2).sum()


def waves(n):
    x = np.linspace(0.0, 20.0, n)
    return np.sin(x)[:, None] * np.cos(0.7 * x), 0.3


for _name, _function in (
    ("stencil 1000 x 1000", stencil),
    ("stencil arrays 1000 x 1000", stencil_arrays),
):
    Problem(
        _name, _function, lambda: waves(1000), lambda: waves(12),
        by_hand=stencil_by_hand,
        peers={
            "jax": peers.jax(stencil_arrays, (0,)),
            "torch": peers.torch(stencil_arrays, (0,)),
            "torch.compile": peers.torch(stencil_arrays, (0,), static=(1,), compiled=True),
            "autograd": peers.autograd(stencil_arrays, (0,)),
        },
    )  # fmt: skip
