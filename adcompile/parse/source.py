"""Finds the Python source of a function and what its free names mean.

Enters: a Python function, a lambda, or an `@njit` dispatcher (through its `py_func`). Leaves: its
syntax tree, a factory of locations, and a lookup of globals, closure cells and builtins.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adcompile.errors import Location, SourceNotFound
from adcompile.syntax import parsed


@dataclass(eq=False)
class FunctionSource:
    """One parsed function: its tree, where it stands, and its names.

    `call` is where the user calls what is no code of theirs: every location is that one.
    """

    function: types.FunctionType
    node: ast.FunctionDef | ast.Lambda
    file: str
    first_line: int
    indent: int
    call: Location | None = None

    @property
    def name(self) -> str:
        """The function's name; `function` for a lambda."""
        name = self.function.__name__
        return "function" if name == "<lambda>" else name

    def location(self, node: ast.AST, statement: ast.AST | None = None) -> Location:
        """The place of `node`, inside `statement`, in the user's file."""
        if self.call is not None:
            return self.call
        line = getattr(node, "lineno", 1) + self.first_line - 1
        text = linecache.getline(self.file, line).rstrip("\n")
        start = getattr(node, "col_offset", 0) + self.indent
        same_line = getattr(node, "end_lineno", None) == getattr(node, "lineno", None)
        end = getattr(node, "end_col_offset", start) + self.indent if same_line else len(text)
        outer = statement if statement is not None else node
        outer_line = getattr(outer, "lineno", 1) + self.first_line - 1
        shown = linecache.getline(self.file, outer_line).strip()
        return Location(self.file, line, start, end, text, _without_comment(shown), outer_line)

    def lookup(self, name: str) -> Any:
        """What a free name means now; raises KeyError."""
        code = self.function.__code__
        if name in code.co_freevars:
            cell = (self.function.__closure__ or ())[code.co_freevars.index(name)]
            try:
                return cell.cell_contents
            except ValueError:
                raise KeyError(name) from None
        if name in self.function.__globals__:
            return self.function.__globals__[name]
        return vars(builtins)[name]

    @property
    def signature(self) -> inspect.Signature:
        """Parameters and defaults."""
        return inspect.signature(self.function, follow_wrapped=False)


def _without_comment(text: str) -> str:
    position = text.find("#")
    return (
        text[:position].rstrip() if position > 0 and "'" not in text and '"' not in text else text
    )


def python_function(candidate: Any) -> types.FunctionType | None:
    """The Python function behind a function, a bound `py_func`, or None."""
    if isinstance(candidate, types.FunctionType):
        return candidate
    inner = getattr(candidate, "py_func", None)
    return inner if isinstance(inner, types.FunctionType) else None


def read_source(candidate: Callable[..., Any]) -> FunctionSource:
    """Parse the source of `candidate`; raises SourceNotFound with the reason."""
    function = python_function(candidate)
    if function is None:
        raise SourceNotFound(
            f"`{getattr(candidate, '__name__', candidate)}` has no Python source: it is a "
            f"{type(candidate).__name__}",
            hint="write a function that calls it: lambda x: model.loss(x)",
        )
    try:
        # of the code: of the function, what a decorator wraps would be read instead
        lines, first_line = inspect.getsourcelines(function.__code__)
    except (OSError, TypeError):
        raise SourceNotFound(
            f"the source of `{function.__name__}` cannot be read ({function.__code__.co_filename})",
            hint="functions typed at a prompt or made by exec have no source file: "
            "put the function into a .py file or a notebook cell",
        ) from None
    text = "".join(lines)
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    file = inspect.getsourcefile(function) or function.__code__.co_filename
    if function.__name__ == "<lambda>":
        return _lambda_source(function, file)
    tree = parsed(textwrap.dedent(text))
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef):
        source = FunctionSource(function, node, file, first_line, indent)  # type: ignore[arg-type]
        raise SourceNotFound(
            f"`{function.__name__}` is no plain function",
            source.location(node),
            "async functions and classes are not differentiable",
        )
    return FunctionSource(function, node, file, first_line, indent)


def _lambda_source(function: types.FunctionType, file: str) -> FunctionSource:
    """Find a lambda among all of its file by line, then by equal bytecode and columns."""
    whole = "".join(linecache.getlines(file))
    line = function.__code__.co_firstlineno
    found = [
        node
        for node in ast.walk(parsed(whole))
        if isinstance(node, ast.Lambda) and node.lineno == line
    ]
    if len(found) > 1:
        columns = {
            p[2] for p in function.__code__.co_positions() if p[2] is not None and p[0] == line
        }
        inside = [
            node
            for node in found
            if all(
                node.body.col_offset <= c <= (node.body.end_col_offset or c) for c in columns if c
            )
            or node.lineno != node.end_lineno
        ]
        found = [n for n in inside if _same_code(n, function)] or inside or found
    if not found:
        raise SourceNotFound("the source of this lambda cannot be found", hint="use def instead")
    return FunctionSource(function, found[0], file, 1, 0)


def _same_code(node: ast.Lambda, function: types.FunctionType) -> bool:
    names = [a.arg for a in node.args.args]
    return names == list(function.__code__.co_varnames[: function.__code__.co_argcount])
