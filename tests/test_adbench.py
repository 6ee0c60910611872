"""Two published benchmark objectives against values of a hand-written implementation."""

import numpy as np
import pytest

import adcompile as ad
from tests.programs import gmm, lstm
from tests.reference import reference_arrays


def _close(found, wanted):
    scale = np.max(np.abs(wanted))
    assert np.max(np.abs(found - wanted)) <= 1e-8 * scale
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize("form", ["loops", "arrays"])
def test_gaussian_mixture(form):
    data = reference_arrays("adbench/gmm_d10_k25_n1000.npz")
    alpha, mu, q, l, x = (data[name] for name in ("alpha", "mu", "q", "l", "x"))
    gamma, m = float(data["gamma"]), int(data["m"])
    k, d = mu.shape
    args = (alpha, mu, q, l, x, gamma, m, gmm.wishart_constant(d, k, gamma, m))
    if form == "loops":
        function = gmm.gmm_loops
    else:
        function, args = gmm.gmm_arrays, (*args, *gmm.lower_triangle(d))
    value, gradient = ad.value_and_grad(function, argnums=(0, 1, 2, 3))(*args)
    _close(value, data["objective"])
    for found, name in zip(gradient, ("alpha", "mu", "q", "l"), strict=True):
        _close(found, data[f"grad_{name}"])


@pytest.mark.parametrize("function", [lstm.lstm_loops, lstm.lstm_arrays])
def test_lstm(function):
    data = reference_arrays("adbench/lstm_l2_c1024.npz")
    state = data["state"].copy()
    args = data["main_params"], data["extra_params"], state, data["sequence"]
    value, (main_bar, extra_bar) = ad.value_and_grad(function, argnums=(0, 1))(*args)
    _close(value, data["objective"])
    _close(np.concatenate([main_bar.ravel(), extra_bar.ravel()]), data["gradient"])
    np.testing.assert_array_equal(state, data["state"])
