"""Iterations of a nest that read and add to the same memory run side by side."""

import re

import numpy as np
import pytest

import adcompile as ad
from tests.optimize.test_interleave import run_compiled
from tests.random_programs.lanes import interleaved_everywhere
from tests.random_programs.threads import in_any_order, spread_everywhere

RNG = np.random.default_rng(3)
X = RNG.standard_normal((37, 4))
MU = RNG.standard_normal((5, 4))
L = RNG.standard_normal((5, 6)) * 0.3


def packed(x, mu, l):
    """Distances by packed triangles: the place in them is taped, for all points the same."""
    total = 0.0
    n, d = x.shape
    for i in range(n):
        distances = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            difference = np.zeros(d)
            for j in range(d):
                difference[j] = x[i, j] - mu[c, j]
            product = difference.copy()
            place = 0
            for column in range(d):
                for row in range(column + 1, d):
                    product[row] += l[c, place] * difference[column]
                    place += 1
            for j in range(d):
                distances[c] += product[j] * product[j]
        total += np.log(np.sum(np.exp(-0.5 * distances)))
    return total


def soft_nearest(x, mu, l):
    """An array of numbers that are the same for all points, read in step."""
    total = 0.0
    for i in range(x.shape[0]):
        weights = np.zeros(mu.shape[0])
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            weights[c] = 0.0
            for j in range(l.shape[1]):
                weights[c] += l[c, j] * l[c, j]
        for c in range(mu.shape[0]):
            for j in range(x.shape[1]):
                own[c] += weights[c] * mu[c, j] * np.sin(x[i, j])
        for c in range(1, mu.shape[0]):
            total += own[c] * own[c - 1]
    return total


def read_by_each(x, mu, l):
    """The same for all points, but each reads another element."""
    total = 0.0
    for i in range(x.shape[0]):
        table = np.zeros(mu.shape[0])
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            for j in range(x.shape[1]):
                table[c] = mu[c, j] * l[c, 0]
                own[c] += table[c] * x[i, j]
        total += own[i % 3] * table[i % 5]
    return total


def set_by_some(x, mu, l):
    """What is the same for all points until one of them changes it."""
    total = 0.0
    for i in range(x.shape[0]):
        table = np.zeros(mu.shape[0])
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            table[c] = mu[c, 0]
            if x[i, 0] > 0.0:
                table[c] = mu[c, 1]
            for j in range(x.shape[1]):
                own[c] += table[c] * x[i, j] * l[c, j]
        total += np.sum(own * own)
    return total


def set_twice(x, mu, l):
    """The same for all points, read between two writes."""
    total = 0.0
    for i in range(x.shape[0]):
        table = np.zeros(mu.shape[0])
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            for j in range(x.shape[1]):
                table[c] = mu[c, j]
                own[c] += table[c] * x[i, j]
                table[c] = l[c, j]
                own[c] += np.cos(table[c] * own[c])
        total += np.sum(own)
    return total


NESTS = [packed, soft_nearest, read_by_each, set_by_some, set_twice]
three = lambda f, **options: ad.value_and_grad(f, (0, 1, 2), **options)


def _same(found, wanted):
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", NESTS)
def test_the_compiler_gets_what_is_interpreted(function):
    wanted = three(function, target="python")(X, MU, L)
    source, found = run_compiled(three(function), X, MU, L)
    assert ("for lane in range(count)" in source) == (function is packed)
    _same(found, wanted)
    _same(three(function)(X, MU, L), wanted)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("function", NESTS)
def test_of_any_number_of_iterations(function, count):
    args = (X[:count], MU, L)
    wanted = three(function, target="python")(*args)
    for outer in (False, True):
        with interleaved_everywhere(3, outer):
            _, found = run_compiled(three(function), *args)
        _same(found, wanted)


@pytest.mark.parametrize("function", NESTS)
def test_with_threads(function):
    wanted = three(function, target="python")(X, MU, L)
    with interleaved_everywhere(outer=True), spread_everywhere():
        derived = three(function)
        source, space = derived.source(X, MU, L, stage="compiled"), {}
    exec(compile(in_any_order(source), "<compiled>", "exec"), space)
    _same(space[derived.__name__](X, MU, L), wanted)


