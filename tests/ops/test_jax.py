"""A second opinion on spellings: gradients in float64 against those of JAX."""

import types

import numpy as np
import pytest

from adcompile.graph.interpret import interpret
from tests.ops.cases import CASES
from tests.ops.test_registry import _arguments, _direction, _vjp

jax = pytest.importorskip("jax")

# a `.` in front: the method of an array; what JAX does not have, or not with a derivative, is absent
_SHARED = """
fmax fmin float_power positive deg2rad rad2deg fabs heaviside divmod modf clip amax amin var std ptp
prod cumprod nansum nanprod nanmax nanmin nanmean nanvar nanstd nancumsum nancumprod nanmedian
nanpercentile nanquantile median percentile quantile average cov corrcoef trace dot vdot outer kron
cross inner tensordot einsum convolve correlate interp trapezoid diff ediff1d gradient polyval
polyadd polysub polyder polyint vander sort partition take take_along_axis select choose where
repeat tile resize insert append diag diagonal ravel roll flip fliplr flipud rot90 swapaxes
moveaxis rollaxis expand_dims squeeze atleast_1d atleast_2d atleast_3d broadcast_arrays stack hstack
vstack dstack column_stack split array_split hsplit vsplit dsplit meshgrid linspace logspace unwrap
geomspace nan_to_num linalg.norm linalg.matrix_power linalg.multi_dot .cumprod .take .repeat
""".split()
_CHOSEN = [
    case
    for case in CASES
    if case.spelling in _SHARED and case.smooth and case.build.__name__ == "<lambda>"
]  # arrays of JAX are not written


def _for_jax(function):
    """The same lambda with `np` meaning `jax.numpy`."""
    space = {**function.__globals__, "np": jax.numpy}
    return types.FunctionType(function.__code__, space, "twin", function.__defaults__)


def test_the_list_names_cases():
    assert {case.spelling for case in _CHOSEN} == set(_SHARED)


@pytest.mark.share(5)
@pytest.mark.parametrize("case", _CHOSEN, ids=[case.name for case in _CHOSEN])
def test_reverse_mode_is_that_of_jax(case):
    args = _arguments(case)
    graph, output = _vjp(case, args)
    cotangent = _direction([output], 2)[0]
    found = interpret(graph, *args, cotangent)
    with jax.enable_x64(True):
        _, pullback = jax.vjp(_for_jax(case.build), *args)
        wanted = pullback(jax.numpy.asarray(cotangent))
    for f, w in zip(found, wanted, strict=True):
        np.testing.assert_allclose(f, w, rtol=1e-9, atol=1e-12)
