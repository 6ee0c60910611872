"""Calls of routines of linear algebra and sorting that are compiled once for all functions.

The compiler's own `np.linalg.solve` takes seconds to compile, anew for each function that calls it.
Here a call is one of a function that was compiled before, and lies on disk (`routines.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import types as _numba_types
from numba.extending import lower_builtin as _lower
from numba.extending import type_callable as _typing

from adcompile.execute import routines
from adcompile.execute.cpu import compile_source
from adcompile.execute.routines import (
    argsort,
    cholesky,
    det,
    eigh,
    inv,
    lu,
    lu_det,
    lu_inv,
    lu_slogdet,
    lu_solve,
    pinv,
    qr,
    slogdet,
    solve,
    svd,
    trsm,
)

_types: Any = _numba_types  # its names come from star imports


ROUTINES = {
    function.__name__: function
    for function in (
        solve, svd, argsort, cholesky, slogdet, eigh, qr, pinv, inv, det,
        lu, lu_solve, lu_inv, lu_det, lu_slogdet, trsm,
    )
}  # fmt: skip


@cache
def _routine(name: str) -> Any:
    source = Path(routines.__file__).read_text(encoding="utf-8")
    return _types.Dispatcher(compile_source(source, name, fastmath=False))


# Numba's decorators have no types of their own, hence the comments beside them
def _compile_calls(function: Callable[..., Any]) -> None:
    """Let compiled code call the routine with the name of a function."""
    name, operands = function.__name__, len(inspect.signature(function).parameters)

    @_typing(function)  # type: ignore[untyped-decorator]
    def typed(context: Any) -> Any:
        def found(*types: Any) -> Any:
            return _routine(name).get_call_type(context, types, {})

        typer: Any = found
        typer.__signature__ = inspect.signature(function)  # Numba asks for it
        return typer

    @_lower(function, *[_types.Any] * operands)  # type: ignore[untyped-decorator]
    def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.get_function(_routine(name), signature)(builder, values)


for _function in ROUTINES.values():
    _compile_calls(_function)
