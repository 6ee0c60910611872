"""Early exits, checks and unassigned names: rewritten, lowered, and raised at run time."""

import ast
import inspect
import math
import textwrap

import numpy as np
import pytest

import adcompile as ad
from adcompile.parse.leaving import GuardedFor, without_leaving
from tests.programs import control
from tests.programs.register import CORPUS
from tests.test_corpus import copied

PROGRAMS = [(f, args) for f, args in CORPUS if f.__module__ == control.__name__]


class _Plain(ast.NodeTransformer):
    """Guarded loops in plain Python, to be run as they are."""

    def visit_GuardedFor(self, node):
        self.generic_visit(node)
        leave = ast.parse(f"if not {node.going}: break").body[0]
        return ast.copy_location(ast.For(node.target, node.iter, [*node.body, leave], []), node)


@pytest.mark.parametrize(("function", "args"), PROGRAMS, ids=[f.__name__ for f, _ in PROGRAMS])
def test_rewritten_loops_mean_the_same(function, args):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    node = tree.body[0]
    node.decorator_list = []
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    node.body = without_leaving(node.body, names)
    left = [n for n in ast.walk(node) if isinstance(n, (ast.Break, ast.Continue))]
    assert not left
    node = _Plain().visit(node)
    space = dict(vars(control))
    exec(compile(ast.fix_missing_locations(tree), "rewritten", "exec"), space)
    assert space[function.__name__](*copied(args)) == function(*copied(args))


def test_guarded_loops_remember_their_flag():
    tree = ast.parse("for i in x:\n    if i: break\n")
    flag, loop = without_leaving(tree.body, {"going"})
    assert isinstance(loop, GuardedFor) and loop.going == "going_1"
    assert ast.unparse(flag) == "going_1 = True"


def _checked(x, n):
    assert n > 0, "n is positive"
    if x > 10:
        raise OverflowError("too large")
    if n > 5:
        if n > 7:
            raise ValueError(f"n = {n}")
        x = x * 2
    else:
        x = x * n
    return x * x


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_checks_raise_at_run_time(target):
    f, g = ad.jit(_checked, target=target), ad.grad(_checked, target=target)
    assert f(2.0, 3) == 36.0 and g(2.0, 3) == 36.0
    assert g(2.0, 6) == 16.0
    for run in (f, g):
        with pytest.raises(AssertionError, match="n is positive"):
            run(2.0, 0)
        with pytest.raises(OverflowError, match="too large"):
            run(11.0, 1)
        with pytest.raises(ValueError, match=r"n = \{n\}"):
            run(2.0, 8)


def _one_side(x):
    if x > 0:
        y = x * x
    return y


def _maybe_no_round(x, n):
    for _ in range(n):
        y = x * x
    return y


def _index_after(x, n):
    i = 7
    for i in range(n):
        x = x * 1.0
    return x * i


def _found(x):
    for i in range(len(x)):
        if x[i] > 1.0:
            found = x[i] * x[i]
            break
    return found


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_names_without_value_raise(target):
    g = ad.grad(_one_side, target=target)
    assert g(3.0) == 6.0
    with pytest.raises(UnboundLocalError, match="`y` has no value on one side"):
        g(-3.0)
    g = ad.grad(_maybe_no_round, target=target)
    assert g(3.0, 2) == 6.0
    with pytest.raises(UnboundLocalError, match="`y` has no value if its loop"):
        g(3.0, 0)
    g = ad.grad(_index_after, target=target)
    assert [g(3.0, n) for n in (0, 1, 4)] == [7.0, 0.0, 3.0]
    g = ad.grad(_found, target=target)
    np.testing.assert_array_equal(g(np.array([0.5, 3.0, 2.0])), [0.0, 6.0, 0.0])
    with pytest.raises(UnboundLocalError, match="`found`"):
        g(np.array([0.5, 0.6]))


def _strict(x, y):
    total = 0.0
    for a, b in zip(x, y, strict=True):
        total += a * b
    return total


def test_strict_zip():
    g = ad.grad(_strict)
    np.testing.assert_array_equal(g(np.ones(3), np.arange(3.0)), np.arange(3.0))
    with pytest.raises(ValueError, match="different lengths"):
        g(np.ones(3), np.ones(4))


def _late(x):
    a = 1.0
    f = lambda t: t * a
    a = 2.0
    return f(x)


