"""Calls of routines of linear algebra and sorting that are compiled once for all functions.

The compiler's own `np.linalg.solve` takes seconds to compile, anew for each function that calls it.
Here a call is one of a function that was compiled before, and lies on disk (`routines.py`). In
Python the names are those of NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba.core import types as _numba_types
from numba.extending import lower_builtin as _lower
from numba.extending import type_callable as _typing

from adcompile.execute.cpu import compile_source

_types: Any = _numba_types  # its names come from star imports
_SOURCE = Path(__file__).with_name("routines.py").read_text(encoding="utf-8")


def solve(a: Any, b: Any) -> Any:
    """The solution x of `a @ x = b`."""
    return np.linalg.solve(a, b)


def svd(a: Any) -> Any:
    """As many singular values and vectors as the smaller extent."""
    return np.linalg.svd(a, full_matrices=False)


def argsort(a: Any) -> Any:
    """The order that sorts a vector; equal elements stay in theirs."""
    return np.argsort(a, kind="stable")


def _of_one(name: str) -> Callable[[Any], Any]:
    def plain(a: Any) -> Any:
        return getattr(np.linalg, name)(a)

    plain.__name__ = plain.__qualname__ = name
    return plain


cholesky, slogdet, eigh, qr, pinv, inv, det = map(
    _of_one, ("cholesky", "slogdet", "eigh", "qr", "pinv", "inv", "det")
)
ROUTINES = {
    function.__name__: function
    for function in (solve, svd, argsort, cholesky, slogdet, eigh, qr, pinv, inv, det)
}


def _compile_calls(function: Callable[..., Any]) -> None:
    """Let compiled code call the routine with the name of a function."""

    def routine() -> Any:
        return _types.Dispatcher(compile_source(_SOURCE, function.__name__, fastmath=False))

    @_typing(function)  # type: ignore[untyped-decorator]
    def typed(context: Any) -> Any:
        def of_one(a: Any) -> Any:
            return routine().get_call_type(context, (a,), {})

        def of_two(a: Any, b: Any) -> Any:
            return routine().get_call_type(context, (a, b), {})

        return of_two if function is solve else of_one

    @_lower(function, *[_types.Any] * (2 if function is solve else 1))  # type: ignore[untyped-decorator]
    def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.get_function(routine(), signature)(builder, values)


for _function in ROUTINES.values():
    _compile_calls(_function)
