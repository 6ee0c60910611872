"""The log posterior of a Gaussian mixture, after ADBench, in three sizes."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem
from tests.programs.gmm import gmm_loops, lower_triangle, wishart_constant

LANES = 4  # columns of Q start at a multiple of it, so that the loops along them are whole vectors
BLOCK = 8  # points that share a reading of Q and of its adjoint: all of Q is larger than the cache


@numba.njit(**HAND)
def unpacked(q, l):
    """exp(q), and l column by column with zeros before and behind."""
    k, d = q.shape
    wide = (d + LANES - 1) // LANES * LANES
    scale, below = np.zeros((k, wide)), np.zeros((k, d, wide))
    for c in range(k):
        place = 0
        for column in range(d):
            scale[c, column] = math.exp(q[c, column])
            for row in range(column + 1, d):
                below[c, column, row] = l[c, place]
                place += 1
    return scale, below


@numba.njit(**HAND)
def by_hand(alpha, mu, q, l, x, gamma, m, wishart):
    n, d = x.shape
    k = len(alpha)
    scale, below = unpacked(q, l)
    wide = (d + LANES - 1) // LANES * LANES  # a form that tells LLVM that no elements remain
    logdets = np.empty(k)
    for c in range(k):
        logdets[c] = np.sum(q[c])
    main = np.empty((BLOCK, k))
    difference, product = np.zeros((BLOCK, k, wide)), np.empty((BLOCK, k, wide))
    # sums over the points of weight, weight * product, and weight * product * difference: the rest
    # of the derivatives by alpha, mu and q is the same for all points
    weights, products, diagonals = np.zeros(k), np.zeros((k, wide)), np.zeros((k, wide))
    below_bar = np.zeros(below.shape)
    value = 0.0
    for start in range(0, n, BLOCK):
        points = min(BLOCK, n - start)
        for c in range(k):
            for p in range(points):
                one, two = difference[p, c], product[p, c]
                for j in range(d):
                    one[j] = x[start + p, j] - mu[c, j]
                for j in range(wide):
                    two[j] = scale[c, j] * one[j]
                for column in range(d - 1):
                    factor = one[column]
                    row = below[c, column]
                    for j in range((column + 1) // LANES * LANES, wide):
                        two[j] += row[j] * factor
                squares = 0.0
                for j in range(wide):
                    squares += two[j] * two[j]
                main[p, c] = alpha[c] - 0.5 * squares + logdets[c]
        for p in range(points):
            largest, total = main[p].max(), 0.0
            for c in range(k):
                main[p, c] = math.exp(main[p, c] - largest)
                total += main[p, c]
            value += largest + math.log(total)
            for c in range(k):
                main[p, c] /= total
                weights[c] += main[p, c]
        for c in range(k):
            for p in range(points):
                one, two = difference[p, c], product[p, c]
                for j in range(wide):
                    two[j] *= main[p, c]
                    products[c, j] += two[j]
                    diagonals[c, j] += two[j] * one[j]
                for column in range(d - 1):
                    factor = one[column]
                    row = below_bar[c, column]
                    for j in range((column + 1) // LANES * LANES, wide):
                        row[j] -= two[j] * factor
    largest = alpha.max()
    total = np.sum(np.exp(alpha - largest))
    value -= n * (0.5 * d * math.log(2 * math.pi) + largest + math.log(total))
    alpha_bar = np.empty(k)
    mu_bar, q_bar, l_bar = np.empty(mu.shape), np.empty(q.shape), np.empty(l.shape)
    squares = 0.0
    for c in range(k):
        alpha_bar[c] = weights[c] - n * math.exp(alpha[c] - largest) / total
        place = 0
        for j in range(d):
            square = scale[c, j] * scale[c, j]
            squares += square
            mu_bar[c, j] = scale[c, j] * products[c, j]
            q_bar[c, j] = weights[c] - scale[c, j] * diagonals[c, j] - gamma**2 * square + m
            for row in range(j + 1, d):
                mu_bar[c, j] += l[c, place] * products[c, row]
                squares += l[c, place] * l[c, place]
                l_bar[c, place] = below_bar[c, j, row] - gamma**2 * l[c, place]
                place += 1
    value += wishart - 0.5 * gamma**2 * squares + m * np.sum(logdets)
    return value, (alpha_bar, mu_bar, q_bar, l_bar)


def vectorised(xp, logsumexp, triangle, alpha, mu, q, l, x, gamma, m, wishart):
    place, below = triangle
    n, d = x.shape
    lower = xp.where(below, l[:, place], 0.0)
    scale = xp.exp(q)
    logdet = xp.sum(q, 1)
    difference = x[:, None, :] - mu
    product = scale * difference + xp.einsum("kij,nkj->nki", lower, difference)
    main = alpha - 0.5 * xp.sum(product**2, 2) + logdet
    value = xp.sum(logsumexp(main, 1))
    value = value - n * (0.5 * d * math.log(2 * math.pi) + logsumexp(alpha, 0))
    squares = xp.sum(scale**2) + xp.sum(l**2)
    return value + wishart - 0.5 * gamma**2 * squares + m * xp.sum(logdet)


def in_jax(alpha, mu, *rest):
    import jax

    triangle = lower_triangle(mu.shape[1])
    return vectorised(jax.numpy, jax.scipy.special.logsumexp, triangle, alpha, mu, *rest)


def in_torch(alpha, mu, *rest):
    import torch

    triangle = [torch.from_numpy(t) for t in lower_triangle(mu.shape[1])]
    return vectorised(torch, torch.logsumexp, triangle, alpha, mu, *rest)


def in_autograd(alpha, mu, *rest):
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    return vectorised(anp, logsumexp, lower_triangle(mu.shape[1]), alpha, mu, *rest)


def arguments(d, k, n):
    generator = np.random.default_rng(4)
    alpha, gamma, m = generator.standard_normal(k), 1.0, 0
    mu, x = generator.standard_normal((k, d)), generator.standard_normal((n, d))
    q = 0.1 * generator.standard_normal((k, d))
    l = 0.1 * generator.standard_normal((k, d * (d - 1) // 2))
    return alpha, mu, q, l, x, gamma, m, wishart_constant(d, k, gamma, m)


for d, k in ((10, 25), (32, 50), (64, 50)):
    Problem(
        f"GMM d{d} k{k}", gmm_loops, lambda d=d, k=k: arguments(d, k, 1000),
        lambda: arguments(5, 3, 20), (0, 1, 2, 3), by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0, 1, 2, 3)),
            "torch": peers.torch(in_torch, (0, 1, 2, 3)),
            "autograd": peers.autograd(in_autograd, (0, 1, 2, 3)),
        },
    )  # fmt: skip
