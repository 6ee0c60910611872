"""Whole-array programs become few loop nests."""

import numpy as np
import pytest

import adcompile as ad


def _source(function, types, **options):
    return ad.jit(function, **options).source(types, stage="compiled")


def test_an_elementwise_chain_with_its_sum_is_one_loop():
    source = _source(lambda x, y: np.sum(np.tanh(x * y + 1.0) ** 2), "f8[::1], f8[::1]")
    code = [line for line in source.splitlines() if not line.strip().startswith("#")]
    assert sum(line.strip().startswith("for ") for line in code) == 1
    assert "np.empty" not in source


def test_broadcasting_reads_in_place():
    source = _source(lambda m, v: np.sum(m * v), "f8[:, ::1], f8[::1]")
    assert "np.empty" not in source and "v[j]" in source


def test_views_are_folded_into_their_base():
    source = _source(lambda x: np.sum(x[1:] * x[:-1]), "f8[::1]")
    assert "x[1 + i] * x[i]" in source


def test_transposes_are_not_copied():
    source = _source(lambda a, b: np.sum(a.T @ b), "f8[:, ::1], f8[:, ::1]")
    assert "exact.dot_into(t, a.T, b)" in source


def test_single_precision_has_no_double():
    source = _source(lambda x: np.sum(x * 2.0 + 1.0), "f4[::1]")
    assert "np.float32(2.0)" in source and "float64" not in source


def test_updates_in_place_need_no_buffer():
    def update(p, v, g, lr):
        v[...] = 0.9 * v + g
        p[...] = p - lr * v

    source = _source(update, "f4[::1], f4[::1], f4[::1], f8", inplace=("p", "v"))
    assert "np.empty" not in source


def soft_labels(m, labels):
    shifted = m - np.max(m, axis=1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(shifted), axis=1)) - shifted[np.arange(len(m)), labels])


def of_sums(m, w):
    return np.sum(np.exp(np.sum(m * w, axis=1)))


def test_loops_of_different_depth_are_joined():
    m, labels = np.random.default_rng(1).random((5, 3)), np.array([0, 2, 1, 1, 0])
    source = ad.value_and_grad(soft_labels).source(m, labels, stage="compiled")
    assert source.count("for i in range(m.shape[0])") == 1
    assert "range(1)" not in source


def test_dear_functions_of_sums_stay_in_a_loop_of_their_own():
    m = np.random.default_rng(1).random((5, 3))
    source = ad.jit(of_sums).source(m, m[0], stage="compiled")
    assert source.count("for i in range(m.shape[0])") == 2


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (1, 1)])
def test_axes_of_one_element(shape):
    m = np.random.default_rng(2).random(shape)
    labels = np.zeros(shape[0], np.int64)
    for function, args in ((soft_labels, (m, labels)), (of_sums, (m, m[0]))):
        found = ad.value_and_grad(function)(*args)
        wanted = ad.value_and_grad(function, target="python")(*args)
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-12, atol=1e-15)
