"""Nests that add to neighbouring rows: the same sums, each row written once."""

import itertools

import numpy as np
import pytest

import adcompile as ad


def star(u, k):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
            r = 0.3 * (around - 4.0 * u[i, j]) + u[i, j] - u[i, j] ** 3
            total += r * r * k[i, j]
    return total


def star_of_arrays(u, k):
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    middle = u[1:-1, 1:-1]
    return ((k[0, 0] * (around - 4.0 * middle) + middle - middle**3) ** 2).sum()


def downwards(u, k):
    total = 0.0
    for i in range(u.shape[0] - 2, 0, -1):
        for j in range(u.shape[1] - 3, -1, -1):
            r = u[i - 1, j] + 2.0 * u[i + 1, j + 2] - u[i, j + 1]
            total += np.sin(r)
    return total


def weighted(u, k):
    """Weights that lie outside the array, if no iteration runs."""
    total = 0.0
    for i in range(2, u.shape[0] - 2):
        for j in range(1, u.shape[1]):
            total += np.sin(k[5, 0] * u[i - 2, j] + k[6, 1] * u[i + 2, j - 1] + u[i, j])
    return total


def two_numbers(u, k):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            a = u[i + 1, j] - u[i - 1, j]
            b = u[i, j + 1] - u[i, j - 1]
            total += np.sqrt(a * a + b * b + 0.1)
    return total


def steps(u, k):
    for _ in range(2):
        v = u.copy()
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                v[i, j] = u[i, j] + 0.1 * (around - 4.0 * u[i, j]) - 0.01 * u[i, j] ** 3
        u = v
    return (u * u * k).sum()


def scattered(u, k):
    """The function itself adds, to numbers that are not zero."""
    out = 0.5 * u
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            v = np.sin(u[i, j])
            out[i - 1, j] += 2.0 * v
            out[i, j + 1] += u[i, j + 1] * v
            out[i + 1, j] -= v
    return (out * out).sum()


def scattered_elsewhere(u, k):
    """Into an array of which nothing but the run tells that it has such rows."""
    out = k * 0.5
    for _ in range(2):
        for i in range(1, u.shape[0] - 1):
            for j in range(u.shape[1] - 2, 0, -1):
                v = u[i, j] * 0.3
                out[i + 1, j - 1] += v
                out[i - 1, j] += 2.0 * v
    return (out * out).sum()


PLANES = [
    star,
    star_of_arrays,
    downwards,
    weighted,
    two_numbers,
    steps,
    scattered,
    scattered_elsewhere,
]


def cube(u, k):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            for m in range(1, u.shape[2] - 1):
                r = u[i - 1, j, m] + u[i + 1, j, m] + u[i, j - 1, m] + u[i, j + 1, m]
                r += u[i, j, m - 1] + u[i, j, m + 1] - 6.0 * u[i, j, m]
                total += r * r
    return total


def images(u, k):
    """Rows of several images: each has a nest of its own."""
    total = 0.0
    for n in range(u.shape[0]):
        for i in range(1, u.shape[1] - 1):
            for j in range(1, u.shape[2] - 1):
                r = u[n, i - 1, j] + u[n, i + 1, j] + u[n, i, j - 1] - 3.0 * u[n, i, j]
                total += r * r
    return total


ALL = [(f, 2) for f in PLANES] + [(f, 3) for f in (cube, images)]


def waves(shape):
    return np.sin(np.arange(1.0, np.prod(shape) + 1.0)).reshape(shape)


def factors(function, shape):
    """What a function takes besides an array of some shape."""
    return waves((7, 2)) if function is weighted else np.cos(waves(shape))


@pytest.mark.parametrize(("function", "axes"), ALL, ids=[f.__name__ for f, _ in ALL])
def test_every_shape(function, axes):
    ours = ad.value_and_grad(function)
    plain = ad.value_and_grad(function, passes={"gather_stencils": False})
    assert ours.explain(waves((9,) * axes), factors(function, (9,) * axes)).of("gathered")
    for shape in itertools.product(range(7) if axes == 2 else (0, 1, 2, 3, 6), repeat=axes):
        args = waves(shape), factors(function, shape)
        if function is star_of_arrays and 0 in shape:
            continue  # k[0, 0] is not there
        value, gradient = ours(*args)
        wanted = plain(*args)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-13)
        np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("function", [star, downwards, scattered])
def test_the_derivative_is_right(function):
    u, k = waves((9, 8)), np.cos(waves((9, 8)))
    value, gradient = ad.value_and_grad(function)(u, k)
    assert value == pytest.approx(function(u, k), rel=1e-13)
    wanted = np.zeros_like(u)
    for place in np.ndindex(*u.shape):
        change = np.zeros_like(u)
        change[place] = 1e-5
        wanted[place] = (function(u + change, k) - function(u - change, k)) / 2e-5
    np.testing.assert_allclose(gradient, wanted, rtol=1e-7, atol=1e-8)


def _source(function, axes=2):
    return ad.grad(function).source(waves((9,) * axes), np.ones((9,) * axes), stage="compiled")


