"""Adjoints of stencils gather: right for every size, and without sums that meet."""

import numpy as np
import pytest

import adcompile as ad


def heat(u):
    u = u.copy()
    v = u.copy()
    for _ in range(3):
        for i in range(1, len(u) - 1):
            v[i] = u[i] + 0.2 * (u[i + 1] - 2.0 * u[i] + u[i - 1])
        for i in range(1, len(u) - 1):
            u[i] = v[i]
    return np.sum(u * u)


def one_sided(u):
    v = np.zeros(len(u))
    for i in range(len(u) - 3):
        v[i] = u[i] * u[i + 3] - 0.5 * u[i + 2]
    return np.sum(v * v)


def downwards(u):
    v = np.zeros(len(u))
    for i in range(len(u) - 1, 0, -1):
        v[i] = u[i - 1] * u[i] + u[i - 1]
    return np.sum(np.sin(v))


def same_array(u):
    u = u.copy()
    for i in range(1, len(u) - 1):
        u[i] = u[i - 1] * 0.5 + u[i + 1] * u[i]
    return np.sum(u * u)


def two_arrays(u):
    v, w = np.zeros(len(u)), np.zeros(len(u))
    for i in range(len(u) - 1):
        v[i] = 0.3 * u[i + 1] + u[i]
        w[i + 1] = v[i] * u[i + 1] - u[i]
    return np.sum(v * w)


def plane(m):
    v = np.zeros(m.shape)
    for i in range(1, m.shape[0] - 1):
        for j in range(1, m.shape[1] - 1):
            around = m[i - 1, j] + m[i + 1, j] + m[i, j - 1] + m[i, j + 1]
            v[i, j] = m[i, j] * m[i, j] + 0.25 * around
    return np.sum(v * v)


def offset_by_an_argument(u, k):
    v = np.zeros(len(u))
    for i in range(len(u) - 4):
        v[i] = u[i + k] * 0.5 + 2.0 * u[i + k + 1]
    return np.sum(v * v)


LINES = [heat, one_sided, downwards, same_array, two_arrays]


def agree(function, *args):
    value, gradient = ad.value_and_grad(function)(*args)
    wanted = ad.value_and_grad(function, target="python")(*args)
    np.testing.assert_allclose(value, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("function", LINES)
def test_every_length(function):
    for n in range(10):
        agree(function, np.sin(np.arange(1.0, n + 1.0)))


def test_every_shape():
    for rows in range(5):
        for columns in range(6):
            agree(plane, np.sin(np.arange(1.0, rows * columns + 1.0)).reshape(rows, columns))


@pytest.mark.parametrize("k", [0, 1, 3])
def test_offset_by_an_argument(k):
    agree(offset_by_an_argument, np.sin(np.arange(9.0)), k)


def test_elements_gather():
    source = ad.grad(heat).source(np.ones(9), stage="compiled")
    assert source.count("u_bar[i] += v_bar[i + 1] * 0.2") == 1  # at the end alone
    assert "for i in range(2, " in source  # where all three meet
    rows = ad.grad(plane, passes={"gather_stencils": False})
    source = rows.source(np.ones((4, 4)), stage="compiled")
    assert source.count(", -1)") == 1  # only rows are left in the order of the reverse sweep


def test_what_iterations_hand_on_is_not_gathered():
    source = ad.grad(same_array).source(np.ones(9), stage="compiled")
    assert "-1, -1)" in source or ", 0, -1)" in source  # the loop still runs backwards


def two_steps(u):
    now, old = u.copy(), u * 0.5
    for _ in range(3):
        new = np.empty(len(u))
        for i in range(1, len(u) - 1):
            new[i] = 2.0 * now[i] - old[i] + 0.1 * (now[i - 1] - 2.0 * now[i] + now[i + 1])
        new[0] = new[len(u) - 1] = 0.0
        old = now
        now = new
    return np.sum(now * now)


def test_states_that_take_turns_gather():
    """Those of the last step and of the one before are never one array."""
    agree(two_steps, np.sin(np.arange(2.0)))
    agree(two_steps, np.sin(np.arange(9.0)))
    assert ", 0, -1)" not in ad.grad(two_steps).source(np.ones(9), stage="compiled")


def spread(u, w):
    """All that is added comes of one number, in few operations."""
    out = np.zeros(len(u))
    for i in range(1, len(u) - 1):
        r = np.sin(u[i]) * np.exp(-u[i] * u[i])
        out[i - 1] += 0.5 * r
        out[i] += r * w[i] - 2.0 * r
        out[i + 1] += w[2] * r + u[i - 1]
    return out


def spread_while_weights_change(u, w):
    """The weights that an iteration has read are others when the loop has ended."""
    w = w.copy()
    out = np.zeros(len(u))
    for i in range(1, len(u) - 1):
        r = np.sin(u[i]) * np.exp(-u[i] * u[i])
        out[i - 1] += 0.5 * r
        out[i] += r * w[i] - 2.0 * r
        out[i + 1] += w[i + 1] * r
        w[i] = 3.0 * r
    return out + w


def spread_up_and_down(u, w):
    """Two numbers that take long, down a range."""
    out = np.zeros(len(u))
    for i in range(len(u) - 2, 0, -1):
        r = np.sin(u[i] * w[i])
        s = np.cos(u[i]) / w[i]
        out[i - 1] += 0.5 * r - s
        out[i] += r * w[i] - 2.0 * s
        out[i + 1] += s
    return out


SPREAD = [spread, spread_while_weights_change, spread_up_and_down]


@pytest.mark.parametrize("function", SPREAD)
def test_what_comes_of_one_number(function):
    compiled, plain = ad.jit(function), ad.jit(function, target="python")
    for n in range(3, 12):
        args = np.sin(np.arange(1.0, n + 1.0)), np.cos(np.arange(n))
        np.testing.assert_allclose(compiled(*args), plain(*args), rtol=1e-13, atol=1e-15)


def test_one_number_is_saved():
    u = np.ones(9)
    saved = [ad.jit(f).source(u, u, stage="compiled").count("= np.empty(") for f in SPREAD]
    assert saved == [1, 4, 3]  # the second has a copy of the weights, too
