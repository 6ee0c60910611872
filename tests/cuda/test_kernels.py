"""The kernels of the corpus: their text, kept in `tests/golden`, and what is refused, and why.

No GPU and no compiler is needed. Run with `--renew` to write the files anew, then read the
difference.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import adcompile as ad
from adcompile.graph.types import type_of
from tests.programs.corpus import CORPUS
from tests.test_corpus import float_positions

_FOLDER = Path(__file__).resolve().parents[1] / "golden"
_SHOWN = (
    "adaline_loss",
    "mlp_loss",
    "heat",
    "n_body",
    "log_sum_exp",
    "histogram_loss",
    "attention",
)
ids = [function.__name__ for function, _ in CORPUS]


def _kernels(function, args):
    return ad.grad(function, tuple(float_positions(args)), target="cuda").source(
        *map(type_of, args)
    )


def _told(function, args):
    try:
        _kernels(function, args)
    except ad.errors.UnsupportedOperation as error:
        assert error.location is not None and "hint: " in str(error)
        text = re.sub(r"(?m)^/\S*/", "", str(error))
        return f"-- {function.__name__}\n{text}\n"
    return ""


def test_what_is_refused(renew):
    found = "".join(_told(function, args) for function, args in CORPUS)
    path = _FOLDER / "kernels_refused.txt"
    if renew:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _SHOWN)
def test_source_of_kernels(name, renew):
    function, args = next(c for c in CORPUS if c[0].__name__ == name)
    source = re.sub(r"\(line \d+\)", "(line N)", _kernels(function, args))
    path = _FOLDER / f"{name}_cuda.py"
    if renew:
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_what_is_told_of_kernels_and_transfers():
    def loss(w, x):
        return np.sum(np.tanh(x * w) ** 2)

    gradient = ad.grad(loss, target="cuda")
    told = gradient.explain(np.ones(3), np.ones(3, np.float32))
    assert [(d.what, d.because.split()[0]) for d in told.of("transfer")] == [
        ("w", "24"),
        ("x", "12"),
    ]
    (kernel,) = told.of("kernel")
    assert "kernel grad_loss_1: a thread for each iteration" in kernel.because and kernel.line
    assert not gradient.explain("f8[::1], f8[::1]").of("transfer")
    drawn = gradient.graph("f8[::1], f8[::1]")
    assert "launch grad_loss_1(" in str(drawn) and "launch grad_loss_1" in drawn.to_svg()
    assert "@cuda.jit" in gradient.source("f8[::1], f8[::1]")
    assert "@cuda.jit" not in gradient.source("f8[::1], f8[::1]", stage="derivative")
    with pytest.raises(ad.TypeMismatch, match="has no kernels"):
        ad.grad(loss).inspect_ptx("f8[::1], f8[::1]")


def test_functions_that_kernels_call_are_not_changed_for_other_targets():
    def loss(x):
        return np.sum(special.gammaln(x))

    ad.grad(loss, target="cuda").source("f8[::1]")
    np.testing.assert_allclose(ad.grad(loss)(np.full(3, 2.5)), special.digamma(2.5), rtol=1e-14)
