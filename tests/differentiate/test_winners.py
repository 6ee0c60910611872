"""Loops that keep what one of their iterations computed: the reverse sweep runs that one."""

from __future__ import annotations

import numpy as np
import pytest

import adcompile as ad

INF = np.inf


def nearest(x, y):
    total = 0.0
    for i in range(len(x)):
        best = INF
        for j in range(len(y)):
            d = np.sqrt((x[i] - y[j]) ** 2 + 0.01)
            if d < best:
                best = d
        total += best * best
    return total


def nearest_by_min(x, y):
    total = 0.0
    for i in range(len(x)):
        best = INF
        for j in range(len(y)):
            best = min(best, np.sqrt((x[i] - y[j]) ** 2 + 0.01))
        total += best * best
    return total


def nearest_by_where(x, y):
    total = 0.0
    for i in range(len(x)):
        best, at = 1e3, 0.0
        for j in range(len(y)):
            d = (x[i] - y[j]) ** 2
            closer = d <= best
            best = np.where(closer, d, best)
            at = np.where(closer, y[j] * x[i], at)
        total += best * at
    return total


def several_numbers(x, y):
    best, at, found = y[0] * 2.0, x[0] * 3.0, 0
    for i in range(len(x)):
        if x[i] * y[0] > best and i != 2:
            at = np.exp(x[i]) * y[1]
            best = x[i] * y[0] + 0.1 * at
            found += 1
    return best * at + found


def one_of_two_sides(x, y):
    best = y[0]
    for i in range(len(x)):
        if i == 1:
            best = y[1] * y[1]
        elif x[i] > best:
            best = x[i] * y[2]
    return best


def both_sides(x, y):
    last = y[0]
    for i in range(len(x)):
        if x[i] > 0.0:
            last = np.sin(x[i])
        else:
            last = y[1] * x[i]
    return last * last


def some_of_them(x, y):
    best = y[0]
    for i in range(len(x)):
        if i % 2 == 0:
            best = max(best, x[i] * y[1])
    return best


def backwards(x, y):
    best = y[0]
    for i in range(len(x) - 1, -1, -2):
        if x[i] * x[i] > best:
            best = x[i] * x[i]
    return best


def over_components(x, y):
    total = 0.0
    for i in range(len(x)):
        best = INF
        for j in range(len(y) - 1):
            d = 0.0
            for k in range(2):
                part = x[(i + k) % len(x)] - y[j + k]
                d += part * part
            if d < best:
                best = d
        total += best
    return total


def of_rows(x, y):
    table = np.outer(x, y)
    best = INF
    for i in range(len(x)):
        away = table[i] - y
        d = np.sum(away * away)
        if d < best:
            best = d
    return best


