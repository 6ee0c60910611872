"""Tables of which a loop uses a few rows at a time become rings of these."""

import tracemalloc
import warnings

import numpy as np
import pytest

import adcompile as ad
from adcompile import pass_order
from tests.benchmarks.problems.warping import soft_warping, warping

OFF = {"fold_rows": False}


def field(x, steps):
    """Each row of the one before; the ends keep what the table was filled with."""
    n = len(x)
    u = np.full((steps + 1, n), 0.5)
    for k in range(n):
        u[0, k] = x[k]
    for t in range(steps):
        for k in range(1, n - 1):
            u[t + 1, k] = u[t, k] + 0.1 * np.sin(u[t, k - 1] - u[t, k + 1])
    return np.sum(u[-1] ** 2)


def linear(x, steps):
    """Nothing is saved: the values need two rows as well."""
    n = len(x)
    u = np.zeros((steps + 1, n))
    u[0] = x
    for t in range(steps):
        u[t + 1, 1:-1] = u[t, :-2] + 0.3 * u[t, 2:]
    return np.sum(u[steps] * x)


def wave(x, steps):
    """Three rows, of a ring of four."""
    u = np.zeros((steps + 2, len(x)))
    u[0] = x
    u[1] = 0.9 * x
    for t in range(1, steps + 1):
        for k in range(1, len(x) - 1):
            u[t + 1, k] = 2.0 * u[t, k] - u[t - 1, k] + 0.1 * u[t, k - 1] * u[t, k + 1]
    return np.sum(u[steps + 1])


def backwards(x, steps):
    """From the last row to the first."""
    u = np.zeros((len(x) + 1, steps + 1))
    u[len(x), 0] = 1.0
    for i in range(len(x) - 1, -1, -1):
        for k in range(steps):
            u[i, k] = u[i + 1, k] * x[i] + 0.2 * u[i + 1, k + 1]
            u[i, k + 1] += 0.1 * u[i, k]
    return np.sum(u[0] ** 2)


def network(x, steps):
    """Rows handed to a product of matrices."""
    w = np.outer(x, x)
    h = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        h[t + 1] = np.tanh(w @ h[t] + x)
    return np.sum(h[steps] ** 2)


def planes(x, steps):
    """Rows of two axes, in a branch."""
    n = len(x)
    u = np.zeros((steps + 1, n, 2))
    u[0, :, 0] = x
    for t in range(steps):
        if t % 3 == 1:
            for k in range(1, n):
                u[t + 1, k, 1] = u[t, k - 1, 0]
        else:
            for k in range(n):
                u[t + 1, k, 0] = u[t, k, 1] - 0.5 * u[t, k, 0] ** 2
    return np.sum(u[steps] ** 2)


def rounds(x, steps):
    """A table of each round."""
    total = 0.0
    for q in range(3):
        u = np.ones((steps + 2, len(x)))
        for t in range(steps + 1):
            for k in range(1, len(x)):
                u[t + 1, k] = u[t, k - 1] * x[k] + 0.1 * q
        total += u[steps + 1, len(x) - 1]
    return total


def gap(x, steps):
    """Some rows are left out, some iterations leave early."""
    u = np.full((steps + 3, len(x)), 0.7)
    for t in range(steps + 1):
        if t == 2:
            continue
        for k in range(1, len(x)):
            u[t + 2, k] = 0.5 * u[t, k - 1] + x[k] * u[t + 2, k - 1]
    return np.sum(u[steps + 2])


def stored(x, steps):
    """One row, which is read after the loop."""
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        for k in range(len(x)):
            u[t + 1, k] = 0.5 * x[k] * t
    return np.sum(u[steps] ** 2)


TABLES = [field, linear, wave, backwards, network, planes, rounds, gap, stored]


def folded(function, *args, derive=ad.value_and_grad, **options):
    """The tables that are rings."""
    return [d.what for d in derive(function, **options).explain(*args).of("folded")]


def loops(derived, *args):
    """What the source for the compiler, made for the types of these arguments, defines."""
    source = derived.source(*args, stage="compiled")
    space = {}
    exec(source, space)
    return space[derived.__name__]


