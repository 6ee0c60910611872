"""What the reverse sweep saves, and what it computes again."""

import math

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.types import leaves


def _source(function, types, **options):
    return ad.grad(function, **options).source(types)


def test_reads_of_arrays_that_stay_are_done_again():
    def function(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i] ** 2 * 3.0
        return total

    source = _source(function, "f8[:]")
    assert "tape" not in source and "stack" not in source


def test_linear_loops_save_nothing():
    def function(x, n):
        for _ in range(n):
            x = 0.5 * x + 1.0
        return x

    assert "tape" not in _source(function, "f8, i8")


def test_a_nonlinear_loop_has_one_tape_indexed_by_iteration():
    def function(x, n):
        for _ in range(n):
            x = x * x
        return x

    source = _source(function, "f8, i8")
    assert source.count("np.empty") == 1 and "stack" not in source


def test_a_while_loop_has_a_stack():
    def function(x):
        while x < 10.0:
            x = x * x
        return x

    assert "x_stack.append(x)" in _source(function, "f8")


def test_inactive_work_is_not_differentiated():
    def function(x, v):
        count = 0.0
        for i in range(len(v)):
            count = count + math.sin(v[i]) * v[i]
        return x * count

    source = _source(function, "f8, f8[:]")
    assert "v_bar" not in source and "cos" not in source and source.count("for i in") == 2


def test_only_what_is_asked_for():
    function = lambda w, x: np.sum((x @ w) ** 2)
    assert "x_bar" not in _source(function, "f8[:], f8[:, :]")
    assert "w_bar" not in _source(function, "f8[:], f8[:, :]", argnums=1)


@pytest.mark.parametrize("size", [10, 1000])
def test_an_element_read_costs_one_addition(size):
    """The adjoint of a read is no array of zeros: the source does not depend on the size."""

    def function(x):
        return x[0] * x[1]

    gradient = ad.grad(function)(np.ones(size))
    assert list(leaves(gradient[:2].tolist())) and gradient[2:].sum() == 0.0
    source = _source(function, "f8[:]")
    assert source.count("np.zeros") == 1


def test_inner_loops_whose_length_varies_have_tapes_of_the_greatest():
    def function(x):
        total, place = 0.0, 0
        for i in range(len(x)):
            for j in range(i, len(x)):
                total = total * 0.5 + np.sin(x[j] + total) * place
                place += 1
        return total

    source = ad.grad(function).source("f8[:]")
    assert "append" not in source
    assert "place_tape" in source and "np.empty((x.shape[0], x.shape[0]))" in source
    x = np.array([0.3, 0.1, 0.4])
    ad.check_grads(function, (x,), order=2)


def test_a_counter_is_computed_again():
    def function(x):
        total, place = 1.0, 2
        for i in range(len(x)):
            total = total * x[place - 2]
            place += 1
        return total * place

    source = ad.grad(function).source("f8[:]")
    assert "place_tape" not in source
    ad.check_grads(function, (np.array([0.3, 0.7, 0.4]),), order=2)