def test_closures_read_variables_when_called():
    assert ad.jit(_late)(3.0) == _late(3.0) == 6.0
    assert ad.grad(_late)(3.0) == 2.0


def _procedure(a, n):
    for i in range(len(a)):
        if i == n:
            return
        a[i] = a[i] * 2


def test_a_procedure_may_return_early():
    a = np.ones(4)
    ad.jit(_procedure, inplace="a")(a, 2)
    np.testing.assert_array_equal(a, [2, 2, 1, 1])


def _empty_zip(x):
    total = 1.0
    for v in x:
        total = total * v
    return total


def test_loops_over_empty_arrays():
    assert ad.grad(_empty_zip)(np.empty(0)).shape == (0,)


def _lazily_checked(x, n):
    for k in range(n):
        y = x * k
    if n > 0 and y > 1.0:
        return y
    return x


def test_a_lazy_condition_checks_only_what_it_reads():
    g = ad.grad(_lazily_checked)
    assert g(2.0, 3) == 2.0 and g(2.0, 0) == 1.0


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_and_and_or_give_an_operand(target):
    def chosen(x, n):
        y = (x and n) * x + (n or 2.0) * x
        z = (0.0 or x) + (x > 1.0 and x)
        return y + z * (n > 2 and x > 0.5)

    for x, n in ((1.5, 3), (1.5, 0), (0.7, 4), (0.0, 5), (-2.0, 1)):
        assert ad.jit(chosen, target=target)(x, n) == pytest.approx(chosen(x, n))
        step = 1e-6
        slope = (chosen(x + step, n) - chosen(x - step, n)) / (2 * step)
        if x:
            assert ad.grad(chosen, target=target)(x, n) == pytest.approx(slope)


@pytest.mark.parametrize("target", ["cpu", "python"])
def test_negative_powers_of_integers(target):
    def known(x, n):
        return x * n**-1 + math.pow(n, -2) * x + np.float_power(n, -1) * x + 2 ** -np.abs(x)

    def at_run_time(x, n):
        return x * 2**n

    def of_arrays(x, n):
        return np.sum(2**n * x)

    assert ad.jit(known, target=target)(1.5, 3) == pytest.approx(known(1.5, 3))
    run = ad.grad(at_run_time, target=target)
    assert run(1.5, 3) == 8.0
    with pytest.raises(ValueError, match="negative power"):
        run(1.5, -3)
    run = ad.grad(of_arrays, target=target)
    assert run(1.5, np.arange(3)) == 7.0 and run(1.5, np.arange(0)) == 0.0
    with pytest.raises(ValueError, match="negative power"):
        run(1.5, np.arange(3) - 1)
    with pytest.raises(ad.TypeMismatch, match="negative power"):
        ad.grad(lambda x, n: np.sum(n**-1 * x), target=target)(1.5, np.arange(3))


def test_an_exit_that_is_never_taken():
    """The compiler knows `count`, so nothing in the loop leaves it."""

    def program(x, n):
        count = 0
        for _ in range(n):
            if count > 2:
                return x
        return x * x

    assert ad.grad(program, target="python")(3.0, 2) == 6.0


def test_an_exit_of_an_inner_loop_that_is_never_taken():
    def program(x, n):
        count = 0
        for _ in range(n):
            for _ in range(n):
                if x > 2.0:
                    x = x * 0.5
                elif count > 2:
                    return x
        return x * x

    assert ad.grad(program, target="python")(3.0, 2) == 1.5


def test_a_return_behind_what_leaves_the_loop():
    """Nobody gets there, so the loops give no value."""

    def program(x, n):
        for k in range(n):
            while x > 3.0:
                x = x * 0.5
                if k > 1:
                    break
                else:
                    continue
                return x * x
            x = x * 0.75
        return x

    assert program(8.0, 2) == 1.125
    assert ad.value_and_grad(program, target="python")(8.0, 2) == (1.125, 0.140625)


def test_loops_over_what_a_method_gives():
    def program(x):
        total = 0.0
        for value in x.ravel():
            total += value * value
        for i, column in enumerate(x.sum(axis=0)):
            total += i * column
        for one, other in zip(x[0].copy(), x[1].copy(), strict=True):
            total += one * other
        return total

    x = np.arange(6.0).reshape(2, 3)
    value, gradient = ad.value_and_grad(program, target="python")(x)
    assert value == program(x)
    np.testing.assert_allclose(gradient, 2 * x + np.arange(3.0) + x[::-1])
