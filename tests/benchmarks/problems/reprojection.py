"""The residuals of bundle adjustment, and their sparse Jacobian.

x holds the cameras, nine numbers each (rotation vector, translation, focal length, two coefficients
of radial distortion), then the points, three numbers each. An observation is of one point by one
camera and has two residuals.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numba
import numpy as np
import scipy.sparse

import adcompile as ad
from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem


def residuals(x, cameras, camera, point, observed):
    rest = np.empty(observed.shape)
    for i in range(len(observed)):
        c, p = 9 * camera[i], 9 * cameras + 3 * point[i]
        a, b, d = x[c], x[c + 1], x[c + 2]
        u, v, w = x[p], x[p + 1], x[p + 2]
        square = a * a + b * b + d * d
        cosine, first, second = 1.0, 1.0, 0.0
        if square > 0.0:
            angle = math.sqrt(square)
            cosine = math.cos(angle)
            first = math.sin(angle) / angle
            second = (1.0 - cosine) / square
        along = second * (a * u + b * v + d * w)
        depth = cosine * w + first * (a * v - b * u) + along * d + x[c + 5]
        right = (cosine * u + first * (b * w - d * v) + along * a + x[c + 3]) / depth
        down = (cosine * v + first * (d * u - a * w) + along * b + x[c + 4]) / depth
        radius = right * right + down * down
        scale = x[c + 6] * (1.0 + radius * (x[c + 7] + radius * x[c + 8]))
        rest[i, 0] = scale * right - observed[i, 0]
        rest[i, 1] = scale * down - observed[i, 1]
    return rest


@numba.njit(**HAND)
def turning(x, cameras):
    """For each camera the rotation matrix, and four factors of its derivative."""
    matrices, factors = np.empty((cameras, 3, 3)), np.empty((cameras, 4))
    for c in range(cameras):
        r = x[9 * c : 9 * c + 3]
        square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
        cosine, first, second, third, fourth = 1.0, 1.0, 0.0, 0.0, 0.0
        if square > 0.0:
            angle = math.sqrt(square)
            cosine = math.cos(angle)
            first = math.sin(angle) / angle
            second = (1.0 - cosine) / square
            third = (cosine - first) / square
            fourth = (first - 2.0 * second) / square
        factors[c, 0], factors[c, 1], factors[c, 2], factors[c, 3] = first, second, third, fourth
        for i in range(3):
            for j in range(3):
                matrices[c, i, j] = second * r[i] * r[j]
        for i in range(3):
            matrices[c, i, i] += cosine
            after, before = (i + 1) % 3, (i + 2) % 3
            matrices[c, before, after] += first * r[i]
            matrices[c, after, before] -= first * r[i]
    return matrices, factors


@numba.njit(**HAND)
def entries(x, cameras, camera, point):
    """The Jacobian's entries row by row, and where they are, as `csr_array` wants them."""
    n = len(camera)
    matrices, factors = turning(x, cameras)
    data, columns = np.empty((n, 2, 12)), np.empty((n, 2, 12), np.int32)
    outer = np.empty((2, 3))  # of the residuals by the point in the camera's frame
    turned = np.empty((3, 3))  # of that point by the rotation vector
    for i in range(n):
        first_column, last = 9 * camera[i], 9 * cameras + 3 * point[i]
        matrix = matrices[camera[i]]
        first, second, third, fourth = factors[camera[i]]
        a, b, d = x[first_column], x[first_column + 1], x[first_column + 2]
        u, v, w = x[last], x[last + 1], x[last + 2]
        move, lens = x[first_column + 3 : first_column + 6], x[first_column + 6 : first_column + 9]
        depth = matrix[2, 0] * u + matrix[2, 1] * v + matrix[2, 2] * w + move[2]
        inverse = 1.0 / depth
        right = (matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2] * w + move[0]) * inverse
        down = (matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2] * w + move[1]) * inverse
        radius = right * right + down * down
        distortion = 1.0 + radius * (lens[1] + radius * lens[2])
        slope = 2.0 * lens[0] * (lens[1] + 2.0 * radius * lens[2])
        across = slope * right * down
        outer[0, 0] = (lens[0] * distortion + slope * right * right) * inverse
        outer[1, 1] = (lens[0] * distortion + slope * down * down) * inverse
        outer[0, 1] = outer[1, 0] = across * inverse
        outer[0, 2] = -outer[0, 0] * right - outer[0, 1] * down
        outer[1, 2] = -outer[1, 0] * right - outer[1, 1] * down
        along = a * u + b * v + d * w
        one = fourth * along * a + third * (b * w - d * v) - first * u
        two = fourth * along * b + third * (d * u - a * w) - first * v
        three = fourth * along * d + third * (a * v - b * u) - first * w
        diagonal = second * along
        turned[0, 0] = one * a + second * u * a + diagonal
        turned[1, 0] = two * a + second * u * b - first * w
        turned[2, 0] = three * a + second * u * d + first * v
        turned[0, 1] = one * b + second * v * a + first * w
        turned[1, 1] = two * b + second * v * b + diagonal
        turned[2, 1] = three * b + second * v * d - first * u
        turned[0, 2] = one * d + second * w * a - first * v
        turned[1, 2] = two * d + second * w * b + first * u
        turned[2, 2] = three * d + second * w * d + diagonal
        for r in range(2):
            row, x_bar, y_bar, z_bar = data[i, r], outer[r, 0], outer[r, 1], outer[r, 2]
            place = right if r == 0 else down
            for k in range(3):
                row[k] = x_bar * turned[0, k] + y_bar * turned[1, k] + z_bar * turned[2, k]
                row[3 + k] = outer[r, k]
                row[9 + k] = x_bar * matrix[0, k] + y_bar * matrix[1, k] + z_bar * matrix[2, k]
            row[6] = distortion * place
            row[7] = lens[0] * radius * place
            row[8] = lens[0] * radius * radius * place
            for k in range(9):
                columns[i, r, k] = first_column + k
            for k in range(3):
                columns[i, r, 9 + k] = last + k
    return data.ravel(), columns.ravel(), np.arange(0, 24 * n + 1, 12, np.int32)


