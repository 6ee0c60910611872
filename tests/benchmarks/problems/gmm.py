"""The log posterior of a Gaussian mixture, after ADBench, in three sizes."""

from __future__ import annotations

import math

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import Problem
from tests.benchmarks.problems.loops import HAND
from tests.programs.gmm import gmm_loops, lower_triangle, wishart_constant


@numba.njit(**HAND)
def by_hand(alpha, mu, q, l, x, gamma, m, wishart):
    n, d = x.shape
    k = len(alpha)
    scale = np.exp(q)
    logdets = np.empty(k)
    for c in range(k):
        logdets[c] = np.sum(q[c])
    main = np.empty(k)
    difference = np.empty((k, d))
    product = np.empty((k, d))
    # sums over the points of weight, weight * product, and weight * product * difference: the rest
    # of the derivatives by alpha, mu and q is the same for all points
    weights = np.zeros(k)
    products = np.zeros((k, d))
    diagonals = np.zeros((k, d))
    l_bar = np.zeros(l.shape)
    value = 0.0
    for i in range(n):
        largest = -np.inf
        for c in range(k):
            for j in range(d):
                difference[c, j] = x[i, j] - mu[c, j]
                product[c, j] = scale[c, j] * difference[c, j]
            place = -1
            for column in range(d - 1):
                factor = difference[c, column]
                for row in range(column + 1, d):
                    product[c, row] += l[c, place + row - column] * factor
                place += d - 1 - column
            squares = 0.0
            for j in range(d):
                squares += product[c, j] * product[c, j]
            main[c] = alpha[c] - 0.5 * squares + logdets[c]
            largest = max(largest, main[c])
        total = 0.0
        for c in range(k):
            main[c] = math.exp(main[c] - largest)
            total += main[c]
        value += largest + math.log(total)
        for c in range(k):
            weight = main[c] / total
            weights[c] += weight
            for j in range(d):
                product[c, j] *= weight
                products[c, j] += product[c, j]
                diagonals[c, j] += product[c, j] * difference[c, j]
            place = -1
            for column in range(d - 1):
                factor = difference[c, column]
                for row in range(column + 1, d):
                    l_bar[c, place + row - column] -= product[c, row] * factor
                place += d - 1 - column
    largest = alpha.max()
    total = np.sum(np.exp(alpha - largest))
    value -= n * (0.5 * d * math.log(2 * math.pi) + largest + math.log(total))
    alpha_bar = np.empty(k)
    mu_bar = np.empty(mu.shape)
    q_bar = np.empty(q.shape)
    squares = 0.0
    for c in range(k):
        alpha_bar[c] = weights[c] - n * math.exp(alpha[c] - largest) / total
        for j in range(d):
            square = scale[c, j] * scale[c, j]
            squares += square
            mu_bar[c, j] = scale[c, j] * products[c, j]
            q_bar[c, j] = weights[c] - scale[c, j] * diagonals[c, j] - gamma**2 * square + m
        place = 0
        for column in range(d - 1):
            for row in range(column + 1, d):
                mu_bar[c, column] += l[c, place] * products[c, row]
                squares += l[c, place] * l[c, place]
                l_bar[c, place] -= gamma**2 * l[c, place]
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
        lambda: arguments(4, 3, 20), (0, 1, 2, 3), by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0, 1, 2, 3)),
            "torch": peers.torch(in_torch, (0, 1, 2, 3)),
            "autograd": peers.autograd(in_autograd, (0, 1, 2, 3)),
        },
    )  # fmt: skip
