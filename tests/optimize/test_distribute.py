"""Loops that compute several iterations before they do what needs an order."""

import math
import re

import numpy as np
import pytest

import adcompile as ad
from tests.optimize.test_interleaved_nests import run_compiled
from tests.random_programs.lanes import distributed_everywhere
from tests.random_programs.threads import spread_everywhere

RNG = np.random.default_rng(17)
X, W = RNG.standard_normal(90), RNG.standard_normal(3)
BINS, CHOSEN = RNG.integers(0, 7, 90), RNG.integers(0, 90, (90, 2))
POINTS = RNG.standard_normal((90, 3))
PAIRS = np.where(CHOSEN[:, :1] == CHOSEN[:, 1:], (CHOSEN + np.array([0, 1])) % 90, CHOSEN)


def histogram(x, w, bins):
    sums = np.zeros(7)
    for i in range(len(x)):
        z = math.tanh(x[i] * w[0] + w[1]) * math.exp(-0.5 * x[i] * x[i])
        sums[bins[i]] += z * z / (1.0 + z * z)
    return np.sum(sums * sums)


def backwards(x, w, bins):
    sums = np.zeros(7)
    for i in range(len(x) - 1, -1, -1):
        sums[bins[i]] = 0.5 * sums[bins[i]] + math.sin(w[0] * x[i]) * math.exp(w[1] * x[i])
    return np.sum(sums * sums)


def chosen_rows(points, w, pairs):
    energy = 0.0
    for k in range(len(pairs)):
        i, j = pairs[k, 0], pairs[k, 1]
        square = w[0] * w[0]
        for axis in range(3):
            square += (points[i, axis] - points[j, axis]) ** 2
        r = math.sqrt(square)
        energy += math.exp(-r) * math.cos(w[1] * r) / r + w[2] * math.log(1.0 + r)
    return energy


def under_conditions(x, w, bins):
    sums, scale, rate = np.zeros(7), w[1], w[2]
    for i in range(len(x)):
        y = w[0]
        if x[i] > 0.0:
            y = math.log(x[i]) * math.exp(scale * x[i])
            if x[i] > 1.0:
                y += math.tanh(rate * x[i])
        else:
            z = math.atan(x[i]) * y
            y -= z * math.exp(z)
        sums[bins[i]] += y
    return np.sum(np.tanh(sums))


def from_the_last(x, w, _):
    state = w[0]
    for i in range(len(x)):
        state = math.tanh(state) * w[1] + math.exp(-x[i] * x[i]) * math.sin(w[2] * x[i])
    return state


def counted(x, w, _):
    """Where is found out while others are written; a flag is handed on."""
    kept = np.zeros(len(x))
    count = 0
    for i in range(len(x)):
        z = math.exp(-x[i] * x[i]) * math.cos(w[0] * x[i]) * math.tanh(w[1] * x[i])
        if z > 0.1:
            kept[count] = z
            count += 1
    return np.sum(kept * kept) + w[2]


def single(x, w, bins):
    sums = np.zeros(7, np.float32)
    for i in range(len(x)):
        z = np.tanh(x[i] * w[0] + w[1]) * np.exp(-x[i] * x[i])
        sums[bins[i]] += z * np.sin(z)
    return np.sum(sums * sums)


def of_rows(points, w, bins):
    """In a loop around, and after a loop of few iterations."""
    total = 0.0
    for axis in range(points.shape[1]):
        sums = np.zeros(7)
        for i in range(points.shape[0]):
            z = math.tanh(points[i, axis] * w[0]) * math.exp(w[1] * points[i, axis])
            sums[bins[i]] += z * math.cos(z)
        total += np.sum(sums * sums)
    return total


SPLIT = [
    (histogram, X, BINS), (backwards, X, BINS), (chosen_rows, POINTS, PAIRS),
    (from_the_last, X, BINS), (counted, X, BINS), (of_rows, POINTS, BINS),
]  # fmt: skip


def reads_what_it_writes(x, w, bins):
    y = x * 1.0
    for i in range(len(x)):
        y[bins[i]] = math.tanh(y[i] * w[0]) * math.exp(w[1] * y[i]) * math.cos(w[2] * y[i])
    return np.sum(y)


def stops(x, w, bins):
    sums = np.zeros(7)
    for i in range(len(x)):
        if bins[i] > 6:
            raise ValueError("no such bin")
        sums[bins[i]] += math.tanh(x[i] * w[0]) * math.exp(w[1] * x[i]) * math.cos(w[2] * x[i])
    return np.sum(sums * sums)


def vectorised_anyway(x, w, bins):
    total = 0.0
    for i in range(len(x)):
        total += math.tanh(x[i] * w[0]) * math.exp(w[1] * x[i]) * math.cos(w[2] * x[i])
    return total


def little_work(x, w, bins):
    sums = np.zeros(7)
    for i in range(len(x)):
        sums[bins[i]] += x[i] * w[0] + w[1]
    return np.sum(sums * sums)


