"""What kernels have to get right: shapes, folds, atomics, numbers on the device, memory of threads."""

import math

import numpy as np
import pytest
from numba import cuda

import adcompile as ad
from adcompile.errors import ShapeError, TypeMismatch, UnsupportedOperation
from adcompile.graph.trees import as_tuples
from adcompile.graph.types import leaves
from tests.cuda.simulated.running import assert_close, on_host

RNG = np.random.default_rng(5)
SIZES = (0, 1, 2, 7, 8, 9, 33)


def _same(function, *args, transform=ad.value_and_grad, tolerance=1e-9, **options):
    wanted = transform(function, target="python", **options)(*args)
    got = transform(function, target="cuda", **options)(*args)
    assert_close(on_host(got), leaves(as_tuples(wanted)), tolerance)
    return got


@pytest.mark.parametrize("n", SIZES)
def test_sums_of_any_size(n):
    _same(lambda x: np.sum(np.sin(x) * x), RNG.standard_normal(n))


@pytest.mark.share(3)
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (3, 5), (17, 2), (2, 17)])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_reductions_over_axes(shape, axis):
    def reduced(x):
        m = np.max(x, axis=axis) * np.sum(x, axis=axis) + np.mean(x * x, axis=axis)
        return np.sum(m + np.min(x, axis=axis))

    _same(reduced, RNG.standard_normal(shape))


@pytest.mark.parametrize("axes", [(0, 2), (1,), (0, 1, 2), (2,)])
def test_three_axes(axes):
    _same(lambda x: np.sum(np.sum(x * np.cos(x), axis=axes) ** 2), RNG.standard_normal((3, 4, 5)))


def test_four_axes_and_broadcasting():
    x, y = RNG.standard_normal((2, 3, 4, 5)), RNG.standard_normal((4, 1))
    _same(lambda x, y: np.sum(np.tanh(x * y) * x.transpose(0, 1, 3, 2)[..., :4, :4].sum()), x, y,
          argnums=(0, 1))  # fmt: skip


@pytest.mark.share(2)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "bool"])
def test_folds_of_any_type(dtype):
    x = (RNG.standard_normal((5, 7)) * 3).astype(dtype)

    def folds(x):
        return np.max(x), np.min(x), np.sum(x), np.argmax(x), np.argmin(x, axis=1), np.any(x > 1), (
            np.all(x > -9)
        )  # fmt: skip

    _same(folds, x, transform=ad.jit, tolerance=1e-6)


@pytest.mark.parametrize("place", [0, 3, 8])
def test_what_is_no_number_wins_and_is_found(place):
    x = RNG.standard_normal(9)
    x[place] = np.nan
    x[-1] = np.nan
    got = on_host(ad.jit(lambda x: (np.max(x), np.min(x), np.argmax(x)), target="cuda")(x))
    assert (
        np.isnan(got[0])
        and np.isnan(got[1])
        and int(got[2][0] if np.ndim(got[2]) else got[2]) == place
    )


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 23), ("float64", 52)])
def test_rounding_of_small_and_large_numbers(dtype, bits):
    large = [2.0**k + half for k in (bits - 2, bits - 1, bits) for half in (-0.5, 0.0, 0.5, 1.5)]
    x = np.array([0.0, 0.5, 1.5, 2.5, 0.3, 7.9, *large, 1e30, np.inf, np.nan], dtype)
    x = np.concatenate([x, -x])

    def rounded(x):
        return np.rint(x), np.floor(x), np.ceil(x), np.trunc(x)

    for got, wanted in zip(on_host(ad.jit(rounded, target="cuda")(x)), rounded(x), strict=True):
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.signbit(got[:-1]), np.signbit(wanted[:-1]))


def test_products_fold():
    _same(lambda x: np.prod(x), RNG.standard_normal((3, 5)), transform=ad.jit)


def test_float32_sums_are_as_exact_as_blocks_make_them():
    x = np.full(20_000, 0.1, np.float32)
    exact = x.astype(float).sum()
    one_by_one = abs(np.cumsum(x)[-1] - exact)
    got = float(ad.jit(lambda x: np.sum(x), target="cuda")(x))
    assert abs(got - exact) < one_by_one / 10  # 16 threads here, some 200,000 on a GPU


