"""Loops on threads: the same results, the same ones in every run, and reasons where there is one."""

import ast
import re

import numba
import numpy as np
import pytest

import adcompile as ad
from tests.programs.gmm import gmm_loops, wishart_constant
from tests.random_programs.threads import in_any_order, spread_everywhere

N = 60_000
U = np.sin(np.arange(1.0, N + 1))
SMALL = U[:23]


def elements(u):
    total = 0.0
    for i in range(len(u)):
        total += np.tanh(u[i]) * np.exp(-u[i] * u[i])
    return total


def triangle(u):
    """Later iterations take more."""
    total = 0.0
    for i in range(1, len(u)):
        part = 0.0
        for j in range(i):
            part += u[i] * u[j]
        total += np.sin(part)
    return total


def histogram(u, heights):
    """All iterations add to common elements."""
    places = (np.abs(u) * len(heights)).astype(np.int64)
    total = 0.0
    for i in range(len(u)):
        total += np.exp(heights[places[i]] * u[i])
    return total


def backwards(u):
    total = 0.0
    for i in range(len(u) - 1, -1, -1):
        total += np.cos(u[i]) * u[i]
    return total


def in_odd_places(u):
    v = np.zeros(2 * len(u) + 1)
    for i in range(len(u)):
        v[2 * i] = np.exp(u[i])
        v[2 * i + 1] = np.sin(u[i]) * v[2 * i]
    return np.sum(v * v)


def own_rows(u):
    """Each iteration fills an array for itself."""
    total = 0.0
    work = np.zeros(4)
    for i in range(len(u)):
        for j in range(4):
            work[j] = np.exp(u[i] * j)
        total += work[0] * work[3] + work[1] * work[2]
    return total


def phases(u, shift):
    """Complex numbers, to common elements and to one."""
    bins = np.zeros(5, dtype=np.complex128)
    total = 0j
    for i in range(len(u)):
        wave = np.exp(1j * (u[i] + shift[i % 3]))
        bins[i % 5] += wave * u[i]
        total += wave
    return np.sum(np.abs(bins) ** 2) + abs(total)


def mixture(n):
    rng = np.random.default_rng(1)
    alpha, mu, q, l, x = (rng.normal(size=s) for s in (3, (3, 2), (3, 2), (3, 1), (n, 2)))
    return alpha, mu, q, l, x, 1.0, 0, wishart_constant(2, 3, 1.0, 0)