def by_hand(x, cameras, camera, point, observed):
    shape = observed.size, len(x)
    return scipy.sparse.csr_array(entries(x, cameras, camera, point), shape=shape)


def residual(xp, nine, three, seen):
    """The residuals of one observation, by a camera and a point."""
    rotation, move = nine[:3], nine[3:6]
    square = xp.sum(rotation * rotation)
    angle = xp.sqrt(square)
    turned = xp.cos(angle) * three + xp.sin(angle) / angle * xp.cross(rotation, three)
    turned = turned + (1.0 - xp.cos(angle)) / square * xp.sum(rotation * three) * rotation
    place = turned + move
    place = place[:2] / place[2]
    radius = xp.sum(place * place)
    return nine[6] * (1.0 + radius * (nine[7] + radius * nine[8])) * place - seen


def by_blocks(blocks):
    """A peer: `blocks` gives a function of x for the blocks of all observations, (n, 2, 12)."""

    def peer(x, cameras, camera, point, observed):
        _, columns, starts = entries(x, cameras, camera, point)
        run = blocks(x, cameras, camera, point, observed)
        shape = observed.size, len(x)
        return lambda: scipy.sparse.csr_array((run().ravel(), columns, starts), shape=shape)

    return peer


def blocks_jax(x, cameras, camera, point, observed):
    import jax

    def blocks(x, camera, point, observed):
        nine, three = x[: 9 * cameras].reshape(-1, 9), x[9 * cameras :].reshape(-1, 3)
        block = jax.jacfwd(lambda c, p, seen: residual(jax.numpy, c, p, seen), (0, 1))
        found = jax.vmap(block)(nine[camera], three[point], observed)
        return jax.numpy.concatenate(found, axis=2)

    run = peers.jax_call(blocks)(x, camera, point, observed)
    return lambda: np.asarray(run())


def blocks_torch(x, cameras, camera, point, observed):
    import torch

    torch.set_num_threads(1)
    given, camera, point, seen = (torch.tensor(v) for v in (x, camera, point, observed))
    block = torch.func.jacfwd(lambda c, p, seen: residual(torch, c, p, seen), (0, 1))

    def run():
        nine, three = given[: 9 * cameras].reshape(-1, 9), given[9 * cameras :].reshape(-1, 3)
        return torch.cat(torch.func.vmap(block)(nine[camera], three[point], seen), 2).numpy()

    return run


def in_casadi(x, cameras, camera, point, observed):
    import casadi as ca

    symbol = ca.SX.sym("x", len(x))

    names = SimpleNamespace(cos=ca.cos, sin=ca.sin, sqrt=ca.sqrt, cross=ca.cross, sum=ca.sum1)
    parts = []
    for c, p, seen in zip(camera, point, observed, strict=True):
        nine = symbol[9 * c : 9 * c + 9]
        three = symbol[9 * cameras + 3 * p : 9 * cameras + 3 * p + 3]
        parts.append(residual(names, nine, three, seen))
    function = ca.Function("j", [symbol], [ca.jacobian(ca.vertcat(*parts), symbol)])
    given = ca.DM(x)
    return lambda: function(given).sparse()


def arguments(observations, cameras, points):
    generator = np.random.default_rng(10)
    nine = np.zeros((cameras, 9))
    nine[:, :3] = generator.uniform(-0.5, 0.5, (cameras, 3))
    nine[:, 3:6] = generator.uniform(-0.5, 0.5, (cameras, 3))
    nine[:, 5] += 5.0
    nine[:, 6:] = generator.uniform(0.5, 1.0, (cameras, 3)) * (1.0, 0.1, 0.01)
    three = generator.uniform(-1.0, 1.0, (points, 3))
    camera = np.arange(observations) % cameras
    point = generator.permutation(np.arange(observations) % points)
    observed = generator.standard_normal((observations, 2))
    return np.concatenate((nine.ravel(), three.ravel())), cameras, camera, point, observed


Problem(
    "reprojection Jacobian", residuals, lambda: arguments(500, 20, 100),
    lambda: arguments(20, 3, 6), by_hand=by_hand,
    peers={
        "jax": by_blocks(blocks_jax), "torch": by_blocks(blocks_torch), "casadi": in_casadi,
    },
    ours=ad.jacobian(residuals, sparsity="detect"),
)  # fmt: skip
