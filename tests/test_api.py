"""The public functions: arguments, results, composition, aliasing of results."""

import numpy as np
import pytest

import adcompile as ad

TARGETS = ["cpu", "python"]


def product(x, y):
    return np.sum(x * y)


@pytest.mark.parametrize("target", TARGETS)
def test_argnums_and_wrt(target):
    x, y = np.arange(3.0), np.arange(3.0) + 1
    np.testing.assert_array_equal(ad.grad(product, target=target)(x, y), y)
    np.testing.assert_array_equal(ad.grad(product, 1, target=target)(x, y), x)
    np.testing.assert_array_equal(ad.grad(product, -1, target=target)(x, y), x)
    both = ad.grad(product, (1, 0), target=target)(x, y)
    assert isinstance(both, tuple)
    np.testing.assert_array_equal(both[0], x)
    np.testing.assert_array_equal(ad.grad(product, wrt="y", target=target)(x, y), x)
    assert isinstance(ad.grad(product, (0,), target=target)(x, y), tuple)


@pytest.mark.parametrize("target", TARGETS)
def test_intermediate_arrays(target):
    def loss(w, x):
        u = x @ w
        v = np.tanh(u)
        return np.mean(v * v)

    w, x = np.array([0.3, -0.2]), np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.1]])
    u_bar, v_bar, w_bar = ad.grad(loss, wrt=("u", "v", "w"), target=target)(w, x)
    v = np.tanh(x @ w)
    np.testing.assert_allclose(v_bar, 2 * v / 3)
    np.testing.assert_allclose(u_bar, v_bar * (1 - v * v))
    np.testing.assert_allclose(w_bar, x.T @ u_bar)


@pytest.mark.parametrize("target", TARGETS)
def test_has_aux(target):
    def loss(x):
        y = x * x
        return np.sum(y), (y, x[0])

    x = np.arange(3.0)
    gradient, (y, first) = ad.grad(loss, has_aux=True, target=target)(x)
    np.testing.assert_array_equal(gradient, 2 * x)
    np.testing.assert_array_equal(y, x * x)
    assert first == 0.0
    (value, (y, _)), gradient = ad.value_and_grad(loss, has_aux=True, target=target)(x)
    assert value == 5.0
    np.testing.assert_array_equal(gradient, 2 * x)


def test_decorators():
    @ad.grad
    def plain(x):
        return x * x

    @ad.grad(argnums=1, target="python")
    def chosen(x, y):
        return x * y

    @ad.jit
    def value(x):
        """Twice x."""
        return 2 * x

    assert plain(3.0) == 6.0 and chosen(3.0, 4.0) == 3.0 and value(2.0) == 4.0
    assert value.__doc__ == "Twice x." and "value" in repr(value)


@pytest.mark.parametrize("target", TARGETS)
def test_structures_of_arguments_and_results(target):
    def loss(parameters, x):
        (w, b), scale = parameters
        return np.sum((x * w + b) ** 2) * scale

    parameters = ((np.array([1.0, 2.0]), 0.5), 3.0)
    (w_bar, b_bar), scale_bar = ad.grad(loss, target=target)(parameters, np.ones(2))
    np.testing.assert_allclose(w_bar, [9.0, 15.0])
    assert (b_bar, scale_bar) == (24.0, 8.5)


@pytest.mark.parametrize("target", TARGETS)
def test_jvp(target):
    def function(x, y, n):
        return np.sum(x) * y * n, x * y

    x = np.arange(3.0)
    value, tangent = ad.jvp(function, (x, 2.0, 3), (np.ones(3), 0.5, 0), target=target)
    assert value[0] == 18.0 and tangent[0] == 3 * (3.0 * 2.0 + 3.0 * 0.5)
    np.testing.assert_array_equal(tangent[1], 2.0 + 0.5 * x)
    again = ad.jvp(function, target=target)
    assert again((x, 2.0, 3), (np.ones(3), 0.5, 0))[1][0] == tangent[0]
    assert ad.jvp(lambda v: v * v, (3.0,), (1,), target=target) == (9.0, 6.0)
    with pytest.raises(ad.TypeMismatch):
        ad.jvp(function, (x, 2.0, 3), (np.ones(3),), target=target)
    with pytest.raises(ad.TypeMismatch):
        ad.jvp(function, (x, 2.0, 3), (np.ones(4), 0.5, 0), target=target)


