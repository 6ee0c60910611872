"""Interpolation in tables: reads at computed places, whose adjoints are scattered back."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem

# -- on a line -----------------------------------------------------------------------------------


def linear(table, x):
    total = 0.0
    last = len(table) - 1
    for k in range(len(x)):
        place = x[k] * last
        i = min(int(place), last - 1)
        w = place - i
        total += ((1.0 - w) * table[i] + w * table[i + 1]) ** 2
    return total


@numba.njit(**HAND)
def linear_by_hand(table, x):
    total = 0.0
    last = len(table) - 1
    table_bar = np.zeros(len(table))
    x_bar = np.empty(len(x))
    for k in range(len(x)):
        place = x[k] * last
        i = min(int(place), last - 1)
        w = place - i
        left, right = table[i], table[i + 1]
        found = (1.0 - w) * left + w * right
        total += found**2
        twice = 2.0 * found
        x_bar[k] = twice * (right - left) * last
        table_bar[i] += twice * (1.0 - w)
        table_bar[i + 1] += twice * w
    return total, (table_bar, x_bar)


def linear_jax(table, x):
    import jax.numpy as jnp

    place = x * (len(table) - 1)
    i = jnp.minimum(place.astype(int), len(table) - 2)
    w = place - i
    return jnp.sum(((1.0 - w) * table[i] + w * table[i + 1]) ** 2)


def linear_torch(table, x):
    place = x * (len(table) - 1)
    i = place.long().clamp(max=len(table) - 2)
    w = place - i
    return (((1.0 - w) * table[i] + w * table[i + 1]) ** 2).sum()


def linear_autograd(table, x):
    import autograd.numpy as anp
    from autograd.tracer import getval

    place = x * (len(table) - 1)
    i = anp.minimum(getval(place).astype(int), len(table) - 2)
    w = place - i
    return anp.sum(((1.0 - w) * table[i] + w * table[i + 1]) ** 2)


def on_a_line(nodes, points):
    rng = np.random.default_rng(0)
    return np.sin(np.linspace(0.0, 9.0, nodes)) + 2.0, rng.random(points)


Problem(
    "interpolate 1e6", linear, lambda: on_a_line(1000, 1_000_000), lambda: on_a_line(20, 100),
    wrt=(0, 1),
    by_hand=linear_by_hand,
    peers={
        "jax": peers.jax(linear_jax, (0, 1)),
        "torch": peers.torch(linear_torch, (0, 1)),
        "torch.compile": peers.torch(linear_torch, (0, 1), compiled=True),
        "autograd": peers.autograd(linear_autograd, (0, 1)),
    },
)  # fmt: skip

# -- in a plane ----------------------------------------------------------------------------------


def bilinear(table, x, y):
    total = 0.0
    rows, columns = table.shape
    for k in range(len(x)):
        down = x[k] * (rows - 1)
        along = y[k] * (columns - 1)
        i = min(int(down), rows - 2)
        j = min(int(along), columns - 2)
        v = down - i
        w = along - j
        upper = (1.0 - w) * table[i, j] + w * table[i, j + 1]
        lower = (1.0 - w) * table[i + 1, j] + w * table[i + 1, j + 1]
        total += ((1.0 - v) * upper + v * lower) ** 2
    return total


@numba.njit(**HAND)
def bilinear_by_hand(table, x, y):
    total = 0.0
    rows, columns = table.shape
    table_bar = np.zeros((rows, columns))
    x_bar, y_bar = np.empty(len(x)), np.empty(len(x))
    for k in range(len(x)):
        down = x[k] * (rows - 1)
        along = y[k] * (columns - 1)
        i = min(int(down), rows - 2)
        j = min(int(along), columns - 2)
        v = down - i
        w = along - j
        a, b, c, d = table[i, j], table[i, j + 1], table[i + 1, j], table[i + 1, j + 1]
        upper = a + w * (b - a)
        lower = c + w * (d - c)
        found = upper + v * (lower - upper)
        total += found**2
        twice = 2.0 * found
        x_bar[k] = twice * (lower - upper) * (rows - 1)
        lower_bar = twice * v
        upper_bar = twice - lower_bar
        y_bar[k] = (upper_bar * (b - a) + lower_bar * (d - c)) * (columns - 1)
        table_bar[i, j] += upper_bar * (1.0 - w)
        table_bar[i, j + 1] += upper_bar * w
        table_bar[i + 1, j] += lower_bar * (1.0 - w)
        table_bar[i + 1, j + 1] += lower_bar * w
    return total, (table_bar, x_bar, y_bar)


def blend(table, i, j, v, w):
    """For JAX, PyTorch and autograd alike."""
    upper = (1.0 - w) * table[i, j] + w * table[i, j + 1]
    lower = (1.0 - w) * table[i + 1, j] + w * table[i + 1, j + 1]
    return (((1.0 - v) * upper + v * lower) ** 2).sum()


def bilinear_jax(table, x, y):
    import jax.numpy as jnp

    down, along = x * (table.shape[0] - 1), y * (table.shape[1] - 1)
    i = jnp.minimum(down.astype(int), table.shape[0] - 2)
    j = jnp.minimum(along.astype(int), table.shape[1] - 2)
    return blend(table, i, j, down - i, along - j)


def bilinear_torch(table, x, y):
    down, along = x * (table.shape[0] - 1), y * (table.shape[1] - 1)
    i = down.long().clamp(max=table.shape[0] - 2)
    j = along.long().clamp(max=table.shape[1] - 2)
    return blend(table, i, j, down - i, along - j)


def bilinear_autograd(table, x, y):
    import autograd.numpy as anp
    from autograd.tracer import getval

    down, along = x * (table.shape[0] - 1), y * (table.shape[1] - 1)
    i = anp.minimum(getval(down).astype(int), table.shape[0] - 2)
    j = anp.minimum(getval(along).astype(int), table.shape[1] - 2)
    return blend(table, i, j, down - i, along - j)


def in_a_plane(nodes, points):
    rng = np.random.default_rng(0)
    waves = np.sin(np.linspace(0.0, 9.0, nodes))
    return waves[:, None] * waves[::-1] + 2.0, rng.random(points), rng.random(points)


Problem(
    "bilinear 1e6", bilinear, lambda: in_a_plane(200, 1_000_000), lambda: in_a_plane(9, 100),
    wrt=(0, 1, 2),
    by_hand=bilinear_by_hand,
    peers={
        "jax": peers.jax(bilinear_jax, (0, 1, 2)),
        "torch": peers.torch(bilinear_torch, (0, 1, 2)),
        "torch.compile": peers.torch(bilinear_torch, (0, 1, 2), compiled=True),
        "autograd": peers.autograd(bilinear_autograd, (0, 1, 2)),
    },
)  # fmt: skip
