"""What the reverse sweep saves, and what it computes again."""

import math

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.types import leaves
from tests.programs.corpus import cholesky as cholesky_by_rows


def _source(function, types, **options):
    return ad.grad(function, **options).source(types)


def _code(source):
    """The lines that are no comments."""
    return "\n".join(line for line in source.splitlines() if not line.strip().startswith("#"))


def test_reads_of_arrays_that_stay_are_done_again():
    def function(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i] ** 2 * 3.0
        return total

    source = _source(function, "f8[:]")
    assert "tape" not in source and "stack" not in source


def test_linear_loops_save_nothing():
    def function(x, n):
        for _ in range(n):
            x = 0.5 * x + 1.0
        return x

    assert "tape" not in _source(function, "f8, i8")


def test_a_nonlinear_loop_has_one_tape_indexed_by_iteration():
    def function(x, n):
        for _ in range(n):
            x = x * x
        return x

    source = _source(function, "f8, i8")
    assert source.count("np.empty") == 1 and "stack" not in source


def test_a_while_loop_has_a_stack():
    def function(x):
        while x < 10.0:
            x = x * x
        return x

    assert "x_stack.append(x)" in _source(function, "f8")


def test_inactive_work_is_not_differentiated():
    def function(x, v):
        count = 0.0
        for i in range(len(v)):
            count = count + math.sin(v[i]) * v[i]
        return x * count

    source = _source(function, "f8, f8[:]")
    assert "v_bar" not in source and "cos" not in source and source.count("for i in") == 2


def test_only_what_is_asked_for():
    function = lambda w, x: np.sum((x @ w) ** 2)
    assert "x_bar" not in _source(function, "f8[:], f8[:, :]")
    assert "w_bar" not in _source(function, "f8[:], f8[:, :]", argnums=1)


@pytest.mark.parametrize("size", [10, 1000])
def test_an_element_read_costs_one_addition(size):
    """The adjoint of a read is no array of zeros: the source does not depend on the size."""

    def function(x):
        return x[0] * x[1]

    gradient = ad.grad(function)(np.ones(size))
    assert list(leaves(gradient[:2].tolist())) and gradient[2:].sum() == 0.0
    source = _source(function, "f8[:]")
    assert source.count("np.zeros") == 1


def test_inner_loops_whose_length_varies_have_tapes_of_the_greatest():
    def function(x):
        total, place = 0.0, 0
        for i in range(len(x)):
            for j in range(i, len(x)):
                total = total * 0.5 + np.sin(x[j] + total) * place
                place += 1
        return total

    source = ad.grad(function).source("f8[:]")
    assert "append" not in source
    assert "place_tape" in source and "np.empty((x.shape[0], x.shape[0]))" in source
    x = np.array([0.3, 0.1, 0.4])
    ad.check_grads(function, (x,), order=2)


def test_a_counter_is_computed_again():
    def function(x):
        total, place = 1.0, 2
        for i in range(len(x)):
            total = total * x[place - 2]
            place += 1
        return total * place

    source = ad.grad(function).source("f8[:]")
    assert "place_tape" not in source
    ad.check_grads(function, (np.array([0.3, 0.7, 0.4]),), order=2)


def _check(function, *args):
    value, gradient = ad.value_and_grad(function, target="python")(*args)
    step = 1e-6
    for k in range(len(args[0])):
        up, down = (args[0].copy() for _ in range(2))
        up[k] += step
        down[k] -= step
        slope = (function(up, *args[1:]) - function(down, *args[1:])) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert value == pytest.approx(function(*args))


def layers(x):
    h = np.zeros(len(x))
    for i in range(len(x)):
        h[i] = np.tanh(2.0 * x[i])
    y = np.zeros(len(x))
    y[0] = h[0]
    for i in range(1, len(x)):
        y[i] = np.exp(y[i - 1] * 0.3) * h[i]
    return np.sum(y * h)


def test_what_the_program_stores_is_read_back():
    source = _source(layers, "f8[:]")
    assert source.count("tape") == 3  # of exp: made, written, read; only its product is stored
    assert "h[i]" in source.split("for i in range")[-1]
    _check(layers, np.array([0.3, -0.4, 0.8, 1.1]))
    said = [d.because for d in ad.grad(layers).explain("f8[:]").of("recomputed")]
    assert "`h` has it" in said


def stored_and_changed(x):
    h = np.zeros(len(x))
    for i in range(len(x)):
        h[i] = np.exp(x[i])
        h[i] *= 3.0
    return np.sum(h * h)


