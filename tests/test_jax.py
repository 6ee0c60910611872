"""A second opinion: the programs that JAX can trace, against JAX."""

import types

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.types import is_continuous, leaves, type_of
from tests.programs.corpus import CORPUS

jax = pytest.importorskip("jax")

_TRACEABLE = """
adaline_loss mlp_loss keyword_default closed_over tuples tuple_argument integer_powers
runtime_power counted_power elementary repeated power_by_loop sum_of_squares backwards strided
nested triangle two_carried logistic_map horner power_iteration gathered gathered_pairs
permuted_loop elementwise_chain broadcasting reductions axes products stacked_products reshaping
joining moving creating shapes clipping pairs log_sum_exp lorenz kalman recurrent_net
n_body sparse_product
""".split()
_CASES = [(f, a) for f, a in CORPUS if f.__name__ in _TRACEABLE]


def for_jax(function, seen=None):
    """The same function with `np` and `math` meaning `jax.numpy`, and so in what it calls."""
    seen = {} if seen is None else seen
    if function in seen:
        return seen[function]
    space = dict(function.__globals__)
    made = types.FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    seen[function] = made
    space["np"] = space["math"] = jax.numpy
    space["special"] = jax.scipy.special
    for name in function.__code__.co_names:
        item = space.get(name)
        if isinstance(item, types.FunctionType) and item.__module__.startswith("tests."):
            space[name] = for_jax(item, seen)
    return made


def test_the_list_names_programs():
    assert {f.__name__ for f, _ in _CASES} == set(_TRACEABLE)


@pytest.mark.parametrize(("function", "args"), _CASES, ids=[f.__name__ for f, _ in _CASES])
def test_gradient_is_that_of_jax(function, args):
    positions = tuple(k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a)))))
    with (
        jax.experimental.enable_x64()
        if hasattr(jax.experimental, "enable_x64")
        else jax.enable_x64(True)
    ):
        value, gradient = jax.value_and_grad(for_jax(function), positions)(*args)
        value, gradient = float(value), jax.tree.map(np.asarray, gradient)
    ours, found = ad.value_and_grad(function, positions)(*args)
    assert ours == pytest.approx(value, rel=1e-10)
    for f, g in zip(leaves(found), leaves(gradient), strict=True):
        np.testing.assert_allclose(f, g, rtol=1e-8, atol=1e-11)
