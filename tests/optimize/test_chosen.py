"""Products of chosen rows read the rows where they are, in one loop with what reads the products."""

import numpy as np
import pytest

import adcompile as ad


def squares(w, x, y, rows):
    return np.mean((x[rows] @ w - y[rows]) ** 2)


def from_the_left(w, x, y, rows):
    return np.sum(np.exp(0.1 * (y[rows] @ x[rows])) * w)


def transposed(w, x, y, rows):
    chosen = x[rows]
    return np.sum((chosen.T @ y[rows]) * w) + np.sum(w @ chosen.T)


def normed(w, x, y, rows):
    chosen = x[rows]
    return np.sum(np.sqrt(1.0 + chosen @ w)) + np.sum(chosen * chosen) * w[0]


def steps(w, x, y, rows):
    """Rows that a loop reads again and again are copied once."""
    w = w.copy()
    for k in range(3):
        w -= 0.1 * (x[rows].T @ (x[rows] @ w - y[rows]))
    return np.sum(w)


def turned_twice(w, x, y, rows):
    """The derivative reads the transpose of the transpose."""
    chosen = x[rows]
    return np.sum((chosen.T @ (chosen @ w)) ** 2) + np.sum((w @ chosen.T.T.T) * len(chosen.T.T))


def of_the_rows(x, w, y, rows):
    return np.sum(np.tanh(x[rows] @ w))


def written_between(w, x, y, rows):
    x = x.copy()
    chosen = x[rows]
    x[:] = 0.0
    return np.sum((chosen @ w) ** 2) + np.sum(x)


def of_matrices(w, x, y, rows):
    return np.sum(x[rows] @ np.outer(w, w))


def handed_on(w, x, y, rows):
    chosen = x[rows]
    total = np.sum(chosen @ w)
    for k in range(2):
        chosen = chosen * 0.5
    return total + np.sum(chosen) * w[0]


def arguments(count=9, width=4, dtype=np.float64, seed=3):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((12, width)), rng.standard_normal(12)
    rows = rng.integers(-12, 12, count)
    return 0.1 * rng.random(width).astype(dtype), 0.1 * x.astype(dtype), y.astype(dtype), rows


READ = [squares, from_the_left, transposed, normed, turned_twice]
OTHERS = [of_matrices, handed_on, steps]


def _compare(function, args, rtol, **options):
    wanted = ad.value_and_grad(function, target="python")(*args)
    found = ad.value_and_grad(function, **options)(*args)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("function", READ)
def test_rows_are_not_copied(function):
    args = arguments()
    derived = ad.value_and_grad(function)
    source = derived.source(*args, stage="compiled")
    assert "dot_into" not in source and "np.empty((" not in source
    _compare(function, args, 1e-12)


@pytest.mark.parametrize("function", OTHERS)
def test_other_uses_of_rows(function):
    assert "dot_into" in ad.value_and_grad(function).source(*arguments(), stage="compiled")
    _compare(function, arguments(), 1e-12)


def test_rows_that_are_written_before_the_product():
    _compare(written_between, arguments(), 1e-12)


def test_derivatives_of_the_matrix():
    w, x, y, rows = arguments()
    _compare(of_the_rows, (x, w, y, rows), 1e-12)


@pytest.mark.share(3)
@pytest.mark.parametrize("function", READ)
@pytest.mark.parametrize("count, width", [(0, 3), (1, 1), (1, 7), (40, 1), (33, 17)])
def test_of_any_size(function, count, width):
    _compare(function, arguments(count or 1, width, seed=count), 1e-12)


def test_no_rows():
    args = arguments(0)
    found = ad.value_and_grad(from_the_left)(*args)
    wanted = ad.value_and_grad(from_the_left, target="python")(*args)
    np.testing.assert_allclose(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])


def test_single_precision():
    _compare(squares, arguments(dtype=np.float32), 1e-5)


@pytest.mark.parametrize("count, width", [(4, 4), (7, 4)])
def test_transposes_of_transposes(count, width):
    """With as many rows as columns no check finds sums over the wrong axis."""
    _compare(turned_twice, arguments(count, width), 1e-12)


def test_the_order_of_sums_stays_without_fastmath():
    exact = ad.value_and_grad(squares, fastmath=False)
    assert "dot_into" in exact.source(*arguments(), stage="compiled")
    _compare(squares, arguments(), 1e-12, fastmath=False)


def test_one_loop_for_both_products():
    source = ad.value_and_grad(squares).source(*arguments(), stage="compiled")
    assert source.count("for i in range(rows.shape[0])") == 1


def test_sizes_that_do_not_fit():
    w, x, y, rows = arguments()
    with pytest.raises(ValueError, match="must be equal: `@`"):
        ad.value_and_grad(squares)(w[1:], x, y, rows)