def pooled(x, y):
    total = 0.0
    table = np.outer(x, y)
    for i in range(table.shape[0] // 2):
        best = table[2 * i, 0]
        for a in range(2):
            for b in range(table.shape[1]):
                if table[2 * i + a, b] > best:
                    best = table[2 * i + a, b]
        total += best * best * (i + 1.0)
    return total


def pooled_by_max(x, y):
    total = 0.0
    table = np.outer(x, y)
    for i in range(table.shape[0] // 2):
        best = -INF
        for a in range(2):
            for b in range(table.shape[1]):
                best = max(best, table[2 * i + a, b])
        total += best * best * (i + 1.0)
    return total


def written_later(x, y):
    work = x * y[0]
    total = 0.0
    for k in range(3):
        best = y[1]
        for i in range(len(work)):
            if work[i] * work[i] > best:
                best = work[i] * work[i]
        work[k] = 0.1 * best
        total += best
    return total


def until_it_is_large(x, y):
    total, i, c = 0.0, 0, 0.5
    while c < 6.0:
        best = y[0]
        for j in range(i, len(x)):
            d = np.sqrt(x[j] ** 2 + y[i % 3] ** 2 + 0.1)
            if d > 0.8:
                d = d * x[i % len(x)]
            if d < best:
                best = d
        total += best * c
        c = 1.5 * c + 0.1 * best * best + 0.3
        i += 1
    return total


def until_it_is_large_by_min(x, y):
    total, i, c = 0.0, 0, 0.5
    while c < 6.0:
        best = y[0]
        for j in range(len(x)):
            best = min(best, np.sqrt(x[j] ** 2 + y[i % 3] ** 2 + 0.1))
        total += best * c
        c = 1.5 * c + 0.1 * best * best + 0.3
        i += 1
    return total


def shortest_paths(x, y):
    best = x[:3] * 1.0
    for k in range(4):
        new = np.empty(3)
        for j in range(3):
            top = INF
            for i in range(3):
                if best[i] + x[i] * y[j] < top:
                    top = best[i] + x[i] * y[j]
            new[j] = top
        best = new
    return np.sum(best * best)


WITHOUT_TAPE = [
    nearest, nearest_by_min, nearest_by_where, several_numbers, both_sides, some_of_them, backwards,
    over_components, of_rows, pooled,
]  # fmt: skip
FUNCTIONS = [
    *WITHOUT_TAPE, one_of_two_sides, pooled_by_max, written_later, until_it_is_large,
    until_it_is_large_by_min, shortest_paths,
]  # fmt: skip


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_reverse_and_forward_mode_agree(function, target):
    random = np.random.default_rng(3)
    reverse = ad.value_and_grad(function, argnums=(0, 1), target=target)
    forward = [ad.jacfwd(function, argnums=k, target=target) for k in (0, 1)]
    for digits in (0, 0, 1, 1, 8, 8):  # also where several numbers are equal
        args = np.round(random.normal(size=6), digits), np.round(random.normal(size=3), digits)
        value, found = reverse(*args)
        assert value == pytest.approx(function(*args))
        for one, derivative in zip(found, forward, strict=True):
            np.testing.assert_allclose(one, derivative(*args), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", WITHOUT_TAPE)
def test_no_number_of_each_iteration_is_saved(function):
    args = np.linspace(-1.0, 1.0, 6), np.ones(3)
    derivative = ad.grad(function, argnums=(0, 1))
    assert derivative.explain(*args).of("winner")
    for decision in derivative.explain(*args).saved:
        assert decision.what in ("i", "last_i"), decision
    assert "_stack" not in derivative.source(*args)


def test_the_index_is_saved_where_the_loop_runs_again():
    source = ad.grad(shortest_paths).source(np.ones(6), np.ones(3))
    assert "last_i_tape = np.empty((4, 3), np.int64)" in source
    assert source.count("_tape = ") == 1


def test_no_iteration_wins():
    def none(x, y):
        best = x[0] * x[0]
        for i in range(len(y)):
            if y[i] > 10.0:
                best = y[i] * x[1]
        return best

    found = ad.grad(none, argnums=(0, 1))(np.array([3.0, 2.0]), np.ones(4))
    np.testing.assert_array_equal(found[0], [6.0, 0.0])
    np.testing.assert_array_equal(found[1], np.zeros(4))
    empty = ad.grad(none)(np.array([3.0, 2.0]), np.empty(0))
    np.testing.assert_array_equal(empty, [6.0, 0.0])


def test_equal_numbers_share_by_min_and_the_first_by_if():
    x, y = np.array([0.0]), np.array([1.0, -1.0, 1.0])
    for function, shares in ((nearest, [1, 0, 0]), (nearest_by_min, [0.25, 0.25, 0.5])):
        found = ad.grad(function, argnums=1)(x, y)
        np.testing.assert_allclose(found, 2.0 * y * shares)


def test_what_is_no_number_has_no_share():
    y = np.array([1.0, np.nan, 0.5])
    found = ad.grad(nearest_by_min, argnums=1, fastmath=False)(np.array([0.0]), y)
    np.testing.assert_array_equal(found, np.zeros(3))


@pytest.mark.parametrize("function", [nearest, several_numbers, pooled])
def test_second_derivatives(function):
    x, y = np.array([0.3, -0.8, 1.4, 0.9]), np.array([0.5, 1.1, -0.7])
    found = ad.hessian(function)(x, y)
    np.testing.assert_allclose(found, ad.jacfwd(ad.grad(function))(x, y), atol=1e-12)
    np.testing.assert_allclose(found, ad.jacfwd(ad.jacfwd(function))(x, y), atol=1e-12)


def second_largest(x):
    first, second = -INF, -INF
    for i in range(len(x)):
        if x[i] > first:
            second = first
            first = x[i]
        elif x[i] > second:
            second = x[i]
    return first * second


def also_a_sum(x):
    best, total = 0.0, 0.0
    for i in range(len(x)):
        if x[i] * x[i] > best:
            best = x[i] * x[i]
        total += best
    return total


def a_part_of_the_best(x):
    best = 0.0
    for i in range(len(x)):
        if x[i] > best:
            best = 0.5 * best + x[i]
    return best


def called(x, k):
    best = x[k]
    for i in range(k, len(x)):
        if x[i] * x[k] > best:
            best = x[i] * x[k]
    return best if k == 0 else best + called(x, k - 1)


def of_computed_numbers(x):
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, x[i] * x[i] + 0.1 * x[i])
    return largest


def where_it_is_not_worse(x):
    largest = 0.0
    for i in range(len(x)):
        if not x[i] <= largest:  # a NaN is carried on
            largest = x[i]
    return largest


@pytest.mark.parametrize("function", [of_computed_numbers, where_it_is_not_worse])
def test_another_loop_does_not_look_for_it(function):
    x = np.array([0.3, 2.0, -1.0, 1.5])
    source = ad.grad(function).source(x)
    assert "last_i" in source and "tape" not in source
    ad.check_grads(function, (x,), order=1)


@pytest.mark.parametrize("function", [second_largest, also_a_sum, a_part_of_the_best])
def test_other_loops_are_reversed_whole(function):
    x = np.array([0.3, 2.0, -1.0, 1.5, 2.5])
    assert "last_i" not in ad.grad(function).source(x)
    np.testing.assert_allclose(ad.grad(function)(x), ad.jacfwd(function)(x))


def test_recursive_functions():
    x = np.array([0.3, 2.0, -1.0, 1.5, 2.5])
    found = ad.grad(lambda x: called(x, 3))(x)
    np.testing.assert_allclose(found, ad.jacfwd(lambda x: called(x, 3))(x))


# -- where an iteration must not be left out, or does not tell of another ------------------------


def of_arrays_in_a_branch(x, y):
    best = 5.0
    for i in range(len(x)):
        if x[i] > -0.5:
            part = np.sin(y * x[i])
            d = np.sum(part * part) * x[i]
            if d < best:
                best = d
    return best


def larger_or_another(x, y):
    best = x[0]
    for i in range(len(x)):
        if i == 1:
            best = 2.0 * x[i]
        else:
            best = max(best, x[i])
    return best * y[0]


def larger_or_smaller(x, y):
    best = y[0]
    for i in range(len(x)):
        if i % 2 == 0:
            best = max(best, x[i])
        else:
            best = min(best, x[i])
    return best


def one_condition_on_two_sides(x, y):
    best = y[0]
    for i in range(len(x)):
        c = x[i] > 0.0
        if i % 2 == 0:
            if c:
                best = 3.0 * x[i]
        else:
            best = 2.0 * x[i] if c else x[i] ** 2
    return best


def nested_in_a_while(x, y):
    total, grows = 0.0, 0.5
    while grows < 3.0:
        best = 10.0
        for i in range(len(x)):
            for j in range(3):
                best = min(best, y[j] * x[i])
        total += best * grows
        grows = 1.3 * grows + 0.2 + 0.01 * best**2
    return total


def with_a_carried_place(x, y):
    total, grows = 0.0, 0.5
    while grows < 3.0:
        best, n = -9.0, 0
        for i in range(len(x)):
            best = max(best, np.sin(x[i] * y[n]))
            n = (2 * n + 1) % 3
        total += best * grows
        grows = 1.3 * grows + 0.2 + 0.01 * best**2
    return total


def of_arrays_in_a_while(x, y):
    total, grows = 0.0, 0.5
    given = np.array([0.3, -0.2, 0.9])
    while grows < 3.0:
        best = 10.0
        for i in range(3):
            weights = np.sort(given * (i + 1))
            d = np.dot(weights, y) * x[i]
            if d < best:
                best = d
        total += best * grows
        grows = 1.3 * grows + 0.2
    return total


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(
    "function",
    [
        of_arrays_in_a_branch, larger_or_another, larger_or_smaller, one_condition_on_two_sides,
        nested_in_a_while, with_a_carried_place, of_arrays_in_a_while,
    ],
)  # fmt: skip
def test_no_iteration_is_left_out_wrongly(function, target):
    test_reverse_and_forward_mode_agree(function, target)
    x, y = np.array([5.0, -1.0, 1.0]), np.array([0.5, 0.7, -0.3])
    ad.check_grads(function, (x, y), order=1)


def test_draws_are_not_drawn_again():
    def nearest_to_a_draw(x):
        best = 9.0
        for i in range(len(x)):
            d = (x[i] - x[0] * np.random.random()) ** 2
            if d < best:
                best = d
        return best

    assert ad.grad(nearest_to_a_draw).source(np.ones(3)).count(" = np.random.random()") == 1
