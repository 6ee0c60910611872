"""Derivatives given by the user, and functions that are run again in the reverse sweep."""

import numpy as np
import pytest

import adcompile as ad

TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])
X = np.array([0.3, 0.7, 1.1])


@ad.custom_jvp
def log1pexp(x):
    return np.log(1.0 + np.exp(x))


@log1pexp.defjvp
def _log1pexp_jvp(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return log1pexp(x), x_dot * (1.0 - 1.0 / (1.0 + np.exp(x)))


@TARGETS
def test_custom_jvp(target):
    assert log1pexp(0.0) == np.log(2.0)
    assert ad.grad(lambda x: log1pexp(x) * 2, target=target)(100.0) == 2.0
    _, tangent = ad.jvp(lambda x: log1pexp(x), (100.0,), (1.0,), target=target)
    assert tangent == 1.0
    s = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(log1pexp(x)), target=target)(X), s)
    hessian = ad.hessian(lambda x: np.sum(log1pexp(x)), target=target)(X)
    np.testing.assert_allclose(hessian, np.diag(s * (1 - s)))
    second = ad.grad(lambda x: np.sum(ad.grad(lambda t: np.sum(log1pexp(t)))(x)), target=target)
    np.testing.assert_allclose(second(X), s * (1 - s))
    np.testing.assert_allclose(ad.jit(lambda x: log1pexp(x), target=target)(X), np.log1p(np.exp(X)))


@ad.custom_jvp
def scaled(x, y, n, table):
    return {"a": x * y, "b": np.sum(x) ** n * table["s"]}


@scaled.defjvp
def _scaled_jvp(primals, tangents):
    x, y, n, table = primals
    x_dot, y_dot, _, table_dot = tangents
    result = {"a": x * y, "b": np.sum(x) ** n * table["s"]}
    power = np.sum(x) ** (n - 1)
    b = n * power * np.sum(x_dot) * table["s"] + np.sum(x) ** n * table_dot["s"]
    return result, {"a": 1000 * (x_dot * y + x * y_dot), "b": b}


def _uses_scaled(x, y):
    found = scaled(x, y, 3, {"s": y, "name": "t"})
    return np.sum(found["a"]) + found["b"]


@TARGETS
def test_custom_jvp_with_structures(target):
    x, y = ad.grad(_uses_scaled, (0, 1), target=target)(X, 2.0)
    total = np.sum(X)
    np.testing.assert_allclose(x, 1000 * 2.0 + 3 * total**2 * 2.0 * np.ones(3))
    np.testing.assert_allclose(y, 1000 * total + total**3)
    _, moved = ad.jvp(_uses_scaled, (X, 2.0), (X, 1.0), target=target)
    assert moved == pytest.approx(x @ X + y)


@ad.custom_vjp
def clipped(x, low):
    return np.maximum(x, low)


def _clipped_forward(x, low):
    return np.maximum(x, low), (x > low, len(x))


def _clipped_backward(residuals, cotangent):
    inside, n = residuals
    return np.where(inside, cotangent, 0.5 * cotangent), n * 1.0


clipped.defvjp(_clipped_forward, _clipped_backward)


def _uses_clipped(x, low):
    total = 0.0
    for k in range(3):
        y = clipped(x * (k + 1), low)
        total += np.sum(y * y)
        if k == 1:
            total += np.sum(clipped(x, low))
    return total


@TARGETS
def test_custom_vjp(target):
    x, low = ad.grad(_uses_clipped, (0, 1), target=target)(X, 0.9)
    wanted = np.zeros(3)
    for k in range(3):
        y = (k + 1) * X
        wanted += (k + 1) * np.where(y > 0.9, 1.0, 0.5) * 2 * np.maximum(y, 0.9)
    wanted += np.where(X > 0.9, 1.0, 0.5)
    np.testing.assert_allclose(x, wanted)
    assert low == 12.0
    with pytest.raises(ad.NotDifferentiable, match="no forward derivative"):
        ad.jvp(_uses_clipped, (X, 0.9), (X, 1.0), target=target)
    second = ad.grad(lambda x: np.sum(ad.grad(_uses_clipped)(x, 0.9)), target=target)(X)
    wanted = sum((k + 1) ** 2 * np.where((k + 1) * X > 0.9, 2.0, 0.0) for k in range(3))
    np.testing.assert_allclose(second, wanted)


def _step(u, h):
    v = np.zeros(len(u))
    for i in range(1, len(u) - 1):
        v[i] = u[i] + h * np.sin(u[i - 1] * u[i + 1])
    return v


def _simulated(u, h):
    for _ in range(5):
        u = _step(u, h)
    return np.sum(u * u)


