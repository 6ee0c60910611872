"""Jacobians, Hessians, batches, and transformations inside transformations."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import adcompile as ad

jax.config.update("jax_enable_x64", True)
TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])
X = np.array([0.3, 0.7, 1.1])
M = np.random.default_rng(0).uniform(0.5, 1.5, (3, 4))


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def vector(x):
    return np.sin(x) * x[0]


def matrix(m, x):
    return np.exp(m.T @ x) * m[0]


def loops(x):
    y = np.zeros(len(x))
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.5:
            total += x[i] ** 2
        y[i] = total * x[i]
    return y


def differences(f, x, step=1e-6):
    x = np.asarray(x, float)
    columns = []
    for k in range(x.size):
        e = np.zeros(x.size)
        e[k] = step
        e = e.reshape(x.shape)
        columns.append((np.asarray(f(x + e)) - np.asarray(f(x - e))) / (2 * step))
    return np.stack(columns, -1).reshape(columns[0].shape + x.shape)


@TARGETS
@pytest.mark.parametrize("jacobian", [ad.jacfwd, ad.jacrev])
@pytest.mark.parametrize("function", [vector, loops, rosenbrock])
def test_jacobians(function, jacobian, target):
    found = jacobian(function, target=target)(X)
    np.testing.assert_allclose(found, differences(function, X), rtol=1e-6, atol=1e-8)


@TARGETS
@pytest.mark.parametrize("jacobian", [ad.jacfwd, ad.jacrev])
def test_jacobians_of_matrices_and_several_arguments(jacobian, target):
    by_m, by_x = jacobian(matrix, (0, 1), target=target)(M, X)
    np.testing.assert_allclose(by_m, differences(lambda m: matrix(m, X), M), atol=1e-8)
    np.testing.assert_allclose(by_x, differences(lambda x: matrix(M, x), X), atol=1e-8)
    assert by_m.shape == (4, 3, 4) and by_x.shape == (4, 3)


def several(p, s):
    return {"a": p["w"] * s, "b": (np.sum(p["w"]) * p["c"], s * s)}


@TARGETS
@pytest.mark.parametrize("jacobian", [ad.jacfwd, ad.jacrev])
def test_jacobians_of_containers(jacobian, target):
    p = {"w": X, "c": 2.0}
    found = jacobian(several, (0, 1), target=target)(p, 3.0)
    np.testing.assert_allclose(found["a"][0]["w"], 3.0 * np.eye(3))
    np.testing.assert_allclose(found["a"][0]["c"], np.zeros(3))
    np.testing.assert_allclose(found["a"][1], X)
    np.testing.assert_allclose(found["b"][0][0]["w"], 2.0 * np.ones(3))
    assert found["b"][1][1] == 6.0 and found["b"][1][0]["c"] == 0.0


@TARGETS
def test_hessians(target):
    wanted = np.asarray(jax.hessian(lambda x: _jax_rosenbrock(x))(X))
    np.testing.assert_allclose(ad.hessian(rosenbrock, target=target)(X), wanted, rtol=1e-12)
    np.testing.assert_allclose(
        ad.jacrev(ad.grad(rosenbrock), target=target)(X), wanted, rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(ad.hvp(rosenbrock, target=target)(X, 2 * X), wanted @ (2 * X))
    both = ad.hessian(lambda a, b: np.sum(a * b * b), (0, 1), target=target)(X, X)
    np.testing.assert_allclose(both[0][1], np.diag(2 * X))
    np.testing.assert_allclose(both[1][1], np.diag(2 * X))
    assert ad.hessian(lambda x: x**3, target=target)(2.0) == 12.0


def saved_in_a_branch(x):
    y = x * x
    if x[0] > 0.0:
        y[1:-1] *= np.tanh(x[0])
    return np.sum(y * y)


@TARGETS
def test_hessian_of_what_is_saved_in_a_branch_only(target):
    """The other side of the branch has no array to save, nor a tangent of one."""
    for point in (X, -X):
        wanted = differences(ad.grad(saved_in_a_branch, target="python"), point)
        found = ad.hessian(saved_in_a_branch, target=target)(point)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def _jax_rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@TARGETS
def test_linearize(target):
    value, push = ad.linearize(vector, X, target=target)
    np.testing.assert_allclose(value, vector(X))
    np.testing.assert_allclose(push(X), differences(vector, X) @ X, rtol=1e-6)


def branching(a, b):
    return a * b if a > 0 else -b


@TARGETS
def test_vmap_takes_branches_element_by_element(target):
    found = ad.vmap(branching, (0, None), target=target)(X - 0.5, 2.0)
    np.testing.assert_allclose(found, [branching(a, 2.0) for a in X - 0.5])
    found = ad.vmap(ad.grad(branching, (0, 1)), target=target)(X - 0.5, 2 * X)
    np.testing.assert_allclose(found[0], [0.0, 1.4, 2.2])
    assert ad.vmap(branching, (0, None), target=target)(np.empty(0), 1.0).shape == (0,)


@TARGETS
def test_vmap_compares_the_shapes_of_elements(target):
    """Also where the extents of the result are asked for before the loop."""

    def total(x, y):
        return np.sum(x * y)

    def written(x, y):
        z = x.copy()
        z[:] += y
        return z

    pairs = [((4, 3), (4, 5)), ((4, 5), (4, 3)), ((4, 2, 3), (4, 3, 3))]
    for function in (np.add, total, written, ad.grad(total, (0, 1))):
        f = ad.vmap(lambda x, y, function=function: function(x, y), target=target)
        single = ad.jit(lambda x, y, function=function: function(x, y), target="python")
        for first, second in pairs:
            with pytest.raises((ad.ShapeError, ValueError), match=r"must be equal|broadcast"):
                f(np.ones(first), np.ones(second))
        x, y = np.arange(12.0).reshape(4, 3), 100 * np.arange(4.0).reshape(4, 1)
        for _ in range(2):
            found = f(x, y)
            wanted = [single(*row) for row in zip(x, y, strict=True)]
            if isinstance(found, tuple):
                for k, part in enumerate(found):
                    np.testing.assert_allclose(part, [row[k] for row in wanted])
            else:
                np.testing.assert_allclose(found, wanted)


@TARGETS
def test_vmap_axes(target):
    f = ad.vmap(lambda r, s: (r * s, np.sum(r)), (1, 0), out_axes=0, target=target)
    scaled, sums = f(M, np.arange(4.0))
    np.testing.assert_allclose(scaled, (M * np.arange(4.0)).T)
    np.testing.assert_allclose(sums, M.sum(0))
    f = ad.vmap(lambda r: r * 2, -1, out_axes=-1, target=target)
    np.testing.assert_allclose(f(M), 2 * M)
    with pytest.raises(ad.ShapeError):
        ad.vmap(lambda a, b: a * b, target=target)(np.ones(3), np.ones(4))
    with pytest.raises(ad.TypeMismatch, match="has no axis 0"):
        ad.vmap(lambda a, b: a * b, target=target)(np.ones(3), 1.0)
    with pytest.raises(ad.TypeMismatch, match="1 in_axes for 2"):
        ad.vmap(lambda a, b: a * b, (0,))


@TARGETS
def test_hessian_of_a_choice_that_is_overwritten_by_what_was_made_of_it(target):
    def f(v, places):
        v = v.copy()
        zero = np.zeros(len(v))
        np.add.at(v, places, np.sin(np.where(v, v, zero)))
        return np.sum(v)

    v, places = np.array([0.3, 0.5, -0.7]), np.array([0, 2, 0])
    found = ad.hessian(f, target=target)(v, places)
    np.testing.assert_allclose(found, np.diag(-np.sin(v)), rtol=1e-14)


def test_vmap_draws_once_an_element():
    f = ad.vmap(lambda x: x * np.random.normal(), target="python")
    np.random.seed(0)
    found = f(np.ones(4))
    np.random.seed(0)
    np.testing.assert_array_equal(found, np.random.normal(size=4))
    np.random.seed(0)
    assert f(np.ones(0)).shape == (0,)
    assert np.random.normal() == found[0]


def test_vmap_runs_nothing_but_its_elements():
    def loss(x, v, z):
        w = z * 1.0
        s = x
        for _ in ad.checkpoint(range(len(z))):
            for _ in ad.checkpoint(range(len(z))):
                s *= 0.7
        for _ in ad.checkpoint(range(len(z))):
            w[v > 0.6] *= 0.4 * s
        return s + np.sum(w)

    x, v, z = np.array([0.3, 0.5]), np.ones((2, 3)), np.ones((2, 3))
    batched = ad.vmap(ad.grad(loss, (0, 1)), target="python")
    source = batched.source(x, v, z)
    assert "for" not in source[: source.index("for i in range(x.shape[0])")]
    singles, _ = zip(*map(ad.grad(loss, (0, 1), target="python"), x, v, z), strict=True)
    np.testing.assert_allclose(batched(x, v, z)[0], singles, rtol=1e-13)


@TARGETS
def test_vmap_refuses_results_of_different_shapes(target):
    f = ad.vmap(lambda r: r[r > 0.5], target=target)
    with pytest.raises(ad.ShapeError, match="the result of each element of vmap"):
        f(np.array([[0.0, 1.0], [1.0, 1.0]]))


@dataclasses.dataclass
class Line:
    a: Any
    b: Any

    def __call__(self, x):
        return self.a * x + self.b


def test_vmap_of_containers():
    lines = Line(np.arange(3.0), np.ones(3))
    found = ad.vmap(lambda line, x: line(x))(lines, X)
    np.testing.assert_allclose(found, lines.a * X + 1.0)
    slopes = ad.vmap(ad.grad(lambda line, x: line(x) ** 2))(lines, X)
    assert isinstance(slopes, Line)
    np.testing.assert_allclose(slopes.b, 2 * found)


COMPOSED = {
    "grad_of_hessian": lambda x: np.sum(ad.hessian(rosenbrock)(x) ** 2),
    "grad_of_grad_of_closure": lambda x: ad.grad(lambda t: np.sum(np.sin(t * x)))(x)[0] * x[1],
    "grad_of_jvp": lambda x: ad.jvp(lambda t: np.sum(t**3 * x), (x,), (x * 2,))[1],
    "grad_of_vjp": lambda x: np.sum(ad.vjp(lambda t: t * t * x[0], x)[1](x)[0]),
    "grad_of_vmap": lambda x: np.sum(ad.vmap(lambda a: a * a * x[0])(x) ** 2),
    "grad_of_jacrev": lambda x: np.sum(ad.jacrev(loops)(x) ** 2 * x),
    "grad_of_linearize": lambda x: np.sum(ad.linearize(vector, x)[1](x)),
    "value_and_grad_inside": lambda x: np.sum(ad.value_and_grad(rosenbrock)(x)[1] ** 2),
    "hvp_inside": lambda x: np.sum(ad.hvp(rosenbrock)(x, x)),
    "grad_in_a_loop": lambda x: _descended(x),
    "closure_over_loop": lambda x: _closure_in_loop(x),
}


def _descended(x):
    for _ in range(3):
        x = x - 0.001 * ad.grad(rosenbrock)(x)
    return np.sum(x * x)


def _closure_in_loop(x):
    total = 0.0
    for i in range(len(x)):
        y = x[i]

        def power(t):
            return t**3 * y + np.sum(t * x)

        total += ad.grad(power)(y * 2.0)
    return total


@pytest.mark.share(2)
@pytest.mark.parametrize("name", COMPOSED)
def test_transformations_inside_transformations(name):
    function = COMPOSED[name]
    value = ad.jit(function, target="python")
    for target in ("cpu", "python"):
        gradient = ad.grad(function, target=target)(X)
        np.testing.assert_allclose(gradient, differences(value, X, 1e-5), rtol=2e-5, atol=1e-6)
    ad.check_grads(function, (X,), order=1, target="python", rtol=1e-4, atol=1e-4)


def test_what_has_no_jacobian():
    with pytest.raises(ad.NotDifferentiable, match="an integer"):
        ad.jacfwd(lambda x: (x, 3))(X)
    with pytest.raises(ad.NotDifferentiable):
        ad.jacfwd(lambda n: n * 2.0)(3)


def test_written_captures_are_refused():
    def outer(x):
        buffer = np.zeros(3)

        def inner(t):
            buffer[0] = t * t
            return buffer[0]

        return ad.grad(inner)(x)

    with pytest.raises(ad.NotDifferentiable, match="writes `buffer`"):
        ad.jit(outer)(2.0)


def test_float32_stays():
    x = X.astype(np.float32)
    for transform in (ad.jacfwd, ad.jacrev):
        assert transform(vector)(x).dtype == np.float32
    assert ad.hessian(rosenbrock)(x).dtype == np.float32
    assert ad.vmap(lambda a: a * 2.0)(x).dtype == np.float32


# -- extents, closures and memory ------------------------------------------------------------------


def test_an_extent_that_a_check_finds_to_be_1_is_stretched():
    a = np.arange(12.0).reshape(3, 4)
    one = np.array([[1.0], [2.0], [3.0]])
    _, pullback = ad.vjp(lambda x: np.sum(x, axis=1, keepdims=True), a)
    np.testing.assert_array_equal(pullback(one)[0], np.broadcast_to(one, (3, 4)))

    def assigned(x, y):
        z = np.zeros((len(x), 1))
        z[:] = y
        return np.broadcast_to(y, x.shape) * 2.0

    def multiplied(x, y):
        z = np.ones((2, 1)) @ y
        return np.broadcast_to(y, x.shape) * z[0]

    def stacked(x, y):
        z = np.stack((y, np.ones((1, 4))))
        return np.broadcast_arrays(x, y)[1] * z[0]

    for function, y in ((assigned, one), (multiplied, a[:1]), (stacked, a[:1])):
        np.testing.assert_array_equal(ad.jit(function)(a, y), function(a, y))
        ad.check_grads(lambda x, y, f=function: np.sum(f(x, y) * x), (a, y))


def test_forward_mode_of_a_diagonal():
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(ad.jacfwd(lambda x: np.trace(x))(a), np.eye(2, 3))
    found = ad.jacfwd(ad.grad(lambda x: np.sum(np.diag(x) ** 2)))(a)
    assert found[1, 1, 1, 1] == 2.0
    assert found.sum() == 4.0


def test_a_hessian_of_a_closure_in_compiled_code():
    def function(x, a):
        return np.sum(ad.hessian(lambda y: np.sum(y**3) * a)(x))

    x = np.array([1.0, 2.0])
    assert ad.jit(function)(x, 2.0) == 36.0
    np.testing.assert_allclose(ad.grad(function)(x, 2.0), [12.0, 12.0])


def test_a_pullback_stays_at_its_primals():
    def function(x):
        return np.sum(x**3)

    x = np.array([1.0, 2.0])
    _, pullback = ad.vjp(function, x)
    _, push = ad.linearize(function, x)
    x[:] = 0.0
    np.testing.assert_array_equal(pullback(1.0)[0], [3.0, 12.0])
    assert push(np.ones(2)) == 15.0


def test_tangents_that_are_integers_and_those_of_integers():
    def product(n, x):
        return n * x * x

    assert ad.jvp(lambda x: x * x)((2.0,), (1,)) == (4.0, 4.0)
    assert ad.jvp(product, (2, 3.0), (0, 1.0)) == (18.0, 12.0)
    with pytest.raises(ad.TypeMismatch, match="a tangent of an integer") as caught:
        ad.jvp(product, (2, 3.0), (1.0, 1.0))
    assert "pass 2.0" in str(caught.value)
