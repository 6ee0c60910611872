"""Every NumPy function that the language knows, of complex numbers: right, or refused."""

import numpy as np
import pytest

import adcompile as ad
from adcompile.ops.spellings import CALLS
from tests.test_complex import by_differences

_rng = np.random.default_rng(3)
_VECTORS = [_rng.standard_normal(4) + 1j * _rng.standard_normal(4) for _ in range(2)]
_MATRICES = [_rng.standard_normal((3, 3)) + 1j * _rng.standard_normal((3, 3)) for _ in range(2)]
_FUNCTIONS = {
    f"{function.__module__}.{function.__name__}": function
    for function in CALLS
    if isinstance(function, np.ufunc)
    or (getattr(function, "__module__", "") or "").startswith("numpy")
    if not isinstance(function, type) and "empty" not in function.__name__
    if "random" not in (getattr(function, "__module__", "") or "")
}


def _of_one(function):
    def measured(a):
        return np.sum(np.abs(np.asarray(function(a)) * (0.3 + 1j) + 0.2) ** 2)

    return measured


def _of_two(function):
    def measured(a, b):
        return np.sum(np.abs(np.asarray(function(a, b)) * (0.3 + 1j) + 0.2) ** 2)

    return measured


def _attempts(function):
    for items in (_VECTORS, _MATRICES):
        if getattr(function, "nin", 1) == 1:
            yield _of_one(function), (items[0],)
        if getattr(function, "nin", 2) == 2:
            yield _of_two(function), tuple(items)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(_FUNCTIONS))
def test_gradient_is_right_or_refused(name):
    for measured, args in _attempts(_FUNCTIONS[name]):
        try:
            wanted = by_differences(measured, tuple(a.copy() for a in args))
        except (TypeError, ValueError, AttributeError, IndexError, np.linalg.LinAlgError):
            continue  # NumPy does not take these arguments either
        try:
            gradient = ad.grad(measured, tuple(range(len(args))), target="python")
            found = gradient(*(a.copy() for a in args))
        except ad.AdcompileError:
            continue
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