def run(derived, *args):
    """What the source for the compiler computes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return loops(derived, *args)(*args)


def x_of(n):
    return np.random.default_rng(n).uniform(0.2, 1.0, n)


def agrees(found, wanted):
    for one, other in zip(np.atleast_1d(*found), np.atleast_1d(*wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", TABLES)
def test_values_stay_the_same(function):
    on = loops(ad.value_and_grad(function), x_of(2), 1)
    off = loops(ad.value_and_grad(function, passes=OFF), x_of(2), 1)
    wanted = ad.value_and_grad(function, target="python")
    for n in (2, 3, 6):
        for steps in (0, 1, 2, 3, 7):
            args = x_of(n), steps
            agrees(on(*args), wanted(*args))
            agrees(off(*args), wanted(*args))


@pytest.mark.share(3)
@pytest.mark.parametrize("function", TABLES)
def test_compiled(function):
    args = x_of(6), 5
    agrees(ad.value_and_grad(function)(*args), ad.value_and_grad(function, target="python")(*args))


@pytest.mark.parametrize("function", TABLES)
def test_tables_become_rings(function):
    args = x_of(6), 5
    table = {network: "h"}.get(function, "u")
    assert table in folded(function, *args, derive=ad.jit)
    assert function is stored or f"{table}_bar" in folded(function, *args)
    for options in ({"passes": OFF}, {"boundscheck": True}):
        assert not folded(function, *args, derive=ad.jit, **options)


@pytest.mark.parametrize("function", [warping, soft_warping])
def test_shortest_paths(function):
    a, b = x_of(7), x_of(5)
    assert folded(function, a, b, derive=ad.jit) == ["cost"]
    assert folded(function, a, b) == ["cost_bar"]
    for n, m in ((1, 1), (1, 4), (2, 3), (7, 5)):
        args = x_of(n), x_of(m)
        agrees(
            run(ad.value_and_grad(function), *args),
            ad.value_and_grad(function, target="python")(*args),
        )
    assert run(ad.jit(function), a[:0], b) == np.inf


def test_it_is_told():
    (told,) = ad.grad(field).explain(x_of(4), 3).of("folded")
    assert told.what == "u_bar" and told.line
    assert "the loop over `t` uses 2 rows at a time" in told.because


def test_memory_falls():
    args = x_of(64), 1000

    def peak(derived):
        source = derived.source(*args, stage="compiled")
        space = {}
        exec(source, space)
        tracemalloc.start()
        space[derived.__name__](args[0], 20)
        space[derived.__name__](*args)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(ad.grad(linear)) < 0.1 * peak(ad.grad(linear, passes=OFF))


def test_a_derivative_of_a_derivative():
    args = x_of(5), 4
    for function in (field, wave, backwards):
        found = ad.hessian(function)(*args)
        np.testing.assert_allclose(found, ad.hessian(function, target="python")(*args), rtol=1e-9)
        assert folded(function, *args, derive=ad.hessian)


def test_extents_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="negative"):
        ad.jit(linear)(x_of(3), -5)


# -- tables that stay ---------------------------------------------------------------------------


def returned(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    return u


def summed(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    return np.sum(u)


def read_twice(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    total = 0.0
    for t in range(steps):
        total += u[t, 0]
    return total


def early_row_read_late(x, steps):
    u = np.zeros((steps + 1, len(x)))
    u[0, 0] = x[0]
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    return u[steps, 0] + u[0, 0]


def late_row_written_early(x, steps):
    u = np.zeros((steps + 3, len(x)))
    u[2, 0] = x[0]
    for t in range(steps):
        u[t + 1, 0] += u[t, 0] + x[0]
    return u[steps, 0]


def met_row_written_early(x, steps):
    u = np.zeros((steps + 3, len(x)))
    u[1, 0] = x[0]
    for t in range(steps):
        u[t + 1, 0] += u[t, 0] + x[0]
    return u[steps, 0]


def one_row_before_the_last_ones(x, steps):
    u = np.zeros((steps + 3, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    return u[steps - 1, 0]


def behind_the_last_row(x, steps):
    u = np.zeros((steps + 3, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + x[0]
    return u[steps + 1, 0] + x[0]


def counted_from_the_end(x, steps):
    u = np.full((steps + 1, len(x)), 0.3)
    u[0, 0] = x[0]
    for t in range(steps):
        u[t, 0] = u[t - 1, 0] + x[0]
    return u[steps, 0]


def in_twos(x, steps):
    u = np.zeros((2 * steps + 3, len(x)))
    for t in range(0, 2 * steps, 2):
        u[t + 2, 0] = u[t, 0] + u[t + 1, 0] + x[0]
    return u[2 * steps, 0]


def twice_the_counter(x, steps):
    u = np.zeros((2 * steps + 3, len(x)))
    for t in range(steps):
        u[2 * t + 2, 0] = u[2 * t, 0] + x[0]
    return u[2 * steps, 0]


def wide(x, steps):
    u = np.ones((steps + 5, len(x)))
    for t in range(steps):
        u[t + 4, 0] = u[t, 0] + x[0]
    return u[steps + 3, 0]


def used_again(x, steps):
    total = 0.0
    u = np.zeros((steps + 1, len(x)))
    for q in range(2):
        for t in range(steps):
            u[t + 1, 0] += u[t, 0] + x[0]
        total += u[steps, 0]
    return total


def other_rows(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        u[t + 1, 0] = u[t, 0] + u[t // 2, 0] + x[0]
    return u[steps, 0]


def all_rows(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        for s in range(t):
            u[t + 1, 0] += u[s, 0] + x[0]
    return u[steps, 0]


def until(x, steps):
    u = np.zeros((steps + 1, len(x)))
    t = 0
    while t < steps:
        u[t + 1, 0] = u[t, 0] + x[0]
        t += 1
    return u[steps, 0]


def left(x, steps):
    u = np.zeros((steps + 1, len(x)))
    for t in range(steps):
        if x[0] * t > 1.0:
            break
        u[t + 1, 0] = u[t, 0] + x[0]
    return u[steps, 0]


def chosen(x, steps):
    u = np.zeros((steps + 1, len(x)))
    v = u if x[0] > 0.5 else np.ones((steps + 1, len(x)))
    for t in range(steps):
        v[t + 1, 0] = v[t, 0] + x[0]
    return v[steps, 0]


def changing_places(x, steps):
    u, v = np.zeros((steps + 1, len(x))), np.ones((steps + 1, len(x)))
    for t in range(steps):
        u[t + 1, 0] = v[t, 0] + x[0]
        u, v = v, u
    return v[steps, 0]


def may_not_run(x, steps, first):
    """Rows on both sides of a loop over rows that may be far from them."""
    u = np.zeros((steps + 9, len(x)))
    u[4, 0] = x[0]
    for t in range(4, first):
        u[t + 1, 0] = u[t, 0] + x[0]
    return u[first, 0]


STAY = [
    returned, summed, read_twice, early_row_read_late, late_row_written_early,
    met_row_written_early, one_row_before_the_last_ones, behind_the_last_row,
    counted_from_the_end, in_twos, twice_the_counter, wide, used_again, other_rows, all_rows,
    until, left, chosen, changing_places,
]  # fmt: skip


@pytest.mark.parametrize("function", STAY)
def test_other_tables_stay(function):
    args = x_of(3), 4
    assert "u" not in folded(function, *args, derive=ad.jit)
    found = run(ad.jit(function), *args)
    np.testing.assert_allclose(found, function(*args), rtol=1e-12)
    if function is not returned:
        for steps in (0, 1, 4, 9) if function is not one_row_before_the_last_ones else (1, 4):
            args = x_of(3), steps
            wanted = ad.value_and_grad(function, target="python")(*args)
            agrees(run(ad.value_and_grad(function), *args), wanted)


def test_a_loop_that_may_not_run():
    assert not folded(may_not_run, x_of(3), 4, 6, derive=ad.jit)
    for first in (0, 2, 4, 6):
        args = x_of(3), 4, first
        np.testing.assert_allclose(run(ad.jit(may_not_run), *args), may_not_run(*args))


@pytest.mark.parametrize("function", [network, rounds])
def test_threads(function):
    args = x_of(6), 5
    wanted = ad.value_and_grad(function, target="python")(*args)
    agrees(ad.value_and_grad(function, parallel=True)(*args), wanted)


def test_kernels_have_whole_tables():
    options = {"fastmath": True, "boundscheck": False, "parallel": False}
    assert "fold_rows" in pass_order.skipped_passes({}, options, "cuda", None)
    assert "fold_rows" not in pass_order.skipped_passes({}, options, "cpu", None)
