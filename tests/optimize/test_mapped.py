"""Sums over iterations that are multiplied once, after the loop."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from tests.optimize.test_interleaved_nests import run_compiled
from tests.programs.gmm import gmm_loops, wishart_constant
from tests.random_programs.lanes import interleaved_everywhere, mapped_everywhere
from tests.random_programs.threads import spread_everywhere

RNG = np.random.default_rng(23)
N, D = 40, 5
X, MU, L = RNG.standard_normal((N, D)), RNG.standard_normal(D), RNG.standard_normal((D, D))


def gaussian(x, mu, l):
    """Adjoints that take the memory of something else: of that there would be a sum, too."""
    total = 0.0
    for i in range(len(x)):
        scaled = np.zeros(len(mu))
        for column in range(len(mu)):
            z = x[i, column] - mu[column]
            for row in range(column, len(mu)):
                scaled[row] += l[row, column] * z
        for row in range(len(mu)):
            total += math.sin(scaled[row]) * mu[0]
    return total


def rotated(x, mu, l):
    """Loops down, and from one; an array that is made before the loop."""
    away, turned = np.zeros(len(mu)), np.zeros(len(mu))
    total = 0.0
    for i in range(len(x) - 1, -1, -1):
        for j in range(len(mu)):
            away[j] = (x[i, j] - mu[j]) / mu[0]
        for j in range(len(mu) - 1, -1, -1):
            turned[j] = 0.0
            for k in range(len(mu)):
                turned[j] += l[j, k] * away[k]
        for j in range(1, len(mu)):
            total += math.sin(turned[j])
    return total


def filtered(x, mu, l):
    """The adjoint of a filter is one, too: it takes the sum of what enters it."""
    total = 0.0
    for i in range(len(x)):
        state = 0.0
        for j in range(len(mu)):
            inner = 0.0
            for k in range(j + 1):
                inner += l[j, k] * mu[k]
            state = 0.5 * state + inner
            total += (state - x[i, j]) ** 4
    return total


def under_conditions(x, mu, l):
    """What a branch gives is a sum of its own; what is in it stays there."""
    total = 0.0
    for i in range(len(x)):
        y = np.zeros(len(mu))
        for j in range(len(mu)):
            for k in range(len(mu)):
                y[j] += l[j, k] * (mu[k] + x[i, k])
        for j in range(len(mu)):
            if x[i, j] > 0.0:
                y[j] = y[j] * y[j] * mu[j]
            total += y[j] ** 2 if y[j] > 0.5 else math.exp(y[j])
    return total


def shared_terms(x, mu, l):
    """Two maps of the same terms, one after the other; what maps depends on the counters."""
    total = 0.0
    for i in range(len(x)):
        first, second = np.zeros(len(mu)), np.zeros(len(mu))
        for j in range(len(mu)):
            for k in range(len(mu)):
                first[j] += l[j, k] * mu[k] * (j - k)
        for j in range(len(mu)):
            for k in range(len(mu)):
                second[j] -= l[k, j] * first[k]
        for j in range(len(mu)):
            total += math.sin(second[j] * x[i, j])
    return total


def over_again(x, mu, l):
    """In a loop whose iterations need their order."""
    mu, total = mu.copy(), 0.0
    for step in range(3):
        part = np.zeros(len(mu))
        for i in range(len(x)):
            y = np.zeros(len(mu))
            for j in range(len(mu)):
                for k in range(len(mu)):
                    y[j] += l[j, k] * (x[i, k] - mu[k])
            for j in range(len(mu)):
                part[j] += math.tanh(y[j]) / len(x)
        for j in range(len(mu)):
            mu[j] -= 0.1 * part[j]
            total += part[j] * (step + 1)
    return total


def turned_phases(x, mu, l):
    total = 0.0
    for i in range(len(x)):
        z = np.zeros(len(mu), dtype=np.complex128)
        for j in range(len(mu)):
            for k in range(len(mu)):
                z[j] += (l[j, k] + 1j * l[k, j]) * (mu[k] + 1j * x[i, k])
        for j in range(len(mu)):
            total += abs(z[j]) * z[j].real
    return total


def views(x, mu, l):
    total = 0.0
    for i in range(len(x)):
        y = np.zeros((2, len(mu)))
        last = y[-1]
        for j in range(len(mu)):
            for k in range(len(mu)):
                last[j] += l[j, k] * (x[i, k] - mu[k])
        for j in range(len(mu)):
            total += math.sin(y[1, j])
    return total


MAPPED = [rotated, filtered, views]


def residuals(x, mu, l):
    """The sum of what is left is taken, not the difference of two sums."""
    total = 0.0
    for i in range(len(x)):
        y = np.zeros(len(mu))
        for j in range(len(mu)):
            for k in range(len(mu)):
                y[j] += l[j, k] * (x[i, k] + mu[k])
        for j in range(len(mu)):
            r = y[j] - x[i, j]
            total += 0.5 * r * r
    return total


def tables_of_terms(x, mu, l):
    """One place of the sum has a row of terms."""
    total = 0.0
    for i in range(len(x)):
        y = np.zeros(len(mu))
        for j in range(len(mu)):
            for k in range(len(mu)):
                y[j] += l[j, k] * (x[i, k] - mu[k])
        for t in range(len(l)):
            for j in range(len(mu)):
                total += math.sin(y[j] * l[t, 0])
    return total


def dear_terms(x, mu, l):
    """There are as many terms as products."""
    total = 0.0
    for i in range(len(x)):
        for j in range(len(mu)):
            for k in range(len(mu)):
                total += math.sin(l[j, k] * x[i, k] + mu[k])
    return total


def from_place_to_place(x, mu, l):
    """Iterations write where their data says: what is there may be of another."""
    y, total = np.zeros(len(mu)), 0.0
    for i in range(len(x)):
        place = int(abs(x[i, 0])) % len(mu)
        y[place] = x[i, 1]
        for j in range(len(mu)):
            for k in range(len(mu)):
                total += math.sin(l[j, k] * y[k]) * mu[j]
    return total


def of_own_length(x, mu, l):
    """How far the loops inside go is another matter in each iteration."""
    total = 0.0
    for i in range(len(x)):
        y = np.zeros(len(mu))
        for j in range(1 + int(abs(x[i, 0])) % len(mu)):
            for k in range(len(mu)):
                y[j] += l[j, k] * (mu[k] - x[i, k])
        for j in range(len(mu)):
            total += math.sin(y[j])
    return total


WHOLE = [
    residuals, tables_of_terms, dear_terms, from_place_to_place, of_own_length, under_conditions,
    shared_terms, over_again, turned_phases, gaussian,
]  # fmt: skip


def derivative(function, **options):
    return ad.value_and_grad(function, (0, 1, 2), **options)


def close(found, wanted, tolerance=1e-10):
    np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance)
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=100 * tolerance)


def notes(derived, *args):
    return derived.explain(*args).of("mapped")


@pytest.mark.parametrize("function", MAPPED)
def test_results_stay(function):
    wanted = derivative(function, target="python")(X, MU, L)
    derived = ad.value_and_grad(function, (1, 2))
    assert notes(derived, X, MU, L)
    found = derived(X, MU, L)
    close((found[0], (0.0, *found[1])), (wanted[0], (0.0, *wanted[1][1:])))
    close(derivative(function)(X, MU, L), wanted)
    exact = derivative(function, fastmath=False)
    assert not notes(exact, X, MU, L)
    close(exact(X, MU, L), wanted)


@pytest.mark.parametrize("function", MAPPED)
def test_finite_differences(function):
    _, (_, along, _) = derivative(function)(X, MU, L)
    for j in range(D):
        step = 1e-6 * np.eye(D)[j]
        slope = (function(X, MU + step, L) - function(X, MU - step, L)) / 2e-6
        np.testing.assert_allclose(along[j], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", [*MAPPED, *WHOLE])
def test_wherever_it_is_allowed(function):
    wanted = derivative(function, target="python")(X, MU, L)
    with mapped_everywhere():
        close(run_compiled(derivative(function), X, MU, L)[1], wanted)
        with interleaved_everywhere(3, outer=True):
            close(run_compiled(derivative(function), X, MU, L)[1], wanted)
        with spread_everywhere():
            close(run_compiled(derivative(function), X, MU, L)[1], wanted)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("function", MAPPED)
def test_any_number_of_iterations(function, count):
    args = X[:count], MU, L
    wanted = derivative(function, target="python")(*args)
    close(derivative(function)(*args), wanted)


def test_no_iteration_reads_nothing():
    """An array that no iteration reads may have any shape."""
    found = derivative(views)(X[:0], MU, L[:1])
    close(found, (0.0, (X[:0], np.zeros(D), np.zeros((1, D)))))


@pytest.mark.parametrize("function", WHOLE)
def test_what_stays_as_it_is(function):
    assert not notes(derivative(function), X, MU, L)
    close(derivative(function)(X, MU, L), derivative(function, target="python")(X, MU, L))


def test_single_precision_stays():
    args = X.astype(np.float32), MU.astype(np.float32), L.astype(np.float32)
    assert not notes(derivative(rotated), *args)
    close(derivative(rotated)(*args), derivative(rotated, target="python")(*args), 1e-5)


def test_small_residuals_of_large_numbers():
    mu = np.full(3, 1.7e9)
    x = mu + np.random.default_rng(0).standard_normal((2000, 3))

    def less_the_mean(x, mu, l):
        out, y = np.zeros(len(mu)), np.zeros(len(mu))
        for i in range(len(x)):
            for j in range(len(mu)):
                y[j] = 0.0
                for k in range(len(mu)):
                    y[j] += l[j, k] * x[i, k]
            for k in range(len(mu)):
                for j in range(len(mu)):
                    out[j] += l[j, k] * (y[k] - mu[k])
        return np.sum(out * out)

    wanted = np.sum(np.sum(x - mu, axis=0) ** 2)
    np.testing.assert_allclose(ad.jit(less_the_mean)(x, mu, np.eye(3)), wanted, rtol=1e-10)


def test_products_with_the_hessian():
    product = ad.hvp(views, 1, target="python")
    direction = RNG.standard_normal(D)
    wanted = product(X, MU, L, direction)
    np.testing.assert_allclose(ad.hvp(views, 1)(X, MU, L, direction), wanted, rtol=1e-9)


def test_the_loop_goes_once_over_the_triangle():
    """Backwards there is one product of the triangle left, that for its own gradient."""
    rng = np.random.default_rng(1)
    alpha, mu, q, l, x = (rng.normal(size=s) for s in (3, (3, 4), (3, 4), (3, 6), (50, 4)))
    args = alpha, mu, q, l, x, 1.0, 0, wishart_constant(4, 3, 1.0, 0)
    derived, whole = (
        ad.value_and_grad(
            gmm_loops, (0, 1, 2, 3), passes={"map_sums": on, "interleave_iterations": False}
        )
        for on in (True, False)
    )
    texts = [made.source(*args, stage="compiled") for made in (derived, whole)]
    loops = [re.findall(r"^ +for row in", text, re.M) for text in texts]
    assert list(map(len, loops)) == [4, 2]  # after the loop the product, and where its factors are
    close(derived(*args), whole(*args))
    assert "mu_bar" in notes(derived, *args)[0].because