def test_softmax_is_one_kernel():
    def loss(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return np.sum((e / np.sum(e, axis=1, keepdims=True)) ** 2)

    gradient = ad.value_and_grad(loss, target="cuda")
    source = gradient.source("f4[:, ::1]")
    assert source.count("[device.rows(") == 1 and "device.elements(" not in source
    _same(loss, RNG.standard_normal((5, 11)))


def test_many_threads_add_to_one_element():
    def loss(w, which, x):
        return np.sum(np.sin(w[which]) * x)

    which = np.array([0, 2, 0, 0, 1, 2, 2, 0])
    _same(loss, RNG.standard_normal(3), which, RNG.standard_normal(8))
    assert "cuda.atomic.add" in ad.grad(loss, target="cuda").source("f8[::1], i8[::1], f8[::1]")


def test_a_loop_that_scatters():
    def loss(w, which):
        table = np.zeros(4)
        for i in range(len(which)):
            table[which[i]] += w[i] * w[i]
        return np.sum(table**3)

    _same(loss, RNG.standard_normal(9), RNG.integers(0, 4, 9))


def test_columns_are_added_up_before_they_meet():
    def loss(b, x):
        return np.sum(np.tanh(x + b))

    source = ad.grad(loss, target="cuda").source("f4[::1], f4[:, ::1]")
    assert "device.columns(" in source
    _same(loss, RNG.standard_normal(6), RNG.standard_normal((19, 6)))


def test_a_time_loop_runs_on_the_host_and_carries_numbers():
    def loss(u, n):
        total = 0.0
        v = u.copy()
        for _ in range(n):
            w = v.copy()
            for i in range(1, len(v) - 1):
                w[i] = v[i] + 0.2 * (v[i + 1] - 2.0 * v[i] + v[i - 1])
            v = w
            total += np.sum(v * v)
        return total

    for n in (0, 1, 4):
        _same(loss, RNG.standard_normal(12), n)


def test_two_buffers_change_places():
    def loss(u, n):
        a, b = u.copy(), u.copy()
        for _ in range(n):
            for i in range(1, len(u) - 1):
                b[i] = a[i] + 0.1 * (a[i + 1] - 2.0 * a[i] + a[i - 1])
            a, b = b, a
        return np.sum(a * a)

    _same(loss, RNG.standard_normal(9), 3)


def test_arrays_are_handed_on_from_step_to_step():
    def momentum(w, x, y):
        v = np.zeros_like(w)
        for _ in range(3):
            v = 0.9 * v + x.T @ (x @ w - y)
            w = w - 0.1 * v
        return np.sum(w * w)

    def recurrent(w, u, xs):
        h, loss = np.zeros(w.shape[0]), 0.0
        for t in range(xs.shape[0]):
            h = np.tanh(w @ h + u @ xs[t])
            loss += np.sum(h * h)
        return loss

    _same(momentum, RNG.standard_normal(3), RNG.standard_normal((5, 3)) / 3, RNG.standard_normal(5))
    args = (RNG.standard_normal((4, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal((5, 3)))
    _same(recurrent, *args, argnums=(0, 1))


def test_each_thread_has_memory_of_its_own():
    def small(x):
        total = 0.0
        for i in range(x.shape[0]):
            pair = np.zeros(2)
            pair[0] = np.sin(x[i])
            pair[1] = pair[0] * x[i]
            total += pair[0] * pair[1]
        return total

    def large(x):
        total = 0.0
        for i in range(x.shape[0]):
            row = np.zeros(x.shape[1])
            s = 1.0
            for j in range(x.shape[1]):
                s = s * 0.5 + x[i, j]
                row[j] = s * s
            for j in range(x.shape[1]):
                total += row[j] * row[x.shape[1] - 1 - j]
        return total

    _same(small, RNG.standard_normal(21))
    _same(large, RNG.standard_normal((21, 5)))


def test_mapped_derivatives_are_one_kernel():
    def price(s, v):
        x = math.log(s) / v
        for _ in range(3):
            x = math.sin(x) + 0.1 * x
        return x * x

    mapped = ad.vmap(ad.grad(price), target="cuda")
    source = mapped.source("f8[::1], f8[::1]")
    assert source.count("@cuda.jit") == 1
    s, v = RNG.uniform(1, 2, 23), RNG.uniform(1, 2, 23)
    wanted = [ad.grad(price)(a, b) for a, b in zip(s, v, strict=True)]
    assert_close(on_host(mapped(s, v)), [np.array(wanted)], 1e-9)


def test_arrays_of_the_device_stay_there():
    x = cuda.to_device(RNG.standard_normal(9))
    made = ad.grad(lambda x: np.sum(x**3), target="cuda")(x)
    assert hasattr(made, "copy_to_host")
    again = ad.grad(lambda x: np.sum(x**3), target="cuda")(made)
    assert_close(on_host(again), [3 * (3 * x.copy_to_host() ** 2) ** 2], 1e-9)


def test_a_number_is_read_when_it_is_asked_for():
    value = ad.jit(lambda x: np.sum(x), target="cuda")(np.arange(5.0))
    assert float(value) == 10.0 and int(value) == 10 and value.item() == 10.0
    assert value.shape == () and value.dtype == np.float64 and "10" not in repr(value)


def test_in_place():
    def step(w, g):
        w[...] = w - 0.1 * g

    w, g = cuda.to_device(np.arange(5.0)), np.ones(5)
    ad.jit(step, target="cuda", inplace=("w",))(w, g)
    assert_close(on_host((w,)), [np.arange(5.0) - 0.1], 1e-12)
    with pytest.raises(TypeMismatch, match="in the memory of the host"):
        ad.jit(step, target="cuda", inplace=("w",))(np.arange(5.0), g)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="must be equal"):
        ad.grad(lambda x, y: np.sum(x * y), target="cuda")(np.ones(3), np.ones(4))
    _same(lambda x, y: np.sum(x * y), np.ones(3), np.ones(1))


def test_complex_numbers():
    z = RNG.standard_normal(6) + 1j * RNG.standard_normal(6)
    _same(lambda z: np.sum(np.abs(z * z) ** 2), z)


def test_layouts():
    x = RNG.standard_normal((6, 8))
    for view in (x.T, x[::2, 1::3], x[::-1]):
        _same(lambda x: np.sum(np.sin(x) * x[0]), view)
        _same(lambda x: np.sum((x @ x.T) ** 2), view)


def test_second_derivatives():
    def loss(x):
        return np.sum(x**4) + np.sum(x) ** 2

    x, v = RNG.standard_normal(5), RNG.standard_normal(5)
    wanted = ad.hvp(loss)(x, v)
    assert_close(on_host(ad.hvp(loss, target="cuda")(x, v)), leaves(as_tuples(wanted)), 1e-9)


@pytest.mark.share(3)
@pytest.mark.parametrize("name", ["merge_kernels", "drop_overwritten", "reuse_buffers"])
def test_passes_can_be_switched_off(name):
    def loss(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return np.sum((e / np.sum(e, axis=1, keepdims=True)) ** 2)

    options = {"target": "cuda", "passes": {name: False}}
    x = RNG.standard_normal((3, 5))
    got = on_host(ad.value_and_grad(loss, **options)(x))
    assert_close(got, leaves(as_tuples(ad.value_and_grad(loss)(x))), 1e-9)
    told = ad.grad(loss, **options).explain("f8[:, ::1]").passes
    assert name not in told and "merge_loops" not in told
    assert name in ad.grad(loss, target="cuda").explain("f8[:, ::1]").passes


def test_every_transformation():
    def cubes(x):
        return x**2 * x[0]

    x = np.arange(1.0, 4.0)
    for made, wanted in [
        (ad.vjp(cubes, x, target="cuda")[1](x), ad.vjp(cubes, x)[1](x)),
        (ad.linearize(cubes, x, target="cuda")[1](x), ad.linearize(cubes, x)[1](x)),
        (ad.jvp(cubes, (x,), (x,), target="cuda"), ad.jvp(cubes, (x,), (x,))),
        (ad.jacfwd(cubes, target="cuda")(x), ad.jacfwd(cubes)(x)),
        (ad.jacrev(cubes, target="cuda")(x), ad.jacrev(cubes)(x)),
    ]:
        assert_close(on_host(made), leaves(as_tuples(wanted)), 1e-9)


def test_options_that_a_kernel_cannot_have():
    with pytest.raises(TypeMismatch, match="boundscheck=True"):
        ad.grad(lambda x: np.sum(x), target="cuda", boundscheck=True)
    with pytest.raises(TypeMismatch, match='device=True with target="cpu"'):
        ad.grad(lambda x: x * x, device=True)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: np.linalg.inv(x)[0, 0], "library routine"),
        (lambda x: np.sum(x[x > 0]), "size of its result"),
        (lambda x: np.sum(x) if x[0, 0] > 0 else np.sum(x @ x), "tell the host what to do"),
    ],
)
def test_refusals(function, why):
    with pytest.raises(UnsupportedOperation, match=why) as caught:
        ad.jit(function, target="cuda")(np.ones((3, 3)))
    assert caught.value.location is not None


