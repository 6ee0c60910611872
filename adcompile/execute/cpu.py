"""Compiles generated source for the CPU.

Enters: the text of a module of plain Python. Leaves: a Numba dispatcher for one of its functions.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from numba.core import dispatcher as _dispatcher
from numba.core.errors import NumbaPerformanceWarning, NumbaWarning

from adcompile.execute.cache import module_from_source
from adcompile.execute.lean import InnerCompiler, LeanCompiler
from adcompile.execute.machine_code import MachineCode
from adcompile.execute.memory import keep_freed_memory
from adcompile.syntax import parsed

Dispatcher: Any = _dispatcher.Dispatcher  # its annotations lack the cache
# of all that Numba can run on threads only the loops that ask for it
_PRANGE = ", parallel=" + repr(
    {
        kind: kind == "prange"
        for kind in (
            "comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil", "fusion",
            "prange",
        )
    }
)  # fmt: skip
_FASTMATH = {"contract", "reassoc", "nsz"}


def compile_source(
    source: str, entry: str, *, fastmath: bool = True, cache: bool = True,
    boundscheck: bool = False,
) -> Any:  # fmt: skip
    """The dispatcher of function `entry`; every function of the module is compiled.

    fastmath   allow contraction, reassociation of sums, and functions of `math` that compute
               several elements at once, within 4 units in the last place; NaN and infinities keep
               their meaning
    cache      keep machine code on disk, unless a function calls itself: Numba 0.68 keeps the
               address of such a call empty when it loads the code again
    boundscheck raise IndexError for an index that does not exist
    """
    keep_freed_memory()
    cache = cache and not calls_itself(source)
    flags = sorted(_FASTMATH) if fastmath else False
    decorator = (
        f'@njit(error_model="numpy", boundscheck={boundscheck}, '
        f"fastmath={_flags(flags)}, cache={cache}"
    )
    functions = re.split(r"^(?=def )", source, flags=re.MULTILINE)
    text = functions[0] + "".join(
        f"{decorator}{_PRANGE if 'prange(' in function else ''})\n{function}"
        for function in functions[1:]
    )
    if fastmath:
        vectors = "from adcompile.execute import vector_math as math"
        text = re.sub("^import math$", vectors, text, flags=re.MULTILINE)
    arrays = "from adcompile.execute import new_arrays as np"
    text = re.sub("^import numpy as np$", arrays, text, flags=re.MULTILINE)
    text = "from numba import njit\n" + text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaWarning)
        module = module_from_source(text, entry)
    for name, item in vars(module).items():
        if isinstance(item, Dispatcher) and item.__module__ == module.__name__:
            item._compiler.pipeline_class = LeanCompiler if name == entry else InnerCompiler
            if cache and not isinstance(item._cache, MachineCode):
                item._cache = MachineCode(item.py_func)
    return getattr(module, entry)


def calls_itself(source: str) -> bool:
    """Whether a function of a module is reached from itself."""
    functions = [n for n in parsed(source).body if isinstance(n, ast.FunctionDef)]
    reached = {f.name: {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} for f in functions}
    for middle in reached:  # paths through ever more functions
        for names in reached.values():
            if middle in names:
                names |= reached[middle]
    return any(name in names for name, names in reached.items())


def _flags(flags: Any) -> str:
    return "False" if flags is False else "{" + ", ".join(f'"{f}"' for f in flags) + "}"


def compile_for(dispatcher: Any, signature: tuple[Any, ...]) -> Any:
    """The compile result of a dispatcher for argument types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        dispatcher.compile(signature)
    return dispatcher.overloads[signature]