def test_each_row_is_written_once():
    """By the nest and behind it; there are zeros where it does not reach."""
    for function, zeros in ((star, 1), (star_of_arrays, 2)):
        source = _source(function)
        assert source.count("u_bar[") == zeros + 2
        assert source.count("np.zeros(") == 1  # one number is kept
    assert _source(cube, 3).count("u_bar[") == 3
    assert _source(two_numbers).count("np.zeros(") == 2


def short(u):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(3):
            total += np.sin(u[i - 1, j] * u[i + 1, j])
    return total


def several(u, k):
    """More numbers than rows would be kept."""
    total = 0.0
    for i in range(u.shape[0] - 1):
        for j in range(u.shape[1] - 1):
            total += np.sin(u[i, j] * u[i + 1, j] * u[i, j + 1])
    return total


def read_too(u, k):
    """An array that the nest reads and adds to."""
    out = u.copy()
    for i in range(1, u.shape[0] - 1):
        for j in range(u.shape[1]):
            out[i + 1, j] += k[i, j] * u[i, j]
            out[i - 1, j] += out[i, j]
    return (out * out).sum()


def test_what_is_left():
    assert not ad.grad(short).explain(np.ones((9, 3))).of("gathered")
    for function in (several, read_too):
        assert not ad.grad(function).explain(np.ones((9, 9)), np.ones((9, 9))).of("gathered")


def test_sums_keep_their_order_without_fastmath():
    exact = ad.value_and_grad(images, fastmath=False)
    interpreted = ad.value_and_grad(images, target="python")
    u, k = waves((2, 9, 8)), 0.0
    np.testing.assert_array_equal(exact(u, k)[1], interpreted(u, k)[1])


def test_threads_gather():
    """Each thread keeps rows of its own, and adds to the rows that its iterations reach."""
    u, k = waves((64, 65)), np.cos(waves((64, 65)))
    for function in (star, star_of_arrays):
        shared = ad.value_and_grad(function, parallel=True)
        part = shared.source(u, k, stage="compiled").split("def ")[1]
        assert "_part_1(" in part and "np.zeros((4, " in part
        value, gradient = shared(u, k)
        wanted = ad.value_and_grad(function, target="python")(u, k)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-12)
        np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-13)


def cleared_afterwards(u):
    """Another nest writes what the first has added to: they are not joined."""
    out = u.copy()
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            out[i - 1, j] += u[i, j]
        for j in range(1, u.shape[1] - 1):
            out[i + 1, j] += 2.0 * u[i, j]
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            out[i, j] = 0.0
    return (out * out).sum()


def on_the_axis(u):
    """In cylinders: on the axis one over the radius is infinite, and is not read."""
    c, total = 1.0 / (np.arange(u.shape[0]) * 0.1), 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            r = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + c[i] * u[i, j]
            total += r * r
    return total


def inside_alone(u):
    """An array of which nobody fills the border."""
    c = np.full(u.shape, np.nan)
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            c[i, j] = np.sin(u[i, j])
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            r = u[i - 1, j] + u[i + 1, j] + u[i, j + 1] + c[i, j] * u[i, j]
            total += r * r
    return total


def extent_of_another(u, c, d):
    total = 0.0
    for i in range(1, u.shape[0] - 1):
        for j in range(1, c.shape[1]):
            r = u[i + 1, j] + u[i - 1, j - 1] * c[0, d.shape[0] - 1]
            total += r * r
    return total


def several_parts(u):
    """Of arrays: loops that are joined while others wait."""
    r = 1.5 * u[:-2, 1:] + u[2:, 1:]
    g = u[1:-1, 1:] - u[1:-1, :-1]
    r = np.sqrt(r * r + g * g + 0.1)
    v = u[1:-1, 1:]
    r = r + v * v
    return (r * r).sum()


def test_only_what_iterations_read_is_used():
    u = waves((9, 8))
    for function in (cleared_afterwards, on_the_axis, inside_alone, several_parts):
        with np.errstate(divide="ignore"):
            value, gradient = ad.value_and_grad(function)(u)
            wanted = ad.value_and_grad(function, target="python")(u)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-13)
        np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-13)
    args = u, waves((3, 7)), np.ones(4)
    found = ad.grad(extent_of_another, argnums=(0, 1))(*args)
    wanted = ad.grad(extent_of_another, argnums=(0, 1), target="python")(*args)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def clipped(u, w):
    for i in range(1, u.shape[0] - 1):
        for j in range(w.shape[1]):
            u[i - 1, j] += 2.0 * w[i, j]
            u[i + 1, j] += w[i, j]
    return (u * u).sum()


def test_what_lies_outside_stays_an_error():
    with pytest.raises(IndexError):
        ad.grad(clipped, boundscheck=True)(np.ones((9, 11)), np.ones((9, 15)))


def starts_below_zero(u, w):
    out = np.zeros(u.shape)
    n = w.shape[0]
    for i in range(1, u.shape[0] - 1):
        for j in range(n - 5, 2 * n - 9):
            v = np.sin(w[i])
            out[i - 1, j] += v
            out[i, j + 2] += v
            out[i + 1, j] += v
    return (out * out).sum() + u.sum()


def test_loops_that_do_not_run_reach_nothing():
    for columns, n in ((0, 4), (1, 3), (2, 2)):
        values = ad.value_and_grad(starts_below_zero)(np.ones((6, columns)), np.ones(n))
        assert values[0] == 6.0 * columns