def test_functions_for_one_thread():
    def f(x, y):
        h, s = x, 0.0
        for _ in range(4):
            h = math.sin(h) * y
            s += h * h
        return s

    slope = ad.grad(f, argnums=(0, 1), target="cuda", device=True)

    @cuda.jit
    def kernel(x, y, out):
        for i in range(cuda.grid(1), x.shape[0], cuda.gridsize(1)):
            a, b = slope(x[i], y[i])
            out[i, 0] = a
            out[i, 1] = b

    x, y, out = RNG.standard_normal(11), RNG.standard_normal(11), cuda.device_array((11, 2))
    kernel[2, 4](cuda.to_device(x), cuda.to_device(y), out)
    wanted = [ad.grad(f, argnums=(0, 1))(a, b) for a, b in zip(x, y, strict=True)]
    assert_close(on_host((out,)), [np.array(wanted)], 1e-9)


@pytest.mark.parametrize(
    ("function", "types", "why"),
    [
        (lambda x: np.sum(x * x), ("f8[::1]",), "gives an array"),
        (lambda x, n: _rounds(x, n), ("f8", "i8"), "size of .* is not known"),
        (lambda x: _rounds(x, 3000), ("f8",), "may have"),
    ],
)
def test_what_one_thread_cannot_do(function, types, why):
    with pytest.raises(UnsupportedOperation, match=why):
        ad.grad(function, target="cuda", device=True).source(*types)


def _rounds(x, n):
    for _ in range(n):
        x = math.sin(x)
    return x
