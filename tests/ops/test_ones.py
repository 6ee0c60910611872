"""Slices of one element are broadcast; what is not there is refused when the function runs."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import ShapeError
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Region
from adcompile.graph.types import parse_types, shape_of
from adcompile.parse import indexing

X = np.random.default_rng(0).uniform(0.5, 1.5, (5, 3))


def beside_column(x, k):
    return np.sum(x * x[:, k : k + 1])


def beside_first(x):
    return np.sum(x[:1] * x)


def beside_each_other(x):
    return np.sum(x[:1] * x[1:2])


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_an_element_that_is_not_there_is_refused(target):
    gradient = ad.grad(beside_column, target=target)
    expected = X[:, 1:2] + (np.arange(3) == 1) * np.sum(X, axis=1, keepdims=True)
    np.testing.assert_allclose(gradient(X, 1), expected)
    with pytest.raises(ShapeError, match=r"x\[:, k : k \+ 1\]\.shape\[1\] must be 1"):
        gradient(X, 3)
    with pytest.raises(ShapeError, match="must be 1"):
        ad.grad(beside_first, target=target)(np.ones((0, 3)))


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_slices_of_one_beside_each_other_may_be_empty(target):
    assert ad.grad(beside_each_other, target=target)(np.ones((0, 3))).shape == (0, 3)


def test_extents_of_one_among_the_arguments_stay():
    row = X[:1]
    np.testing.assert_allclose(ad.grad(beside_first)(row), 2 * row)


@pytest.mark.parametrize(
    ("written", "is_of_one"),
    [
        ("x[:1]", True),
        ("x[-1:]", True),
        ("x[2:3]", True),
        ("x[-2:-1]", True),
        ("x[k : k + 1]", True),
        ("x[k - 1 : k]", True),
        ("x[k + 1 : 2 + k]", True),
        ("x[k + n : n + k + 1]", True),
        ("x[2 * k : k * 2 + 1]", True),
        ("x[:2]", False),
        ("x[1:]", False),
        ("x[:-1]", False),
        ("x[::2]", False),
        ("x[k : k + 2]", False),
        ("x[k : n + 1]", False),
        ("x[n : k]", False),
        ("x[k : k + 1 : -1]", False),
    ],
)
def test_which_slices_have_one_element(written, is_of_one):
    graph = Graph("f", [], Region())
    with Builder(graph) as builder:
        types = parse_types("f8[:], i8, i8")
        x, k, n = (builder.parameter(t, name) for t, name in zip(types, "xkn", strict=True))
        item = eval(written.replace("x[", "index["), {"index": np.s_, "k": k, "n": n})
        view = indexing.read(builder, x, item)
    assert shape_of(view.type)[0].of_one == is_of_one


def twice(x):
    return np.sum(x[:1] * x) + np.sum(np.cos(x) * x[:1])


def test_the_same_slice_is_checked_once():
    assert ad.grad(twice).source(X).count("must be 1") == 1


def grown(x, b):
    y = b[:1]
    total = np.sum(y * x)
    for _ in range(3):
        y = y * b
    return np.sum(y * np.sum(x)) + total


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_a_slice_that_grows_around_a_loop_is_refused(target):
    for derivative in (ad.grad(grown, target=target), ad.jit(grown, target=target)):
        with pytest.raises(ShapeError, match="an array carried around a loop"):
            derivative(X[0], X[1])


def beside_a_literal(v):
    w = np.ones(1)
    w += v[:1]
    both = np.hstack([np.ones(1), v[1:2]])
    return np.sum(v * v[:1]) + np.sum(w) + np.dot(v[:1], np.ones(1)) + np.sum(both * both)


def as_a_number(x):
    return np.sum(x[:1, :1].item() * x) + np.sum(np.squeeze(x[:1], axis=0) * x)


def chosen(x, k):
    if k > 0:
        first = x[k : k + 1]
    else:
        first = x[-1:]
    other = x[:1] if k < 2 else np.ones((1, 3))
    return np.sum(first * x) + np.sum(other * x**2)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(
    ("function", "args"),
    [(beside_a_literal, (X[0],)), (as_a_number, (X,)), *((chosen, (X, k)) for k in range(3))],
)
def test_gradients_beside_extents_of_one(function, args, target):
    found = ad.grad(function, target=target)(*args)
    step = 1e-6
    for place in np.ndindex(args[0].shape):
        up, down = args[0].copy(), args[0].copy()
        up[place] += step
        down[place] -= step
        slope = (function(up, *args[1:]) - function(down, *args[1:])) / (2 * step)
        np.testing.assert_allclose(found[place], slope, rtol=1e-7, atol=1e-7)


def of_two_lengths(x, a, b):
    total = 0.0
    for _ in range(a):
        total += np.sum(np.ones(3) * x)
    for _ in range(b):
        total += np.sum(np.ones(4) * x)
    return total


@pytest.mark.parametrize("transform", [ad.grad, ad.jit])
def test_an_array_that_cannot_have_two_lengths_is_refused(transform):
    with pytest.raises(ShapeError, match="must be equal"):
        transform(of_two_lengths)(np.ones(3), 1, 0)
