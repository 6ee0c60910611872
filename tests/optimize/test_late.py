"""Zeros are written late: rows when they are first met, buffers that change places once."""

from functools import cache

import numpy as np
import pytest

import adcompile as ad
from tests.benchmarks.problems.heat import heat

OFF = {"zero_late": False}


def five(u):
    total = 0.0
    n, m = u.shape
    for i in range(1, n - 1):
        for j in range(1, m - 1):
            total += (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - 4.0 * u[i, j]) ** 3
    return total


def five_down(u):
    total = 0.0
    n, m = u.shape
    for i in range(n - 2, 0, -1):
        for j in range(m - 2, 0, -1):
            total += (u[i - 1, j] * u[i + 1, j] + u[i, j - 1] * u[i, j + 1] - u[i, j]) ** 2
    return total


def five_slices(u):
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return ((around - 4.0 * u[1:-1, 1:-1]) ** 3).sum()


def nine(u):
    total = 0.0
    n, m = u.shape
    for i in range(1, n - 1):
        for j in range(1, m - 1):
            above = u[i - 1, j - 1] + u[i - 1, j] + u[i - 1, j + 1]
            below = u[i + 1, j - 1] + u[i + 1, j] + u[i + 1, j + 1]
            total += (above * below + u[i, j - 1] - u[i, j] + u[i, j + 1]) ** 2
    return total


def far(u):
    total = 0.0
    n, m = u.shape
    for i in range(2, n - 2):
        for j in range(m):
            total += (u[i - 2, j] - 3.0 * u[i + 2, j]) ** 2
    return total


def every_other_row(u):
    total = 0.0
    n, m = u.shape
    for i in range(0, n - 1, 2):
        for j in range(m):
            total += (u[i, j] - u[i + 1, j]) ** 3
    return total


def some_rows(u):
    total = 0.0
    n, m = u.shape
    for i in range(n - 1):
        if u[i, 0] > 0.0:
            for j in range(1, m):
                total += u[i, j] * u[i + 1, j]
    return total


def by_table(u):
    total = 0.0
    n, m = u.shape
    for i in range(n):
        for j in range(m):
            total += u[i, j] ** 2 * u[(i * i) % n, j]
    return total


def row_of_ends(u):
    total = 0.0
    n, m = u.shape
    for i in range(1, n):
        total += u[i, 0] ** 2
        for j in range(m):
            total += (u[i, j] - u[i - 1, j]) ** 3
    return total


def few_columns(u, m):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, m):
            total += (u[i + 1, j] - u[i - 1, j]) ** 3
    return total


def triangle(u):
    total = 0.0
    n, m = u.shape
    for i in range(1, n):
        for j in range(min(i, m)):
            total += (u[i, j] - u[i - 1, j]) ** 3
    return total


PLANES = [
    five, five_down, five_slices, nine, far, every_other_row, some_rows, by_table, row_of_ends,
    triangle,
]  # fmt: skip
_COLUMNS = {some_rows: 1, row_of_ends: 1}  # that are read in any case
SHAPES = [(n, m) for n in (0, 1, 2, 3, 4, 11) for m in (0, 1, 2, 3, 4, 12)]


@cache
def derivatives(function, **options):
    """Ours, the same as NumPy runs it, and ours without the pass."""
    choices = {}, {"target": "python"}, {"passes": OFF}
    return [ad.value_and_grad(function, **options, **choice) for choice in choices]


def agrees(function, *args, **options):
    """Compare with the same derivative as NumPy runs it, and without the pass."""
    ours, *others = derivatives(function, **options)
    value, found = ours(*args)
    tolerance = 1e-4 if args[0].dtype == np.float32 else 1e-12
    for other, gradient in (derivative(*args) for derivative in others):
        np.testing.assert_allclose(value, other, rtol=tolerance)
        np.testing.assert_allclose(found, gradient, rtol=tolerance, atol=tolerance)
    assert found.dtype == args[0].dtype


