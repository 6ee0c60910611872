"""Second derivatives: Hessians of Rosenbrock's function, and a product with a Hessian."""

from __future__ import annotations

import math

import numba
import numpy as np
import scipy.sparse

import adcompile as ad
from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem
from tests.benchmarks.problems import gmm
from tests.programs.gmm import gmm_loops

# -- Hessians: dense, and by the colours of a band of three diagonals ----------------------------


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


@numba.njit(**HAND)
def dense_by_hand(x):
    n = len(x)
    hessian = np.zeros((n, n))
    for i in range(n - 1):
        hessian[i, i] += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0
        hessian[i + 1, i + 1] = 200.0
        hessian[i, i + 1] = hessian[i + 1, i] = -400.0 * x[i]
    return hessian


@numba.njit(**HAND)
def band(x):
    """The three diagonals row by row, and where they are, as `csr_array` wants them."""
    n = len(x)
    data, columns, starts = (
        np.empty(3 * n - 2),
        np.empty(3 * n - 2, np.int32),
        np.empty(n + 1, np.int32),
    )
    place = 0
    for i in range(n):
        starts[i] = place
        if i > 0:
            data[place] = -400.0 * x[i - 1]
            columns[place] = i - 1
            place += 1
        data[place] = 200.0 if i > 0 else 0.0
        if i < n - 1:
            data[place] += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0
        columns[place] = i
        place += 1
        if i < n - 1:
            data[place] = -400.0 * x[i]
            columns[place] = i + 1
            place += 1
    starts[n] = place
    return data, columns, starts


def sparse_by_hand(x):
    return scipy.sparse.csr_array(band(x), shape=(len(x), len(x)))


