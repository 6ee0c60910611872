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