def dirty():
    """Let the next arrays be in memory that is not zero."""
    for size in (1, 4, 16, 64, 256, 1024):
        for _ in range(4):
            np.full(size, np.nan)


DOUBLE, SINGLE = "float64", "float32"


@pytest.mark.share(2)
@pytest.mark.parametrize(
    ("function", "dtype"), [*((f, DOUBLE) for f in PLANES), (five, SINGLE), (five_slices, SINGLE)]
)
def test_planes_of_any_size(function, dtype):
    random = np.random.default_rng(3)
    for n, m in SHAPES:
        if function is five_slices and min(n, m) < 2 or m < _COLUMNS.get(function, 0):
            continue
        dirty()
        agrees(function, random.normal(size=(n, m)).astype(dtype))


@pytest.mark.parametrize("m", [0, 1, 2, 5, 6])
def test_ranges_that_end_elsewhere(m):
    agrees(few_columns, np.random.default_rng(4).normal(size=(7, 6)), m)


@pytest.mark.share(4)
@pytest.mark.parametrize("function", [five, five_slices, nine, far])
def test_sums_keep_their_order(function):
    agrees(function, np.random.default_rng(5).normal(size=(9, 13)), fastmath=False)


def test_gradient_by_differences():
    u = np.random.default_rng(6).normal(size=(5, 6))
    for function in (five, five_slices, nine):
        ad.check_grads(function, (u,), order=1, modes=("rev",))


def space(u):
    total = 0.0
    n, m, k = u.shape
    for a in range(1, n - 1):
        for b in range(1, m - 1):
            for c in range(1, k - 1):
                s = u[a - 1, b, c] + u[a + 1, b, c] + u[a, b - 1, c] + u[a, b + 1, c]
                total += (s + u[a, b, c - 1] + u[a, b, c + 1] - 6.0 * u[a, b, c]) ** 3
    return total


@pytest.mark.parametrize(
    "shape", [(0, 3, 3), (2, 4, 5), (3, 2, 3), (3, 3, 2), (3, 3, 3), (6, 5, 4)]
)
def test_space(shape):
    dirty()
    agrees(space, np.random.default_rng(7).normal(size=shape))


# -- buffers that change places ---------------------------------------------------------------------