WHOLE = [reads_what_it_writes, stops, vectorised_anyway, little_work]


def derivative(function, **options):
    return ad.value_and_grad(function, (0, 1), **options)


def close(found, wanted, tolerance=1e-11):
    np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance)
    for mine, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=100 * tolerance, atol=tolerance)


@pytest.mark.parametrize(("function", "x", "chosen"), SPLIT)
def test_results_stay(function, x, chosen):
    wanted = derivative(function, target="python")(x, W, chosen)
    source, found = run_compiled(derivative(function), x, W, chosen)
    assert "for turn in range(count)" in source
    close(found, wanted)
    close(derivative(function)(x, W, chosen), wanted)
    close(derivative(function, fastmath=False)(x, W, chosen), wanted)
    with distributed_everywhere(3):
        close(run_compiled(derivative(function), x, W, chosen)[1], wanted)
    with distributed_everywhere(5), spread_everywhere():
        close(run_compiled(derivative(function), x, W, chosen)[1], wanted)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 31, 32, 33, 64, 65])
@pytest.mark.parametrize(("function", "x", "chosen"), SPLIT)
def test_any_number_of_iterations(function, x, chosen, count):
    if function is chosen_rows:
        args = x, W, chosen[:count]
    else:
        args = x[:count], W, chosen[:count]
    close(FUNCTIONS[function](*args), derivative(function, target="python")(*args))


FUNCTIONS = {function: derivative(function) for function, *_ in SPLIT}


@pytest.mark.parametrize("count", [0, 15, 16, 50, 90])
def test_both_sides_of_branches(count):
    args = X[:count], W, BINS[:count]
    value = ad.jit(under_conditions)
    text = value.source(*args, stage="compiled")
    assert re.search(r"for lane in range\(count\):\n(?: {16}(?!if ).*\n)+ {12}for turn", text)
    np.testing.assert_allclose(value(*args), under_conditions(*args))
    wanted = derivative(under_conditions, target="python")(*args)
    with distributed_everywhere(3):
        close(run_compiled(derivative(under_conditions), *args)[1], wanted)
    close(derivative(under_conditions)(*args), wanted)


def test_single_precision():
    args = X.astype(np.float32), W.astype(np.float32), BINS
    wanted = derivative(single, target="python")(*args)
    found = derivative(single)(*args)
    assert found[1][0].dtype == np.float32
    close(found, wanted, 1e-5)
    assert "for turn in" in derivative(single).source(*args, stage="compiled")


@pytest.mark.parametrize("function", WHOLE)
def test_what_stays_as_it_is(function):
    made = derivative(function)
    assert "for turn in" not in made.source(X, W, BINS, stage="compiled")
    close(made(X, W, BINS), derivative(function, target="python")(X, W, BINS))


@pytest.mark.parametrize("function", WHOLE)
def test_wherever_it_is_allowed(function):
    wanted = derivative(function, target="python")(X, W, BINS)
    with distributed_everywhere(4):
        close(run_compiled(derivative(function), X, W, BINS)[1], wanted)


def past_zero(x, w, bins):
    """Two iterations of one block store in one element: the later one counts."""
    n = len(x)
    y, sums = np.zeros(n), np.zeros(7)
    for i in range(n - 1, -n - 1, -1):
        z = math.tanh(x[i] + w[0] * i) * math.exp(-x[i] * x[i]) * math.sin(x[i])
        y[i] = z * math.cos(z)
        sums[bins[i]] += z * math.exp(z)
    return np.sum(y * np.arange(n)) + np.sum(sums * sums)


@pytest.mark.parametrize("count", [8, 12, 40])
def test_elements_from_the_end_are_those_of_others(count):
    args = X[:count], W, BINS[:count]
    close(derivative(past_zero)(*args), derivative(past_zero, target="python")(*args))
    np.testing.assert_allclose(ad.jit(past_zero)(*args), past_zero(*args))


def test_an_error_comes_where_it_did():
    bins = BINS.copy()
    bins[40] = 9
    with pytest.raises(ValueError, match="no such bin"):
        derivative(stops)(X, W, bins)


def test_explain_says_why():
    told = derivative(histogram).explain(X, W, BINS).of("distributed")
    assert [d.because for d in told] == [
        "elements that data chooses are written: 32 iterations compute what needs no order before"
    ]
    told = derivative(from_the_last).explain(X, W, BINS).of("distributed")
    assert told and told[0].because.startswith("an iteration reads what the last one computed")


def test_the_pass_can_be_switched_off():
    for options in ({"passes": {"distribute_loops": False}}, {"boundscheck": True}):
        made = derivative(histogram, **options)
        assert "for turn in" not in made.source(X, W, BINS, stage="compiled")
        close(made(X, W, BINS), derivative(histogram)(X, W, BINS))
