"""Functions that every iteration would compute anew are computed before the loop."""

import numpy as np
import pytest

import adcompile as ad


def of_counters(x, q):
    total = 0.0
    for i in range(len(x)):
        for j in range(len(q)):
            total += np.sin(0.1 * j) * x[i]
    return total


def of_elements(x, q):
    total = 0.0
    for i in range(len(x)):
        for j in range(len(q)):
            total += np.exp(q[j]) * x[i] * x[i]
    return total


def of_what_changes(x, q):
    q = q.copy()
    total = 0.0
    for i in range(len(x)):
        for j in range(len(q)):
            total += np.exp(q[j]) * x[i]
        q[0] += x[i]
    return total


@pytest.mark.parametrize("function", [of_counters, of_elements, of_what_changes])
@pytest.mark.parametrize("n", [0, 1, 4])
def test_results_stay(function, n):
    args = np.linspace(0.5, 1.0, n), np.linspace(-1.0, 1.0, 3)
    found = ad.value_and_grad(function, (0, 1), target="python")(*args)
    plain = ad.value_and_grad(function, (0, 1), target="python", passes={"precompute": False})
    wanted = plain(*args)
    assert found[0] == pytest.approx(wanted[0], rel=1e-13, abs=1e-300)
    for f, w in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(f, w, rtol=1e-12, atol=1e-14)
    ad.check_grads(function, args, target="python")


@pytest.mark.parametrize(("function", "name"), [(of_counters, "np.sin"), (of_elements, "np.exp")])
def test_it_is_computed_before_the_loop(function, name):
    source = ad.jit(function).source("f8[:], f8[:]")
    assert source.index(name) < source.index("for i in range(x.shape[0])")
    source = ad.jit(of_what_changes).source("f8[:], f8[:]")
    assert source.index("np.exp") > source.index("for i in range(x.shape[0])")


def loops_that_never_run(x):
    total = 0.0
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            for k in range(2):
                total += np.sin(x[k]) * x[j]
    return total


def test_nothing_is_read_for_loops_that_never_run():
    for options in ({"target": "python"}, {"boundscheck": True}):
        value, gradient = ad.value_and_grad(loops_that_never_run, **options)(np.array([0.3]))
        assert value == 0.0 and gradient.tolist() == [0.0]