def stored_in_one_place(x):
    h = np.zeros(2)
    total = 0.0
    for i in range(len(x)):
        h[0] = np.exp(x[i])
        total = np.sin(total) + h[0] * x[i]
    return total


def stored_and_overtaken(x):
    h = np.zeros(len(x) + 1)
    for i in range(len(x)):
        h[i] = np.exp(x[i])
        h[i + 1] = np.sin(x[i])
    h[0] = 1.0
    return np.sum(h * h)


def stored_on_one_side(x):
    h = np.zeros(len(x))
    total = 0.0
    for i in range(len(x)):
        e = np.exp(x[i])
        if x[i] > 0.0:
            h[i] = e
        total += e * e
    return total + np.sum(h)


def stored_narrower(x):
    h = np.zeros(len(x), np.float32)
    total = 0.0
    for i in range(len(x)):
        e = np.exp(x[i])
        h[i] = e
        total = np.sin(total) + e * e
    return total


def stored_from_the_end(x):
    h = np.zeros(len(x))
    for i in range(len(x)):
        h[i] = np.exp(x[i])
        h[i - 1] = np.cos(x[i])
    return np.sum(h * h)


@pytest.mark.parametrize(
    "function",
    [stored_and_changed, stored_in_one_place, stored_and_overtaken, stored_on_one_side,
     stored_narrower, stored_from_the_end],
)  # fmt: skip
def test_what_is_overwritten_or_elsewhere_is_saved(function):
    assert "_tape" in _source(function, "f8[:]")
    _check(function, np.array([0.3, -0.4, 0.8, 1.1]))


def test_rows_cut_to_the_length_of_another_array():
    """Inside the loop the extent of the table is that of the slice which it is asked of."""

    def function(x, steps):
        n = len(x)
        u = np.full((steps + 1, n), 0.5)
        for t in range(steps):
            u[t + 1, :n] = np.sin(u[t, :n] * x)
        return np.sum(u[steps])

    def whole(x, steps):
        u = np.full((steps + 1, len(x)), 0.5)
        for t in range(steps):
            u[t + 1] = np.sin(u[t] * x)
        return np.sum(u[steps])

    for steps in (0, 1, 4):
        args = np.array([0.3, 0.8, 0.5]), steps
        wanted = ad.grad(whole, target="python")(*args)
        np.testing.assert_allclose(ad.grad(function, target="python")(*args), wanted)


def test_rows_of_two_tables_cut_to_the_length_of_each_other():
    def function(x, z, steps):
        n, m = len(x), len(z)
        u, v = np.full((steps + 1, m), 0.5), np.full((steps + 1, n), 0.7)
        for t in range(steps):
            u[t + 1, :n] = np.sin(u[t, :n] * x)
            v[t + 1, :m] = np.sin(v[t, :m] * z) + u[t, :n]
        return np.sum(u[steps]) + np.sum(v[steps])

    args = np.array([0.3, 0.8, 0.5]), np.array([0.2, 0.6, 0.9]), 3
    slope = ad.grad(function, (0, 1), target="python")(*args)
    for k in range(2):
        for i in range(3):
            moved = [[a.copy() for a in args[:2]] for _ in range(2)]
            moved[0][k][i] += 1e-6
            moved[1][k][i] -= 1e-6
            values = [function(*m, args[2]) for m in moved]
            assert slope[k][i] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


def test_an_inverse_that_the_forward_sweep_has_is_saved():
    def density(a, x):
        total = 0.0
        for k in range(len(x)):
            spread = a * (1.0 + x[k, 0] ** 2)
            inverse = np.linalg.inv(spread)
            total += x[k] @ inverse @ x[k] + np.log(np.linalg.det(spread))
        return total

    assert _code(ad.grad(density, (0, 1)).source("f8[:, :], f8[:, :]")).count("linalg.inv") == 1
    rng = np.random.default_rng(0)
    a, x = np.eye(3) + 0.1 * rng.random((3, 3)), rng.random((4, 3))
    ad.check_grads(density, (a, x))


def test_an_inverse_that_is_overwritten_is_computed_again():
    def density(a, x):
        total = 0.0
        for k in range(len(x)):
            spread = a * x[k]
            inverse = np.linalg.inv(spread)
            inverse[0, 0] = 1.0
            total += np.sum(inverse**2) + np.log(np.linalg.det(spread))
        return total

    assert _code(ad.grad(density).source("f8[:, :], f8[:]")).count("linalg.inv") == 2
    ad.check_grads(density, (np.eye(3) + 0.1, np.array([1.0, 2.0])))


