"""Iterations that each wait for steps of their own run side by side."""

import re

import numpy as np
import pytest

import adcompile as ad
from tests.random_programs.lanes import interleaved_everywhere
from tests.random_programs.threads import in_any_order, spread_everywhere


def powers(x, n):
    """A number from step to step, and a sum that all iterations add to."""
    total = 0.0
    for i in range(n):
        t = -1.0 + i * (2.0 / (n - 1))
        rest, power = np.sin(t), 1.0
        for j in range(len(x)):
            rest -= x[j] * power
            power *= t
        total += rest * rest
    return 0.5 * total


def exchanged(x, n):
    """Each of two numbers becomes the other, in one step and around a loop inside it."""
    total = 0.0
    for i in range(len(x)):
        a, b = x[i], 1.0
        for _ in range(n):
            a, b = b * 0.9, a + 0.1 * np.sin(b)
            c = a
            for _ in range(2):
                c = c * c * 0.5 + b
            a, b = b, a + 0.01 * c
        total += a - b * b
    return total


def clock(x, n):
    """A time that is the same for all, and a step that depends on it."""
    total = 0.0
    for i in range(len(x)):
        y, t = x[i], 0.0
        for _ in range(n):
            y += 0.1 * (np.cos(t) - y * y)
            t += 0.1
        total += y * t
    return total


def after_one_another(x, n):
    """A chain goes on where another ended; sums between."""
    total = 0.0
    for i in range(len(x) - 1, 0, -1):
        y, s = x[i] * x[i - 1], 0.0
        for j in range(n):
            y = np.tanh(y + x[j])
            s += y
        z = y * s
        for j in range(n - 1, -1, -1):
            z = 0.5 * z * (1.0 + z) + y
            s -= z * x[j]
        total += s * z
    return total


def paths(x, n):
    """Elements of results, and an array that each iteration fills for itself."""
    ends, work = np.empty(len(x)), np.empty(n)
    path = np.empty((n, len(x)))
    for i in range(len(x)):
        y = x[i]
        for t in range(n):
            y = y * (1.1 - 0.3 * y)
            work[t] = y * x[i]
            path[t, i] = y
        for t in range(1, n):
            y += work[t] * work[t - 1]
        ends[i] = y
    return np.sum(ends**2) + np.sum(path[1] * path[n - 1])


def rounds(x, n):
    """In a loop whose rounds follow each other."""
    y = x.copy()
    for _ in range(3):
        for i in range(len(y)):
            v = y[i]
            for _ in range(n):
                v -= 0.05 * v * v
            y[i] = v
    return np.sum(y * y)


def scattered(x, n):
    """All iterations add to elements that they pick."""
    counts = np.zeros(3)
    for i in range(len(x)):
        y = x[i]
        for _ in range(n):
            y = np.sin(y) + 0.1
        counts[i % 3] += y
    return np.sum(counts * counts)


def chosen(x, n):
    """A branch behind the chain."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for _ in range(n):
            y = np.cos(y)
        if y > 0.74:
            total += y * y
        else:
            total -= y * x[i]
    return total


def three_terms(x, n):
    """What a number was becomes another: Chebyshev's polynomials."""
    total = 0.0
    for i in range(len(x)):
        now, before = x[i], 1.0
        for _ in range(n):
            now, before = 2.0 * x[i] * now - before, now
        total += now
    return total


def rotated(x, n):
    """Three numbers change places, without and with a loop inside the step."""
    total = 0.0
    for i in range(len(x)):
        a, b, c = x[i], np.sin(x[i]), 0.5
        for _ in range(n):
            a, b, c = b, c, a
        for _ in range(n):
            d = a
            for _ in range(2):
                d = d * 0.5 + c
            a, b, c = c, a, b + 0.1 * d
        total += a * b * b + c
    return total


