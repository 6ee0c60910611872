"""docs/numpy.md: what of NumPy is differentiated, made of the registry of tests."""

from pathlib import Path

import numba
import numpy as np
import pytest

from adcompile.graph.ir import RECORDS
from adcompile.ops.spellings import ATTRIBUTES, CALLS, METHODS, WRITTEN
from tests.ops import numba_names
from tests.ops.cases import CASES

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "numpy.md"
_HEAD = """# NumPy functions

Made by `python -m pytest tests/test_numpy_table.py --renew` from the tests of `tests/ops`, which run
every row as NumPy does it and as compiled code, in float64 and float32.

* **tested**: forward mode against differences, reverse mode as the transpose of forward mode, second
  order against differences of the gradient.
* **0**: the derivative is zero wherever it exists, or the result is no float; the value is tested.
* **refused**: an error that names the line, and why.

"""


def _names():
    """Every name in Numba's list: functions, `linalg.` functions, `.` methods and attributes."""
    yield from numba_names.FUNCTIONS.split()
    yield from (f"linalg.{name}" for name in numba_names.LINALG.split())
    yield from (f".{name}" for name in numba_names.METHODS.split())
    yield from (f".{name}" for name in numba_names.ATTRIBUTES.split())


def _object(name):
    """What a name stands for; names of one function give the same."""
    if name.startswith("."):
        return name
    found = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _front(name):
    if name.startswith("."):
        return METHODS.get(name[1:]) or ATTRIBUTES.get(name[1:])
    return CALLS.get(_object(name)) or WRITTEN.get(_object(name))


def _tested():
    """Of every tested NumPy function or front, whether one of its cases has a derivative."""
    found = {}
    for case in CASES:
        if case.spelling:
            keys = [_object(case.spelling), _front(case.spelling)]
        else:
            keys = [*RECORDS[case.record].numpy, getattr(np.linalg, case.record, None)]
        for key in keys:
            if key is not None:
                found[key] = found.get(key, False) or case.smooth
    return found


def _status(name, tested):
    for key in (_object(name), _front(name)):
        if key in tested:
            return "tested" if tested[key] else "0"
    return "untested" if _front(name) is not None else "refused"


def _row(name, status):
    shown = f"`x{name}`" if name.startswith(".") else f"`np.{name}`"
    if status == "refused":
        return f"| {shown} | refused: {numba_names.REFUSED.get(name, 'not written yet')} | | |"
    return f"| {shown} |" + f" {status} |" * 3


def _table(names, tested):
    rows = [_row(name, _status(name, tested)) for name in names]
    return "\n".join(["| | forward | reverse | second order |", "|---|---|---|---|", *rows])


def _beyond(names):
    """What is tested though the compiler behind us does not have it."""
    known = {id(_object(name)) for name in names}
    spelled = sorted({case.spelling for case in CASES if case.spelling})
    return [n for n in spelled if id(_object(n)) not in known and n not in names]


def _page():
    tested, names = _tested(), list(_names())
    beyond = _beyond(names)
    functions = [n for n in names if not n.startswith(".")]
    counts = {}
    for name in functions:
        status = _status(name, tested)
        counts[status] = counts.get(status, 0) + 1
    summary = (
        f"Numba compiles {len(functions)} functions of NumPy and `np.linalg`. Of these, "
        f"{counts.get('tested', 0)} are differentiated, {counts.get('0', 0)} have the derivative 0, "
        f"and {counts.get('refused', 0)} are refused. {len(beyond)} more, which Numba does not have, "
        "are at the end.\n"
    )
    parts = [
        _HEAD + summary,
        "## Functions\n\n" + _table(functions, tested),
        "## Methods and attributes of arrays\n\n"
        + _table([n for n in names if n.startswith(".")], tested),
        "## Beyond Numba's list\n\n" + _table(beyond, tested),
    ]
    return "\n\n".join(parts) + "\n"


def test_page_is_up_to_date(renew):
    page = _page()
    if renew:
        _PAGE.write_text(page)
    assert _PAGE.read_text() == page, "run with --renew"


@pytest.mark.parametrize("name", list(_names()))
def test_every_function_is_tested_or_refused_for_a_reason(name):
    status = _status(name, _tested())
    assert status in ("tested", "0") or (status == "refused" and name in numba_names.REFUSED)


def test_cases_call_what_they_are_named_after():
    for case in CASES:
        if case.spelling:
            last = case.spelling.split(".")[-1]
            names = {*case.build.__code__.co_names, *case.build.__code__.co_consts}
            given = {getattr(d, "__name__", "") for d in case.build.__defaults__ or ()}
            operators = "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift".split()
            assert last in names | given or last in operators, case.name


@pytest.mark.skipif(not numba.__version__.startswith("0.68."), reason="the list is that of 0.68")
def test_list_is_that_of_numba():
    from numba.core import types
    from numba.core.registry import cpu_target

    numba.njit(lambda x: np.sum(x)).compile((types.float64[:],))  # loads all that it knows
    context = cpu_target.typing_context
    context.refresh()

    def known(function):
        try:
            return isinstance(context.resolve_value_type(function), types.Function)
        except Exception:
            return False

    for space, listed in ((np, numba_names.FUNCTIONS), (np.linalg, numba_names.LINALG)):
        found = [n for n in dir(space) if not n.startswith("_")]
        found = [n for n in found if callable(getattr(space, n))]
        found = [n for n in found if not isinstance(getattr(space, n), type)]
        assert sorted(n for n in found if known(getattr(space, n))) == sorted(listed.split())
    array = types.Array(types.float64, 2, "C")
    members = [n for n in dir(np.ndarray) if not n.startswith("_")]
    members = [n for n in members if context.resolve_getattr(array, n) is not None]
    assert sorted(members) == sorted((numba_names.METHODS + numba_names.ATTRIBUTES).split())