def _simulated_again(u, h):
    for _ in range(5):
        u = ad.checkpoint(_step)(u, h)
    return np.sum(u * u)


def _checkpointed_closure(u, h):
    for k in range(4):
        v = u * k

        @ad.checkpoint
        def step(w):
            return np.sin(w * v) + h * w

        u = step(u)
    return np.sum(u * u)


def _closure(u, h):
    for k in range(4):
        u = np.sin(u * (u * k)) + h * u
    return np.sum(u * u)


@TARGETS
def test_checkpoint(target):
    u = np.random.default_rng(0).uniform(0.5, 1.5, 12)
    for plain, again in ((_simulated, _simulated_again), (_closure, _checkpointed_closure)):
        wanted = ad.grad(plain, (0, 1), target=target)(u, 0.1)
        found = ad.grad(again, (0, 1), target=target)(u, 0.1)
        for f, w in zip(found, wanted, strict=True):
            np.testing.assert_allclose(f, w, rtol=1e-12)
        found = ad.hvp(again, target=target)(u, 0.1, u)
        np.testing.assert_allclose(found, ad.hvp(plain, target=target)(u, 0.1, u), rtol=1e-10)
        assert ad.jvp(again, (u, 0.1), (u, 1.0), target=target)[1] == pytest.approx(
            ad.jvp(plain, (u, 0.1), (u, 1.0), target=target)[1]
        )
    assert "_tape" in ad.grad(_simulated).source("f8[:], f8")


def test_wrong_rules_are_refused():
    @ad.custom_jvp
    def f(x):
        return x * x

    with pytest.raises(ad.UnsupportedSyntax, match="has no derivative"):
        ad.grad(lambda x: f(x))(1.0)

    @f.defjvp
    def _rule(primals, tangents):
        return primals[0], tangents[0], 1.0

    with pytest.raises(ad.TypeMismatch, match="must give"):
        ad.grad(lambda x: f(x))(1.0)

    @ad.custom_vjp
    def g(x, y):
        return x * y

    g.defvjp(lambda x, y: (x * y, (x, y)), lambda r, c: (c * r[1],))
    with pytest.raises(ad.TypeMismatch, match="1 cotangents"):
        ad.grad(lambda x: g(x, x))(1.0)
    g.defvjp(lambda x, y: x * y, lambda r, c: (c * r[1],))
    with pytest.raises(ad.TypeMismatch, match="residuals"):
        ad.grad(lambda x: g(x, x))(1.0)


@pytest.mark.parametrize("decorator", [ad.checkpoint, ad.custom_jvp, ad.custom_vjp])
def test_writing_an_argument_is_refused(decorator):
    @decorator
    def step(a, x):
        a[0] = x[0] * x[0]
        return x[1]

    def function(x):
        a = np.zeros(len(x))
        t = step(a, x)
        return t * a[0]

    with pytest.raises(ad.UnsupportedSyntax, match="writes its argument `a`"):
        ad.grad(function)(np.ones(3))


@pytest.mark.parametrize("decorator", [ad.checkpoint, ad.custom_jvp, ad.custom_vjp])
def test_writing_an_argument_that_was_returned_is_refused(decorator):
    @decorator
    def same(a):
        return a[:2], np.sum(a)

    def function(x):
        a = x * 2.0
        part, total = same(a)
        a[0] = x[1]
        return np.sum(part) * total

    def written(x):
        part, total = same(x * 2.0)
        part[0] = x[1]
        return np.sum(part) * total

    with pytest.raises(ad.UnsupportedOperation, match="`same` may return the memory of `a`"):
        ad.jit(function, target="python")(np.ones(3))
    with pytest.raises(ad.UnsupportedOperation, match="may return the memory of"):
        ad.jit(written, target="python")(np.ones(3))


@ad.checkpoint
def _scaled_by_two(x):
    return x * np.sum(x[:2])


def _beside_itself(x):
    y = _scaled_by_two(x)
    return np.sum((x[:2] * y[:2])[0] * x)


def _beside_itself_plain(x):
    y = x * np.sum(x[:2])
    return np.sum((x[:2] * y[:2])[0] * x)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_checkpointed_extents_in_second_derivatives(target):
    """What is run again has extents of its own name, in both places."""
    x, v = np.array([0.3, 1.2, 0.7, 0.5]), np.array([1.0, -1.0, 0.5, 2.0])
    found = ad.hvp(_beside_itself, target=target)(x, v)
    np.testing.assert_allclose(found, ad.hvp(_beside_itself_plain)(x, v), rtol=1e-12)
