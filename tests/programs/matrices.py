"""Programs that factor matrices and solve systems."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from tests.programs.register import program


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


X, Y, M = _draw(30, 5), _draw(31, 5), _draw(32, 4, 4) + 3 * np.eye(4)


@program(X, Y, 0.7, 0.1)
def gaussian_process(x, y, scale, noise):
    k = np.exp(-0.5 * ((x[:, None] - x[None, :]) / scale) ** 2) + noise * np.eye(len(x))
    factor = np.linalg.cholesky(k)
    alpha = solve_triangular(factor, y, lower=True)
    return 0.5 * alpha @ alpha + np.sum(np.log(np.diag(factor)))


@program(X[:4], M)
def gaussian_density(x, cov):
    sign, logdet = np.linalg.slogdet(cov)
    return -0.5 * (x @ np.linalg.solve(cov, x) + sign * logdet)


@program(M)
def steps_of_a_linear_system(a):
    x = np.ones(len(a))
    for _ in range(4):
        x = np.linalg.solve(a, x) + np.tril(a) @ x * 0.1
    return np.sum(x**2)
