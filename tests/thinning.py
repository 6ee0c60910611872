"""Keeps a share of many like cases for every run, and all of them for `-m nightly`."""

import pytest


def thinned(cases, ids, every):
    """Parameters of which one in `every` always runs; a case is a tuple of arguments."""
    return [
        pytest.param(*case, id=name, marks=() if k % every == 0 else (pytest.mark.nightly,))
        for k, (case, name) in enumerate(zip(cases, ids, strict=True))
    ]
