"""Python functions made of text.

Enters: names, signatures, generated source. Leaves: functions with these names and signatures,
whose lines tracebacks and debuggers know.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from adcompile.syntax import parsed


def template(name: str, signature: inspect.Signature) -> Callable[..., Any]:
    """A function with this signature that is never run."""
    parameters = [
        p.replace(kind=p.POSITIONAL_OR_KEYWORD, annotation=p.empty)
        for p in signature.parameters.values()
    ]
    names = ", ".join(p.name for p in parameters)
    text = f"def {name}({names}):\n    return None\n"
    space: dict[str, Any] = {}
    exec(compile(text, f"<adcompile {name}>", "exec"), space)
    function: Any = space[name]
    function.__defaults__ = tuple(p.default for p in parameters if p.default is not p.empty) or None
    return function  # type: ignore[no-any-return]


def executable(
    source: str, name: str, given: Mapping[str, Any] = MappingProxyType({})
) -> Callable[..., Any]:
    """The function in generated source, with its lines known to tracebacks and debuggers.

    given      what the source has names for beside its own
    """
    file = f"<adcompile {name} {hash(source) & 0xFFFFFFFF:08x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space = dict(given)
    exec(compile(parsed(source), file, "exec"), space)
    return space[name]  # type: ignore[no-any-return]


def name_of(function: Any) -> str:
    """The name of what a function was made of."""
    name: str = getattr(function, "__name__", "function")
    return name
