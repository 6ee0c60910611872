"""States that the reverse sweep reads stand in the rows of one array, where nobody could tell."""

import numpy as np
import pytest

import adcompile as ad

X = np.cos(np.arange(1.0, 10.0))


def burgers(x, c):
    u = x
    for _ in range(5):
        new = np.empty(len(u))
        new[0] = u[0]
        for i in range(1, len(u)):
            new[i] = u[i] - c * u[i] * (u[i] - u[i - 1])
        u = new
    return np.sum(u * u)


def arrays(x, c):
    for _ in range(4):
        x = x + c * np.sin(x)
    return np.sum(x * x)


def leapfrog(x, c):
    now, old = x, x * c
    for _ in range(5):
        new = np.zeros(len(now))
        for i in range(1, len(now) - 1):
            new[i] = 2.0 * now[i] - old[i] * now[i] + c * now[i - 1] * now[i + 1]
        old = now
        now = new
    return np.sum(now * old)


def plane(x, c):
    u = np.outer(x, x)
    for _ in range(3):
        new = np.zeros(u.shape)
        for i in range(1, len(x) - 1):
            for j in range(1, len(x) - 1):
                new[i, j] = u[i, j] + c * u[i - 1, j] * u[i, j + 1] * u[i, j]
        u = new
    return np.sum(u * u)


def recurrent(x, c):
    weights = np.outer(x, x) * c
    for _ in range(3):
        x = np.tanh(weights @ x)
    return np.sum(x * x)


def seen_whole_at_the_end(x, c):
    for _ in range(3):
        x = np.exp(c * x)
    return np.sort(x)[0] * x[1]


def two_at_once(x, c):
    y = x * c
    for _ in range(4):
        x, y = np.sin(y) + x * c, np.cos(x * y)
    return np.sum(x * y)


KEPT = [burgers, arrays, leapfrog, plane, recurrent, seen_whole_at_the_end, two_at_once]


def changed_at_the_end(x, c):
    for _ in range(3):
        x = np.exp(c * x)
    x[0] *= x[1]
    x[1] = 2.0
    return np.sum(x * x)


def in_place(x, c):
    x = x.copy()
    for _ in range(3):
        for i in range(1, len(x)):
            x[i] = x[i] * x[i - 1] * c
    return np.sum(x)


def changed_once_handed_on(x, c):
    u = x * c
    for k in range(3):
        u[0] = u[1] * k
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = np.sin(u[i]) * u[i]
        u = new
    return np.sum(u)


def one_element(x, c):
    """A row for each state would take more than what is saved."""
    u = x * c
    for _ in range(4):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i] * c
        new[0] = np.sin(u[0])
        u = new
    return np.sum(u)


def swapped(x, c):
    u, v = x * c, x * 2.0
    for _ in range(3):
        for i in range(1, len(u)):
            v[i] = np.sin(u[i]) * u[i - 1]
        u, v = v, u
    return np.sum(u * v)


def counted_from_the_end(x, c):
    """The history of a program has as many rows as it says."""
    history = np.empty((4, len(x)))
    for t in range(4):
        history[t] = x
        x = np.sin(x) * c
    return np.sum(history[-1]) + history[2, -1]


def fewer_columns(x, c):
    history = np.empty((4, len(x) - 1))
    for t in range(4):
        for i in range(len(x) - 1):
            history[t, i] = x[i]
        x = np.sin(x) * c
    return np.sum(history[1] * history[2]) + history[3, -1]


def sometimes(x, c):
    u = x * c
    for k in range(4):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = np.sin(u[i - 1]) * x[i]
        if k % 2 == 0:
            u = new
    return np.sum(u * u)


LEFT = [in_place, changed_at_the_end, changed_once_handed_on, one_element, swapped, sometimes]


def kept_by_the_program(x, c):
    """Rows that the program keeps are its own, and as many as it says."""
    h = np.empty((4, len(x)))
    for t in range(4):
        for i in range(len(x)):
            h[t, i] = x[i]
        new = np.empty(len(x))
        for i in range(len(x)):
            new[i] = np.sin(x[i]) * c + x[i - 1]
        x = new
    return np.sum(x * x) + h[-1, 0] * h[1, 1]


