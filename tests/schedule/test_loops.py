"""Whole-array programs become few loop nests."""

import numpy as np

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
