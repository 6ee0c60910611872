"""Calls of one kind: run, written down, and started again by what was written."""

import numpy as np
import pytest

import adcompile as ad
from adcompile import nn
from adcompile.errors import UnsupportedOperation
from adcompile.execute import plans
from adcompile.execute.toolkit import cuda
from adcompile.graph.trees import as_tuples, leaves, mapped
from tests.cuda.simulated.running import assert_close, on_host
from tests.programs.corpus import CORPUS
from tests.test_corpus import float_positions

RNG = np.random.default_rng(11)
ids = [function.__name__ for function, _ in CORPUS]


@pytest.fixture
def started(monkeypatch):
    """The plans that are started."""
    found, start = [], plans.Plan.start

    def kept(plan, flat):
        found.append(plan)
        return start(plan, flat)

    monkeypatch.setattr(plans.Plan, "start", kept)
    return found


def _moved(item, k):
    """Another argument of the same kind."""
    if isinstance(item, np.ndarray) and item.dtype.kind == "f":
        return item * item.dtype.type(1 + k / 64)
    return item.copy() if isinstance(item, np.ndarray) else item


def _agrees_again(transform, function, args, tolerance=1e-9, times=4):
    run, wanted = transform(function, target="cuda"), transform(function, target="python")
    results = []
    for k in range(times):
        given = tuple(mapped(lambda leaf: _moved(leaf, k), item) for item in args)
        before = [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves(given)]
        results.append((on_host(run(*given)), leaves(as_tuples(wanted(*given)))))
        for leaf, old in zip(leaves(given), before, strict=True):
            np.testing.assert_array_equal(leaf, old)
    for got, right in results:  # at the end: a later call must not write into what an earlier gave
        assert_close(got, right, tolerance)


def _network(x, w, b, labels):
    return nn.cross_entropy(nn.linear(nn.relu(x @ w), w.T, b), labels)


def test_later_calls_start_what_was_written(started):
    x, w, b = (RNG.standard_normal(shape) for shape in ((4, 5), (5, 3), (5,)))
    with_three = lambda f, target: ad.value_and_grad(f, (0, 1, 2), target=target)
    _agrees_again(with_three, _network, (x, w, b, np.array([0, 4, 2, 1])))
    assert len(started) == 2
    assert started[0] is started[1]
    assert len(started[0].taken) == 4
    assert started[0].scratch


@pytest.mark.share(12)
@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_programs_of_the_corpus(function, args):
    given = tuple(float_positions(args))
    single = any(np.asarray(leaf).dtype == np.float32 for leaf in leaves(as_tuples(args)))
    gradient = lambda f, target: ad.value_and_grad(f, given, target=target)
    try:
        _agrees_again(gradient, function, args, 1e-5 if single else 1e-9)
    except UnsupportedOperation:
        pass


def _scaled(x, a, n):
    for _ in range(n):
        x = np.sin(x * a)
    return x, np.sum(x)


def test_other_numbers_and_extents_have_plans_of_their_own(started):
    run = ad.jit(_scaled, target="cuda")
    for _ in range(4):
        for x, a, n in [(np.ones(3), 0.0, 2), (np.ones(3), -0.0, 2), (np.ones(3), 0.5, 3),
                        (np.ones(4), 0.5, 3), (np.ones(4, np.float32), 0.5, 3)]:  # fmt: skip
            got, wanted = on_host(run(x, a, n)), _scaled(x, a, n)
            np.testing.assert_allclose(got[0], wanted[0], rtol=1e-6)
            np.testing.assert_array_equal(np.signbit(got[0]), np.signbit(wanted[0]))
            assert got[0].dtype == wanted[0].dtype
    assert len(started) == 10
    assert len(set(map(id, started))) == 5


def _both(x, y):
    return np.sum(x * 2.0 - y), x - y


def test_arrays_that_are_one_at_first_may_be_two_later(started):
    run = ad.jit(_both, target="cuda")
    x, y = cuda.to_device(np.arange(3.0)), cuda.to_device(np.ones(3))
    for first, second in [(x, x), (x, x), (x, y), (x, y), (y, x), (y, y), (x, y)]:
        got = on_host(run(first, second))
        wanted = _both(first.copy_to_host(), second.copy_to_host())
        assert_close(got, wanted, 1e-12)
    assert not started  # the second call had one array for both


def test_two_arrays_may_be_one_later(started):
    run = ad.jit(_both, target="cuda")
    x, y = cuda.to_device(np.arange(3.0)), cuda.to_device(np.ones(3))
    for first, second in [(x, y), (x, y), (x, x), (y, y), (y, x)]:
        wanted = _both(first.copy_to_host(), second.copy_to_host())
        assert_close(on_host(run(first, second)), wanted, 1e-12)
    assert len(started) == 3


def _given_back(x, y):
    x[...] = x + y
    return x, x[1:], y


def test_arguments_that_come_back(started):
    run = ad.jit(_given_back, inplace="x", target="cuda")
    x, y = cuda.to_device(np.zeros(4)), cuda.to_device(np.arange(4.0))
    for k in range(1, 5):
        found = on_host(run(x, y))
        np.testing.assert_array_equal(x.copy_to_host(), k * np.arange(4.0))
        np.testing.assert_array_equal(found[1], k * np.arange(1.0, 4.0))


def _much(x, n):
    for _ in range(n):
        x = np.sin(x) + x[::-1]
    return np.sum(x)


def test_calls_that_take_much_or_start_much_have_no_plan(started, monkeypatch):
    monkeypatch.setattr(plans, "_MOST_BYTES", 400)
    monkeypatch.setattr(plans, "_MOST_LAUNCHES", 12)
    for run, n in ((ad.jit(_much, target="cuda"), 30), (ad.jit(_much, target="cuda"), 5)):
        for _ in range(3):
            x = RNG.standard_normal(7)
            assert_close(on_host(run(x, n)), (_much(x, n),), 1e-9)
    assert len(started) <= 1


def test_many_kinds_of_calls_are_not_all_kept(started):
    run = ad.jit(_scaled, target="cuda")
    for n in range(1, 40):
        for _ in range(3):
            assert_close(on_host(run(np.ones(n), 0.5, 1)), _scaled(np.ones(n), 0.5, 1), 1e-12)
    assert len(started) == 39


def test_types_are_found_out_once(monkeypatch):
    run = ad.jit(_scaled, target="cuda")
    x = cuda.to_device(np.ones(3))
    run(x, 0.5, 2)
    monkeypatch.setattr(run, "_call_types", lambda *_: pytest.fail("they are known"))
    for a in (0.5, 0.25):
        assert_close(on_host(run(x, a, 2)), _scaled(np.ones(3), a, 2), 1e-12)
    monkeypatch.undo()
    for args in [(x, 1, 2), (x, np.float32(0.5), 2), (cuda.to_device(np.ones(4)), 0.5, 2)]:
        wanted = _scaled(args[0].copy_to_host(), *args[1:])
        assert_close(on_host(run(*args)), wanted, 1e-6)
    with pytest.raises(ad.TypeMismatch, match="64 bits"):
        run(x, 2**70, 2)


def test_arguments_known_to_the_type_may_still_share_memory():
    run = ad.jit(_given_back, inplace="x", target="cuda")
    x, y = cuda.to_device(np.zeros(4)), cuda.to_device(np.arange(4.0))
    for _ in range(3):
        run(x, y)
    with pytest.raises(ad.TypeMismatch, match="share memory"):
        run(x, x)
    with pytest.raises(ad.TypeMismatch, match="memory of the host"):
        run(np.zeros(4), y)
