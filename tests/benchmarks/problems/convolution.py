"""A layer of convolutions with its activation, written as the five loops of its definition."""

from __future__ import annotations

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def convolution(image, kernels, bias):
    count, high, wide = kernels.shape
    total = 0.0
    for c in range(count):
        for i in range(image.shape[0] - high + 1):
            for j in range(image.shape[1] - wide + 1):
                s = bias[c]
                for p in range(high):
                    for q in range(wide):
                        s += kernels[c, p, q] * image[i + p, j + q]
                total += max(s, 0.0) ** 2
    return total


@numba.njit(**HAND)
def convolution_by_hand(image, kernels, bias):
    """One row of the result at a time, which lies side by side in memory."""
    count, high, wide = kernels.shape
    rows, columns = image.shape[0] - high + 1, image.shape[1] - wide + 1
    image_bar, kernels_bar = np.zeros_like(image), np.zeros_like(kernels)
    bias_bar = np.zeros_like(bias)
    row = np.empty(columns)
    total = 0.0
    for c in range(count):
        for i in range(rows):
            row[:] = bias[c]
            for p in range(high):
                for q in range(wide):
                    weight = kernels[c, p, q]
                    for j in range(columns):
                        row[j] += weight * image[i + p, j + q]
            of_bias = 0.0
            for j in range(columns):
                s = max(row[j], 0.0)
                total += s * s
                row[j] = 2.0 * s
                of_bias += 2.0 * s
            bias_bar[c] += of_bias
            for p in range(high):
                for q in range(wide):
                    weight, of_weight = kernels[c, p, q], 0.0
                    for j in range(columns):
                        image_bar[i + p, j + q] += weight * row[j]
                        of_weight += row[j] * image[i + p, j + q]
                    kernels_bar[c, p, q] += of_weight
    return total, (image_bar, kernels_bar, bias_bar)


def convolution_jax(image, kernels, bias):
    import jax
    import jax.numpy as jnp

    out = jax.lax.conv_general_dilated(image[None, None], kernels[:, None], (1, 1), "VALID")[0]
    return jnp.sum(jnp.maximum(out + bias[:, None, None], 0.0) ** 2)


def convolution_torch(image, kernels, bias):
    import torch

    out = torch.nn.functional.conv2d(image[None], kernels[:, None], bias)
    return (out.relu() ** 2).sum()


def layer(size, count, wide):
    rng = np.random.default_rng(3)
    shapes = (size, size), (count, wide, wide), (count,)
    return tuple(rng.uniform(-1.0, 1.0, shape) for shape in shapes)


Problem(
    "convolution 64 x 64", convolution, lambda: layer(64, 8, 5), lambda: layer(12, 2, 3),
    wrt=(0, 1, 2), by_hand=convolution_by_hand,
    peers={
        "jax": peers.jax(convolution_jax, (0, 1, 2)),
        "torch": peers.torch(convolution_torch, (0, 1, 2)),
        "torch.compile": peers.torch(convolution_torch, (0, 1, 2), compiled=True),
    },
)  # fmt: skip
