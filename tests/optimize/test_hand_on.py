"""Iterations that share an element with the next one hand on what they add to it."""

import numpy as np
import pytest

import adcompile as ad


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def downwards(x):
    total = 0.0
    for i in range(len(x) - 1, 0, -1):
        total += np.sin(x[i] * x[i - 1]) * x[i]
    return total


def in_rows(m):
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(2, m.shape[1]):
            total += np.exp(m[i, j - 1] * m[i, j])
    return total


def in_columns(m):
    total = 0.0
    for j in range(m.shape[1]):
        for i in range(m.shape[0] - 1):
            total += np.exp(m[i + 1, j] * m[i, j])
    return total


def several_times(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += np.cos(x[i] * x[i + 1]) + np.sin(x[i] - x[i + 1]) * x[i + 1]
    return total


def two_arrays(x, y):
    total = 0.0
    for i in range(1, len(x)):
        total += np.exp(x[i] * y[i - 1]) * y[i] * x[i - 1]
    return total


def fluxes(x):
    x = x.copy()
    for _ in range(3):
        flux = np.zeros(len(x) + 1)
        for i in range(1, len(x)):
            flux[i] = np.tanh(x[i - 1] * x[i]) + 0.1 * (x[i - 1] - x[i])
        for i in range(len(x)):
            x[i] -= 0.2 * (flux[i + 1] - flux[i])
    return np.sum(x * x)


def below_a_bound(x, n):
    """A range that may be empty, of any size below nothing, too."""
    total = x[0]
    for i in range(2, n):
        total += np.sin(x[i] * x[i + 1])
    return total


def read_too(x):
    """The array that iterations add to is read in the loop."""
    x = x.copy()
    for i in range(len(x) - 1):
        x[i + 1] += np.sin(x[i])
    return np.sum(x * x)


LINES = [rosenbrock, downwards, several_times, fluxes]
PLANES = [in_rows, in_columns]


def agree(function, *args, rtol=1e-12, **options):
    active = [k for k, a in enumerate(args) if isinstance(a, np.ndarray)]
    derived = ad.value_and_grad(function, argnums=tuple(active), **options)
    wanted = ad.value_and_grad(function, argnums=tuple(active), target="python")(*args)
    found = derived(*args)
    np.testing.assert_allclose(found[0], wanted[0], rtol=rtol)
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("function", LINES)
def test_every_length(function):
    for n in (1, 2, 3, 4, 9, 40):
        agree(function, np.sin(np.arange(1.0, n + 1.0)))


@pytest.mark.parametrize("function", PLANES)
def test_every_shape(function):
    for rows, columns in ((1, 1), (2, 1), (1, 2), (3, 2), (2, 9), (40, 3), (0, 4), (4, 0)):
        agree(function, np.sin(np.arange(1.0, rows * columns + 1.0)).reshape(rows, columns))


@pytest.mark.parametrize("n", [-5, 0, 1, 2, 3, 4, 8])
def test_ranges_that_may_be_empty(n):
    agree(below_a_bound, np.sin(np.arange(9.0)), n)


def test_two_arrays():
    agree(two_arrays, np.sin(np.arange(1.0, 10.0)), np.cos(np.arange(1.0, 10.0)))


def test_single_precision():
    x = np.sin(np.arange(1.0, 10.0)).astype(np.float32)
    assert ad.grad(rosenbrock)(x).dtype == np.float32
    agree(rosenbrock, x, rtol=1e-4)


def test_what_is_read_in_the_loop():
    agree(read_too, np.sin(np.arange(1.0, 10.0)))


@pytest.mark.parametrize("options", [{"fastmath": False}, {"passes": {"hand_on_sums": False}}])
@pytest.mark.parametrize("function", LINES)
def test_without(function, options):
    agree(function, np.sin(np.arange(1.0, 10.0)), **options)


def test_no_array_of_shares():
    x = np.ones(9)
    source = ad.value_and_grad(rosenbrock).source(x, stage="compiled")
    loops = [line for line in source.splitlines() if line.strip().startswith("for ")]
    assert "np.empty" not in source and len(loops) == 2
    apart = ad.value_and_grad(rosenbrock, passes={"hand_on_sums": False})
    assert apart.source(x, stage="compiled").count("for i in range") > 2
    assert "hand_on_sums" in ad.grad(rosenbrock).explain(x).passes


def test_threads_save_their_shares():
    """A loop that hands on numbers cannot be shared."""
    agree(rosenbrock, np.sin(np.arange(1.0, 3000.0)), rtol=1e-11, parallel=True)
    source = ad.value_and_grad(rosenbrock, parallel=True).source(np.ones(9), stage="compiled")
    assert "prange" in source
