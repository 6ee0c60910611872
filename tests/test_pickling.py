"""Derivatives go to other processes, and into copies, as what they were made of."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import adcompile as ad

X = np.array([1.0, 2.0, 3.0])


def cubes(x, y=2.0):
    return np.sum(x**3) * y


def squares(x):
    return x * x


@ad.grad
def decorated(x):
    return np.sum(np.sin(x))


@ad.hessian(sparsity="detect")
def decorated_sparse(x):
    return np.sum(np.cos(x))


class Model:
    @ad.value_and_grad(wrt="x")
    def loss(self, x):
        return np.sum(x * x)


MADE = {
    "grad": lambda: ad.grad(cubes),
    "jit": lambda: ad.jit(cubes),
    "jacfwd": lambda: ad.jacfwd(squares),
    "jacrev": lambda: ad.jacrev(squares),
    "jacobian": lambda: ad.jacobian(squares, sparsity=np.eye(3, dtype=bool)),
    "hessian": lambda: ad.hessian(cubes),
    "vmap": lambda: ad.vmap(cubes, in_axes=(0, None)),
    "of a derivative": lambda: ad.jacfwd(ad.grad(cubes)),
    "of a decorated function": lambda: ad.jacfwd(decorated),
    "with containers": lambda: ad.grad(of_pair),
}


def of_pair(pair):
    return np.sum(pair["a"] * pair["b"])


def _dense(result):
    return result.toarray() if hasattr(result, "toarray") else result


@pytest.mark.parametrize("called", [False, True], ids=["new", "called"])
@pytest.mark.parametrize("name", MADE)
def test_it_is_made_again(name, called):
    made = MADE[name]()
    args = {
        "vmap": (np.outer(X, X), 2.0),
        "with containers": ({"a": X, "b": 2.0 * X},),
    }.get(name, (X,))
    expected = made(*args) if called else MADE[name]()(*args)
    for other in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert other is not made
        assert repr(other) == repr(made)
        np.testing.assert_equal(_dense(other(*args)), _dense(expected))


def test_options_go_along():
    made = pickle.loads(pickle.dumps(ad.value_and_grad(cubes, wrt=("x", "y"), target="python")))
    assert made.target == "python"
    value, (by_x, by_y) = made(X, 2.0)
    assert value == 72.0
    assert by_y == 36.0
    np.testing.assert_allclose(by_x, 6.0 * X**2)


@pytest.mark.parametrize("made", [decorated, decorated_sparse, Model.loss])
def test_a_decorated_function_goes_by_its_name(made):
    assert pickle.loads(pickle.dumps(made)) is made
    assert copy.deepcopy({"g": made})["g"] is made


def test_of_directions():
    push = pickle.loads(pickle.dumps(ad.jvp(squares)))
    np.testing.assert_equal(push((X,), (X,)), ad.jvp(squares)((X,), (X,)))


def test_what_pickle_cannot_name_is_refused():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(ad.grad(lambda x: x * x))


def test_another_process_computes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(ad.grad(cubes), X).result()
    np.testing.assert_equal(found, ad.grad(cubes)(X))
