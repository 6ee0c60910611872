"""Containers through the public interface: structures in, the same structures out."""

import dataclasses
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import adcompile as ad
from tests.programs.containers import Affine, Linear, MultilayerPerceptron, Sequential

TARGETS = pytest.mark.parametrize("target", ["cpu", "python"])
W, B, X = np.arange(6.0).reshape(3, 2) / 7, np.array([0.1, -0.2]), np.ones((4, 3))


def _loss(model, x):
    return np.sum(model(x) ** 2)


@TARGETS
def test_gradients_have_the_structure_of_the_argument(target):
    model = Sequential([Linear(W, B), np.tanh, Linear(W.T.copy(), np.zeros(3))])
    gradient = ad.grad(_loss, target=target)(model, X)
    assert isinstance(gradient, Sequential) and isinstance(gradient.layers, list)
    first, function, last = gradient.layers
    assert isinstance(first, Linear) and function is None
    hidden = np.tanh(X @ W + B)
    out = hidden @ W.T
    np.testing.assert_allclose(last.w, hidden.T @ (2 * out))
    np.testing.assert_allclose(last.b, np.sum(2 * out, 0))
    assert first.w.shape == W.shape


@dataclasses.dataclass(frozen=True)
class Settings:
    power: int = dataclasses.field(metadata={"static": True})
    scale: float = 1.0
    name: str = "settings"
    count: int = 3


def _static_fields(s, x):
    total = 0.0
    for k in range(s.count):
        total += np.sum(x**s.power) * s.scale * k
    return total if s.name == "settings" else 0.0


@TARGETS
def test_static_parts_and_integers(target):
    g = ad.grad(_static_fields, target=target)
    x = np.array([1.0, 2.0])
    found = g(Settings(2), x)
    assert found == Settings(2, 15.0, None, None)
    assert g(Settings(3), x).scale == 27.0
    assert g(Settings(3, name="other"), x).scale == 0.0
    assert g(Settings(3, count=2), x).scale == 9.0


def _various(d, pair):
    return {"sum": d["a"] + d["b"][0], "pair": Affine(pair.w * 2, [pair.b, d["a"]]), "n": 3}


@TARGETS
def test_results_are_containers(target):
    found = ad.jit(_various, target=target)({"a": 1.0, "b": (2.0, 3.0)}, Affine(B, 5.0))
    assert list(found) == ["sum", "pair", "n"] and found["sum"] == 3.0 and found["n"] == 3
    assert isinstance(found["pair"], Affine) and found["pair"].b == [5.0, 1.0]
    np.testing.assert_array_equal(found["pair"].w, 2 * B)


def _in_order(d):
    total = 0.0
    for value in d.values():
        total = 2 * total + value
    for key in d:
        total = 2 * total + d[key] + len(key)
    return total


@TARGETS
def test_dicts_are_gone_through_in_their_order(target):
    for pair in ([("a", 1.0), ("bc", 10.0)], [("bc", 10.0), ("a", 1.0)]):
        run = ad.jit(_in_order, target=target)
        for _ in range(2):
            for d in (dict(pair), dict(pair[::-1]), OrderedDict(pair), OrderedDict(pair[::-1])):
                assert run(d) == _in_order(d)


def _by_class(item):
    """What a part of a tree is, asked as Python has it."""
    if isinstance(item, (dict, Affine)):
        return 1.0
    if isinstance(item, np.ndarray):
        return 2.0
    return 3.0 if not isinstance(item, (tuple, list, str)) and isinstance(item, object) else 4.0


def _classes(a, b, c, d):
    return _by_class(a) + 10 * _by_class(b) + 100 * _by_class(c) + 1000 * _by_class(d)


@TARGETS
def test_classes_are_told_apart(target):
    for args in (({"a": 1.0}, W, 2.0, [1.0]), ((2,), B, 3, W), (Affine(W, B), 1j, True, "text")):
        assert ad.jit(_classes, target=target)(*args) == _classes(*args)


def _memberships(p, x, k, mode):
    total = p["bias"] if "bias" in p else x
    if mode in ("double", "triple") and "missing" not in p:
        total = total * (2 if mode == "double" else 3)
    if k in (1, 2, int(p["w"][0])):
        total += x * x
    if x not in [p["w"][1], 7.0, None] and "o" in mode and k not in {3: 1.0}:
        total += 10 * x
    return total


