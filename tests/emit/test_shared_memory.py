"""What NumPy gives as a view of an array is an array of its own in a derivative."""

import numpy as np
import pytest

import adcompile as ad


def handed_on_in_a_loop(x):
    a = x * 1.0
    c = x * 2.0
    for _ in range(3):
        a[:] = c * c
        c, a = np.roll(c, 1), c
    return np.sum(a * x)


def left_by_a_branch(x):
    a = x * 1.0
    if x[0] > 0:
        a = np.concatenate((x[1:], x[:1]))
    a[0] = a[1] * 2.0
    return np.sum(a * a)


def handed_on_in_a_while(x):
    a, k = x * 1.0, 0
    while k < 3:
        a[k] = a[k] * a[k - 1]
        a = np.roll(a, 1) if k == 1 else np.concatenate((a[1:], a[:1]))
        k += 1
    return np.sum(a)


@ad.checkpoint
def moved(a, k):
    b = np.roll(a, 1)
    b[k] = b[k] * a[0]
    return b


def handed_on_by_a_checkpoint(x):
    a = x * 1.0
    for k in range(3):
        a = moved(a, k)
    return np.sum(a)


@ad.custom_jvp
def with_a_rule(a):
    return a + np.sum(a)


@with_a_rule.defjvp
def _(primals, tangents):
    (a,), (t,) = primals, tangents
    return a + np.sum(a), t + np.broadcast_to(np.sum(t), a.shape)


@ad.custom_jvp
def of_one_row(x):
    return np.zeros((3, 3)) + x


@of_one_row.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return np.zeros((3, 3)) + x, np.broadcast_to(t, (3, 3))


def given_by_rules(x):
    a = with_a_rule(x)
    a[1] = a[0] * a[2]
    rows = of_one_row(a)
    for k in range(3):
        rows[k] = rows[k] * x[k]
    return np.sum(rows * rows)


_WRITTEN = [
    handed_on_in_a_loop, left_by_a_branch, handed_on_in_a_while, handed_on_by_a_checkpoint,
    given_by_rules,
]  # fmt: skip


@pytest.mark.parametrize("function", _WRITTEN)
def test_a_tangent_that_is_written_later(function):
    x, direction = np.array([0.7, -0.4, 1.3]), np.array([0.3, 0.8, -0.5])
    step = 1e-6 * direction
    wanted = (function(x + step) - function(x - step)) / 2e-6
    for target in ("python", "cpu"):
        _, found = ad.jvp(function, (x,), (direction,), target=target)
        np.testing.assert_allclose(found, wanted, rtol=1e-7)
        gradient = ad.grad(function, target=target)(x)
        np.testing.assert_allclose(gradient @ direction, wanted, rtol=1e-7)


def test_a_tangent_of_moved_elements_needs_no_check():
    x, made = np.ones(3), ad.jvp(handed_on_in_a_loop, target="python")
    assert made.source((x,), (x,)).count("raise") == 1  # of the argument's tangent


def sum_of_columns_with_weights(x, w):
    return np.sum(x, axis=0) @ w


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_a_gradient_is_not_the_memory_of_an_argument(target):
    x, w = np.ones((4, 3)), np.arange(3.0)
    found = ad.grad(sum_of_columns_with_weights, target=target)(x, w)
    found[0] = 5.0
    np.testing.assert_array_equal(w, [0, 1, 2])
    np.testing.assert_array_equal(found[1:], [w, w, w])


@pytest.mark.parametrize("target", ["python", "cpu"])
def test_a_broadcast_as_a_result_is_not_the_argument(target):
    x = np.arange(3.0)
    y, tangent = ad.jvp(lambda x: np.broadcast_to(x, (2, 3)), (x,), (2 * x,), target=target)
    y[0] = tangent[0] = 7.0
    np.testing.assert_array_equal(x, [0, 1, 2])
    np.testing.assert_array_equal(tangent[1], 2 * x)
