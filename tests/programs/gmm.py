"""The log posterior of a Gaussian mixture, with loops and buffers, and with whole arrays.

alpha (k), mu (k, d), q (k, d), l (k, d (d - 1) / 2), x (n, d). Q_k is lower triangular: exp(q_k) on
the diagonal, l_k below it, column by column. `wishart` is `wishart_constant(d, k, gamma, m)`.
"""

import math

import numpy as np


def wishart_constant(d, k, gamma, m):
    n = d + m + 1
    log_gamma_d = d * (d - 1) / 4 * math.log(math.pi)
    for j in range(1, d + 1):
        log_gamma_d += math.lgamma(n / 2 + (1 - j) / 2)
    return k * (n * d * (math.log(gamma) - 0.5 * math.log(2.0)) - log_gamma_d)


def lower_triangle(d):
    """For each (row, column) the place in l, and whether it is below the diagonal."""
    place = np.zeros((d, d), np.int64)
    below = np.zeros((d, d), np.bool_)
    number = 0
    for column in range(d):
        for row in range(column + 1, d):
            place[row, column] = number
            below[row, column] = True
            number += 1
    return place, below


def logsumexp(x):
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] - largest)
    return largest + math.log(total)


def gmm_loops(alpha, mu, q, l, x, gamma, m, wishart):
    n, d = x.shape
    k = len(alpha)
    main = np.zeros(k)
    difference = np.zeros(d)
    product = np.zeros(d)
    value = 0.0
    for i in range(n):
        for c in range(k):
            for j in range(d):
                difference[j] = x[i, j] - mu[c, j]
                product[j] = math.exp(q[c, j]) * difference[j]
            place = 0
            for column in range(d):
                for row in range(column + 1, d):
                    product[row] += l[c, place] * difference[column]
                    place += 1
            squares = 0.0
            logdet = 0.0
            for j in range(d):
                squares += product[j] * product[j]
                logdet += q[c, j]
            main[c] = alpha[c] - 0.5 * squares + logdet
        value += logsumexp(main)
    value -= n * (0.5 * d * math.log(2 * math.pi) + logsumexp(alpha))
    squares = 0.0
    logdets = 0.0
    for c in range(k):
        for j in range(d):
            squares += math.exp(2 * q[c, j])
            logdets += q[c, j]
        for j in range(l.shape[1]):
            squares += l[c, j] ** 2
    return value + wishart - 0.5 * gamma**2 * squares + m * logdets


def gmm_arrays(alpha, mu, q, l, x, gamma, m, wishart, place, below):
    n, d = x.shape
    lower = np.where(below, l[:, place], 0.0)
    scale = np.exp(q)
    difference = x[:, None, :] - mu
    product = scale * difference + np.sum(lower * difference[:, :, None, :], axis=3)
    logdet = q.sum(axis=1)
    main = alpha - 0.5 * np.sum(product**2, axis=2) + logdet
    largest = main.max(axis=1, keepdims=True)
    value = np.sum(np.log(np.sum(np.exp(main - largest), axis=1)) + largest[:, 0])
    top = alpha.max()
    value -= n * (0.5 * d * np.log(2 * np.pi) + top + np.log(np.sum(np.exp(alpha - top))))
    squares = np.sum(scale**2) + np.sum(l**2)
    return value + wishart - 0.5 * gamma**2 * squares + m * logdet.sum()
