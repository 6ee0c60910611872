"""The table of conventions in docs/kinks.md is what is computed, here and by JAX."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import adcompile as ad
from tests.programs.jax_twins import twin
from tests.programs.kinks import KINKS

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "kinks.md"


def _table():
    lines = [line for line in _PAGE.read_text().splitlines() if re.match(r"\| `[a-z]", line)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def shown(gradient):
    """Numbers as the table has them."""
    parts = [np.asarray(g, float) for g in gradient]
    texts = []
    for part in parts:
        numbers = [f"{float(v) + 0.0:.4g}" for v in part.ravel()]
        texts.append(f"[{', '.join(numbers)}]" if part.ndim else numbers[0])
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


_TABLE = _table()


def test_rows_are_those_of_the_programs():
    assert list(_TABLE) == list(KINKS)
    for row in _TABLE.values():
        assert len(row) == 4
        ours, jax, torch, why = row
        differs = any(other not in (ours, "-") for other in (jax, torch))
        assert bool(why) >= differs, row


@pytest.mark.share(3, of="cpu")
@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("row", KINKS)
def test_ours(row, target):
    function, args = KINKS[row]
    gradient = ad.grad(function, tuple(range(len(args))), target=target)
    if target == "python" and row == "`mean(x)` at []":
        with pytest.raises(ZeroDivisionError):
            gradient(*args)
        return
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
        assert shown(gradient(*args)) == _TABLE[row][0]


# what JAX says since 0.12, where it is not what the table has of 0.10
_NEWER = {"`hypot(x, y)` at (0, 0)": "(nan, nan)", "`gammaln(x)` at 0": "-inf"}


@pytest.mark.parametrize("row", KINKS)
def test_that_of_jax(row):
    jax = pytest.importorskip("jax")
    function, args = KINKS[row]
    wanted = _TABLE[row][1]
    if tuple(map(int, jax.__version__.split(".")[:2])) >= (0, 12):
        wanted = _NEWER.get(row, wanted)
    if wanted == "-":
        pytest.skip("JAX has no such function")
    with jax.enable_x64(True):
        gradient = jax.grad(twin(function), tuple(range(len(args))))(*args)
        assert shown(gradient) == wanted


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize(("dtype", "small"), [("float64", 2.0**-1024), ("float32", 2.0**-128)])
def test_where_the_reciprocal_of_a_denominator_is_infinite(dtype, small, target):
    x, y, above = (np.dtype(dtype).type(v) for v in (0, small, 2 * small))
    both = ad.grad(lambda x, y: x / y, (0, 1), target=target)
    with np.errstate(all="ignore"):
        assert shown(both(x, y)) == "(inf, nan)"
        by_x, by_y = both(x, above)
        assert np.isfinite(by_x) and by_y == 0
        assert ad.grad(lambda x, y: x / y, 1, target=target)(x, y) == 0
        unread = ad.grad(lambda x, y: 0.0 * (x / y), (0, 1), target=target)
        assert shown(unread(x, y)) == "(nan, nan)"
