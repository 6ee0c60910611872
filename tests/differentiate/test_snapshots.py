"""Arrays that are copied before loops that read them, so that numbers are computed again."""

import math

import numpy as np
import pytest

import adcompile as ad


def pairs(pos, steps):
    pos = pos.copy()
    n = len(pos)
    for _ in range(steps):
        force = np.zeros(n)
        for i in range(n):
            for j in range(n):
                if i != j:
                    dx = pos[j, 0] - pos[i, 0]
                    dy = pos[j, 1] - pos[i, 1]
                    force[i] += dx * dy * dx / (1.0 + dy * dy)
        for i in range(n):
            pos[i, 0] += 0.1 * force[i]
            pos[i, 1] -= 0.2 * force[i] * pos[i, 0]
    return np.sum(pos**2)


def in_place(u, steps):
    u = u.copy()
    new = np.zeros(len(u))
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = u[i] - 0.3 * u[i] * (u[i + 1] - u[i - 1]) * u[i + 1]
        for i in range(1, len(u) - 1):
            u[i] = new[i]
    return np.sum(u * u)


def swapped(u, steps):
    old, new = u.copy(), u.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = old[i] - 0.3 * old[i] * (old[i + 1] - old[i - 1]) * old[i + 1]
        old, new = new, old
    return np.sum(old * old)


def rotated(u, steps):
    a, b, c = u.copy(), 2.0 * u, 0.5 * u
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            c[i] = a[i] * (b[i + 1] - b[i - 1]) * a[i + 1] + b[i] * a[i - 1] * b[i + 1]
        a, b, c = b, c, a
    return np.sum(a * b)


