"""Finds the generated modules that machine code on disk refers to.

Enters: the name of a module. Leaves: the module of the cache, for machine code of adcompile's own:
such a name is the hash of the module's text. Other compiled code, a function under
`@njit(cache=True)` that calls a derivative, may be older than the derivative. It is told that its
file is not there, and is compiled again.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAME = re.compile(r"adcompile_\w+_[0-9a-f]{20}")
_state = threading.local()


@contextmanager
def loading() -> Iterator[None]:
    """Machine code of adcompile's own is read meanwhile."""
    before = getattr(_state, "loads", False)
    _state.loads = True
    try:
        yield
    finally:
        _state.loads = before


class _Finder:
    """Asked for modules that nothing else finds."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Where a module of the cache is; raises OSError, which Numba takes for a missing file."""
        if not _NAME.fullmatch(name):
            return None
        if not getattr(_state, "loads", False):
            raise OSError(f"{name} is a module that adcompile has generated in another process")
        from adcompile.execute.cache import spec_of_module

        return spec_of_module(name)


def find_generated() -> None:
    """Answer for generated modules that are imported by name."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
