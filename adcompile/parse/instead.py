"""What to write instead of names and calls that compiled code does not know.

Enters: a name that is not defined, or something that was called. Leaves: an error that says what it
is, and a hint: a name spelt nearly the same, or another way to write it.
"""

from __future__ import annotations

import difflib
import inspect
import site
import sysconfig
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import BuiltinMethodType
from typing import Any

from adcompile.errors import (
    AdcompileError,
    Location,
    SourceNotFound,
    TypeMismatch,
    UnsupportedOperation,
)
from adcompile.ops.spellings import described

_OUTSIDE = "pass what it gives as an argument"
_INSTEAD = {
    "eval": "write the expression out",
    "exec": "write the statements out",
    "input": _OUTSIDE,
    "open": _OUTSIDE,
    "time": _OUTSIDE,
    "now": _OUTSIDE,
    "loadtxt": _OUTSIDE,
    "load": _OUTSIDE,
    "map": "use a comprehension or a for loop",
    "filter": "use a for loop with an `if`",
    "sorted": "sort before, and pass the order as an argument",
    "iter": "use a for loop",
    "next": "use a for loop",
    "set": "use arrays",
    "round": "np.floor(x + 0.5)",
    "str": "an f-string in `print` shows numbers",
    "vectorize": "call the function in a for loop, or use ad.vmap",
    "frompyfunc": "call the function in a for loop, or use ad.vmap",
    "default_rng": "np.random.normal and its kin are known, or pass the numbers as an argument",
    "partial": "write a lambda",
}
_KEYWORDS = {
    "out": "assign what the function gives: y[...] = np.exp(x)",
    "where": "np.where(mask, x, 0.0) chooses elementwise",
    "initial": "np.maximum(np.max(x), start), or add the start to the sum",
    "order": "arrays are made in C order",
}
_RANDOM = "np.random.normal, uniform and their kin are known, or pass the numbers as an argument"


def close_to(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is spelt most nearly like `name`; empty if there is none."""
    found = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], 1, 0.7)
    return f"did you mean `{found[0]}`?" if found else ""


def keyword_hint(text: str) -> str:
    """What to write instead of a keyword argument that a complaint of Python's names."""
    return next((hint for key, hint in _KEYWORDS.items() if f"argument '{key}'" in text), "")


def unknown_call(target: Any, name: str) -> AdcompileError:
    """The error for a call of something that is not understood."""
    if not callable(target):
        return TypeMismatch(f"`{name}` is {described(target)}, it cannot be called")
    short = name.split(".")[-1]
    module = getattr(target, "__module__", "") or ""
    own = getattr(target, "__self__", None)
    owner = f"{module} {type(own).__module__} {getattr(target, '__objclass__', '')}"
    if "numpy.random" in owner or name.startswith("random."):
        return UnsupportedOperation(f"`{name}` is not in the compiled language", hint=_RANDOM)
    if module in ("builtins", "io", "_io"):
        return UnsupportedOperation(
            f"`{name}` is not in the compiled language",
            hint=_INSTEAD.get(short, "write it with NumPy and plain loops"),
        )
    is_method = isinstance(target, BuiltinMethodType) and not inspect.ismodule(own)
    if module.startswith(("numpy", "math", "cmath", "scipy")) or is_method:
        hint = "write it with supported operations, or pass its result as an argument"
        return UnsupportedOperation(
            f"`{name}` has no derivative rule", hint=_INSTEAD.get(short, hint)
        )
    if isinstance(target, type):
        if _is_library_module(module):
            hint = _INSTEAD.get(short, "use numbers, arrays, tuples, lists and dicts")
            return UnsupportedOperation(f"`{name}` is not in the compiled language", hint=hint)
        return UnsupportedOperation(
            f"`{name}` is a class that is no dataclass", hint="make it a dataclass"
        )
    return SourceNotFound(
        f"`{name}` has no Python source: it is a {type(target).__name__}",
        hint=_INSTEAD.get(short, "call a function written in Python"),
    )


def inside_library(name: str, error: AdcompileError) -> AdcompileError:
    """The error for a call of a function of a library, where it uses what is not understood."""
    place = error.location
    where = f" ({Path(place.file).name}:{place.line})" if place is not None else ""
    return UnsupportedOperation(
        f"`{name}` belongs to a library and cannot be compiled: {error.message}{where}",
        hint="write it with NumPy, or pass its result as an argument",
    )


@cache
def _library_folders() -> tuple[Path, ...]:
    paths = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths.add(site.getusersitepackages())
    return (Path(__file__).parents[1], *(Path(p).resolve() for p in paths if p))


def in_library(file: str) -> bool:
    """Whether a source file belongs to Python, to an installed package or to adcompile."""
    path = Path(file).resolve()
    return any(path.is_relative_to(folder) for folder in _library_folders())


def _is_library_module(module: str) -> bool:
    import sys

    file = getattr(sys.modules.get(module.split(".")[0]), "__file__", None)
    return file is None or in_library(file)


def elsewhere(error: AdcompileError, here: Location) -> bool:
    """Whether an error is placed in a library, but not in the file that is being compiled."""
    place = error.location
    return place is not None and place.file != here.file and in_library(place.file)
