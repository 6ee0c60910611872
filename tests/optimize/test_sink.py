"""What follows a branch and is zero on one of its sides is done on the other alone."""

import numpy as np
import pytest

import adcompile as ad

POINTS = np.random.default_rng(3).uniform(0.0, 2.0, (12, 3))


def cutoff(p):
    energy = 0.0
    for i in range(len(p)):
        for j in range(i):
            dx, dy, dz = p[i, 0] - p[j, 0], p[i, 1] - p[j, 1], p[i, 2] - p[j, 2]
            r2 = dx * dx + dy * dy + dz * dz
            if r2 < 1.5:
                energy += 1.0 / (r2 * r2) - 1.0 / r2
    return energy


def any_dimension(p):
    energy = 0.0
    for i in range(len(p)):
        for j in range(i):
            r2 = 0.0
            for k in range(p.shape[1]):
                r2 += (p[i, k] - p[j, k]) ** 2
            if r2 < 1.5:
                energy += np.exp(-r2) * r2
    return energy


def left_out(p):
    energy = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            dx, dy, dz = p[i, 0] - p[j, 0], p[i, 1] - p[j, 1], p[i, 2] - p[j, 2]
            r2 = dx * dx + dy * dy + dz * dz
            if i == j or r2 > 1.5:
                continue
            energy += 1.0 / (r2 * r2) - 1.0 / r2
    return energy


def hinge(p):
    total = 0.0
    w = np.sum(p, axis=0)
    for i in range(len(POINTS)):
        score = 0.0
        for k in range(len(w)):
            score += w[k] * POINTS[i, k]
        margin = 1.0 - score
        if margin > 0.0:
            total += margin * margin
    return total


def other_side(p):
    energy = 0.0
    for i in range(len(p)):
        for j in range(i):
            r2 = (p[i, 0] - p[j, 1]) ** 2 + (p[i, 1] - p[j, 2]) ** 2 + p[i, 2] * p[j, 0]
            if r2 >= 1.5:
                energy += 0.25
            else:
                energy += np.sin(r2) * r2
    return energy


def read_between(p):
    p = p.copy()
    energy = 0.0
    for i in range(1, len(p)):
        r2 = p[i, 0] * p[i - 1, 0] + p[i, 1] * p[i - 1, 1] + p[i, 2] ** 2
        if r2 < 1.5:
            energy += r2 * r2
        p[i, 0] = p[i - 1, 0] * 0.5
        if r2 < 1.5:
            p[i, 1] += energy * 0.1
    return energy + np.sum(p * p)


FUNCTIONS = [cutoff, any_dimension, left_out, hinge, other_side, read_between]


def compiled(function, **options):
    return ad.value_and_grad(function, **options).source(POINTS, stage="compiled")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_stay(function):
    value, gradient = ad.value_and_grad(function)(POINTS)
    for options in ({"passes": {"sink_into_branches": False}}, {"target": "python"}):
        wanted = ad.value_and_grad(function, **options)(POINTS)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-13)
        np.testing.assert_allclose(gradient, wanted[1], rtol=1e-11, atol=1e-13)
    ad.check_grads(function, (POINTS,), order=2)


@pytest.mark.parametrize("function", FUNCTIONS[:-1])
def test_branches_hold_what_needs_them(function):
    assert compiled(function) != compiled(function, passes={"sink_into_branches": False})


def test_one_branch_is_left_forward_and_back():
    for function in (cutoff, any_dimension, hinge):
        branches = [line.strip() for line in compiled(function).splitlines() if "if" in line]
        asked = [line for line in branches if line.startswith("if") and "0 < i" not in line]
        assert len(asked) == 1 and "else:" not in compiled(function)


def test_zero_times_infinity_stays_without_fastmath():
    source = compiled(cutoff, fastmath=False)
    assert source == compiled(cutoff, fastmath=False, passes={"sink_into_branches": False})
    far = np.array([[0.0, 0.0, 0.0], [np.inf, 0.0, 0.0]])
    assert np.isnan(ad.grad(cutoff, fastmath=False)(far)).any()
    np.testing.assert_array_equal(ad.value_and_grad(cutoff)(far)[1], 0.0)


def choices(x):
    total = 0.0
    for i in range(len(x)):
        y = x[i] * x[i]
        if y > 0.5:
            total += y * y
    return total


def test_choices_between_neighbours_stay():
    off = ad.grad(choices, passes={"sink_into_branches": False})
    assert ad.grad(choices).source(np.ones(9)) == off.source(np.ones(9))


def test_what_is_apart_is_not_added_in_vain():
    source = ad.grad(cutoff).source(POINTS, stage="compiled")
    assert "            if r2 < 1.5:" in source and "else 0.0" not in source
