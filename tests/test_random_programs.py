"""Random programs: both modes and both targets against differences of the program itself."""

import importlib.util
import itertools
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import adcompile as ad
from tests.programs.random_programs import programs

_numbers = itertools.count()


def _load(text, folder):
    """The function in the text, written to a file so that its source can be read."""
    name = f"random_program_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.program


def _arguments(seed, n):
    rng = np.random.default_rng(seed)
    order = rng.integers(0, n, n)
    floats = [float(rng.uniform(-1, 1)), *(rng.uniform(-1, 1, s) for s in (n, n, (n, 3)))]
    return floats, (order, 2)


def _difference(function, floats, rest, direction, step):
    ahead, behind = (
        function(*(f + s * d for f, d in zip(floats, direction, strict=True)), *rest)
        for s in (step, -step)
    )
    return (ahead - behind) / (2 * step)


def _check(text, seed, n, folder, compiled):
    function = _load(text, folder)
    floats, rest = _arguments(seed, n)
    rng = np.random.default_rng(seed + 1)
    direction = [
        float(rng.standard_normal()),
        *(rng.standard_normal(np.shape(f)) for f in floats[1:]),
    ]
    with np.errstate(all="ignore"):
        value = function(*(np.copy(f)[()] for f in floats), *rest)
        coarse, fine = (_difference(function, floats, rest, direction, s) for s in (1e-5, 1e-6))
    if not np.isfinite(value) or abs(coarse - fine) > 1e-4 * (1 + abs(fine)):
        return  # a kink nearby, or a value out of range: differences say nothing
    for target in ("python", "cpu") if compiled else ("python",):
        try:
            got, gradient = ad.value_and_grad(function, (0, 1, 2, 3), target=target)(*floats, *rest)
        except (ad.NotDifferentiable, ad.ShapeError):
            return  # refused with a reason: allowed
        assert got == pytest.approx(float(value), rel=1e-9, abs=1e-9), text
        slope = sum(float(np.sum(g * d)) for g, d in zip(gradient, direction, strict=True))
        assert slope == pytest.approx(fine, rel=2e-4, abs=2e-5), text
        tangents = (*direction, rest[0], rest[1])
        _, tangent = ad.jvp(function, (*floats, *rest), tangents, target=target)
        assert tangent == pytest.approx(slope, rel=1e-8, abs=1e-9), text


@settings(
    max_examples=50, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(text=programs(), seed=st.integers(0, 1000), n=st.integers(2, 5))
def test_random_programs(text, seed, n, tmp_path_factory):
    _check(text, seed, n, tmp_path_factory.mktemp("programs"), compiled=seed % 4 == 0)


@pytest.mark.nightly
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=programs(14), seed=st.integers(0, 10**6), n=st.integers(2, 6))
def test_many_random_programs(text, seed, n, tmp_path_factory):
    _check(text, seed, n, tmp_path_factory.mktemp("programs"), compiled=seed % 2 == 0)