def first_states_only(x, c):
    h = np.empty((3, len(x)))
    for t in range(40):
        if t < 3:
            for i in range(len(x)):
                h[t, i] = x[i]
        new = np.empty(len(x))
        for i in range(len(x)):
            new[i] = np.sin(x[i]) * c + x[i - 1]
        x = new
    return np.sum(x * x) * 1e-3 + h[0, 0] * h[1, 1]


def changed_after_it_was_read(x, c):
    total = 0.0
    for _ in range(3):
        new = np.empty(len(x))
        for i in range(len(x)):
            new[i] = x[i] * c
        for i in range(len(x)):
            a = new[i]
            new[i] = np.cos(x[i])
            total += a * a * new[i]
        x = new
    return total


OTHERS = [
    counted_from_the_end, fewer_columns, kept_by_the_program, first_states_only,
    changed_after_it_was_read,
]  # fmt: skip


@pytest.mark.parametrize("function", [*KEPT, *LEFT, *OTHERS])
def test_results_stay(function):
    python = ad.value_and_grad(function, argnums=(0, 1), target="python")
    for options in ({}, {"fastmath": False}, {"parallel": True}):
        derivative = ad.value_and_grad(function, argnums=(0, 1), **options)
        for n in (3, 4, 9):
            value, gradients = derivative(X[:n], 0.3)
            wanted, others = python(X[:n], 0.3)
            np.testing.assert_allclose(value, wanted, rtol=1e-12)
            for found, other in zip(gradients, others, strict=True):
                np.testing.assert_allclose(found, other, rtol=1e-11, atol=1e-14)


def is_kept(function):
    sources = [
        ad.value_and_grad(function, passes=passes).source(X, 0.3, stage="compiled")
        for passes in ({}, {"keep_states": False})
    ]
    return sources[0] != sources[1]


@pytest.mark.parametrize("function", KEPT)
def test_which_are_kept(function):
    assert is_kept(function)


@pytest.mark.parametrize("function", LEFT)
def test_which_are_left(function):
    assert not is_kept(function)


@pytest.mark.parametrize("function", [burgers, leapfrog])
def test_nothing_is_made_in_the_loop(function):
    source = ad.value_and_grad(function).source(X, 0.3, stage="compiled")
    made = [line for line in source.splitlines() if " = np.empty(" in line and "#" not in line]
    assert {len(line) - len(line.lstrip()) for line in made} == {4}


def test_both_names_of_a_state_are_read_of_one_array():
    source = ad.value_and_grad(recurrent).source(X, 0.3, stage="compiled")
    assert source.count("_tape = np.empty(") == 1 and "_tape_1" not in source


def test_no_steps():
    def steps(x, n):
        for _ in range(n):
            x = np.sin(x) * x
        return np.sum(x * x)

    for n in (-1, 0, 1, 2):
        value, gradient = ad.value_and_grad(steps)(X, n)
        wanted, other = ad.value_and_grad(steps, target="python")(X, n)
        np.testing.assert_allclose(value, wanted, rtol=1e-13)
        np.testing.assert_allclose(gradient, other, rtol=1e-12)


def test_a_result_does_not_hold_all_states():
    def last(x, n):
        for _ in range(n):
            x = np.sin(x) * x
        return np.sum(x * x), x

    derivative = ad.value_and_grad(last, has_aux=True)
    (value, state), _ = derivative(X, 3)
    wanted = last(X, 3)
    np.testing.assert_allclose(value, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(state, wanted[1], rtol=1e-13)
    source = derivative.source(X, 3, stage="compiled")
    assert "x_tape[0, i] = x[i]" in source and "_tape" not in source.splitlines()[-1]


def test_an_index_outside_of_what_the_program_keeps_is_an_error():
    def row(x, c, k):
        h = np.empty((4, len(x)))
        for t in range(4):
            for i in range(len(x)):
                h[t, i] = x[i]
            new = np.empty(len(x))
            for i in range(len(x)):
                new[i] = np.sin(x[i]) * c
            x = new
        return h[k, 0] + x[0]

    for k in (4, -5):
        with pytest.raises(IndexError):
            ad.jit(row, boundscheck=True)(X, 0.3, k)