@pytest.mark.parametrize("target", TARGETS)
def test_vjp(target):
    def function(x, y, n):
        return x * y * n, np.sum(y)

    x, y = np.arange(3.0), np.arange(3.0) + 1
    (value, _), pullback = ad.vjp(function, x, y, 2, target=target)
    np.testing.assert_array_equal(value, 2 * x * y)
    x_bar, y_bar, n_bar = pullback((np.ones(3), 10.0))
    np.testing.assert_array_equal(x_bar, 2 * y)
    np.testing.assert_array_equal(y_bar, 2 * x + 10)
    assert n_bar is None


def test_stop_gradient():
    def function(x):
        return x * ad.stop_gradient(x) + np.sum(ad.stop_gradient(np.ones(2) * x))

    assert ad.grad(function)(3.0) == 3.0
    assert ad.jvp(function, (3.0,), (1.0,))[1] == 3.0


@pytest.mark.parametrize("target", TARGETS)
def test_higher_orders(target):
    def function(x):
        return np.sin(x) * x**3

    x = 0.7
    one, two, three = np.cos(x), -np.sin(x), -np.cos(x)
    second = two * x**3 + 6 * one * x**2 + 6 * np.sin(x) * x
    third = three * x**3 + 9 * two * x**2 + 18 * one * x + 6 * np.sin(x)
    gradient = ad.grad(function, target=target)
    assert ad.grad(gradient, target=target)(x) == pytest.approx(second)
    assert ad.grad(ad.grad(gradient), target=target)(x) == pytest.approx(third)
    assert ad.jvp(gradient, (x,), (1.0,), target=target)[1] == pytest.approx(second)
    forward = ad.jvp(function, target=target)
    assert ad.grad(lambda v: forward((v,), (1.0,))[1], target=target)(x) == pytest.approx(second)


def test_check_grads():
    def wrong(x):
        return ad.stop_gradient(x) * x

    ad.check_grads(product, (np.ones(3), np.arange(3.0)), order=2)
    ad.check_grads(product, (np.ones(3, "f4"), np.ones(3, "f4")))
    for mode in ("fwd", "rev"):
        with pytest.raises(AssertionError, match="finite differences"):
            ad.check_grads(wrong, (2.0,), modes=(mode,))
    with pytest.raises(ad.TypeMismatch):
        ad.check_grads(product, (np.ones(3), np.ones(3)), modes=("both",))


@pytest.mark.parametrize("target", TARGETS)
def test_results_share_no_memory(target):
    x, y = np.ones(3), np.ones(3)
    x_bar, y_bar = ad.grad(product, (0, 1), target=target)(x, y)
    a_bar, b_bar = ad.grad(lambda a, b: np.sum(a + b), (0, 1), target=target)(x, y)
    same = ad.jit(lambda a: a, target=target)(x)
    view = ad.jit(lambda a: a[1:], target=target)(x)
    arrays = [x, y, x_bar, y_bar, a_bar, b_bar, same, view]
    for k, one in enumerate(arrays):
        for other in arrays[k + 1 :]:
            assert not np.may_share_memory(one, other)


@pytest.mark.parametrize("target", TARGETS)
def test_inplace(target):
    def scale(a, factor):
        a *= factor
        return a[0]

    x = np.ones(2)
    assert ad.jit(scale, target=target)(x, 3.0) == 3.0
    np.testing.assert_array_equal(x, [1.0, 1.0])
    assert ad.jit(scale, inplace="a", target=target)(x, 3.0) == 3.0
    np.testing.assert_array_equal(x, [3.0, 3.0])

    def fill(a):
        a[:] = 7.0

    assert ad.jit(fill, inplace=("a",), target=target)(x) is None
    np.testing.assert_array_equal(x, [7.0, 7.0])


@pytest.mark.parametrize("target", TARGETS)
def test_single_precision_stays(target):
    def loss(w, x):
        return np.mean(np.tanh(x * w + 1.5) ** 2) * 2

    gradient = ad.grad(loss, target=target)(np.ones(3, "f4"), np.ones(3, "f4"))
    assert gradient.dtype == np.float32
    wanted = ad.value_and_grad(loss)(np.ones(3), np.ones(3))[1]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(0,), (1,), (0, 3), (3, 0)])