@TARGETS
def test_parts_of_containers_are_found(target):
    value_and_grad = ad.value_and_grad(_memberships, argnums=1, target=target)
    w = np.array([5.0, 6.0])
    for p in ({"w": w}, {"w": w, "bias": 0.5}, {"w": w, "missing": 1.0}):
        for x, k, mode in ((6.0, 1, "double"), (1.5, 3, "triple"), (7.0, 5, "x"), (2.0, 4, "none")):
            value, slope = value_and_grad(p, x, k, mode)
            assert value == _memberships(p, x, k, mode)
            ahead, behind = (_memberships(p, x + h, k, mode) for h in (1e-6, -1e-6))
            if x not in (6.0, 7.0):
                assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


def _starred(layers, x):
    (first, bias), *others = layers
    *_, (last, _) = layers
    a, *b, c = (x, 2 * x, 3 * x, 4 * x)
    b.append(first)
    total = a * b[0] + b[-1] * c + last * len(b) + bias
    for w, *rest in others:
        total += w * rest[0] * x
    head, *none = [total]
    return head + len(none)


NUMBERS = (*tuple(np.arange(3)), np.float32(7.5), np.True_)


def _among_numpys(x, n):
    return x if n in NUMBERS else 2.0 * x


@TARGETS
def test_numbers_of_numpy_are_found(target):
    run = ad.jit(_among_numpys, target=target)
    for n in (1, 2, 3, 7.5, 8.5, True):
        assert run(1.5, n) == _among_numpys(1.5, n)
    with pytest.raises(ad.UnsupportedSyntax, match="`is` of two numbers"):
        ad.jit(lambda x: x if (x > 0) is True else -x, target=target)(1.0)


@TARGETS
def test_the_rest_of_a_container(target):
    gradient = ad.value_and_grad(_starred, argnums=1, target=target)
    for layers in ([(2.0, 1.0), (3.0, 0.5), (4.0, 1.5)], ((2.0, 1.0),)):
        value, slope = gradient(layers, 1.5)
        assert value == _starred(layers, 1.5)
        ahead, behind = (_starred(layers, 1.5 + h) for h in (1e-6, -1e-6))
        assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-8)
    with pytest.raises(ad.ShapeError, match="2 names for the parts of a tuple of 1"):
        ad.jit(lambda t: _second(t), target=target)((1.0,))


def _second(t):
    _, second, *_ = t
    return second


def _plain_arguments(x, y):
    return {"value": np.sum(x * y), "parts": [x * 2, y]}


@TARGETS
def test_containers_out_of_plain_arguments(target):
    f = ad.jit(_plain_arguments, target=target)
    for _ in range(3):
        found = f(B, 2 * B)
        assert found["value"] == pytest.approx(0.1) and isinstance(found["parts"], list)


def _weighted(p, x):
    return np.sum(p["w"] * x) * p["s"]


@TARGETS
def test_the_same_function_takes_plain_and_other_structures(target):
    g = ad.grad(_weighted, target=target)
    x = np.array([1.0, 2.0])
    found = g({"w": x, "s": 2.0}, x)
    assert list(found) == ["w", "s"] and found["s"] == 5.0
    found = g(OrderedDict(s=2.0, w=x), x)
    assert isinstance(found, OrderedDict) and list(found) == ["s", "w"]
    np.testing.assert_array_equal(found["w"], 2 * x)
    with pytest.raises(ad.ShapeError):
        g({"w": np.ones(3), "s": 1.0}, x)
    found = g({"w": np.ones(1), "s": 1.0}, x)  # stretched
    np.testing.assert_array_equal(found["w"], [3.0])


@TARGETS
def test_jvp_and_vjp(target):
    model = MultilayerPerceptron(Linear(W, B), Linear(W[:2], B))
    tangent = MultilayerPerceptron(Linear(W, B), Linear(W[:2], B), None)
    value, moved = ad.jvp(_loss, (model, X), (tangent, X), target=target)
    value_again, pullback = ad.vjp(_loss, model, X, target=target)
    assert value == value_again == pytest.approx(_loss(model, X))
    back, x_bar = pullback(1.0)
    pairs = [(back.hidden.w, W), (back.hidden.b, B), (back.output.w, W[:2]), (back.output.b, B)]
    assert moved == pytest.approx(sum(np.sum(a * b) for a, b in [*pairs, (x_bar, X)]))
    assert back.activation is None
    ad.check_grads(_loss, (model, X), order=2 if target == "python" else 1, target=target)
    ad.check_grads(_various, ({"a": 1.0, "b": (2.0, 3.0)}, Affine(B, 5.0)), target=target)


def _scaled_in_place(p, x):
    p["w"][:] = p["w"] * x
    return np.sum(p["w"])