def overwritten_in_a_branch(u, steps):
    u = u.copy()
    for k in range(steps):
        total = 0.0
        for i in range(1, len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        if k % 2 == 1:
            for i in range(len(u)):
                u[i] = u[i] + 0.1 * total
    return np.sum(u * u)


def nest_in_a_branch(u, steps):
    u = u.copy()
    for k in range(steps):
        total = 0.0
        if k != 1:
            for i in range(1, len(u)):
                total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        for i in range(len(u)):
            u[i] = u[i] * 0.9 + 0.1 * total
    return np.sum(u * u)


def written_through_a_view(u, steps):
    u = u.copy()
    tail = u[1:]
    for _ in range(steps):
        total = 0.0
        for i in range(1, len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        tail[0] += total
        tail[2] *= 0.9
    return np.sum(u * u)


def written_through_a_view_in_the_nest(u, steps):
    u = u.copy()
    tail = u[1:]
    total = 0.0
    for _ in range(steps):
        for i in range(1, len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
            tail[i - 1] = 0.9 * u[i] + 0.1 * u[i - 1]
    return np.sum(u * u) + total


def partly_overwritten_before(u, steps):
    u = u.copy()
    for k in range(steps):
        u[0] = u[1] * u[2]
        u[2] = u[0] * 0.5 + k
        total = 0.0
        for i in range(1, len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        u[1] += 0.1 * total
    return np.sum(u * u)


def two_nests_and_a_write_between(u, steps):
    u = u.copy()
    for _ in range(steps):
        one = 0.0
        for i in range(1, len(u)):
            one += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        u[1] = 0.1 * one
        two = 0.0
        for i in range(1, len(u)):
            two += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        u[2] = 0.1 * two
    return np.sum(u * u)


def in_a_while(u, steps):
    u = u.copy()
    size = np.sum(u * u)
    k = 0
    while size > 0.01 and k < steps:
        total = 0.0
        for i in range(1, len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1]
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
        size = np.sum(u * u)
        k += 1
    return size


def while_in_the_nest(u, steps):
    u = u.copy()
    for _ in range(steps):
        total = 0.0
        for i in range(1, len(u)):
            j = i
            while j > 0 and u[j] * u[i] > -0.2:
                total += u[i] * (u[j] - u[j - 1]) * u[j - 1]
                j -= 1
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
    return np.sum(u * u)


def rows_as_views(u, steps):
    pos = np.zeros((len(u), 2))
    for i in range(len(u)):
        pos[i, 0] = u[i]
        pos[i, 1] = u[i] * u[i]
    for _ in range(steps):
        total = 0.0
        for i in range(len(u)):
            p = pos[i]
            for j in range(len(u)):
                q = pos[len(u) - 1 - j, :]
                d = p[0] - q[1]
                total += d * d * p[1] * q[0]
        for i in range(len(u)):
            pos[i, 0] += 0.01 * total * pos[i, 1]
    return np.sum(pos**2)


def from_the_end(u, steps):
    u = u.copy()
    for _ in range(steps):
        total = 0.0
        for i in range(len(u)):
            total += u[i] * (u[i] - u[i - 1]) * u[i - 1] * u[-i]
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
    return np.sum(u * u)


def fewer_than_the_loop_counts(u, steps):
    u = u.copy()
    n = 2 * steps + 3
    for _ in range(steps):
        total = 0.0
        for i in range(1, n):
            for j in range(n):
                if i < len(u) and j < len(u):
                    total += u[i] * (u[j] - u[i - 1]) * u[j]
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
    return np.sum(u * u)


def before_the_only_write(u, steps):
    u = u.copy()
    total = 0.0
    for i in range(len(u)):
        for j in range(len(u)):
            d = u[i] - u[j] * steps
            total += d * d * d * u[j]
    u[0] = total
    u *= 2.0
    return np.sum(u * u)


def places_that_move(u, steps):
    u = u.copy()
    order = np.arange(len(u))
    for _ in range(steps):
        total = 0.0
        for i in range(len(u)):
            for j in range(len(u)):
                d = u[order[i]] - u[order[j]]
                total += d * d * u[order[i]] * (1 + i)
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
        first = order[0]
        for i in range(len(u) - 1):
            order[i] = order[i + 1]
        order[len(u) - 1] = first
    return np.sum(u * u)


def branches_on_what_is_read(u, steps):
    u = u.copy()
    for _ in range(steps):
        total = 0.0
        for i in range(len(u)):
            for j in range(len(u)):
                d = u[i] - u[j]
                if d * d > 0.1:
                    total += np.exp(-d * d) * u[j]
                elif u[i] > u[j]:
                    total += d * u[i] * u[j]
        for i in range(len(u)):
            u[i] = u[i] * 0.8 + 0.1 * total
    return np.sum(u * u)


def triangle(u, steps):
    u = u.copy()
    for _ in range(steps):
        total = 0.0
        for i in range(len(u)):
            for j in range(i + 1, len(u)):
                d = u[i] - u[j]
                total += d * d * d * u[j]
        u[0] += 0.1 * total
        for i in range(1, len(u)):
            u[i] -= 0.05 * u[i - 1] * u[i]
    return np.sum(u * u)


def made_in_the_step(u, steps):
    u = u.copy()
    for _ in range(steps):
        flux = np.zeros(len(u))
        for i in range(len(u)):
            flux[i] = u[i] * u[i]
        total = 0.0
        for i in range(1, len(u)):
            total += flux[i] * (flux[i] - flux[i - 1]) * flux[i - 1]
        for i in range(len(u)):
            flux[i] = 0.1 * total * flux[i]
            u[i] = 0.7 * u[i] + flux[i]
    return np.sum(u * u)


def checkpointed(u, steps):
    u = u.copy()
    new = np.zeros(len(u))
    for _ in ad.checkpoint(range(steps)):
        for i in range(1, len(u) - 1):
            new[i] = u[i] - 0.3 * u[i] * (u[i + 1] - u[i - 1]) * u[i + 1]
        for i in range(1, len(u) - 1):
            u[i] = new[i]
    return np.sum(u * u)


PROGRAMS = [
    in_place, swapped, rotated, overwritten_in_a_branch, nest_in_a_branch,
    written_through_a_view, written_through_a_view_in_the_nest, partly_overwritten_before,
    two_nests_and_a_write_between, in_a_while, while_in_the_nest, rows_as_views, from_the_end,
    fewer_than_the_loop_counts, before_the_only_write, places_that_move, branches_on_what_is_read,
    triangle, made_in_the_step, checkpointed,
]  # fmt: skip
POINT = np.array([0.31, -0.42, 0.83, 0.54, -0.25, 0.66])


def _slopes(function, u, *rest):
    step = 1e-6
    found = np.zeros(u.shape)
    for k in np.ndindex(u.shape):
        up, down = u.copy(), u.copy()
        up[k] += step
        down[k] -= step
        found[k] = (function(up, *rest) - function(down, *rest)) / (2 * step)
    return found


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients(function, steps):
    value, gradient = ad.value_and_grad(function, target="python")(POINT, steps)
    assert value == pytest.approx(function(POINT, steps), rel=1e-12)
    np.testing.assert_allclose(gradient, _slopes(function, POINT, steps), rtol=1e-5, atol=1e-8)


@pytest.mark.share(2)
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_compiled(function):
    value, gradient = ad.value_and_grad(function, target="python")(POINT, 3)
    again, compiled = ad.value_and_grad(function)(POINT, 3)
    assert again == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(compiled, gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.share(4)
@pytest.mark.parametrize("function", [in_place, swapped, rows_as_views, triangle, in_a_while])
def test_second_derivatives(function):
    ad.check_grads(function, (POINT[:4], 2), order=2)


def test_pairs_keep_the_positions_of_each_step():
    pos = np.random.default_rng(0).normal(size=(7, 2))
    said = ad.grad(pairs).explain(pos, 3)
    division, copy, *rest = sorted(said.saved, key=lambda d: d.nbytes)[::-1]
    assert copy.what == "pos" and "overwritten" in copy.because
    assert copy.nbytes == 3 * 7 * 2 * 8 and division.nbytes == 3 * 7 * 7 * 8
    assert all(d.nbytes == 3 * 7 * 8 for d in rest)
    gradient = ad.grad(pairs, target="python")(pos, 3)
    np.testing.assert_allclose(gradient, _slopes(pairs, pos, 3), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(ad.grad(pairs)(pos, 3), gradient, rtol=1e-10)


@pytest.mark.parametrize("function", [in_place, swapped])
def test_a_stencil_keeps_the_state_of_each_step(function):
    said = ad.grad(function).explain(POINT, 4)
    assert said.tape_bytes == 4 * POINT.nbytes


def test_two_nests_share_a_copy():
    def function(u, steps):
        u = u.copy()
        n = len(u)
        for _ in range(steps):
            one, two = 0.0, 0.0
            for i in range(n):
                for j in range(n):
                    one += (u[i] - u[j]) * u[j] * u[i]
            for i in range(n):
                for j in range(n):
                    two += (u[i] + u[j]) * u[j] * u[i]
            for i in range(n):
                u[i] += 0.1 * one - 0.2 * two
        return np.sum(u)

    said = ad.grad(function).explain(POINT, 3)
    assert said.tape_bytes == 3 * POINT.nbytes
    gradient = ad.grad(function)(POINT, 3)
    np.testing.assert_allclose(gradient, _slopes(function, POINT, 3), rtol=1e-5)


def few_rows(table, places):
    table = table.copy()
    total = 0.0
    for k in range(len(places)):
        for i in range(3):
            total += table[places[k], i] * table[places[k], i + 1] * total + table[places[k], i]
        table[places[k], 0] += total
    return total


def few_elements(table, n):
    table = table.copy()
    total = 0.0
    for k in range(n):
        for i in range(1, 4):
            total += table[i] * (table[i + 1] - table[i]) * table[i + 1]
        table[k] += total
    return total


def a_band(table, n):
    table = table.copy()
    total = 0.0
    for k in range(n):
        for i in range(max(0, k - 2), min(n, k + 3)):
            total += table[i] * (table[k] - table[i]) * table[k]
        table[k] += 0.1 * total
    return total


@pytest.mark.parametrize(
    "function, args",
    [
        (few_rows, (np.linspace(0.1, 0.9, 8000).reshape(2000, 4), np.array([3, 1999, 17, 3]))),
        (a_band, (np.linspace(0.1, 0.9, 300), 300)),
    ],
)
def test_what_is_hardly_read_is_not_copied(function, args):
    said = ad.grad(function).explain(*args)
    assert said.saved and not any(d.what == "table" for d in said.saved)
    part = ad.grad(function)(*args)
    np.testing.assert_allclose(part, ad.grad(function, target="python")(*args), rtol=1e-9)


def test_only_the_part_that_is_read_is_copied():
    args = np.linspace(0.1, 0.9, 4000), 6
    (copy,) = ad.grad(few_elements).explain(*args).saved
    assert copy.what == "table" and copy.nbytes == 6 * 5 * 8
    part = ad.grad(few_elements)(*args)
    np.testing.assert_allclose(
        part, ad.grad(few_elements, target="python")(*args), rtol=1e-9, atol=1e-15
    )


def test_no_copy_without_a_reverse_sweep():
    types = "f8[:, :], i8"
    for made in (ad.jit(pairs), ad.jacfwd(pairs)):
        assert "pos_tape" not in made.source(types) and "pos_2" not in made.source(types)


def test_conditions_of_rounded_numbers_are_saved():
    """What is computed again may be rounded otherwise, and must not take another branch."""
    source = ad.grad(branches_on_what_is_read).source("f8[:], i8")
    assert "np.bool_" in source
    assert math.isfinite(ad.grad(branches_on_what_is_read)(np.ones(5), 2)[0])


def within_a_circle(s, x, y, n):
    for _ in range(n):
        for i in range(len(x)):
            if x[i] * x[i] + y[i] * y[i] < 1.0:
                s[i + 1] = np.sin(s[i + 1]) * s[i]
    return np.sum(s)


def test_conditions_that_could_be_contracted_are_saved():
    """`x * x + y * y` is one operation, or two: what the branch kept is read by the same answer."""
    source = ad.grad(within_a_circle).source("f8[:], f8[:], f8[:], i8")
    assert "np.bool_" in source
    rng = np.random.default_rng(0)
    args = rng.standard_normal(6), rng.standard_normal(5), rng.standard_normal(5)
    ad.check_grads(lambda s, x, y: within_a_circle(s, x, y, 3), args, order=1, modes=("rev",))


def without_rows(x):
    v, w = np.ones(len(x)), np.ones(len(x))
    for _ in range(len(x)):
        for i in range(1, len(x) - 1):
            w[i] += x[i]
        for i in range(1, len(x) - 1):
            v[i] = w[i - 1] * w[i]
    return np.sum(v)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_parts_of_empty_arrays(target):
    derivative = ad.value_and_grad(without_rows, target=target)
    value, gradient = derivative(np.zeros(0))
    assert value == 0.0 and gradient.shape == (0,)
    assert derivative(np.zeros(1))[0] == 1.0
