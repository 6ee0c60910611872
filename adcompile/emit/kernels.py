"""The source of the kernels that a compiled module calls.

Enters: Python functions. Leaves: the syntax trees of their definitions, of the functions they call
and of the constants they read, each once and before its readers, so that the module stands alone.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from types import FunctionType
from typing import Any

from adcompile.syntax import parsed, parsed_expression

Kernel = Callable[..., Any]


def kernel_statements(kernels: Iterable[Kernel]) -> list[ast.stmt]:
    """Definitions of kernels and of all they read."""
    found: dict[str, ast.stmt] = {}
    for kernel in kernels:
        _collect(kernel, found)
    return list(found.values())


def _collect(kernel: Kernel, found: dict[str, ast.stmt]) -> None:
    if kernel.__name__ in found:
        return
    definition = _definition(kernel)
    for name in dict.fromkeys(n.id for n in ast.walk(definition) if isinstance(n, ast.Name)):
        item = kernel.__globals__.get(name)
        if isinstance(item, FunctionType) and item is not kernel:
            _collect(item, found)
        elif isinstance(item, (tuple, float)):
            value = parsed_expression(repr(item))
            found.setdefault(name, ast.Assign([ast.Name(name, ast.Store())], value, lineno=0))
    found[kernel.__name__] = definition


@cache
def _definition(kernel: Kernel) -> ast.FunctionDef:
    (definition,) = parsed(textwrap.dedent(inspect.getsource(kernel))).body
    assert isinstance(definition, ast.FunctionDef)
    for argument in definition.args.args:
        argument.annotation = None
    definition.returns = None
    return definition
