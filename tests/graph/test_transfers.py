"""Arrays that change hands at branches and loops: whose memory is written, and who sees it."""

import numpy as np
import pytest

import adcompile as ad


def handed_to_each_run_of_a_loop(x):
    y = x.copy()
    total = 0.0
    for _ in range(2):
        z = y
        for j in range(len(x)):
            z[j] = z[j] * 2
            if z[j] > 100:
                z = z * 0.5
        total += z[0]
    return total


def test_an_array_handed_on_in_every_iteration_is_refused():
    """The second iteration starts from what the first one wrote."""
    with pytest.raises(ad.NotDifferentiable, match="`z` is handed through a `for`"):
        ad.grad(handed_to_each_run_of_a_loop)(np.ones(3))


def written_on_one_side(x):
    z = x * 1.0
    total = 0.0
    for _ in range(3):
        if x[0] > 100.0:
            z = z * 2.0
        else:
            z[1] += x[0]
        z[0] = z[0] * x[1]
        total += z[0] * z[1]
    return total


def swapped_at_times(x):
    a, b = x * 1.0, x * 2.0
    total = 0.0
    for i in range(5):
        if i % 2 == 0:
            a, b = b, a
        a[0] = b[1] * x[2] * a[0]
        if i == 3:
            a = a * x
        total += a[0]
    return total + np.sum(a) + np.sum(b * b)


def branches_and_loops(x):
    a, b = x * 1.0, x * 2.0
    total = 0.0
    for i in range(5):
        row = a[1:]
        if x[i % 3] > 0.5:
            if i > 2:
                a = a * x[0]
            else:
                total += row[0]
            a[1] = total * a[0]
        for j in range(2):
            if j > i:
                a = a + x
            total += a[j] * b[j]
    return total + np.sum(a)


def swapped_once(x):
    a, u = x * 1.0, x * 2.0
    for i in range(4):
        if i == 1:
            a, u = u, a + u
        w = a + u
        u = np.sin(w)
        a[1] = w[0] * u[2]
    return np.sum(a * a) + np.sum(u)


def twin_that_is_not_read_again(x):
    a, b = x + 0.6, x * 2.0
    for _ in range(3):
        b = a * x
        a = b
    b[1:] *= x[0]
    return np.sum(b * x)


def saved_and_written_in_the_next_round(x):
    a, b = x * 1.0, x * 2.0
    m = 0
    while m < 2:
        m += 1
        for i in range(2):
            a[i] += 0.5
        a = b.copy()
        b = a * a
    return np.sum(a)


def _halved(x, n):
    y = np.sin(x)
    if n > 0:
        y = y * _halved(x * 0.5, n - 1)
    return y * y


def written_by_the_caller(x):
    y = _halved(x, 2)
    y[0] = 3.0
    return np.sum(y)


def start_that_is_read_later(x):
    u = x
    for _ in range(3):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = np.sin(u[i]) + u[i - 1] * x[i]
        u = new
    return np.sum(u * x)


def started_from_again(x):
    total = 0.0
    for k in range(3):
        u = x[1:]
        for _ in range(k + 1):
            new = np.empty(len(u))
            for i in range(len(u)):
                new[i] = u[i - 1] * x[k] * u[i]
            u = new
        total += u[0] * x[k]
    return total


def until_it_is_small(x):
    u, count = x, 0
    while np.sum(u * u) > 1e-3 and count < 4:
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = 0.5 * u[i] * x[i]
        u = new
        count += 1
    return np.sum(u * x)


def written_where_it_is_new(x):
    u = x
    if x[0] > 0.0:
        u = x * x
        u[0] = 5.0 * x[1]
    return np.sum(u * x)


@pytest.mark.share(2)
@pytest.mark.parametrize(
    "function",
    [
        start_that_is_read_later,
        started_from_again,
        until_it_is_small,
        written_where_it_is_new,
        saved_and_written_in_the_next_round,
        written_by_the_caller,
        written_on_one_side,
        swapped_at_times,
        branches_and_loops,
        swapped_once,
        twin_that_is_not_read_again,
    ],
    ids=lambda f: f.__name__,
)
def test_against_differences(function):
    x, v, step = np.array([0.3, 1.5, 0.7]), np.array([1.0, -0.5, 2.0]), 1e-6

    def slope(f):
        return (f(x + step * v) - f(x - step * v)) / (2 * step)

    gradient = ad.grad(function)
    assert gradient(x) @ v == pytest.approx(slope(function), rel=1e-6)
    found = ad.hvp(function)(x, v)
    np.testing.assert_allclose(found, slope(gradient), rtol=1e-6, atol=1e-6)

    def along(x, v):
        return np.sum(gradient(x) * v)

    np.testing.assert_allclose(ad.grad(along)(x, v), found, rtol=1e-9, atol=1e-12)


def _start_that_is_written_later(x):
    y = x.copy()
    u = y
    for k in range(3):
        new = np.empty(len(u))
        for i in range(len(u)):
            new[i] = u[i] * y[i]
        u = new
        y[k] = 3.0
    return np.sum(u * y)


def _twins_of_a_loop(x):
    a, b = x + 0.6, x * 2.0
    for _ in range(3):
        b = a * 0.5
        a = b
    a *= -0.7
    return np.sum(b)


def _twins_of_a_while(x):
    a, b = x + 0.6, x * 2.0
    i = 0
    while i < 3:
        i += 1
        b = a * 0.5
        a = b
    b[0] = 3.0 * x[1]
    return np.sum(a * a)


def _twins_of_a_branch(x):
    a, b = x + 0.6, x * 2.0
    if x[0] > 0.0:
        b = a * 0.5
        a = b
    a[0] = 0.0
    return np.sum(b)


def _twins_in_a_loop(x):
    a, b = x + 0.6, x * 2.0
    for _ in range(2):
        for _ in range(3):
            b = a * 0.5
            a = b
        a *= -0.7
    return np.sum(b)


def _twins_at_the_start(x):
    a = x * 1.0
    b = a
    for _ in range(2):
        b[1:] += 0.5
        a, b = b, a
    return np.sum(a * x)


def _a_view_at_the_start(x):
    a = x * 1.0
    b = a[::-1]
    m = 0
    while m < 2:
        m += 1
        a, b = b, a
        b[1:] = b[:-1]
    return np.sum(a * x)


def _added_to_under_another_name(x):
    a = x * 1.0
    c = a
    for _ in range(2):
        c += 0.3
        a = a
    return np.sum(a * x)


@pytest.mark.parametrize(
    "function",
    [
        _start_that_is_written_later,
        _twins_at_the_start,
        _a_view_at_the_start,
        _added_to_under_another_name,
        _twins_of_a_loop,
        _twins_of_a_while,
        _twins_of_a_branch,
        _twins_in_a_loop,
    ],
    ids=lambda f: f.__name__,
)
def test_one_array_handed_on_under_two_names_is_refused_if_that_shows(function):
    with pytest.raises(ad.NotDifferentiable, match="two names may share its memory"):
        ad.grad(function, target="python")(np.ones(3))