# -- elements of triangles, which are written once -----------------------------------------------


def cholesky(a):
    n = a.shape[0]
    low = np.zeros((n, n))
    for j in range(n):
        for i in range(j, n):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            low[i, j] = math.sqrt(s) if i == j else s / low[j, j]
    return np.sum(low**2 * a)


def elimination(a):
    n = a.shape[0]
    u = a.copy()
    for k in range(n - 1):
        for i in range(k + 1, n):
            u[i, k] /= u[k, k]
            for j in range(k + 1, n):
                u[i, j] -= u[i, k] * u[k, j]
    return np.sum(u**2)


def substitution_from_the_end(a):
    n = a.shape[0]
    y = np.zeros(n)
    for i in range(n - 1, -1, -1):
        s = a[0, i]
        for j in range(n - 1, i, -1):
            s -= a[i, j] * y[j] ** 2
        y[i] = s / a[i, i]
    return np.sum(y**2)


def rows_that_are_written_again(a):
    n = a.shape[0]
    u = a.copy()
    for k in range(n - 1):
        for i in range(n):
            if i != k:
                u[i, k] *= 0.5
                for j in range(k + 1, n):
                    u[i, j] -= u[i, k] * u[k, j]
    return np.sum(u**2)


def above_the_diagonal(a):
    n = a.shape[0]
    u = a.copy()
    for i in range(n):
        for j in range(n):
            for k in range(i):
                u[i, j] += 0.1 * u[k, j] * u[j, k]
    return np.sum(u**2)


def behind_the_counter(a):
    n = a.shape[0]
    u = a.copy()
    for i in range(n):
        for k in range(i + 1):
            u[k, i] = u[i, k] * u[k, k] * 0.5
    return np.sum(u**2)


_TRIANGLES = [
    cholesky, cholesky_by_rows, elimination, substitution_from_the_end, rows_that_are_written_again,
    above_the_diagonal, behind_the_counter,
]  # fmt: skip


@pytest.mark.parametrize("function", _TRIANGLES)
def test_reverse_mode_of_triangles_is_the_transpose_of_forward_mode(function):
    rng = np.random.default_rng(3)
    for n in (1, 2, 5):
        a = rng.random((n, n)) + 2 * n * np.eye(n)
        direction = rng.standard_normal((n, n))
        found = np.sum(ad.grad(function, target="python")(a) * direction)
        _, wanted = ad.jvp(function, (a,), (direction,), target="python")
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
    np.testing.assert_allclose(
        ad.grad(function)(a), ad.grad(function, target="python")(a), rtol=1e-10
    )


@pytest.mark.parametrize("function", _TRIANGLES[:4])
def test_no_tape_has_an_axis_for_each_of_three_loops(function):
    made = ad.grad(function).explain(np.eye(3))
    assert all(len(saved.loops) < 3 for saved in made.of("saved"))


@pytest.mark.parametrize("function", [rows_that_are_written_again, above_the_diagonal])
def test_elements_that_are_written_again_are_saved(function):
    made = ad.grad(function).explain(np.eye(3))
    assert any(len(saved.loops) == 3 for saved in made.of("saved"))


def drag(x, v, k, steps):
    while steps > 0:
        a = -k * x - 0.1 * v * np.abs(v)
        v = v + 0.05 * a
        x = x + 0.05 * v
        steps -= 1
    return np.sum(x * v)


def written_afterwards(x, k, steps):
    for _ in range(steps):
        y = 2.0 * k
        x = x * y
        y *= x
        x = x + y
    return np.sum(x)


def decided_by_what_is_rounded(x, k, steps):
    for _ in range(steps):
        x = np.where(0.3 * x + k > 0.5, x * k, k)
    return np.sum(x)


def test_arrays_are_computed_again_of_what_is_saved():
    assert _source(drag, "f8[:], f8[:], f8[:], i8").count("_stack = ") == 1  # the speed
    source = _source(written_afterwards, "f8[:], f8[:], i8")
    assert "y.copy()" in source or "y_tape" in source
    assert "np.bool_" in _source(decided_by_what_is_rounded, "f8[:], f8[:], i8")
    x, k = np.array([0.3, -0.4, 0.8, 1.1]), np.array([0.5, 0.7, 0.2, 1.5])
    _check(drag, x, k, x * k, 3)
    _check(written_afterwards, x, k, 3)
    _check(decided_by_what_is_rounded, x, k, 3)
