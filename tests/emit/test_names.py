"""Variables of emitted code do not take each other's names."""

import numpy as np

import adcompile as ad


def summed_beside_a_counter_named_as_sums_are(x):
    total = 0.0
    for t in range(len(x)):
        total += x[t] ** 2
    return total + np.sum(np.sin(x))


def test_a_counter_is_not_named_as_what_its_loop_carries():
    x = np.array([0.3, -0.2, 0.5])
    wanted = summed_beside_a_counter_named_as_sums_are(x)
    function = ad.jit(summed_beside_a_counter_named_as_sums_are)
    space = {}
    exec(function.source(x, stage="compiled"), space)
    np.testing.assert_allclose(space[function.__name__](x), wanted, rtol=1e-14)
    np.testing.assert_allclose(function(x), wanted, rtol=1e-14)