def set_on_one_side(x, n):
    """A number saved on one side of a branch only."""
    total = 0.0
    for i in range(len(x)):
        a, b = x[i], 0.5
        if n > 3:
            a, b = np.cos(a), np.cos(x[i])
            b -= np.tanh(a)
        else:
            a += np.tanh(b)
        for _ in range(n):
            a = np.sin(a) + a - 0.3 * b
        total += a + 2.0 * b
    return total


def pendulums(x, n):
    """A tape between two loops: each step of all iterations lies in one row."""
    ends = np.empty(len(x))
    for i in range(len(x)):
        a, v = x[i], 0.0
        for _ in range(n):
            v -= 0.1 * np.sin(a)
            a += 0.1 * v
        ends[i] = a + v
    return np.sqrt(np.sum(ends * ends))  # so that the way back waits for all iterations


U = np.random.default_rng(5).random(37)
DONE = [
    powers, exchanged, clock, after_one_another, chosen, three_terms, rotated, set_on_one_side,
    pendulums,
]  # fmt: skip
POSSIBLE = [*DONE, paths, rounds, scattered]


def _arguments(function, count, steps):
    return (U[:steps], count) if function is powers else (U[:count], min(steps, count))


def run_compiled(derived, *args):
    """The source that the compiler gets, and what Python makes of it."""
    space = {}
    source = derived.source(*args, stage="compiled")
    exec(compile(source, "<compiled>", "exec"), space)
    return source, space[derived.__name__](*args)


def _same(found, wanted):
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("function", DONE)
def test_the_compiler_gets_what_is_interpreted(function):
    args = _arguments(function, 37, 5)
    wanted = ad.value_and_grad(function, target="python")(*args)
    source, found = run_compiled(ad.value_and_grad(function), *args)
    assert "for lane in range(count)" in source
    _same(found, wanted)
    _same(ad.value_and_grad(function)(*args), wanted)


@pytest.mark.share(3)
@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("function", POSSIBLE)
def test_of_any_number_of_iterations(function, count):
    args = _arguments(function, count, 4)
    wanted = ad.value_and_grad(function, target="python")(*args)
    for outer in (False, True):
        with interleaved_everywhere(3, outer):
            _, found = run_compiled(ad.value_and_grad(function), *args)
        _same(found, wanted)


@pytest.mark.parametrize("function", POSSIBLE)
def test_with_threads(function):
    args = _arguments(function, 23, 4)
    wanted = ad.value_and_grad(function, target="python")(*args)
    with interleaved_everywhere(), spread_everywhere():
        derived = ad.value_and_grad(function)
        source, space = derived.source(*args, stage="compiled"), {}
        assert "lane in range(" in source
    exec(compile(in_any_order(source), "<compiled>", "exec"), space)
    _same(space[derived.__name__](*args), wanted)


def test_a_tape_is_turned_where_all_loops_go_along_it():
    both = ad.value_and_grad(pendulums).source(U, 5, stage="compiled")
    assert both.count("for lane in range(count)") >= 6
    assert "a_tape = np.empty((max(n, 0), x.shape[0]))" in both
    one = ad.value_and_grad(scattered).source(U, 5, stage="compiled")  # a product, for LLVM
    assert "y_tape = np.empty((x.shape[0], max(n, 0)))" in one


def test_batches():
    batch = U.reshape(1, -1).repeat(20, 0) * np.linspace(0.5, 1.0, 20)[:, None]

    def one(x):
        y = x[0]
        for j in range(1, len(x)):
            y = np.sin(y) * x[j] + y
        return y * y

    wanted = np.array([ad.grad(one, target="python")(x) for x in batch])
    derived = ad.vmap(ad.grad(one))
    assert "for lane in range(count)" in derived.source(batch, stage="compiled")
    np.testing.assert_allclose(derived(batch), wanted, rtol=1e-11)


def folds(x, n):
    """Sums: what the compiler vectorises as they are."""
    total = 0.0
    for i in range(len(x)):
        s = 0.0
        for j in range(n):
            s += np.exp(x[i] * x[j])
        total += np.sin(s)
    return total


