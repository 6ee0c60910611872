"""Code for Python's calls goes the ways that shapes choose; other shapes get code with all ways."""

import copy
import threading
from dataclasses import dataclass

import numba
import numpy as np
import pytest

import adcompile as ad
from adcompile import pass_order, pipeline
from adcompile.optimize import interleave
from tests.optimize.test_neighbours import product_in_place as powered

RNG = np.random.default_rng(13)
LARGE, SMALL = RNG.standard_normal((40, 40)), RNG.standard_normal((5, 5))


def check(gradient, a, b):
    value, (to_a, to_b) = gradient(a, b)
    c = a @ b
    np.testing.assert_allclose(value, np.sum(c * c))
    np.testing.assert_allclose(to_a, 2 * c @ b.T)
    np.testing.assert_allclose(to_b, 2 * a.T @ c)


def branches(function, *args, shapes=()):
    """How many branches compiled code has."""
    graph = function._optimised(function._types(args))
    with pass_order.skipping(function._skipped):
        text = pipeline.compiler_source(graph, shapes)
    return text.count("    else:\n")


def test_one_way_is_left():
    gradient = ad.value_and_grad(powered, (0, 1))
    both = branches(gradient, LARGE, LARGE)
    assert both > 0
    assert branches(gradient, LARGE, LARGE, shapes=[LARGE.shape, LARGE.shape]) == 0
    # few iterations may be a call that is there to compile
    assert branches(gradient, LARGE, LARGE, shapes=[SMALL.shape, SMALL.shape]) == both


def test_the_pass_can_be_switched_off():
    gradient = ad.value_and_grad(powered, (0, 1), passes={"choose_ways": False})
    shapes = [LARGE.shape, LARGE.shape]
    assert branches(gradient, LARGE, LARGE, shapes=shapes) == branches(gradient, LARGE, LARGE)
    check(gradient, LARGE, LARGE)


def test_other_shapes_later():
    gradient = ad.value_and_grad(powered, (0, 1))
    for a in (LARGE, LARGE[:30, :30].copy(), SMALL, LARGE, SMALL):
        check(gradient, a, a[:, ::-1].copy())
    assert gradient._fitted is gradient._dispatcher


def test_small_shapes_first():
    gradient = ad.value_and_grad(powered, (0, 1))
    for a in (SMALL, LARGE, SMALL):
        check(gradient, a, a[:, ::-1].copy())
    assert gradient._made is None  # nothing was compiled twice


def test_types_of_their_own():
    """What one type has learnt of shapes says nothing of another."""
    gradient = ad.value_and_grad(powered, (0, 1))
    check(gradient, LARGE, LARGE)
    check(gradient, np.asfortranarray(SMALL), SMALL)
    check(gradient, LARGE, LARGE)


def test_calls_from_compiled_code():
    gradient = ad.value_and_grad(powered, (0, 1))
    check(gradient, LARGE, LARGE)

    @numba.njit
    def outer(a, b):
        return gradient(a, b)

    check(outer, SMALL, SMALL)
    check(outer, LARGE, LARGE)


def test_in_containers():
    gradient = ad.value_and_grad(lambda p: powered(p["a"], p["b"]))
    for a in (LARGE, SMALL, LARGE):
        value, found = gradient({"a": a, "b": a})
        np.testing.assert_allclose(value, np.sum((a @ a) ** 2))
        np.testing.assert_allclose(found["a"], 2 * a @ a @ a.T)


def accumulate(out, a, b):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return np.sum(out)


def test_nothing_is_written_before_the_check():
    run = ad.jit(accumulate, inplace=("out",))
    for a in (LARGE, SMALL):
        out = np.ones((a.shape[0], a.shape[1]))
        value = run(out, a, a)
        np.testing.assert_allclose(out, 1 + a @ a)
        np.testing.assert_allclose(value, np.sum(out))


def root_of_many(a, b):
    return powered(a, b[:, : int(np.sqrt(b.shape[1] * b.shape[1]))])


def test_numbers_made_of_shapes():
    check(ad.value_and_grad(root_of_many, (0, 1)), LARGE, LARGE)
    for count in (5, 40):
        x = RNG.standard_normal(count)
        found = ad.value_and_grad(in_segments)(x)
        wanted = ad.value_and_grad(in_segments, target="python")(x)
        np.testing.assert_allclose(found[0], wanted[0])
        np.testing.assert_allclose(found[1], wanted[1])


def in_segments(x):
    sums, state = np.zeros(4), 0.1
    for i in ad.checkpoint(range(len(x))):
        state = np.tanh(state) + np.exp(-x[i] * x[i]) * np.sin(x[i])
        sums[i % 4] += state
    return np.sum(sums * sums)


def test_a_copy_goes_its_own_ways():
    gradient = ad.value_and_grad(powered, (0, 1))
    check(gradient, LARGE, LARGE)
    check(copy.copy(gradient), SMALL, SMALL)
    check(gradient, SMALL, SMALL)


def test_an_error_of_the_same_text_is_the_users():
    def refusing(a):
        if a[0] > 0.0:
            raise ValueError("compiled for arrays of other shapes")
        return a[0] * a[0]

    gradient = ad.grad(refusing)
    assert gradient(-np.ones(3))[0] == -2.0
    with pytest.raises(ValueError, match="other shapes"):
        gradient(np.ones(3))


def test_wrong_shapes_are_still_told():
    gradient = ad.value_and_grad(lambda a, b: np.sum(powered(a, b) * (a + b)), (0, 1))
    gradient(LARGE, LARGE)
    with pytest.raises(ad.ShapeError):
        gradient(SMALL, LARGE)


def test_jacobian_by_the_shorter_side():
    def ends(x, w):
        return np.tanh(w @ x)

    jacobian = ad.jacobian(ends)
    for shape in ((3, 50), (50, 3), (3, 50)):
        w, x = RNG.standard_normal(shape), RNG.standard_normal(shape[1])
        expected = (1 - np.tanh(w @ x) ** 2)[:, None] * w
        np.testing.assert_allclose(jacobian(x, w), expected, atol=1e-14)


def test_many_threads():
    gradient = ad.value_and_grad(powered, (0, 1))
    check(gradient, LARGE, LARGE)
    failed = []

    def run(a):
        try:
            for _ in range(20):
                check(gradient, a, a)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(a,)) for a in (LARGE, SMALL) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("count", range(1, 2 * interleave.FEWEST_DOWN_ROWS, 5))
def test_every_number_of_iterations(count):
    gradient = ad.value_and_grad(powered, (0, 1))
    check(gradient, LARGE, LARGE)
    check(gradient, LARGE[:, :7].copy(), LARGE[:7, :count].copy())


@dataclass(frozen=True)
class Model:
    scale: float

    @ad.value_and_grad
    def loss(self, a):
        return self.scale * powered(a, a)


def test_methods():
    for a in (LARGE, SMALL, LARGE):
        value, slope = Model(2.0).loss(a)
        np.testing.assert_allclose(value, 2 * np.sum((a @ a) ** 2))
        np.testing.assert_allclose(slope.scale, np.sum((a @ a) ** 2))


def test_compiled_code_calls_first():
    gradient = ad.value_and_grad(powered, (0, 1))

    @numba.njit
    def outer(a, b):
        return gradient(a, b)

    check(outer, LARGE, LARGE)
    check(gradient, LARGE, LARGE)
    check(gradient, SMALL, SMALL)
    check(outer, SMALL, SMALL)
