"""Python functions made of text.

Enters: names, signatures, generated source. Leaves: functions with these names and signatures,
whose lines tracebacks and debuggers know.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from types import MethodType
from typing import Any

from adcompile.arguments import EXACT, usual
from adcompile.graph.ir import free_name
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


def calling(own: Any, cls: type, dispatcher: Any) -> type:
    """A class for `own` whose calls go straight to what `dispatcher` has compiled.

    Calls of other types go to the dispatcher, those with arguments that may be left out as `cls`
    has it.
    """
    parameters = own.__signature__.parameters.values()
    full = all(p.default is p.empty for p in parameters)
    other: Any = _checking(dispatcher, own.__signature__) if full else cls.__call__
    call = dispatcher.entered(MethodType(other, own), own._failed)
    return type(cls.__name__, (cls,), {"__call__": staticmethod(call), "__doc__": cls.__doc__})


def _checking(dispatcher: Any, signature: inspect.Signature) -> Callable[..., Any]:
    """A method that goes straight to `dispatcher`: named parameters cost half of `*args`."""
    names = list(signature.parameters)
    inner = {"own": None, "dispatch": dispatcher, "exact": EXACT, "usual": usual, "error": None}
    inner["errors"] = (ValueError, TypeError)
    called = {name: free_name(f"_{name}", names) for name in inner}
    passed = ", ".join(names)
    known = " and ".join(f"{name}.__class__ in {called['exact']}" for name in names) or "True"
    usually = ", ".join(f"{called['usual']}({name})" for name in names)
    text = (
        f"def __call__({', '.join([called['own'], *names])}):\n"
        f"    try:\n        if {known}:\n            return {called['dispatch']}({passed})\n"
        f"        return {called['dispatch']}({usually})\n"
        f"    except {called['errors']} as {called['error']}:\n"
        f"        return {called['own']}._after_failure("
        f"{called['error']}, ({passed}{',' * bool(names)}), {{}})\n"
    )
    space: dict[str, Any] = {called[name]: item for name, item in inner.items()}
    exec(text, space)
    return space["__call__"]  # type: ignore[no-any-return]


def executable(source: str, name: str) -> Callable[..., Any]:
    """The function in generated source, with its lines known to tracebacks and debuggers."""
    file = f"<adcompile {name} {hash(source) & 0xFFFFFFFF:08x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {}
    exec(compile(parsed(source), file, "exec"), space)
    return space[name]  # type: ignore[no-any-return]


def name_of(function: Any) -> str:
    """The name of what a function was made of."""
    name: str = getattr(function, "__name__", "function")
    return name
