"""Refusals name file and line, show the line with a caret, and say what to write instead."""

import re

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import AdcompileError
from tests.programs import refused
from tests.programs.refused import REFUSED

ids = [entry[0].__name__ for entry in REFUSED]


@pytest.mark.parametrize(("function", "types", "message", "under", "options"), REFUSED, ids=ids)
def test_refusals(function, types, message, under, options):
    with pytest.raises(AdcompileError) as caught:
        ad.grad(function, **options).source(types)
    text = str(caught.value)
    assert message in text
    place, shown, carets = text.split("\n")[:3]
    file, line = re.match(r"(.*?):(\d+): ", place).groups()
    assert file == refused.__file__
    number, source = shown.split(" | ", 1)
    assert number.strip() == line
    start, end = carets.index("^"), carets.rindex("^") + 1
    offset = len(number) + 3
    assert source[start - offset : end - offset] == under


@pytest.mark.parametrize("name", ["with_try", "scalar_mask", "integer_argument", "kinds_differ"])
def test_hints_say_what_to_write(name):
    function, types, _, _, options = next(e for e in REFUSED if e[0].__name__ == name)
    with pytest.raises(AdcompileError, match="hint: "):
        ad.grad(function, **options).source(types)


def test_a_traceback_is_without_the_compiler():
    def deep(x):
        for _ in range(3):
            x = np.sin(np.fft.fft(x) if x[0] > 0 else x)
        return np.sum(x)

    for argument in (np.ones(3), {"a": np.ones(3)}):
        function = deep if isinstance(argument, np.ndarray) else lambda p: deep(p["a"])
        with pytest.raises(ad.UnsupportedOperation, match=r"np\.fft\.fft") as caught:
            ad.grad(function)(argument)
        assert len(caught.traceback) < 15


def test_errors_reach_the_caller_of_a_compiled_function_as_they_are():
    with pytest.raises(ad.NotDifferentiable) as caught:
        ad.grad(refused.integer_argument)(3)
    assert "numba" not in str(caught.value).lower()
    with pytest.raises(ad.UnsupportedSyntax):
        ad.grad(refused.with_try)(3.0)


def test_error_inside_a_called_function_shows_that_function():
    def outer(x):
        return refused.with_try(x) * 2

    with pytest.raises(ad.UnsupportedSyntax) as caught:
        ad.grad(outer).source("f8")
    assert refused.__file__ in str(caught.value)


def test_no_source():
    space = {}
    exec("def hidden(x):\n    return x * x\n", space)
    with pytest.raises(ad.SourceNotFound, match="hidden"):
        ad.grad(space["hidden"]).source("f8")
    with pytest.raises(ad.AdcompileError, match="len"):
        ad.grad(len).source("f8[:]")


def _difference(x, y):
    return np.sum(x - y)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_shapes_that_do_not_fit_at_run_time(target):
    gradient = ad.grad(_difference, target=target)
    assert gradient(np.ones(3), np.ones(3)).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ad.ShapeError) as caught:
        gradient(np.ones(3), np.ones(4))
    assert isinstance(caught.value, ValueError)
    assert "x.shape[0] and y.shape[0] must be equal" in str(caught.value)
    assert "return np.sum(x - y)" in str(caught.value)
    np.testing.assert_array_equal(gradient(np.ones(3), np.ones(1)), np.ones(3))
    with pytest.raises(ad.ShapeError):
        gradient(np.ones(3), np.ones(2))


def _products_in_a_loop(x, y, n):
    total = np.sum(x)
    for _ in range(n):
        total += x @ y
    return total


def _product_in_a_branch(x, y, use):
    return np.sum(x) + (x @ y if use else 0.0)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_shapes_that_do_not_fit_where_nothing_runs(target):
    x, y = np.ones(3), np.ones(2)
    with pytest.raises(ad.ShapeError, match=r"x.shape\[0\] and y.shape\[0\] must be equal"):
        ad.grad(_products_in_a_loop, target=target)(x, y, 0)
    found = ad.grad(_product_in_a_branch, target=target)(x, y, False)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(
    "argument", ["text", [1.0], {"a": 1.0}, None, np.ones(2, np.clongdouble), np.ones(2, ">f8")],
    ids=repr,
)  # fmt: skip
def test_unsupported_arguments(target, argument):
    with pytest.raises(ad.TypeMismatch):
        ad.grad(lambda x: np.sum(x * x), target=target)(argument)


def test_missing_and_wrong_arguments():
    gradient = ad.grad(_difference)
    with pytest.raises(TypeError):
        gradient(np.ones(3))
    with pytest.raises(ad.TypeMismatch):
        gradient.source("f8[:]")
    with pytest.raises(ad.TypeMismatch):
        gradient.source("float, f8")
    with pytest.raises(ad.TypeMismatch):
        ad.grad(_difference, target="gpu")
    with pytest.raises(ad.TypeMismatch):
        ad.jit(_difference, inplace="z")
    with pytest.raises(ad.TypeMismatch):
        gradient.source("f8[:], f8[:]", stage="final")


def test_overlapping_arguments_of_which_one_is_written():
    def function(a, b):
        a[0] = b[1]
        return np.sum(a * b)

    x = np.arange(4.0)
    ad.grad(function)(x.copy(), x)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        ad.grad(function)(x, x)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        ad.grad(function, target="python")(x, x[:4])


def test_stale_views_are_refused():
    def function(x):
        a = x.copy()
        b = np.broadcast_to(a, (2, 3))
        a[0] = 5.0
        return np.sum(b * b)

    with pytest.raises(ad.AdcompileError, match="copy"):
        ad.grad(function).source("f8[3]")


def with_options(x, **options):
    return x * options["scale"]


def with_rest(x, *rest):
    return x * rest[0]


@pytest.mark.parametrize(("function", "what"), [(with_options, "**options"), (with_rest, "*rest")])
@pytest.mark.parametrize("transform", [ad.grad, ad.jit, ad.hessian, ad.vmap])
def test_parameters_without_names_are_refused_where_they_stand(function, what, transform):
    with pytest.raises(ad.UnsupportedSyntax) as caught:
        transform(function)(2.0, scale=3.0)
    assert f"`{what}`" in str(caught.value) and "test_errors.py:" in str(caught.value)
