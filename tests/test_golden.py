"""The generated source of a corpus of functions, kept in `tests/golden`.

Run `pytest tests/test_golden.py --renew` to write the files anew, then read the difference.
"""

import re
from pathlib import Path

import pytest

import adcompile as ad
from adcompile.graph.types import is_continuous, leaves, type_of
from tests.programs.complex_programs import COMPLEX_PROGRAMS
from tests.programs.corpus import CORPUS

_FOLDER = Path(__file__).parent / "golden"
_COMPILED = (
    "neuron",
    "adaline_loss",
    "mlp_loss",
    "sum_of_squares",
    "heat",
    "running_product",
    "logistic_map",
    "log_sum_exp",
    "time_warp",
)
_PARALLEL = ("sum_of_squares", "log_sum_exp", "mlp_loss")
_FORWARD = ("neuron", "logistic_map", "products")
_COMPLEX = ("spectrum", "escape", "crank_nicolson")
ids = [function.__name__ for function, _ in CORPUS]


def _compare(name, source, renew):
    path = _FOLDER / f"{name}.py"
    source = re.sub(r"\(line \d+\)", "(line N)", source)
    if renew:
        path.write_text(source, encoding="utf-8")
    assert path.exists(), f"no golden file {path.name}: run with --renew and read it"
    assert source == path.read_text(encoding="utf-8")


def _positions(args):
    return tuple(k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a)))))


@pytest.mark.parametrize(("function", "args"), CORPUS, ids=ids)
def test_gradient_source(function, args, renew):
    gradient = ad.grad(function, _positions(args))
    _compare(function.__name__, gradient.source(*map(type_of, args)), renew)


@pytest.mark.parametrize("name", _COMPILED)
def test_compiled_source(name, renew):
    function, args = next(c for c in CORPUS if c[0].__name__ == name)
    source = ad.grad(function, _positions(args)).source(*map(type_of, args), stage="compiled")
    _compare(f"{name}_compiled", source, renew)


@pytest.mark.parametrize("name", _PARALLEL)
def test_parallel_source(name, renew):
    function, args = next(c for c in CORPUS if c[0].__name__ == name)
    gradient = ad.grad(function, _positions(args), parallel=True)
    source = gradient.source(*map(type_of, args), stage="compiled")
    assert "in prange(threads)" in source
    _compare(f"{name}_parallel", source, renew)


@pytest.mark.parametrize("name", _COMPLEX)
def test_source_with_complex_numbers(name, renew):
    function, args = next(c for c in COMPLEX_PROGRAMS if c[0].__name__ == name)
    gradient = ad.grad(function, _positions(args))
    types = list(map(type_of, args))
    _compare(name, gradient.source(*types), renew)
    _compare(f"{name}_compiled", gradient.source(*types, stage="compiled"), renew)


@pytest.mark.parametrize("name", _FORWARD)
def test_forward_source(name, renew):
    function, args = next(c for c in CORPUS if c[0].__name__ == name)
    _compare(f"{name}_forward", ad.jvp(function).source(args, args), renew)


def test_source_is_the_same_every_time():
    function, args = next(c for c in CORPUS if c[0].__name__ == "cholesky")
    first, second = (ad.grad(function, 0).source(*map(type_of, args)) for _ in range(2))
    assert first == second
