"""What a user is told of programs that are wrong or outside the language.

`tests/golden/refusals.txt` has the whole text of every error. Run `pytest tests/test_refusals.py
--renew` to write it anew, then read the difference as a user would.
"""

import importlib
import re
from pathlib import Path

import jax.numpy  # noqa: F401  (one program calls it)
import numpy as np
import pytest

import adcompile as ad
from adcompile.graph.types import Array, parse_types
from tests.programs.hostile.register import HOSTILE

_KINDS = ("syntax", "names", "arrays", "flow", "wanted", "libraries")
for _kind in _KINDS:
    importlib.import_module(f"tests.programs.hostile.{_kind}")

_GOLDEN = Path(__file__).parent / "golden" / "refusals.txt"
_LISTS = re.compile(r"(hint: methods: |hint: options: ).*|(hint: )[\w, ]*( are known)")
ids = [entry[0].__name__ for entry in HOSTILE]


def _refusal(function, types, by, options):
    with pytest.raises(ad.AdcompileError) as caught:
        by(function, **options).source(types)
    return caught.value


def _told(error):
    """The error as shown, without folders and lists that grow with the language."""
    text = re.sub(r"(?m)^/\S*/", "", str(error))
    text = re.sub(r"(cannot be compiled: ).*", r"\1...", text)  # what a library uses first
    return _LISTS.sub(r"\1\2...\3", text)


def _section(entry):
    error = _refusal(*entry)
    return f"-- {entry[0].__name__}: {type(error).__name__}\n{_told(error)}\n"


def test_there_are_many_and_names_are_used_once():
    assert len(HOSTILE) >= 400 and len(set(ids)) > 0.99 * len(ids)


@pytest.mark.parametrize("entry", HOSTILE, ids=ids)
def test_refused_with_a_place(entry):
    function = entry[0]
    error = _refusal(*entry)
    assert not isinstance(error, ad.errors.InternalError)
    assert error.location is not None
    assert error.location.file == function.__code__.co_filename
    shown, carets = str(error).split("\n")[1:3]
    assert shown[carets.index("^")] != " " and set(carets) <= {" ", "^"}


def test_texts(renew):
    sections = "\n".join(map(_section, HOSTILE))
    if renew:
        _GOLDEN.write_text(sections, encoding="utf-8")
    assert sections == _GOLDEN.read_text(encoding="utf-8")


def _argument(type_):
    if isinstance(type_, tuple):
        return tuple(map(_argument, type_))
    if isinstance(type_, Array):
        shape = [d if isinstance(d, int) else 3 for d in type_.shape]
        return np.full(shape, 1, type_.dtype)
    return np.dtype(type_.dtype).type(1).item()


# indices beyond extents that only the run knows are not checked in compiled code
_ANY_EXTENT = [entry for entry in HOSTILE if not re.search(r"\[[\d, ]+\]", entry[1])]


@pytest.mark.parametrize("target", ["cpu", "python"])
@pytest.mark.parametrize("entry", _ANY_EXTENT, ids=lambda entry: entry[0].__name__)
def test_a_call_is_refused_too(entry, target):
    function, types, by, options = entry
    arguments = [_argument(t) for t in parse_types(types)]
    if by.__name__ != "<lambda>":
        options = {"target": target, **options}
    with pytest.raises(ad.AdcompileError) as caught:
        by(function, **options)(*arguments)
    assert "numba" not in str(caught.value).lower()