PROGRAMS = {
    "elements": (elements, lambda n: (U[:n],)),
    "triangle": (triangle, lambda n: (U[: n // 60 + 20],)),
    "histogram": (histogram, lambda n: (U[:n], np.linspace(0.1, 1.0, 7))),
    "backwards": (backwards, lambda n: (U[:n],)),
    "in_odd_places": (in_odd_places, lambda n: (U[:n],)),
    "own_rows": (own_rows, lambda n: (U[:n],)),
    "phases": (phases, lambda n: (U[:n], np.array([0.1, 0.2, 0.3]))),
    "gmm": (gmm_loops, mixture),
}
WRT = {"phases": (0, 1), "histogram": (0, 1), "gmm": (0, 1, 2, 3)}


def flat(result):
    if isinstance(result, tuple):
        return np.concatenate([flat(part) for part in result])
    return np.ravel(result)


@pytest.mark.parametrize("name", PROGRAMS)
def test_blocks_in_any_order_give_the_same(name):
    function, arguments = PROGRAMS[name]
    args, wrt = arguments(23), WRT.get(name, (0,))
    expected = ad.value_and_grad(function, wrt, target="python")(*args)
    derived = ad.value_and_grad(function, wrt, parallel=True)
    with spread_everywhere():
        source = in_any_order(derived.source(*args, stage="compiled"))
    assert "in _backwards(threads)" in source
    space = {}
    exec(compile(source, "<compiled>", "exec"), space)
    np.testing.assert_allclose(
        flat(space[derived.__name__](*args)), flat(expected), rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("name", ["triangle", "histogram", "own_rows", "phases"])
def test_threads_give_the_same(name):
    function, arguments = PROGRAMS[name]
    args, wrt = arguments(N), WRT.get(name, (0,))
    derived = ad.value_and_grad(function, wrt, parallel=True)
    assert "prange(threads)" in derived.source(*args, stage="compiled")
    expected = flat(ad.value_and_grad(function, wrt)(*args))
    found = [flat(derived(*args)) for _ in range(4)]
    np.testing.assert_allclose(found[0], expected, rtol=1e-9, atol=1e-12)
    for again in found[1:]:
        np.testing.assert_array_equal(again, found[0])


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_the_number_of_threads_is_asked_at_each_call():
    derived = ad.value_and_grad(elements, parallel=True)
    one = ad.value_and_grad(elements)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(flat(derived(U)), flat(one(U)))
        numba.set_num_threads(2)
        np.testing.assert_allclose(flat(derived(U)), flat(one(U)), rtol=1e-12)
    finally:
        numba.set_num_threads(before)


def test_few_iterations_run_on_one_thread():
    derived = ad.value_and_grad(elements, parallel=True)
    np.testing.assert_array_equal(flat(derived(SMALL)), flat(ad.value_and_grad(elements)(SMALL)))


def pairs_below(u):
    total = 0.0
    for i in range(len(u)):
        for j in range(i):
            total += np.sin(u[i] * u[j])
    return total


def pairs_above(u):
    total = 0.0
    for i in range(len(u)):
        for j in range(len(u) - 1, i, -1):
            total += np.sin(u[i] * u[j])
    return total


def pairs_twice(u):
    total = 0.0
    for i in range(len(u)):
        for j in range(len(u)):
            total += np.sin(u[i] * u[j])
    return total


def triples(u):
    total = 0.0
    for i in range(len(u)):
        for j in range(i):
            for k in range(j):
                total += np.sin(u[i] * u[j] * u[k])
    return total


def threads_worth(function, u):
    """How many threads of a thousand a call would use."""
    derived = ad.value_and_grad(function, parallel=True)
    source = in_any_order(derived.source(u, stage="compiled")).replace("= min(3, ", "= min(1000, ")
    space, counts = {}, []
    exec(compile(source, "<compiled>", "exec"), space)
    space["_backwards"] = lambda threads: counts.append(threads) or range(threads)
    space[f"{derived.__name__}"](u)
    return max(counts, default=1)


def test_inner_ranges_that_the_counter_ends_count_by_their_mean():
    u = U[:300]
    full = threads_worth(pairs_twice, u)
    assert 10 < full < 500
    for half in (pairs_below, pairs_above):
        assert 0.45 * full <= threads_worth(half, u) <= 0.6 * full
    assert threads_worth(triples, U[:40]) > 1 == threads_worth(triples, U[:10])


def names_of_all_kinds(u):
    total = 0.0
    for _ in range(3):
        for i in range(len(u)):
            x_, x_1, x = u[i] * u[i], np.sin(u[i]), u[i] + 1.0
            x_, x_1 = x_ * x_1, x_ + x
            total += x_ * x_1
        for _ in range(2):
            total = total * 0.5
    return total


def test_names_that_begin_or_end_otherwise():
    wanted = ad.value_and_grad(names_of_all_kinds)(U)
    derived = ad.value_and_grad(names_of_all_kinds, parallel=True)
    assert "prange" in derived.source(U, stage="compiled")
    np.testing.assert_allclose(flat(derived(U)), flat(wanted), rtol=1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"parallel": True, "passes": {"spread_loops": False}},
                {"parallel": True, "boundscheck": True}],
)  # fmt: skip
def test_one_thread(options):
    derived = ad.grad(elements, **options)
    assert "prange" not in derived.source(U, stage="compiled")
    assert "spread_loops" not in derived.explain(U).passes


def test_bounds_are_still_checked():
    def beyond(u):
        total = 0.0
        for i in range(len(u)):
            total += u[i + 1] * u[i]
        return total

    with pytest.raises(IndexError):
        ad.grad(beyond, parallel=True, boundscheck=True)(U)


def test_names_that_the_compiler_makes_itself():
    """Numba turns the second value of `w` into `w_1`, and stops if there is a `w_1` already."""

    def named(u, w, w_1):
        w, w_2 = np.exp(w), 0.0
        for k in range(3):
            w_2 = w * w_1
            w = np.sin(w) + k
        total = 0.0
        for i in range(len(u)):
            total += np.exp(w * w_1 * u[i] * w_2)
        return total

    derived = ad.value_and_grad(named, (0, 1, 2), parallel=True)
    code = ast.parse(derived.source(U, 0.3, 0.4, stage="compiled")).body[-1]
    names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    functions = {
        node.func.id for node in ast.walk(code) if isinstance(getattr(node, "func", 0), ast.Name)
    }
    assert not [name for name in names - functions if re.search(r"_\d+$", name)]


# -- why a loop stays on one thread ---------------------------------------------------------------


def carried(u):
    y = 1.0
    for i in range(len(u)):
        y = np.sin(y) + u[i]
    return y


def neighbours(u):
    v = u.copy()
    for i in range(1, len(v)):
        v[i] = v[i] * v[i - 1]
    return np.sum(v)


def printed(u):
    total = 0.0
    for i in range(len(u)):
        print(i)
        total += u[i] * u[i]
    return total


def drawn(u):
    total = 0.0
    for i in range(len(u)):
        total += u[i] * np.random.normal()
    return total


def raising(u):
    total = 0.0
    for i in range(len(u)):
        if u[i] > 5.0:
            raise ValueError("too large")
        total += np.sqrt(u[i] + 2.0)
    return total


def from_the_end(u):
    """-1 and the last element are one."""
    v = np.zeros(len(u))
    for i in range(-1, len(u) - 1):
        v[i] = u[i] * u[i]
        v[len(u) - 1] += u[0]
    return np.sum(v)


def strided(u):
    """Two of the three meet in the next iteration, though none meets the first."""
    v = np.zeros(2 * len(u) + 4)
    for i in range(len(u)):
        v[2 * i] = np.exp(u[i])
        v[2 * i + 3] = np.sin(u[i])
        v[2 * i + 1] += u[i]
    return np.sum(v * v)


REASONS = [
    (carried, "each iteration needs `y` of the one before"),
    (neighbours, "an element of `v` may be used by several iterations"),
    (printed, "it prints"),
    (drawn, "random numbers are drawn one after the other"),
    (raising, "it may raise an error"),
    (from_the_end, "an element of `v` may be used by several iterations"),
    (strided, "an element of `v` may be used by several iterations"),
]


@pytest.mark.parametrize("function, reason", REASONS, ids=lambda x: getattr(x, "__name__", ""))
def test_reasons(function, reason):
    explanation = ad.jit(function, parallel=True).explain(U)
    assert reason in [d.because for d in explanation.of("sequential")]
    assert all(d.line for d in explanation.of("sequential"))


def test_pieces_of_a_loop():
    def function(u):
        v = np.zeros((5, len(u), len(u)))
        for k in ad.checkpoint(range(5)):
            for i in range(len(u)):
                v[k, i, 0] = np.sin(u[i])
        return np.sum(v * v)

    derived = ad.grad(function, parallel=True)
    with spread_everywhere():
        source = in_any_order(derived.source(SMALL, stage="compiled"))
    space = {}
    exec(compile(source, "<compiled>", "exec"), space)
    found = space[derived.__name__](SMALL)
    np.testing.assert_allclose(found, ad.grad(function, target="python")(SMALL), rtol=1e-12)


def test_what_is_shared_is_named():
    found = ad.grad(histogram, (0, 1), parallel=True).explain(U, np.ones(7)).of("parallel")
    assert any("each thread adds to its own `heights_bar`" in d.because for d in found)


def test_cheap_loops_beside_others_stay():
    def prefix(u):
        sums = np.empty(len(u))
        current = 0.0
        for i in range(len(u)):
            current += u[i]
            sums[i] = current
        total = 0.0
        for i in range(len(u)):
            total += sums[len(u) - 1 - i] * u[i]
        return total

    derived = ad.value_and_grad(prefix, parallel=True)
    assert "prange" not in derived.source(U, stage="compiled")
    found = derived.explain(U).of("sequential")
    assert any("has at hand" in d.because for d in found)


def test_loops_that_are_small_beside_others_stay():
    def two(u, w):
        total = 0.0
        for i in range(len(w)):
            total += np.exp(w[i])
        for k in range(len(u)):
            for i in range(len(w)):
                total += np.exp(u[k] * w[i])
        return total

    source = ad.jit(two, parallel=True).source(U, U, stage="compiled")
    assert source.count("in prange(") == 1


# -- sums of near iterations -----------------------------------------------------------------------


def rods(u):
    """Neighbours in one dimension, on both sides, with a gap."""
    total = 0.0
    for i in range(1, len(u) - 2):
        total += np.sin(u[i - 1] * u[i]) * np.exp(u[i + 2])
    return total


def plate(m):
    total = 0.0
    for i in range(1, m.shape[0] - 1):
        for j in range(1, m.shape[1] - 1):
            around = m[i - 1, j] + m[i + 1, j] + m[i, j - 1] + m[i, j + 1]
            total += np.sin(around - 4.0 * m[i, j]) * m[i, j]
    return total


def downwards(u, w):
    """Elements that all iterations share beside the neighbours."""
    total = 0.0
    for i in range(len(u) - 2, -1, -1):
        total += np.sin(u[i] * u[i + 1] * w[i % 3]) + w[1]
    return total


def far_and_near(u, k):
    """How far the second element is from the first is not known."""
    total = 0.0
    for i in range(len(u) - k):
        total += np.sin(u[i] * u[i + k])
    return total


NEAR = [(rods, (U[:43],)), (plate, (np.outer(U[:43], U[:7]),)), (downwards, (SMALL, U[:3]))]


@pytest.mark.parametrize(("function", "args"), NEAR)
@pytest.mark.parametrize("threads", [2, 3])
def test_blocks_of_one_turn_do_not_meet(function, args, threads):
    wrt = tuple(range(len(args)))
    # elements gather what near iterations add, in a line: then none meet
    derived = ad.value_and_grad(function, wrt, parallel=True, passes={"gather_sums": False})
    with spread_everywhere():
        source = derived.source(*args, stage="compiled")
    source = in_any_order(source.replace("machine.threads()", str(threads)))
    space, turns = {}, []
    exec(compile(source, "<compiled>", "exec"), space)
    part, backwards_of = space[f"{derived.__name__}_part_1"], space["_backwards"]

    def turn(number):
        turns.append({})
        for thread in backwards_of(number):
            turns[-1]["now"] = turns[-1][thread] = set()
            yield thread

    def watched(first, last, *rest):
        shared = [a for a in rest if isinstance(a, np.ndarray) and a.shape == args[0].shape]
        before = [a.copy() for a in shared]
        result = part(first, last, *rest)
        for number, (a, b) in enumerate(zip(shared, before, strict=True)):
            turns[-1]["now"].update((number, *map(int, k)) for k in np.argwhere(a != b))
        return result

    space["_backwards"], space[f"{derived.__name__}_part_1"] = turn, watched
    found = space[derived.__name__](*args)
    wanted = ad.value_and_grad(function, wrt, target="python")(*args)
    np.testing.assert_allclose(flat(found), flat(wanted), rtol=1e-12, atol=1e-14)
    assert len(turns) == 2
    for own in turns:
        touched = [own[thread] for thread in range(threads)]
        assert all(touched) and sum(map(len, touched)) == len(set.union(*touched))


def test_where_near_iterations_meet_no_array_is_copied():
    source = ad.grad(plate, parallel=True).source(np.ones((9, 9)), stage="compiled")
    assert "np.zeros((threads, " not in source and source.count("prange(threads)") == 2
    passes = {"gather_sums": False}
    downwards_on_threads = ad.grad(downwards, (0, 1), parallel=True, passes=passes)
    shared = downwards_on_threads.source(SMALL, U[:3], stage="compiled")
    assert shared.count("np.zeros((threads, ") == 1
    far = ad.grad(far_and_near, parallel=True).source(SMALL, 3, stage="compiled")
    assert "np.zeros((threads, " in far and far.count("prange(threads)") == 1
    assert "one after the other" in str(ad.grad(plate, parallel=True).explain(np.ones((9, 9))))


def test_near_sums_on_threads():
    m = np.outer(U[:600], U[:500])
    wanted = ad.value_and_grad(plate)(m)
    derived = ad.value_and_grad(plate, parallel=True)
    found = [derived(m) for _ in range(20)]
    np.testing.assert_allclose(found[0][1], wanted[1], rtol=1e-9, atol=1e-12)
    for value, gradient in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(gradient, found[0][1])


@pytest.mark.parametrize("rows", range(8))
def test_fewer_rows_than_blocks(rows):
    m = np.outer(SMALL[:rows], U[:20_000])
    found = ad.value_and_grad(plate, parallel=True)(m)
    wanted = ad.value_and_grad(plate)(m)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-9, atol=1e-12)


def test_ends_that_share_what_they_are_made_of():
    """Each integer before the loop is made once, however many ways lead to it."""

    def sums(u):
        total = 0.0
        for i in range(len(u)):
            a, b = i, i + 1
            for _ in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19):
                a, b = b, a + b
            for j in range(min(b, 5)):
                total += np.sin(u[i]) * j
        return total

    source = ad.jit(sums, parallel=True).source(U, stage="compiled")
    assert "prange(threads)" in source and len(source) < 10_000
