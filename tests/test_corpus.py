"""Every program of the corpus: values, both modes, both targets, second order, float32."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import pass_order
from adcompile.graph.trees import as_tuples, is_container, is_static, mapped
from adcompile.graph.types import is_continuous, leaves, type_of
from adcompile.graph.verify import verify
from adcompile.schedule.loops import schedule_loops
from tests.programs.corpus import CORPUS

ids = [function.__name__ for function, _ in CORPUS]


def copied(item):
    return mapped(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, item)


def float_positions(args):
    return [k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a))))]


def moved(args, direction, step):
    if is_container(args):
        return mapped(lambda a, d: moved(a, d, step), args, direction)
    return args + step * direction if _is_continuous(args) else copied(args)


def _is_continuous(leaf):
    return not is_static(leaf) and is_continuous(type_of(leaf))


def random_like(item, rng):
    if is_container(item):
        return mapped(lambda leaf: random_like(leaf, rng), item)
    if not _is_continuous(item):
        return item
    drawn = rng.standard_normal(np.shape(item))
    return drawn if isinstance(item, np.ndarray) else float(drawn)


def slope(function, args, direction, step=1e-6):
    """Central difference along a direction, by plain Python and NumPy."""
    ahead, behind = (function(*moved(copied(args), direction, s)) for s in (step, -step))
    return (float(ahead) - float(behind)) / (2 * step)


def inner(cotangents, direction):
    products = [0.0]
    mapped(lambda d, c: products.append(_product(c, d)), direction, cotangents)
    return sum(products)


def _product(cotangent, direction):
    return 0.0 if cotangent is None else float(np.sum(np.asarray(cotangent, float) * direction))


def tolerance(function):
    return (
        dict(rel=2e-3, abs=1e-3)
        if function.__name__ in ("single", "converted")
        else dict(rel=2e-6, abs=1e-8)
    )


@pytest.mark.share(5, of="cpu")
@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_value_and_gradient(function, args, target):
    positions = tuple(float_positions(args))
    given = copied(args)
    value, gradient = ad.value_and_grad(function, positions, target=target)(*given)
    for before, after in zip(numbers(args), numbers(given), strict=True):
        np.testing.assert_array_equal(before, after)
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
        mapped(_fits, args[k], g)


def _fits(arg, part):
    """A gradient has the shape and dtype of what it belongs to."""
    if not _is_continuous(arg):
        assert part is None
        return
    assert np.shape(part) == np.shape(arg)
    if isinstance(arg, np.ndarray):
        assert part.dtype == arg.dtype


def numbers(tree):
    return list(leaves(as_tuples(tree)))


@pytest.mark.share(2)
@pytest.mark.parametrize("number", range(len(CORPUS)), ids=ids)
def test_forward_mode(number):
    function, args = CORPUS[number]
    direction = random_like(args, np.random.default_rng(0))
    if function.__name__ == "single":
        direction = tuple(np.asarray(d, np.float32)[()] for d in direction)
    target = "cpu" if number % 6 == 0 else "python"
    value, tangent = ad.jvp(function, copied(args), direction, target=target)
    assert value == pytest.approx(float(function(*copied(args))), rel=1e-6)
    step = 1e-2 if function.__name__ in ("single", "converted") else 1e-6
    expected = slope(function, args, direction, step)
    assert tangent == pytest.approx(expected, **tolerance(function))


@pytest.mark.share(2)
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
    for f, a, b in zip(numbers(found), numbers(ahead), numbers(behind), strict=True):
        np.testing.assert_allclose(f, (np.asarray(a) - b) / (2 * step), rtol=1e-4, atol=1e-5)


@pytest.mark.share(2)
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_graphs_stay_valid_through_every_pass(function, args):
    gradient = ad.value_and_grad(function, tuple(float_positions(args)))
    types = [type_of(a) for a in args]
    graph = gradient.__adcompile_graph__(types)
    verify(graph)
    for _ in range(2):
        for run, _description in pass_order.PASSES:
            run(graph)
            verify(graph)
    loops = schedule_loops(graph)
    verify(loops)
    for run, _description in pass_order.SCALAR_PASSES:
        run(loops)
        verify(loops)


@pytest.mark.share(3)
@pytest.mark.parametrize("number", range(len(CORPUS)), ids=ids)
def test_reverse_over_reverse(number):
    """The gradient of the gradient's length, some compiled, against forward over reverse."""
    function, args = CORPUS[number]
    if function.__name__ in ("single", "converted"):
        pytest.skip("differences of single precision say nothing")
    k = float_positions(args)[0]
    first = ad.grad(function, k)
    if is_container(args[k]):
        pytest.skip("the first argument is no single array")

    target = "cpu" if number % 15 == 0 else "python"
    second = ad.grad(_length_of(first, len(args)), k, target=target)(*copied(args))
    direction = random_like(args, np.random.default_rng(0))
    only = tuple(d if j == k else _zeros(d) for j, d in enumerate(direction))
    g, tangent = ad.jvp(first, copied(args), only, target="python")
    expected = 2 * float(np.sum(np.asarray(g) * tangent))
    assert float(np.sum(np.asarray(second) * only[k])) == pytest.approx(
        expected, rel=1e-8, abs=1e-9
    )


def _zeros(item):
    return mapped(lambda leaf: leaf * 0.0 if _is_continuous(leaf) else leaf, item)


def _length_of(gradient, count):
    forms = {
        1: lambda a: np.sum(gradient(a) ** 2),
        2: lambda a, b: np.sum(gradient(a, b) ** 2),
        3: lambda a, b, c: np.sum(gradient(a, b, c) ** 2),
        4: lambda a, b, c, d: np.sum(gradient(a, b, c, d) ** 2),
        6: lambda a, b, c, d, e, f: np.sum(gradient(a, b, c, d, e, f) ** 2),
    }
    return forms[count]
