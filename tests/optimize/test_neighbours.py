"""Iterations whose elements are neighbours in memory run side by side, where that helps."""

import re

import numpy as np
import pytest

import adcompile as ad
from tests.optimize.test_interleaved_nests import run_compiled
from tests.random_programs.lanes import interleaved_everywhere

RNG = np.random.default_rng(11)
A, B = RNG.standard_normal((9, 21)), RNG.standard_normal((21, 45))
X, W = RNG.standard_normal(70), RNG.standard_normal(5)
IMAGE, KERNELS = RNG.standard_normal((12, 50)), RNG.standard_normal((3, 4, 5))


def product(a, b):
    c = np.empty((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            c[i, j] = total
    return np.sum(np.tanh(c))


def product_in_place(a, b):
    c = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                c[i, j] += a[i, k] * b[k, j]
    return np.sum(c * c)


def columns(a, b):
    total = 0.0
    for j in range(b.shape[1]):
        square = a[0, 0]
        for i in range(b.shape[0]):
            square += b[i, j] ** 2
        total += np.sqrt(square**2 + 1.0)
    return total


def filtered(x, w):
    total = 0.0
    for i in range(len(x) - len(w) + 1):
        y = 0.0
        for k in range(len(w)):
            y += x[i + k] * w[k]
        total += np.tanh(y)
    return total


def convolved(image, kernels):
    count, high, wide = kernels.shape
    out = np.zeros((count, image.shape[0] - high + 1, image.shape[1] - wide + 1))
    for c in range(count):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                y = 0.1
                for p in range(high):
                    for q in range(wide):
                        y += kernels[c, p, q] * image[i + p, j + q]
                out[c, i, j] = max(y, 0.0)
    return np.sum(out**2)


def rows(a, b):
    """Neighbours are the steps of the loop inside, not the iterations."""
    total = 0.0
    for i in range(b.shape[0]):
        y = a[0, 0]
        for j in range(b.shape[1]):
            y += b[i, j] ** 2
        total += np.sqrt(y**2 + 1.0)
    return total


def from_the_end(x, w):
    """An index that may be one from the end."""
    total = 0.0
    for i in range(len(x)):
        y = 0.0
        for k in range(len(w)):
            y += x[i - k] * w[k]
        total += np.tanh(y)
    return total


def written_out(x, w):
    """The compiler makes straight code of the loop inside."""
    total = 0.0
    for i in range(len(x) - 2):
        y = 0.0
        for k in range(3):
            y += x[i + k] * w[k]
        total += np.tanh(y)
    return total


NEIGHBOURS = [
    (product, A, B), (product_in_place, A, B), (columns, A, B), (filtered, X, W),
    (convolved, IMAGE, KERNELS),
]  # fmt: skip
OTHERS = [
    (rows, A, B), (from_the_end, X, W), (written_out, X, W),
    (columns, A, np.asfortranarray(B)), (filtered, np.repeat(X, 2)[::2], W),
]  # fmt: skip


def both(function, **options):
    return ad.value_and_grad(function, (0, 1), **options)


def _same(found, wanted):
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
    for mine, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("function", "one", "two"), NEIGHBOURS + OTHERS)
def test_results_stay(function, one, two):
    for first, second in [(one, two), (one[:6], two[:6])]:
        if function in (product, product_in_place):
            first = np.ascontiguousarray(first[:, : second.shape[0]])
        wanted = both(function, target="python")(first, second)
        _same(both(function)(first, second), wanted)
        _same(both(function, fastmath=False)(first, second), wanted)
        _same(run_compiled(both(function), first, second)[1], wanted)
        with interleaved_everywhere(3):
            _same(run_compiled(both(function), first, second)[1], wanted)


@pytest.mark.parametrize(("function", "one", "two"), NEIGHBOURS)
def test_both_sweeps_run_side_by_side(function, one, two):
    source = both(function).source(one, two, stage="compiled")
    assert len(re.findall(r"for \w+_first in range", source)) >= 2 - (
        function in (columns, filtered)
    )
    told = both(function).explain(one, two).of("interleaved")
    assert told and all("lie side by side: 128 run" in d.because for d in told)


@pytest.mark.parametrize(("function", "one", "two"), OTHERS)
def test_what_stays_as_it_is(function, one, two):
    assert "lane" not in both(function).source(one, two, stage="compiled")


def test_short_loops_only_unless_they_go_down_rows():
    assert re.search(r">= 24 and .* <= 24:", both(filtered).source(X, W, stage="compiled"))
    assert not re.search(r"<= 24", both(product).source(A, B, stage="compiled"))


def written_by_all_steps(a, c, v, n):
    """The extents of what is differentiated by are asked of arrays that are made later."""
    y = np.zeros_like(a)
    for i in range(n):
        for j in range(a.shape[1]):
            for _ in range(c.shape[0]):
                y[i, j] = v[i]
    return np.sum(y * y)


def test_extents_known_later_are_not_asked_for():
    args = np.ones((9, 8)), np.ones((10, 8)), np.arange(9.0), 9
    for wrt in ((1, 2), (0, 1, 2), (2,)):
        found = ad.value_and_grad(written_by_all_steps, wrt)(*args)
        _same(found, ad.value_and_grad(written_by_all_steps, wrt, target="python")(*args))
        for outer in (False, True):
            with interleaved_everywhere(3, outer=outer):
                derived = ad.value_and_grad(written_by_all_steps, wrt)
                _same(run_compiled(derived, *args)[1], found)
