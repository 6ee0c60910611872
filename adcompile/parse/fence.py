"""What of Python is not in the compiled language, and what to write instead.

Enters: a syntax node the lowering does not know. Leaves: an UnsupportedSyntax error at that node.
"""

from __future__ import annotations

import ast

from adcompile.errors import Location, UnsupportedSyntax

_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Try: ("`try`", "check the condition with `if` before it can fail"),
    ast.With: ("`with`", "do the work of the context manager outside the function"),
    ast.ClassDef: ("a class definition", "define the class outside the function"),
    ast.AsyncFunctionDef: ("an async function", "use a plain function"),
    ast.Global: ("`global`", "pass the value as an argument and return the new one"),
    ast.Nonlocal: ("`nonlocal`", "pass the value as an argument and return the new one"),
    ast.Import: ("`import`", "import at the top of the file"),
    ast.ImportFrom: ("`import`", "import at the top of the file"),
    ast.Delete: ("`del`", "let the name be"),
    ast.Match: ("`match`", "use if/elif"),
    ast.SetComp: ("a set comprehension", "use arrays"),
    ast.Set: ("a set", "use arrays"),
    ast.Yield: ("`yield`", "fill an array in a for loop"),
    ast.YieldFrom: ("`yield from`", "fill an array in a for loop"),
    ast.Await: ("`await`", "use a plain function"),
    ast.NamedExpr: ("`:=`", "assign in a statement of its own"),
    ast.Starred: ("`*` in an assignment from an array", "slice it: rest = x[1:]"),
    ast.Is: ("`is` of two numbers or arrays", "`==` compares values"),
    ast.IsNot: ("`is not` of two numbers or arrays", "`!=` compares values"),
}


def refuse(node: ast.AST, location: Location) -> UnsupportedSyntax:
    """The error for a node outside the language."""
    known = _REFUSED.get(ast.Try if type(node).__name__ == "TryStar" else type(node))
    name, hint = known or (f"`{type(node).__name__}`", "write it with plain NumPy")
    return UnsupportedSyntax(f"{name} is not in the compiled language", location, hint)