def rosenbrock_arrays(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def hessian_jax(x):
    import jax

    return jax.hessian(rosenbrock_arrays)(x)


def hessian_torch(x):
    import torch

    torch.set_num_threads(1)
    given = torch.tensor(x)
    return lambda: torch.func.hessian(rosenbrock_arrays)(given)


def hessian_autograd(x):
    import autograd

    return lambda: autograd.hessian(rosenbrock_arrays)(x)


def hessian_casadi(sparse):
    def peer(x):
        import casadi as ca

        symbol = ca.SX.sym("x", len(x))
        head, tail = symbol[:-1], symbol[1:]
        value = ca.sum1(100.0 * (tail - head**2) ** 2 + (1.0 - head) ** 2)
        function = ca.Function("h", [symbol], [ca.hessian(value, symbol)[0]])
        given = ca.DM(x)
        return lambda: function(given).sparse() if sparse else function(given).full()

    return peer


dense_peers = {
    "jax": peers.jax_call(hessian_jax), "torch": hessian_torch, "autograd": hessian_autograd,
    "casadi": hessian_casadi(sparse=False),
}  # fmt: skip
sparse_peers = {**dense_peers, "casadi": hessian_casadi(sparse=True)}


def point(n):
    return (np.random.default_rng(8).uniform(-1.0, 1.0, n),)


Problem(
    "Hessian dense n100", rosenbrock, lambda: point(100), lambda: point(10),
    by_hand=dense_by_hand, peers=dense_peers, ours=ad.hessian(rosenbrock),
)  # fmt: skip

for n in (100, 10_000):
    Problem(
        f"Hessian coloured n{n}", rosenbrock, lambda n=n: point(n), lambda n=n: point(n // 10),
        by_hand=sparse_by_hand, peers=sparse_peers,
        slow=("jax", "torch", "autograd") if n > 100 else (),
        ours=ad.hessian(rosenbrock, sparsity="detect"),
    )  # fmt: skip

# -- the Hessian of the Gaussian mixture times a vector ------------------------------------------


def mixture(parameters, x, gamma, m, wishart):
    alpha, mu, q, l = parameters
    return gmm_loops(alpha, mu, q, l, x, gamma, m, wishart)


def mixture_value(parameters, x, gamma, m, wishart, tangents):
    return mixture(parameters, x, gamma, m, wishart)


@numba.njit(**HAND)
def product_by_hand(parameters, x, gamma, m, wishart, tangents):
    # gmm.by_hand and its tangents; what is the same for all points is left for the end
    alpha, mu, q, l = parameters
    alpha_dot, mu_dot, q_dot, l_dot = tangents
    n, d = x.shape
    k = len(alpha)
    scale = np.exp(q)
    main, main_dot = np.empty(k), np.empty(k)
    logdets, logdets_dot = np.empty(k), np.empty(k)
    difference, product, product_dot = np.empty((k, d)), np.empty((k, d)), np.empty((k, d))
    constant = np.empty((k, d))  # Q times the tangent of the difference
    for c in range(k):
        logdets[c] = np.sum(q[c])
        logdets_dot[c] = np.sum(q_dot[c])
        for j in range(d):
            constant[c, j] = -scale[c, j] * mu_dot[c, j]
        place = 0
        for column in range(d - 1):
            for row in range(column + 1, d):
                constant[c, row] -= l[c, place] * mu_dot[c, column]
                place += 1
    weights_dot = np.zeros(k)
    products, products_dot = np.zeros((k, d)), np.zeros((k, d))
    diagonals, diagonals_dot = np.zeros((k, d)), np.zeros((k, d))
    l_bar = np.zeros(l.shape)
    for i in range(n):
        largest = -np.inf
        for c in range(k):
            for j in range(d):
                difference[c, j] = x[i, j] - mu[c, j]
                product[c, j] = scale[c, j] * difference[c, j]
                product_dot[c, j] = constant[c, j] + product[c, j] * q_dot[c, j]
            place = -1
            for column in range(d - 1):
                factor = difference[c, column]
                for row in range(column + 1, d):
                    product[c, row] += l[c, place + row - column] * factor
                    product_dot[c, row] += l_dot[c, place + row - column] * factor
                place += d - 1 - column
            squares, squares_dot = 0.0, 0.0
            for j in range(d):
                squares += product[c, j] * product[c, j]
                squares_dot += product[c, j] * product_dot[c, j]
            main[c] = alpha[c] - 0.5 * squares + logdets[c]
            main_dot[c] = alpha_dot[c] - squares_dot + logdets_dot[c]
            largest = max(largest, main[c])
        total, mean_dot = 0.0, 0.0
        for c in range(k):
            main[c] = math.exp(main[c] - largest)
            total += main[c]
            mean_dot += main[c] * main_dot[c]
        for c in range(k):
            weight = main[c] / total
            weight_dot = weight * (main_dot[c] - mean_dot / total)
            weights_dot[c] += weight_dot
            for j in range(d):
                product_dot[c, j] = weight_dot * product[c, j] + weight * product_dot[c, j]
                product[c, j] *= weight
                products[c, j] += product[c, j]
                products_dot[c, j] += product_dot[c, j]
                diagonals[c, j] += product[c, j] * difference[c, j]
                diagonals_dot[c, j] += product_dot[c, j] * difference[c, j]
            place = -1
            for column in range(d - 1):
                factor = difference[c, column]
                for row in range(column + 1, d):
                    l_bar[c, place + row - column] -= product_dot[c, row] * factor
                place += d - 1 - column
    powers = np.exp(alpha - alpha.max())
    powers /= np.sum(powers)
    mean_dot = np.sum(powers * alpha_dot)
    alpha_bar, mu_bar, q_bar = np.empty(k), np.empty((k, d)), np.empty((k, d))
    for c in range(k):
        alpha_bar[c] = weights_dot[c] - n * powers[c] * (alpha_dot[c] - mean_dot)
        for j in range(d):
            one, one_dot = products[c, j], products_dot[c, j]
            mu_bar[c, j] = scale[c, j] * (q_dot[c, j] * one + one_dot)
            moved = q_dot[c, j] * diagonals[c, j] + diagonals_dot[c, j] - one * mu_dot[c, j]
            square_dot = 2.0 * scale[c, j] * scale[c, j] * q_dot[c, j]
            q_bar[c, j] = weights_dot[c] - scale[c, j] * moved - gamma**2 * square_dot
        place = 0
        for column in range(d - 1):
            for row in range(column + 1, d):
                mu_bar[c, column] += l_dot[c, place] * products[c, row]
                mu_bar[c, column] += l[c, place] * products_dot[c, row]
                l_bar[c, place] += products[c, row] * mu_dot[c, column]
                l_bar[c, place] -= gamma**2 * l_dot[c, place]
                place += 1
    return alpha_bar, mu_bar, q_bar, l_bar


def product_jax(parameters, x, gamma, m, wishart, tangents):
    import jax

    gradient = jax.grad(lambda p: gmm.in_jax(*p, x, gamma, m, wishart))
    return jax.jvp(gradient, (parameters,), (tangents,))[1]


def product_torch(parameters, x, gamma, m, wishart, tangents):
    import torch

    torch.set_num_threads(1)
    given, along = (tuple(torch.tensor(p) for p in group) for group in (parameters, tangents))
    x = torch.tensor(x)
    value = lambda *p: gmm.in_torch(*p, x, gamma, m, wishart)
    return lambda: torch.autograd.functional.vhp(value, given, along)[1]


def product_autograd(parameters, x, gamma, m, wishart, tangents):
    import autograd

    value = lambda p: gmm.in_autograd(*p, x, gamma, m, wishart)
    return lambda: autograd.make_hvp(value)(parameters)[0](tangents)


def product_arguments(d, k, n):
    *parameters, x, gamma, m, wishart = gmm.arguments(d, k, n)
    generator = np.random.default_rng(9)
    tangents = tuple(generator.standard_normal(p.shape) for p in parameters)
    return tuple(parameters), x, gamma, m, wishart, tangents


Problem(
    "Hessian product GMM d10 k25", mixture_value, lambda: product_arguments(10, 25, 1000),
    lambda: product_arguments(4, 3, 20), by_hand=product_by_hand,
    peers={
        "jax": peers.jax_call(product_jax), "torch": product_torch, "autograd": product_autograd,
    },
    ours=ad.hvp(mixture),
)  # fmt: skip