def test_empty_arrays(target, shape):
    gradient = ad.grad(lambda x: np.sum(np.sin(x) * x), target=target)(np.ones(shape))
    assert gradient.shape == shape


@pytest.mark.parametrize("target", TARGETS)
def test_kinks_and_infinite_slopes(target):
    def safe_root(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0))

    def safe_inverse(x):
        return 1.0 / x if x != 0.0 else x

    found = ad.grad(safe_root, target=target)(np.array([0.0, 1.0, 4.0]))
    np.testing.assert_array_equal(found, [0.0, 0.5, 0.25])
    assert ad.grad(safe_inverse, target=target)(0.0) == 1.0
    assert ad.grad(lambda x: abs(x), target=target)(0.0) == 0.0
    assert ad.grad(lambda x, y: max(x, y), (0, 1), target=target)(1.0, 1.0) == (0.5, 0.5)
    ties = ad.grad(lambda x: np.max(x), target=target)(np.array([2.0, 2.0, 1.0, 2.0]))
    np.testing.assert_allclose(ties, [1 / 3, 1 / 3, 0, 1 / 3])
    zeros = ad.grad(lambda x: np.prod(x), target=target)(np.array([0.0, 2.0, 3.0]))
    np.testing.assert_array_equal(zeros, [6.0, 0.0, 0.0])


def test_python_target_shows_its_lines():
    gradient = ad.grad(lambda x: 1.0 / x[5], target="python")
    with pytest.raises(IndexError) as caught:
        gradient(np.ones(2))
    assert "x[5]" in str(caught.traceback[-1].statement)


def test_graph_views():
    view = ad.grad(product).graph("f8[:], f8[:]")
    assert "grad_product(x: f8[n0]" in str(view)
    assert view.to_dot().startswith("digraph") and view._repr_svg_().startswith("<svg")
    assert "mul" in ad.jit(product).graph("f8[:], f8[:]").to_svg()


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_an_array_of_no_axis_is_the_number_it_holds(target):
    gradient = ad.grad(lambda x, y: x * np.sum(y), target=target)
    for _ in range(2):
        assert gradient(np.array(2.0), np.ones(3)) == 3.0
        assert gradient(2.0, np.ones(3)) == 3.0
    pair = ad.grad(lambda p: p[0] * p[1] ** 2, target=target)
    assert pair((np.array(2.0), np.array(3.0))) == (9.0, 12.0)
    single = ad.jit(lambda x: x * np.ones(2, np.float32), target=target)
    assert single(np.array(2.0, np.float32)).dtype == np.float32


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_the_derivative_of_a_derivative_that_has_been_called(target):
    first = ad.grad(lambda x: x**3, target=target)
    assert first(2.0) == 12.0
    assert ad.grad(first, target=target)(2.0) == 12.0
    assert ad.grad(ad.grad(first))(2.0) == 6.0


def seen_twice(x):
    part = x[1:3]
    same = part
    row = part[0]
    return np.sum(part * x[:2]) + np.sum(same * row * 2.0)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(
    "names", [("part", "row", "x"), ("x", "row", "part"), ("row", "x", "same", "part")]
)
def test_the_gradient_of_a_view_is_without_what_reaches_its_array(names, target):
    """Of a variable that is part of another, with respect to both: each as if it stood alone."""
    x = np.random.default_rng(0).uniform(0.5, 1.5, (4, 3))
    found = dict(zip(names, ad.grad(seen_twice, wrt=names, target=target)(x), strict=True))
    for name, gradient in found.items():
        alone = ad.grad(seen_twice, wrt=name, target=target)(x)
        np.testing.assert_allclose(gradient, alone, rtol=1e-13)
    part, row = x[1:3], 2.0 * np.sum(x[1:3], axis=0)
    np.testing.assert_allclose(found["row"], row)
    np.testing.assert_allclose(found.get("same", 2.0 * part[[0, 0]]), 2.0 * part[[0, 0]])
    wanted = x[:2] + 2.0 * x[1]
    wanted[0] += row
    np.testing.assert_allclose(found["part"], wanted)
    everywhere = np.zeros_like(x)
    everywhere[1:3] += wanted
    everywhere[:2] += part
    np.testing.assert_allclose(found["x"], everywhere)
