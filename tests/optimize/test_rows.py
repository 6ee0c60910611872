"""Arrays of which an iteration uses only its own row are rows."""

import numpy as np
import pytest

import adcompile as ad


def of_rows(x):
    work = np.empty((x.shape[0], x.shape[1]))
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            work[i, j] = x[i, j] * x[i, j]
        for j in range(1, x.shape[1]):
            total += work[i, j] * work[i, j - 1]
    return total


def of_the_row_before(x):
    work = np.empty((x.shape[0], x.shape[1]))
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            work[i, j] = x[i, j] * x[i, j]
        for j in range(x.shape[1]):
            total += work[i, j] * work[max(i - 1, 0), j]
    return total


def given_back(x):
    work = np.empty((x.shape[0], x.shape[1]))
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            work[i, j] = x[i, j] * x[i, j]
        total += work[i, 0] * x[i, 1]
    return total * work[0, 1]


def counted_from_both_ends(x):
    work = np.empty((2, x.shape[1]))
    work[0, 0] = work[1, 0] = 1.0
    total = 0.0
    for i in range(-2, 2):
        work[i, 0] = work[i, 0] + x[i, 0]
        total += work[i, 0] * work[i, 0]
    return total


def stencil(u):
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return ((around - u[1:-1, 1:-1] ** 3) ** 2).sum()


X = np.random.default_rng(3).random((5, 6))
CASES = [of_rows, of_the_row_before, given_back, counted_from_both_ends, stencil]


@pytest.mark.parametrize("function", CASES)
def test_results_stay(function):
    found = ad.value_and_grad(function)(X)
    for options in ({"passes": {"keep_rows": False}}, {"target": "python"}, {"parallel": True}):
        value, gradient = ad.value_and_grad(function, **options)(X)
        np.testing.assert_allclose(found[0], value, rtol=1e-12)
        np.testing.assert_allclose(found[1], gradient, rtol=1e-12)


def has_table(function, **options):
    source = ad.jit(function, **options).source(X, stage="compiled")
    code = [line for line in source.splitlines() if not line.strip().startswith("#")]
    return any("work[i, " in line for line in code)


def test_only_rows_that_nobody_else_uses_are_kept_alone():
    assert not has_table(of_rows)
    assert has_table(of_rows, passes={"keep_rows": False, "fold_rows": False})
    assert all(map(has_table, (of_the_row_before, given_back, counted_from_both_ends)))


def test_the_adjoint_of_a_stencil_keeps_no_table():
    source = ad.grad(stencil).source(X, stage="compiled")
    assert "np.empty((" not in source
    assert source.count("max(u.shape[0] - 2, 0)") == 1


def test_rows_of_one_array_are_added_to_in_loops_of_their_own():
    def corners(u):
        total = 0.0
        for i in range(1, u.shape[0] - 1):
            for j in range(u.shape[1] - 1):
                r = u[i - 1, j] * u[i + 1, j] - u[i, j] + u[i, j + 1]
                total += r * r
        return total

    source = ad.grad(corners).source(X, stage="compiled")
    for block in source.split("for j in range(")[1:]:
        assert len({line for line in block.splitlines() if "u_bar[" in line and "=" in line}) <= 1
    found = ad.grad(corners)(X)
    np.testing.assert_allclose(found, ad.grad(corners, target="python")(X), rtol=1e-12)
