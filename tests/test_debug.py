"""`ad.debug` names the place where a NaN or an infinity that reaches a result arises first."""

import math

import numpy as np
import pytest

import adcompile as ad
from tests.programs.corpus import CORPUS


def _caught(function, *args):
    with pytest.raises(ad.NonFinite) as caught:
        ad.debug(function)(*args)
    error = caught.value
    assert isinstance(error, ArithmeticError) and isinstance(error, ad.AdcompileError)
    return error


def _under_caret(error):
    place = error.location
    return place.text[place.column : place.end_column]


def logs(x):
    scaled = x * 2.0
    y = np.log(scaled - 1.0)
    return np.sum(y)


def test_in_the_function():
    error = _caught(logs, np.array([1.0, 2.0, 0.25]))
    assert error.operation == "log" and error.role == "" and error.index == (2,)
    assert error.operands == (-0.5,) and math.isnan(error.value)
    assert _under_caret(error) == "np.log(scaled - 1.0)"
    assert "nan arises here: np.log(-0.5) is nan at [2]" in str(error)
    assert "test_debug.py:" in str(error) and "^^^^" in str(error)


def test_a_finite_result_is_given():
    x = np.arange(1.0, 4.0)
    np.testing.assert_allclose(ad.debug(logs)(x), logs(x))
    np.testing.assert_allclose(ad.debug(ad.grad(logs))(x), ad.grad(logs)(x))
    value, gradient = ad.debug(ad.value_and_grad(logs))(x)
    np.testing.assert_allclose(gradient, 2 / (2 * x - 1))
    assert value == pytest.approx(logs(x))


def roots(x):
    return np.sum(np.sqrt(x) * 3.0)


def test_in_the_adjoint():
    error = _caught(ad.grad(roots), np.array([1.0, 0.0]))
    assert error.role == "adjoint" and error.index == (1,) and math.isinf(error.value)
    assert _under_caret(error) == "np.sqrt(x)"
    assert f"inf arises here, in the adjoint of line {error.location.line}:" in str(error)
    assert 0.0 in error.operands
    assert ad.debug(roots)(np.array([1.0, 0.0])) == 3.0


def test_in_the_tangent():
    error = _caught(ad.jvp(roots), (np.array([1.0, 0.0]),), (np.ones(2),))
    assert error.role == "tangent" and _under_caret(error) == "np.sqrt(x)"


def test_in_the_tangent_of_the_adjoint():
    def power(x):
        return np.sum(x**1.5)

    error = _caught(ad.jacfwd(ad.grad(power)), np.array([1.0, 0.0]))
    assert error.role == "tangent of the adjoint" and _under_caret(error) == "x**1.5"
    error = _caught(ad.hessian(power), np.array([1.0, 0.0]))
    assert error.role == "adjoint of the adjoint" and _under_caret(error) == "x**1.5"


def test_in_a_loop():
    def shrinking(x, n):
        s = x
        for i in range(n):
            s = s - 1.0
            for j in range(2):
                s = s + 0.0 * math.log(s + j)
        return s

    error = _caught(shrinking, 3.5, 9)
    assert error.rounds == (("i", 3), ("j", 0)) and "(i = 3, j = 0)" in str(error)
    assert error.operands == (-0.5,)


def test_in_a_while_loop():
    def newton(x):
        y = x
        k = 0
        while k < 5:
            y = y - 1.0 / (2.0 - k)
            k += 1
        return y

    error = _caught(newton, 1.0)
    assert error.operation == "div" and error.rounds == (("round", 2),)
    assert error.operands == (1.0, 0.0) and "1 / 0 is inf" in str(error)


def test_in_the_adjoint_of_a_loop():
    def summed(x):
        total = 0.0
        for i in range(len(x)):
            total += math.sqrt(x[i]) * i
        return total

    error = _caught(ad.grad(summed), np.array([1.0, 2.0, 0.0, 3.0]))
    assert error.role == "adjoint" and error.rounds == (("i", 2),)
    assert _under_caret(error) == "math.sqrt(x[i])"


def test_where_the_untaken_side_is_no_error():
    def masked(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0))

    x = np.array([1.0, -1.0, 2.0, 0.0])
    assert ad.debug(masked)(x) == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(ad.debug(ad.grad(masked))(x), [1.0, 0.0, 0.5, 0.0])


def test_behind_a_mask_and_later_for_real():
    def both(x):
        y = np.where(x > 0, np.log(x), 0.0)
        z = y - 5.0
        return np.sum(np.sqrt(z + 6.0))

    error = _caught(both, np.array([1.0, -1.0, math.exp(-3.0)]))
    assert error.operation == "sqrt" and error.index == (2,)


def test_the_taken_side_of_where():
    def wrong_way(x):
        return np.sum(np.where(x > 0, np.sqrt(x), np.log(x)))

    error = _caught(wrong_way, np.array([4.0, 9.0, -2.0]))
    assert error.operation == "log" and error.index == (2,) and error.operands == (-2.0,)