def test_what_is_the_same_is_kept_once():
    source = three(packed).source(X, MU, L, stage="compiled")
    lanes = source[source.index("for lane in range(count)") :]
    assert re.search(r"place_tape\[i, column\] = t", lanes)
    assert re.search(r"l_bar\[.*\] \+= l_bar_1\n", lanes)  # once for all lanes


def test_it_is_told_and_its_memory_is_bounded():
    for parallel in (False, True):  # a part of the loop in each thread
        told = three(packed, parallel=parallel).explain(X, MU, L).of("interleaved")
        assert ["use the same memory: 32 run side" in d.because for d in told] == [True]
    source = three(packed).source(X, MU, L, stage="compiled")
    assert re.search(r"n >= 8 and .* <= 262144", source)


def test_long_loops_stay_as_they_are_until_memory_is_large():
    """A processor has the vectors full, and all it reads in its near caches."""
    source = three(packed).source(X, MU, L, stage="compiled")
    assert re.search(r"if .* and \(\S+ <= 64 or .* >= 262144\):", source)


def made_late(x, mu, w):
    """The extent that all share is asked of an array that is made after the loop."""
    total = 0.0
    np.sum(w, axis=1)
    for i in range(x.shape[0]):
        a = np.zeros(w.shape[0])
        for c in range(mu.shape[0]):
            for j in range(w.shape[0]):
                a[j] += np.sin(a[j] * mu[c, j] + x[i])
        for j in range(w.shape[0]):
            total += a[j]
    return total


def test_extents_are_those_known_before_the_loop():
    w = RNG.standard_normal((4, 3))
    wanted = three(made_late, target="python")(X[:, 0], MU, w)
    source, found = run_compiled(three(made_late), X[:, 0], MU, w)
    assert "for lane in range(count)" in source
    _same(found, wanted)
    with spread_everywhere():
        derived = three(made_late, parallel=True)
        source, space = derived.source(X[:, 0], MU, w, stage="compiled"), {}
    assert "threads" in source
    exec(compile(in_any_order(source), "<compiled>", "exec"), space)
    _same(space[derived.__name__](X[:, 0], MU, w), wanted)


def small_matrices(a, b, c):
    """As many iterations as the nest inside has: four, perhaps, not many."""
    out = np.zeros(a.shape)
    for i in range(a.shape[0]):
        row = np.zeros(a.shape[0])
        for j in range(a.shape[0]):
            for k in range(a.shape[0]):
                row[j] += a[i, k] * b[k, j]
        for j in range(a.shape[0]):
            for k in range(a.shape[0]):
                out[i, j] += row[k] * c[k, j]
    return np.sum(out * out)


def one_loop(x, mu, l):
    """The compiler vectorises it as it is."""
    total = 0.0
    for i in range(x.shape[0]):
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            own[c] = np.exp(-((x[i, 0] - mu[c, 0]) ** 2)) * l[c, 0]
        for c in range(mu.shape[0]):
            total += own[c] * own[c]
    return total


def rows_of_its_own(x, mu, l):
    """Each point reads its own row: from lane to lane that lies apart."""
    total = 0.0
    for i in range(x.shape[0]):
        own = np.zeros(mu.shape[0])
        for c in range(mu.shape[0]):
            for j in range(x.shape[1]):
                own[c] += mu[c, j] * x[i, j]
        total += np.sum(own * own)
    return total


@pytest.mark.parametrize("function", [small_matrices, one_loop, rows_of_its_own])
def test_nests_that_stay_as_they_are(function):
    args = (X, MU, L) if function is not small_matrices else tuple(RNG.random((3, 4, 4)))
    wanted = three(function, target="python")(*args)
    source, found = run_compiled(three(function), *args)
    assert "i_first" not in source and (function is small_matrices or "lane" not in source)
    _same(found, wanted)
