"""Complex numbers: programs against differences of plain Python, conventions, types, refusals."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.trees import leaves, mapped
from tests.programs.complex_programs import COMPLEX_PROGRAMS, HOLOMORPHIC

_ids = [function.__name__ for function, _ in COMPLEX_PROGRAMS]
_holomorphic_ids = [function.__name__ for function, _ in HOLOMORPHIC]


def copied(tree):
    return mapped(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, tree)


def by_differences(function, args, step=1e-6):
    """df/dx - i df/dy for each element of each argument, by plain Python."""
    items = [np.array(leaf) for leaf in leaves(args)]

    def value(number, index, change):
        moved = [item.copy() for item in items]
        moved[number][index] += change
        numbers = iter(m if m.ndim else m.item() for m in moved)
        return function(*mapped(lambda _: next(numbers), args))

    def slope(number, index, along):
        ahead, behind = (value(number, index, s * step * along) for s in (1, -1))
        return (ahead - behind) / (2 * step)

    gradients = []
    for number, item in enumerate(items):
        found = np.zeros_like(item)
        for index in np.ndindex(item.shape):
            found[index] = slope(number, index, 1.0)
            if np.iscomplexobj(item):
                found[index] -= 1j * slope(number, index, 1j)
        gradients.append(found)
    return gradients


def positions(args):
    return tuple(range(len(args)))


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_gradient_against_differences(function, args, target):
    made = ad.value_and_grad(function, positions(args), target=target)
    value, gradient = made(*copied(args))
    assert value == pytest.approx(function(*copied(args)), rel=1e-12)
    wanted = by_differences(function, args)
    for found, expected, arg in zip(leaves(gradient), wanted, leaves(args), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)
        assert np.asarray(found).dtype == np.asarray(arg).dtype


@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_both_modes_and_second_order(function, args):
    ad.check_grads(function, args, order=2, atol=1e-5, target="python")


@pytest.mark.parametrize(("function", "args"), COMPLEX_PROGRAMS, ids=_ids)
def test_second_order_compiled(function, args):
    """A Hessian times a vector, compiled, against the same in plain Python."""

    def products(target):
        gradient = ad.grad(function, positions(args), target=target)
        return list(leaves(ad.jvp(gradient, args, args, target=target)))

    for found, wanted in zip(products("cpu"), products("python"), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "args"), HOLOMORPHIC, ids=_holomorphic_ids)
def test_holomorphic_derivative(function, args, target):
    everything = positions(args)
    value, gradient = ad.value_and_grad(function, everything, holomorphic=True, target=target)(
        *args
    )
    assert value == pytest.approx(function(*args), rel=1e-12)
    step = 1e-6
    for k, found in enumerate(gradient):
        direction = np.ones_like(args[k])
        moved = [[*args[:k], args[k] + s * step * direction, *args[k + 1 :]] for s in (1, -1)]
        slope = (function(*moved[0]) - function(*moved[1])) / (2 * step)
        assert np.sum(found) == pytest.approx(slope, rel=1e-7)
    for make in (ad.jacfwd, ad.jacrev):
        by = make(function, everything, holomorphic=True, target=target)(*args)
        for found, wanted in zip(by, gradient, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-10)
