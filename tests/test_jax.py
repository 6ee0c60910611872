"""A second opinion: the programs of the corpus against JAX, values and both orders."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.trees import is_container
from adcompile.graph.types import is_continuous, leaves, type_of
from tests.programs.corpus import CORPUS
from tests.test_corpus import copied, float_positions, random_like

jax = pytest.importorskip("jax")
from tests.programs.jax_twins import twin  # noqa: E402

_NOT_IN_JAX = {
    "module_as_it_stands": "a dataclass is no argument",
    "method_of_a_module": "a dataclass is no argument",
    "sequential": "a dataclass is no argument",
    **dict.fromkeys(
        [
            "fills_a_table", "fourier_in_place", "merge_sort", "overwritten_on_the_way",
            "weighted_order_statistics",
        ],
        "its functions write arrays of their callers",
    ),
    **dict.fromkeys(
        ["rows_by_turns", "turned_in_its_place"], "they write an array through another name"
    ),
    "chosen_at": "no derivative of a product through repeated indices",
}  # fmt: skip
_CASES = [(f, a) for f, a in CORPUS if f.__name__ not in _NOT_IN_JAX]
_SINGLE = {"single", "converted"}


@pytest.fixture(autouse=True)
def double_precision():
    enable = getattr(jax.experimental, "enable_x64", None) or (lambda: jax.enable_x64(True))
    with enable():
        yield


def test_the_exceptions_are_programs():
    assert set(_NOT_IN_JAX) < {f.__name__ for f, _ in CORPUS}
    assert len(_CASES) > 160


@pytest.mark.share(4)
@pytest.mark.parametrize(("function", "args"), _CASES, ids=[f.__name__ for f, _ in _CASES])
def test_value_and_gradient_are_those_of_jax(function, args):
    positions = tuple(k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a)))))
    value, gradient = jax.value_and_grad(twin(function), positions)(*args)
    # compiled code computes the same: tests/test_corpus.py
    ours, found = ad.value_and_grad(function, positions, target="python")(*copied(args))
    rel = 1e-5 if function.__name__ in _SINGLE else 1e-8
    assert ours == pytest.approx(float(value), rel=rel)
    gradient = jax.tree.map(np.asarray, gradient)
    for f, g in zip(leaves(found), leaves(gradient), strict=True):
        np.testing.assert_allclose(f, g, rtol=rel, atol=1e-11)


_PLAIN = [
    (f, a)
    for f, a in _CASES
    if f.__name__ not in _SINGLE and not any(is_container(item) for item in a)
]


@pytest.mark.share(4)
@pytest.mark.parametrize(("function", "args"), _PLAIN, ids=[f.__name__ for f, _ in _PLAIN])
def test_second_derivative_is_that_of_jax(function, args):
    """Forward over reverse along a direction, on the NumPy target."""
    positions = tuple(float_positions(args))
    direction = random_like(args, np.random.default_rng(0))

    def gradient(*chosen):
        items = dict(zip(positions, chosen, strict=True))
        whole = [items.get(k, a) for k, a in enumerate(args)]
        return jax.grad(twin(function), positions)(*whole)

    primals, tangents = (tuple(items[k] for k in positions) for items in (args, direction))
    _, wanted = jax.jvp(gradient, primals, tangents)
    ours = ad.grad(function, positions, target="python")
    _, found = ad.jvp(ours, copied(args), direction, target="python")
    for f, g in zip(leaves(found), wanted, strict=True):
        np.testing.assert_allclose(f, np.asarray(g), rtol=1e-7, atol=1e-9)