@TARGETS
def test_arrays_in_containers_are_copied_unless_inplace(target):
    p = {"w": np.ones(2)}
    assert ad.jit(_scaled_in_place, target=target)(p, 3.0) == 6.0
    np.testing.assert_array_equal(p["w"], 1.0)
    run = ad.jit(_scaled_in_place, inplace="p", target=target)
    run(p, 3.0), run(p, 3.0)
    np.testing.assert_array_equal(p["w"], 9.0)
    assert ad.grad(_scaled_in_place, 1, target=target)({"w": np.ones(2)}, 3.0) == 2.0


def _shared(p, x):
    p["w"][:] = p["w"] * x
    return np.sum(p["w"]) + np.sum(x)


def test_shared_memory_inside_containers_is_refused():
    a = np.ones(3)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        ad.jit(_shared)({"w": a}, a)


@dataclasses.dataclass
class Model:
    w: Any

    @ad.jit
    def __call__(self, x):
        return np.sum(self.w * x)

    @ad.grad
    def slope(self, x):
        return np.sum(self.w * x) ** 2


def test_methods():
    model = Model(B)
    assert model(2 * B) == pytest.approx(0.1)
    np.testing.assert_allclose(model.slope(2 * B).w, 2 * 0.1 * 2 * B)


def _squared(model, x, t):
    return np.mean((model(x) - t) ** 2)


def test_a_training_loop_over_an_object_is_one_compiled_function():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    t = x @ W + B
    start = Linear(np.zeros((3, 2)), np.zeros(2))
    model = ad.jit(_steps)(start, x, t, 0.3, 200)
    np.testing.assert_allclose(model.w, W, atol=1e-6)
    np.testing.assert_allclose(model.b, B, atol=1e-6)


def _steps(model, x, t, lr, n):
    slope = ad.grad(_squared)
    for _ in range(n):
        change = slope(model, x, t)
        model = Linear(model.w - lr * change.w, model.b - lr * change.b)
    return model


def test_what_cannot_be_hashed_is_refused():
    class Odd:
        __hash__ = None

        def __call__(self, x):
            return x

    with pytest.raises(ad.TypeMismatch, match="hashable"):
        ad.jit(_loss)(Odd(), X)


def test_source_takes_containers():
    text = ad.grad(_weighted).source({"w": B, "s": 1.0}, B)
    assert "s, w = p" in text


def assembled(u, stiffness):
    """Degrees of freedom of each element in a list, as in finite elements."""
    n = len(u) // 2
    matrix = np.zeros((2 * n, 2 * n))
    for e in range(n - 1):
        dofs = [2 * e, 2 * e + 1, 2 * e + 2, 2 * e + 3]
        for a in range(4):
            for b in range(4):
                matrix[dofs[a], dofs[b]] += stiffness[a, b] * u[dofs[a]]
    return np.sum(matrix**3)


def weights_of_the_run(u, stiffness):
    """Numbers that depend on arguments, and some that do not, from both ends."""
    weights = (1.0, u[0], stiffness[1, 2] * u[1])
    rows = [(u[2], 2), (u[3] * u[0], len(u))]
    total = 0.0
    for i in range(len(u)):
        factor, k = rows[i % 2]
        total += weights[(i + 1) % 3] * u[i] + weights[-1 - i % 2] * factor * u[k % len(u)]
    return total


@TARGETS
@pytest.mark.parametrize("function", [assembled, weights_of_the_run])
def test_the_run_chooses_of_numbers_that_it_computed(function, target):
    u, stiffness = np.sin(np.arange(1.0, 9.0)), np.cos(np.arange(16.0)).reshape(4, 4)
    value, gradients = ad.value_and_grad(function, (0, 1), target=target)(u, stiffness)
    np.testing.assert_allclose(value, function(u, stiffness), rtol=1e-13)
    for k, gradient in enumerate(gradients):
        wanted = ad.jacfwd(function, argnums=k, target="python")(u, stiffness)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-11, atol=1e-13)
    ad.check_grads(function, (u, stiffness), order=1)


@TARGETS
def test_what_is_chosen_keeps_its_kind(target):
    def halves(n, x):
        sizes = [n, n + 1, n + 2]
        return x * (sizes[n % 3] // 2)

    assert ad.jit(halves, target=target)(5, 1.5) == halves(5, 1.5)

    def mixed(n, x):
        return [n, x][n]

    with pytest.raises(ad.AdcompileError, match="indexed by constants only"):
        ad.jit(mixed, target=target)(1, 1.5)
