"""What a mask or a branch leaves out is never NaN: every mode, both orders, both targets."""

import numpy as np
import pytest

import adcompile as ad
from tests.programs.masked import MASKED

_IDS = [function.__name__ for function, *_ in MASKED]


@pytest.mark.share(5, of="cpu")
@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("function", "x", "slope", "curvature"), MASKED, ids=_IDS)
def test_the_side_not_taken_counts_for_nothing(function, x, slope, curvature, target):
    gradient = ad.grad(function, target=target)

    def weighted(x, w):
        return np.sum(gradient(x) * w)

    reverse_twice = ad.grad(weighted, target=target)
    forward_twice = ad.jvp(gradient, target=target)
    forward = ad.jvp(function, target=target)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(gradient(x), slope, rtol=1e-13)
        for k, axis in enumerate(np.eye(len(x))):
            assert forward((x,), (axis,))[1] == pytest.approx(slope[k], rel=1e-13)
            wanted = curvature[k] * axis
            if function.__name__ == "array_in_branch":
                wanted = curvature * axis
            np.testing.assert_allclose(forward_twice((x,), (axis,))[1], wanted, rtol=1e-13)
            np.testing.assert_allclose(reverse_twice(x, axis), wanted, rtol=1e-13)