def heat_slices(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        new[1:-1] = old[1:-1] + rate * (old[:-2] - 2.0 * old[1:-1] + old[2:])
        old, new = new, old
    return np.sum(old**2)


def shifted(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(len(u) - 2):
            new[i + 1] = old[i + 1] + rate * (old[i] - 2.0 * old[i + 1] + old[i + 2])
        old, new = new, old
    return np.sum(old**2)


def both(u, steps, rate):
    old, new = u.copy(), 2.0 * u
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] * old[i - 1] + rate * old[i + 1]
        old, new = new, old
    return np.sum(old**2) + np.sum(new**3)


def ends(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        if len(u) > 1:
            new[0] = 0.5 * old[1]
            new[len(u) - 1] = old[0] + old[len(u) - 1]
        old, new = new, old
    return np.sum(old**2)


def part(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(2, len(u) // 2):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    return np.sum(old**2)


def growing(u, steps, rate):
    old, new = u.copy(), u.copy()
    for k in range(steps):
        for i in range(1, min(k + 2, len(u) - 1)):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        old, new = new, old
    return np.sum(old**2)


def three(u, steps, rate):
    a, b, c = u.copy(), 0.5 * u, u.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            c[i] = 2.0 * b[i] - a[i] + rate * (b[i - 1] - 2.0 * b[i] + b[i + 1])
        a, b, c = b, c, a
    return np.sum(b**2) + a[0]


def read_between(u, steps, rate):
    old, new = u.copy(), u.copy()
    total = 0.0
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        total += new[0] * old[len(u) - 1]
        for i in range(len(u)):
            total += new[i] ** 2
        old, new = new, old
    return total + np.sum(old**2)


def not_exchanged(u, steps, rate):
    old, new = u.copy(), u.copy()
    for k in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
        if k % 2 == 0:
            old, new = new, old
    return np.sum(old**2) + np.sum(new)


def pointwise(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(len(u)):
            new[i] = rate * old[i]
        old, new = new, old
    return np.sum(old**2)


def alternately(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(0, len(u), 2):
            new[i] = rate * old[i]
        for i in range(1, len(u), 2):
            new[i] = old[i] + old[i - 1]
        old, new = new, old
    return np.sum(old**2)


def one_after_the_other(u, steps, rate):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, len(u)):
            new[i] = old[i] + rate * new[i - 1]
        old, new = new, old
    return np.sum(old**2)


def scratch(u, steps, rate):
    field, change = u.copy(), np.zeros(len(u))
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            change[i] = rate * (field[i - 1] - 2.0 * field[i] + field[i + 1])
        for i in range(1, len(u) - 1):
            field[i] += change[i]
    return np.sum(field**2)


def inside(u, steps, rate):
    total = 0.0
    for k in range(3):
        old, new = u * k, u.copy()
        for _ in range(steps):
            for i in range(1, len(u) - 1):
                new[i] = old[i] + rate * (old[i - 1] - 2.0 * old[i] + old[i + 1])
            old, new = new, old
        total += np.sum(old**2)
    return total


def written_argument(u, steps, rate):
    new = u.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = u[i] + rate * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        for i in range(1, len(u) - 1):
            u[i] = new[i]
    return np.sum(u**2)


LINES = [
    heat, heat_slices, shifted, both, ends, part, growing, three, read_between, not_exchanged, pointwise,
    alternately, one_after_the_other, scratch, inside, written_argument,
]  # fmt: skip


@pytest.mark.share(3)
@pytest.mark.parametrize(
    ("function", "dtype"), [*((f, DOUBLE) for f in LINES), (heat, SINGLE), (both, SINGLE)]
)
def test_buffers_of_any_size(function, dtype):
    random = np.random.default_rng(8)
    for n in (0, 1, 2, 3, 4, 5, 23):
        if n < 2 and function is heat_slices or not n and function in (read_between, three):
            continue
        for steps in (0, 1, 2, 3, 6):
            dirty()
            agrees(function, random.normal(size=n).astype(dtype), steps, np.dtype(dtype).type(0.3))


@pytest.mark.share(4)
@pytest.mark.parametrize("function", LINES)
def test_buffers_whose_sums_keep_their_order(function):
    agrees(function, np.random.default_rng(9).normal(size=17), 4, 0.3, fastmath=False)


@pytest.mark.share(4)
@pytest.mark.parametrize("function", LINES)
def test_buffers_by_differences(function):
    u = np.random.default_rng(10).normal(size=7)
    ad.check_grads(lambda u: function(u, 3, 0.3), (u,), order=1, modes=("rev",))


def test_two_buffers_in_place():
    u = np.random.default_rng(11).normal(size=9)
    wanted = ad.grad(written_argument)(u, 3, 0.3)
    found = ad.grad(written_argument, inplace=("u",))(u.copy(), 3, 0.3)
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def heat_plane(u, steps, rate):
    old, new = u.copy(), u.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                around = old[i - 1, j] + old[i + 1, j] + old[i, j - 1] + old[i, j + 1]
                new[i, j] = old[i, j] + rate * (around - 4.0 * old[i, j])
        old, new = new, old
    return np.sum(old**2)


def rows_alone(u, steps, rate):
    old, new = u.copy(), u.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(n):
            for j in range(1, m - 1):
                new[i, j] = old[i, j] + rate * (old[i, j - 1] - old[i, j + 1])
        old, new = new, old
    return np.sum(old**2)


def upwards(u, steps, rate):
    old, new = u.copy(), u.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(1, n):
            for j in range(m):
                new[i, j] = old[i, j] - rate * (old[i, j] - old[i - 1, j])
        old, new = new, old
    return np.sum(old**2)


@pytest.mark.share(3)
@pytest.mark.parametrize("function", [heat_plane, rows_alone, upwards])
def test_planes_that_change_places(function):
    random = np.random.default_rng(12)
    for shape in SHAPES:
        for steps in (0, 1, 2, 5):
            dirty()
            agrees(function, random.normal(size=shape), steps, 0.2)


# -- what is gained ---------------------------------------------------------------------------------


def zeros_in(function, *args, passes=None):
    """Of nests that add to rows where they are."""
    options = {"passes": {"gather_stencils": False, **(passes or {})}}
    source = ad.grad(function, **options).source(*args, stage="compiled")
    return source.count("np.zeros")


def test_rows_are_stored_when_they_are_met():
    plane = np.ones((8, 9))
    assert not any(zeros_in(f, plane) for f in (five, five_down, five_slices, nine, far))
    assert not zeros_in(space, np.ones((5, 6, 7)))
    assert zeros_in(five, plane, passes=OFF)


@pytest.mark.parametrize("function", [every_other_row, some_rows, by_table, triangle])
def test_rows_that_may_be_left_out_are_zeros(function):
    assert zeros_in(function, np.ones((8, 9)))


def fills_in_steps(function, *args, **options):
    """The loops inside the reverse sweep that write zeros, and those that store sums."""
    source = ad.grad(function, **options).source(*args, stage="compiled")
    sweep = source[source.index("steps - 1, -1, -1") :]
    lines = [line.strip() for line in sweep[: sweep.index("u_bar")].splitlines()]
    return sum("old_bar" in line and line.endswith("= 0.0") for line in lines)


@pytest.mark.parametrize("function", [heat, heat_slices, shifted, pointwise])
def test_buffers_are_not_set_to_zero_in_each_step(function):
    args = np.ones(9), 3, 0.3
    assert not fills_in_steps(function, *args)
    assert fills_in_steps(function, *args, passes=OFF)


def test_a_shifted_stencil_is_gathered_without_arrays_beside_it():
    source = ad.grad(shifted).source(np.ones(9), 3, 0.3, stage="compiled")
    assert source.count("np.empty") == ad.grad(heat).source(
        np.ones(9), 3, 0.3, stage="compiled"
    ).count("np.empty")


def draws(x):
    """A loop that draws stays behind one that draws."""
    n, m = x.shape
    a = np.zeros((n, m))
    total = 0.0
    for i in range(1, n - 1):
        for k in range(m):
            total += np.random.normal() * x[i, k]
        for j in range(1, m - 1):
            a[i + 1, j] += np.random.normal() * x[i, j] ** 2
        for j in range(1, m - 1):
            a[i, j] += x[i, j]
    return total + 10.0 * np.sum(a * a)


def test_draws_keep_their_order():
    x = np.random.default_rng(13).normal(size=(12, 13))
    space = {}
    exec(ad.value_and_grad(draws).source(x, stage="compiled"), space)
    np.random.seed(3)
    wanted = draws(x)
    np.random.seed(3)
    np.testing.assert_allclose(space["value_and_grad_draws"](x)[0], wanted, rtol=1e-12)


def new_in_each_step(u, steps, rate):
    for _ in range(steps):
        new = np.empty(len(u))
        for i in range(1, len(u) - 1):
            new[i] = u[i] + rate * (u[i - 1] - 2.0 * u[i] + u[i + 1]) * u[i]
        new[0] = new[len(u) - 1] = rate
        u = new
    return np.sum(u * u)


def test_zeros_made_in_each_step_are_stored_first():
    def fills(passes):
        source = ad.grad(new_in_each_step, passes=passes).source(
            np.ones(9), 3, 0.3, stage="compiled"
        )
        return "for i in range(u.shape[0]):\n            u_bar_1[i] = 0.0" in source

    assert fills(OFF) and not fills({})
    for n in (2, 3, 4, 9, 30):
        u = np.cos(np.arange(n) + 1.0)
        wanted = ad.grad(new_in_each_step, target="python")(u, 3, 0.3)
        np.testing.assert_allclose(ad.grad(new_in_each_step)(u, 3, 0.3), wanted, rtol=1e-12)
