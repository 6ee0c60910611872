"""The compiler's front end for generated code: what it leaves out, and what that takes for granted."""

import gc

import numpy as np
import pytest

import adcompile as ad
from adcompile.execute.cpu import compile_source
from adcompile.execute.lean import LeanCompiler, collecting_seldom

LEFT_OUT = {"inline_closure_likes", "nopython_rewrites", "reconstruct_ssa"}


def passes_of(source, monkeypatch):
    """The names of the passes that compile a function."""
    seen = []
    define = LeanCompiler.define_pipelines

    def spy(self):
        managers = define(self)
        seen.extend(item[0]._name for manager in managers for item in manager.passes)
        return managers

    monkeypatch.setattr(LeanCompiler, "define_pipelines", spy)
    function = compile_source(source, "made", cache=False)
    assert function(np.ones(3)) == 3.0
    return set(seen)


def test_passes_that_have_nothing_to_do_are_left_out(monkeypatch):
    text = (
        "def made(x):\n    s = 0.0\n    for i in range(len(x)):\n        s += x[i]\n    return s\n"
    )
    assert not passes_of(text, monkeypatch) & LEFT_OUT


def test_threads_want_all_of_them(monkeypatch):
    text = (
        "from numba import prange\n\n\ndef made(x):\n    y = x.copy()\n"
        "    for i in prange(len(x)):\n        y[i] = x[i]\n    return y[0] + y[1] + y[2]\n"
    )
    assert passes_of(text, monkeypatch) >= LEFT_OUT


def test_garbage_is_collected_as_before():
    before = gc.get_threshold()
    with pytest.raises(KeyError), collecting_seldom():
        assert gc.get_threshold() != before
        raise KeyError
    assert gc.get_threshold() == before


def changing(x, w):
    """One name for a number, a vector, and matrices in either order."""
    a = 2
    a = a * 0.5
    a = w.T * a
    a = np.ascontiguousarray(a)
    a = a @ w
    a = a.T
    a = a @ x
    a = np.sum(a * a)
    return a


def test_names_that_change_their_type():
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal(4), rng.standard_normal((4, 4))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        args = x.astype(dtype), w.astype(dtype)
        found = ad.value_and_grad(changing, (0, 1))(*args)
        wanted = ad.value_and_grad(changing, (0, 1), target="python")(*args)
        np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance)
        for mine, other in zip(found[1], wanted[1], strict=True):
            assert mine.dtype == other.dtype == dtype
            np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)
