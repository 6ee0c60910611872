"""Detected patterns of programs whose structure is known."""

import numpy as np
import pytest

import adcompile as ad


def _pattern(function, *args, number=0):
    made = ad.jacobian(function, number, sparsity="detect", mode="fwd", target="python")
    return made.pattern(*args).toarray().astype(int).tolist()


X = np.array([0.5, -1.0, 2.0])


def test_views_and_writes():
    def function(x):
        y = np.zeros((2, 3))
        y[0] = x
        last = y[:, ::-1]
        last[1, 0] = x[0] * x[1]
        y[0, 1] = 4.0
        return y.T

    assert _pattern(function, X) == [
        [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 0],
    ]  # fmt: skip


def test_both_sides_of_a_branch_on_the_argument():
    def function(x):
        y = x * 1.0
        if x[0] > 0.0:
            y[1] = x[2]
        else:
            y[2] += x[0]
        return y if x[1] > 0.0 else y * x[1]

    assert _pattern(function, X) == [[1, 1, 0], [0, 1, 1], [1, 1, 1]]


def test_one_side_of_a_branch_on_anything_else():
    def function(x, k):
        y = x * 1.0
        if k > 0:
            y[k] = x[0]
        else:
            y[0] = 0.0
        return y

    assert _pattern(function, X, 2) == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert _pattern(function, X, 0) == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_loops_run_until_their_own_ends():
    def function(x, stops):
        y = np.zeros(len(stops))
        for i in range(len(stops)):
            k = 0
            while k < stops[i]:
                y[i] += x[k] ** 2
                k += 1
        return y

    assert _pattern(function, X, np.array([1, 0, 3])) == [[1, 0, 0], [0, 0, 0], [1, 1, 1]]


def test_a_loop_that_is_left_early():
    def function(x):
        total = 0.0
        y = np.zeros(len(x))
        for i in range(len(x)):
            if x[i] > 100.0:
                break
            total += x[i]
            y[i] = total
        return y

    assert _pattern(function, X) == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_what_has_no_derivative_has_no_places():
    def function(x, w):
        table = np.array([1.0, 2.0, 3.0])
        return np.floor(x) + x[0] + table[int(np.sum(w))] + np.sign(x[1]) + ad.stop_gradient(x)

    assert _pattern(function, X, np.ones(2)) == [[1, 0, 0]] * 3


def test_a_mask_that_does_not_change():
    def function(x, mask):
        return x[mask] * 2.0 + x[0]

    assert _pattern(function, X, np.array([False, True, True])) == [[1, 1, 0], [1, 0, 1]]


def test_scattered_additions():
    def function(x, first, second):
        y = np.zeros(3)
        np.add.at(y, first, x[second] ** 2)
        return y

    found = _pattern(function, X, np.array([0, 0, 2]), np.array([0, 1, 1]))
    assert found == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_shapes_of_extent_one():
    def function(a, b):
        return a * b

    column, row = np.ones((2, 1)), np.ones((1, 2))
    assert _pattern(function, column, row) == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_an_index_beyond_the_end_is_refused_with_the_line():
    def function(x, k):
        y = x * 1.0
        y[k] = 0.0
        return y

    with pytest.raises(ad.SparsityError, match=r"out of bounds[^$]*y\[k\] = 0.0"):
        _pattern(function, X, 5)


def test_hessians_of_loops():
    """The reverse sweep of a loop needs the number of its iterations."""

    def counted(x, n):
        k = 0
        s = x[0]
        while k < n:
            s = np.sin(s) * x[k]
            k += 1
        return s

    hessian = ad.hessian(counted, sparsity="detect", check=True, target="python")
    wanted = ad.hessian(counted, target="python")(np.append(X, 1.0), 3)
    found = hessian(np.append(X, 1.0), 3)
    np.testing.assert_allclose(found.toarray(), wanted, atol=1e-12)
    assert found.nnz == 8  # linear in the last

    def left(x):
        total = 0.0
        for i in range(len(x)):
            if x[i] > 100.0:
                break
            total += x[i] ** 3
        return total

    with pytest.raises(ad.SparsityError, match="how often the loop runs"):
        ad.hessian(left, sparsity="detect", target="python")(X)
