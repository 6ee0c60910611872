"""What is stored twice, or is there already, is not stored, where nobody could tell."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 8.0))


def in_place(x, c):
    u, f = x.copy(), np.empty(len(x))
    for _ in range(3):
        for i in range(len(u)):
            f[i] = 0.5 * u[i] * u[i]
        for i in range(1, len(u)):
            u[i] = u[i] - c * (f[i] - f[i - 1])
    return np.sum(u * u)


def read_between(x, c):
    a, total = np.zeros(len(x)), 0.0
    for i in range(len(x)):
        a[i] = x[i] * c
        total += a[i // 2] * x[i]
        a[i] = x[i] * x[i]
    return total + np.sum(a)


def written_between(x, c):
    a = x.copy()
    for i in range(len(x)):
        b = a[i]
        a[len(x) - 1 - i] = x[i] * c
        a[i] = b
    return np.sum(a * a)


def in_a_branch(x, c):
    a = np.zeros(len(x))
    for i in range(len(x)):
        a[i] = x[i] * c
        if x[i] > 0.0:
            a[i] = x[i] * x[i]
    return np.sum(a)


@pytest.mark.parametrize("function", [in_place, read_between, written_between, in_a_branch])
@pytest.mark.parametrize("options", [{}, {"fastmath": False}, {"parallel": True}])
def test_results_stay(function, options):
    for n in (1, 2, 7):
        value, gradients = ad.value_and_grad(function, argnums=(0, 1), **options)(X[:n], 0.3)
        python = ad.value_and_grad(function, argnums=(0, 1), target="python")
        wanted, others = python(X[:n], 0.3)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
        np.testing.assert_allclose(ad.jit(function, **options)(X[:n], 0.3), wanted, rtol=1e-12)
        for found, other in zip(gradients, others, strict=True):
            np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-14)


def test_the_adjoint_of_an_update_in_place_stays_where_it_is():
    sources = [
        ad.value_and_grad(in_place, passes=passes).source(X, 0.3, stage="compiled")
        for passes in ({}, {"drop_overwritten": False})
    ]
    assert [source.count("u_bar[i] = 0.0") for source in sources] == [0, 1]