def steps_of_their_own(x, n):
    """Iterations that take different numbers of steps."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for _ in range(i % n):
            y = np.sin(y) + 0.1
        total += y
    return total


def branches(x, n):
    """A branch in each step."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for _ in range(n):
            if y > 0.5:
                y = y * y
            else:
                y = y + 0.3
        total += y
    return total


def dependent(x, n):
    """Each iteration needs the one before."""
    y = x[0]
    total = 0.0
    for i in range(len(x)):
        for _ in range(n):
            y = np.sin(y) + 0.1 * x[i]
        total += y
    return total


def integers(x, n):
    """A chain of integers."""
    total = 0.0
    for i in range(len(x)):
        k = i
        for _ in range(n):
            k = (k * 5 + 3) % 7
        total += x[k]
    return total


def short(x, n):
    """So few steps that the compiler writes them all out."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for _ in range(4):
            y = y * x[i] + 0.5
        total += y
    return total + n


def along_rows(x, n):
    """A sum to be seen on the way, of rows that lie far apart."""
    m = np.outer(x, x[:n])
    for i in range(m.shape[0]):
        for j in range(1, m.shape[1]):
            m[i, j] += m[i, j - 1]
    return np.sum(m * m)


@pytest.mark.parametrize(
    "function", [folds, steps_of_their_own, branches, dependent, integers, short, along_rows]
)
def test_loops_that_stay_as_they_are(function):
    args = _arguments(function, 37, 5)
    wanted = ad.value_and_grad(function, target="python")(*args)
    _, found = run_compiled(ad.value_and_grad(function), *args)
    assert not ad.value_and_grad(function).explain(*args).of("interleaved")
    _same(found, wanted)


def test_it_is_told_and_can_be_switched_off():
    args = _arguments(powers, 37, 5)
    told = ad.grad(powers).explain(*args).of("interleaved")
    assert [d.what for d in told] == ["the loop over `i`"] and told[0].line
    assert "16 run side by side" in told[0].because
    assert "run several iterations side by side" in str(ad.grad(powers).explain(*args))
    for options in ({"passes": {"interleave_iterations": False}}, {"fastmath": False}):
        assert "lane" not in ad.grad(powers, **options).source(*args, stage="compiled")


def test_memory_is_bounded():
    """Not where the tapes of 16 iterations outgrow the caches."""
    source = ad.value_and_grad(three_terms).source(U, 5, stage="compiled")
    assert re.search(r"if x\.shape\[0\] >= 8 and .* <= 65536:", source)


def test_single_precision():
    u = U.astype(np.float32)
    value, slope = ad.value_and_grad(after_one_another)(u, 5)
    wanted = ad.value_and_grad(after_one_another)(U, 5)
    assert slope.dtype == np.float32
    np.testing.assert_allclose(value, wanted[0], rtol=1e-5)
    np.testing.assert_allclose(slope, wanted[1], rtol=1e-3, atol=1e-4)


def short_chain(x, w):
    """The chain is little beside the nest after it, which uses the same elements for all."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for c in range(w.shape[0]):
            y = np.sin(y) * w[c, 0] + y
        for c in range(w.shape[0]):
            for j in range(w.shape[1]):
                total += np.exp(w[c, j] * y)
    return total


def shorter_chain(x, w):
    """The chain is little beside the loop in it, which is vectorised as it is."""
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for c in range(w.shape[0]):
            y = np.sin(y) * w[c, 0] + y
        for j in range(w.shape[0]):
            for k in range(len(x)):
                total += np.exp(w[j, 0] * y * x[k])
    return total


def test_chains_that_are_little_of_the_work():
    w = np.linspace(0.1, 0.5, 12).reshape(3, 4)
    nest = ad.value_and_grad(short_chain).explain(U, w).of("interleaved")
    assert ["they use the same memory" in d.because for d in nest] == [True]
    assert not ad.value_and_grad(shorter_chain).explain(U, w).of("interleaved")
