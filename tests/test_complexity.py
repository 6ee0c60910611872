"""A derivative costs a small multiple of its function, however long the loops are.

Operations and the elements that they touch are counted by running the graphs, so the results do not
depend on the machine.
"""

import timeit

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph import interpret
from adcompile.graph.types import Array, type_of
from tests.programs.linear_loops import MATRICES, VECTORS

_IN_PLACE = {"load", "store", "accumulate_at", "slice", "transpose", "dim", "empty", "constant"}


def work(op, frame):
    """Elements that an operation reads or writes."""
    if op.regions or op.name in _IN_PLACE:
        return 1
    if op.name in ("assign", "accumulate"):
        return np.size(frame[op.inputs[0]])
    if op.name in ("gather", "pop"):
        return np.size(frame[op.outputs[0]])
    if op.name in ("push", "scatter_add"):
        return np.size(frame[op.inputs[1]])
    if op.record.view and np.size(frame[op.inputs[0]]):
        return 1
    arrays = [v for v in [*op.inputs, *op.outputs] if isinstance(v.type, Array)]
    return max([1, *(np.size(frame[v]) for v in arrays)])


@pytest.fixture
def count(monkeypatch):
    """Counts the work of one call of a compiled function."""
    total = 0
    execute = interpret.Interpreter.execute

    def counting(machine, op):
        nonlocal total
        execute(machine, op)
        total += work(op, machine.frame)

    monkeypatch.setattr(interpret.Interpreter, "execute", counting)

    def run(function, args):
        nonlocal total
        graph = function._optimised([type_of(a) for a in args])
        total = 0
        interpret.interpret(graph, *args)
        return total

    return run


def derivatives(function):
    """The function, its gradient, and the two derivatives of that along a direction."""
    gradient = ad.grad(function)

    def along(x, v):
        return np.sum(gradient(x) * v)

    return {
        "function": (ad.jit(function), 1),
        "gradient": (gradient, 1),
        "forward": (_pushforward(function), 2),
        "forward over reverse": (ad.hvp(function), 2),
        "reverse over reverse": (ad.grad(along), 2),
    }


def _pushforward(function):
    return ad.jit(lambda x, v: ad.jvp(function, (x,), (v,))[1])


def arguments(function, n):
    rng = np.random.default_rng(0)
    x = 0.9 * rng.random((n, 3) if function in MATRICES else n)
    return x, np.ones_like(x)


@pytest.mark.share(2)
@pytest.mark.parametrize("function", [*VECTORS, *MATRICES], ids=lambda f: f.__name__)
def test_work_grows_with_the_work_of_the_function(function, count):
    made = derivatives(function)
    work = {}
    for n in (40, 80, 160):
        args = arguments(function, n)
        work[n] = {name: count(f, args[:k]) for name, (f, k) in made.items()}
    for name in made:
        growth = (work[160][name] - work[80][name]) / max(work[80][name] - work[40][name], 1)
        assert growth < 2.5, f"{name}: {[w[name] for w in work.values()]}"
        assert work[160][name] < 25 * work[160]["function"], name


@pytest.mark.share(8)
@pytest.mark.parametrize("function", [*VECTORS, *MATRICES], ids=lambda f: f.__name__)
def test_second_derivatives_agree(function):
    """The loops above, at sizes where they all do something."""
    x, _ = arguments(function, 7)
    v = np.random.default_rng(1).standard_normal(x.shape)
    made = {k: f for k, (f, _) in derivatives(function).items()}
    step = 1e-6

    def slope(f):
        return (f(x + step * v) - f(x - step * v)) / (2 * step)

    assert made["function"](x) == pytest.approx(function(x.copy()), rel=1e-12)
    assert np.sum(made["gradient"](x) * v) == pytest.approx(slope(function), rel=1e-6, abs=1e-7)
    found = made["forward over reverse"](x, v)
    np.testing.assert_allclose(found, slope(made["gradient"]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made["reverse over reverse"](x, v), found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", [*VECTORS, *MATRICES], ids=lambda f: f.__name__)
def test_tapes_grow_with_the_loop(function):
    sizes = [
        ad.grad(function).explain(arguments(function, n)[0]).tape_bytes for n in (50, 100, 200)
    ]
    assert None not in sizes
    assert sizes[2] - sizes[1] <= 2 * (sizes[1] - sizes[0])


def test_time_grows_with_the_loop():
    """Sixteen times the iterations of a compiled gradient: not 256 times the time."""
    from tests.programs.linear_loops import rebound_and_written

    gradient = ad.grad(rebound_and_written)
    times = {}
    for n in (1_000, 16_000):
        x = arguments(rebound_and_written, n)[0]
        gradient(x)
        times[n] = min(timeit.repeat(lambda x=x: gradient(x), number=1, repeat=5))
    assert times[16_000] < 64 * times[1_000]
