"""Every program of the corpus: values, both modes, both targets, second order, float32."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import pipeline
from adcompile.graph.types import is_float, leaves, type_of
from adcompile.graph.verify import verify
from tests.programs.corpus import CORPUS

ids = [function.__name__ for function, _ in CORPUS]


def copied(item):
    if isinstance(item, tuple):
        return tuple(copied(part) for part in item)
    return item.copy() if isinstance(item, np.ndarray) else item


def float_positions(args):
    return [k for k, a in enumerate(args) if all(map(is_float, leaves(type_of(a))))]


def moved(args, direction, step):
    if isinstance(args, tuple):
        return tuple(moved(a, d, step) for a, d in zip(args, direction, strict=True))
    return args + step * direction if is_float(type_of(args)) else copied(args)


def random_like(item, rng):
    if isinstance(item, tuple):
        return tuple(random_like(part, rng) for part in item)
    if not is_float(type_of(item)):
        return item
    drawn = rng.standard_normal(np.shape(item))
    return drawn if isinstance(item, np.ndarray) else float(drawn)


def slope(function, args, direction, step=1e-6):
    """Central difference along a direction, by plain Python and NumPy."""
    ahead, behind = (function(*moved(copied(args), direction, s)) for s in (step, -step))
    return (float(ahead) - float(behind)) / (2 * step)


def inner(cotangents, direction):
    pairs = zip(leaves(cotangents), leaves(direction), strict=True)
    return sum(float(np.sum(np.asarray(c, float) * d)) for c, d in pairs)


def tolerance(function):
    return (
        dict(rel=2e-3, abs=1e-3)
        if function.__name__ in ("single", "converted")
        else dict(rel=2e-6, abs=1e-8)
    )


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_value_and_gradient(function, args, target):
    positions = tuple(float_positions(args))
    value, gradient = ad.value_and_grad(function, positions, target=target)(*copied(args))
    wanted = function(*copied(args))
    assert value == pytest.approx(
        float(wanted), rel=1e-6 if "single" in function.__name__ else 1e-12
    )
    rng = np.random.default_rng(0)
    direction = random_like(args, rng)
    step = 1e-2 if function.__name__ in ("single", "converted") else 1e-6
    expected = slope(function, args, direction, step)
    chosen = tuple(direction[k] for k in positions)
    assert inner(gradient, chosen) == pytest.approx(expected, **tolerance(function))
    for g, k in zip(gradient, positions, strict=True):
        for part, arg in zip(leaves(g), leaves(args[k]), strict=True):
            assert np.shape(part) == np.shape(arg)
            if isinstance(arg, np.ndarray):
                assert part.dtype == arg.dtype


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_arguments_are_left_alone(function, args):
    given = copied(args)
    ad.grad(function, tuple(float_positions(args)))(*given)
    for before, after in zip(leaves(args), leaves(given), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_forward_mode(function, args):
    direction = random_like(args, np.random.default_rng(0))
    if function.__name__ == "single":
        direction = tuple(np.asarray(d, np.float32)[()] for d in direction)
    value, tangent = ad.jvp(function, copied(args), direction)
    assert value == pytest.approx(float(function(*copied(args))), rel=1e-6)
    step = 1e-2 if function.__name__ in ("single", "converted") else 1e-6
    expected = slope(function, args, direction, step)
    assert tangent == pytest.approx(expected, **tolerance(function))


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_second_order(function, args):
    """Forward over reverse against differences of the gradient; on the NumPy target."""
    if function.__name__ in ("single", "converted"):
        pytest.skip("differences of single precision say nothing")
    positions = tuple(float_positions(args))
    gradient = ad.grad(function, positions, target="python")
    direction = random_like(args, np.random.default_rng(0))
    _, found = ad.jvp(gradient, copied(args), direction, target="python")
    step = 1e-5
    ahead, behind = (gradient(*moved(copied(args), direction, s)) for s in (step, -step))
    for f, a, b in zip(leaves(found), leaves(ahead), leaves(behind), strict=True):
        np.testing.assert_allclose(f, (np.asarray(a) - b) / (2 * step), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_graphs_stay_valid_through_every_pass(function, args):
    gradient = ad.value_and_grad(function, tuple(float_positions(args)))
    types = gradient._types(args)
    graph = gradient.__adcompile_graph__(types)
    verify(graph)
    for _ in range(2):
        for run, _description in pipeline.PASSES:
            run(graph)
            verify(graph)


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_reverse_over_reverse_compiled(function, args):
    """The gradient of the gradient's length, compiled, against forward over reverse."""
    if function.__name__ in ("single", "converted"):
        pytest.skip("differences of single precision say nothing")
    k = float_positions(args)[0]
    first = ad.grad(function, k)
    if isinstance(args[k], tuple):
        pytest.skip("the first argument is no single array")

    def length(*items):
        raise AssertionError

    second = ad.grad(_length_of(first, len(args)), k)(*copied(args))
    direction = random_like(args, np.random.default_rng(0))
    only = tuple(
        d
        if j == k
        else (0.0 * d if is_float(type_of(d)) else d)
        if not isinstance(d, tuple)
        else _zeros(d)
        for j, d in enumerate(direction)
    )
    g, tangent = ad.jvp(first, copied(args), only, target="python")
    expected = 2 * float(np.sum(np.asarray(g) * tangent))
    assert float(np.sum(np.asarray(second) * only[k])) == pytest.approx(
        expected, rel=1e-8, abs=1e-9
    )


def _zeros(item):
    return tuple(_zeros(i) for i in item) if isinstance(item, tuple) else item * 0.0


def _length_of(gradient, count):
    forms = {
        1: lambda a: np.sum(gradient(a) ** 2),
        2: lambda a, b: np.sum(gradient(a, b) ** 2),
        3: lambda a, b, c: np.sum(gradient(a, b, c) ** 2),
        4: lambda a, b, c, d: np.sum(gradient(a, b, c, d) ** 2),
        6: lambda a, b, c, d, e, f: np.sum(gradient(a, b, c, d, e, f) ** 2),
    }
    return forms[count]