def test_an_infinity_that_a_minimum_starts_with():
    def smallest(x):
        best = np.inf
        for v in x:
            best = min(best, v * v)
        return best

    assert ad.debug(smallest)(np.array([3.0, -2.0])) == 4.0
    error = _caught(smallest, np.zeros(0))
    assert error.operation == "constant" and "a constant is inf" in str(error)


def test_overflow_that_becomes_nan_later():
    def softmax(x):
        e = np.exp(x)
        return np.sum(e / np.sum(e) * np.arange(3.0))

    error = _caught(softmax, np.array([1.0, 2.0, 1000.0]))
    assert error.operation == "exp" and error.operands == (1000.0,) and error.index == (2,)
    assert math.isinf(error.value)


def test_an_infinity_that_goes_away():
    def squashed(x):
        return 1.0 / (1.0 + np.exp(-x))

    assert ad.debug(squashed)(-1000.0) == 0.0


def test_through_writes_views_and_copies():
    def written(x):
        y = np.zeros((2, 3))
        row = y[1]
        row[:] = x
        row[2] = np.log(x[0] - 1.0)
        z = y.T.copy()
        z[1, 1] += 1.0
        return np.sum(z.reshape(6)[3:])

    error = _caught(written, np.array([0.5, 1.0, 2.0]))
    assert error.operation == "log" and _under_caret(error) == "np.log(x[0] - 1.0)"
    assert ad.debug(written)(np.array([2.0, 1.0, 2.0])) == pytest.approx(2.0 + 0.0)


def test_overwritten_before_it_is_read():
    def healed(x):
        y = np.log(x)
        y[0] = 1.0
        return np.sum(y)

    assert ad.debug(healed)(np.array([-1.0, 1.0])) == 1.0


def test_in_an_augmented_element():
    def piled(x):
        y = np.ones(2) * 1e308
        y[1] += x * 1e308
        return y[1]

    error = _caught(piled, 1.5)
    assert error.operation == "accumulate_at" and "+=" in str(error)


def test_in_an_argument():
    error = _caught(logs, np.array([1.0, np.nan]))
    assert error.operation == "argument" and "the argument `x` is nan at [1]" in str(error)
    assert _caught(ad.grad(lambda x: x * x), math.inf).operation == "argument"
    unused = ad.grad(lambda x, y: x * x)
    assert ad.debug(unused)(2.0, math.nan) == 4.0


def test_linear_algebra_shows_the_operands():
    def product(a, x):
        return np.sum((a * 1e200) @ (x * 1e200))

    error = _caught(product, np.eye(2), np.ones(2))
    assert error.operation == "matmul" and "1.e+200" in str(error)


def test_reductions_point_at_their_row():
    def rows(x):
        y = np.sqrt(x)
        means = np.mean(y, axis=1)
        return means[0] + np.log(means[0] - 1.0)

    error = _caught(rows, np.array([[1.0, 1.0], [-1.0, 1.0]]))
    assert error.operation == "log" and math.isinf(error.value)


def test_in_a_called_function():
    def inner(v):
        return np.log(v)

    error = _caught(lambda x: inner(x - 1.0) * 2.0, 1.0)
    assert _under_caret(error) == "np.log(v)"


def test_containers_defaults_and_extents_of_one():
    def layered(p, x, axis=0):
        return np.sum(np.sum(p["w"] * x, axis=axis) / p["b"])

    p = {"w": np.ones((1, 3)), "b": 0.0}
    error = _caught(ad.grad(layered), p, np.ones((2, 3)))
    assert error.operation in ("div", "reciprocal") and error.value == math.inf
    found = ad.debug(ad.grad(layered))({"w": np.ones((1, 3)), "b": 2.0}, np.ones((2, 3)))
    np.testing.assert_allclose(found["w"], np.ones((1, 3)))


def test_saved_on_a_stack():
    def halved(x):
        while x > 1.0:
            x = np.sqrt(x) * 0.9
        return np.log(x - 0.5) * x

    assert ad.debug(ad.grad(halved))(9.0) == pytest.approx(ad.grad(halved)(9.0))
    error = _caught(ad.grad(lambda x: halved(x) / (x - 9.0)), 9.0)
    assert error.operation in ("div", "reciprocal")


@pytest.mark.parametrize("case", CORPUS[::4], ids=lambda case: case[0].__name__)
def test_agrees_with_the_compiled_corpus(case):
    function, args = case
    wanted = ad.jit(function, target="python")(*args)
    found = ad.debug(function)(*args)
    for one, other in zip(_numbers(found), _numbers(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def _numbers(tree):
    return list(ad.graph.trees.leaves(ad.graph.trees.as_tuples(tree)))
