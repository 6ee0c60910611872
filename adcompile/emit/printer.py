"""Prints syntax trees as Python source with as few parentheses as the grammar allows.

Enters: `ast` nodes, and `Comment` statements. Leaves: text. Built on `astunparse.Unparser`, whose
operator and attribute printing is replaced: it parenthesises everything and reads node attributes
that newer Pythons have removed.
"""

from __future__ import annotations

import ast
import io
from typing import Any

import astunparse

_OPERATORS = {
    ast.Add: ("+", 9),
    ast.Sub: ("-", 9),
    ast.Mult: ("*", 10),
    ast.Div: ("/", 10),
    ast.FloorDiv: ("//", 10),
    ast.Mod: ("%", 10),
    ast.MatMult: ("@", 10),
    ast.Pow: ("**", 12),
    ast.BitAnd: ("&", 7),
    ast.BitOr: ("|", 5),
    ast.BitXor: ("^", 6),
    ast.LShift: ("<<", 8),
    ast.RShift: (">>", 8),
}
_COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ATOM = 14
_TUPLE, _LAMBDA, _TERNARY, _OR, _AND, _NOT, _COMPARE, _UNARY, _POWER = 0, 1, 1, 2, 2.5, 3, 4, 11, 12


class Comment(ast.stmt):
    """A comment line."""

    _fields = ()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def to_source(node: ast.AST) -> str:
    """The source text of a node, ending in a newline for modules and statements."""
    stream = io.StringIO()
    Printer(node, stream)
    text = stream.getvalue().lstrip("\n")
    return text if isinstance(node, ast.expr) else text.rstrip() + "\n"


def expression_text(node: ast.expr) -> str:
    """The text of one expression."""
    return to_source(node).strip()


def precedence(node: ast.AST) -> float:
    """How tightly an expression binds."""
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)][1]
    if isinstance(node, ast.UnaryOp):
        return _NOT if isinstance(node.op, ast.Not) else _UNARY
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        negative = not isinstance(node.value, bool) and repr(node.value).startswith("-")
        return _UNARY if negative else _ATOM
    kinds: list[tuple[type, float]] = [
        (ast.Compare, _COMPARE),
        (ast.IfExp, _TERNARY),
        (ast.Lambda, _LAMBDA),
        (ast.Tuple, _TUPLE),
        (ast.Starred, _TUPLE),
    ]
    if isinstance(node, ast.BoolOp):
        return _AND if isinstance(node.op, ast.And) else _OR
    return next((level for kind, level in kinds if isinstance(node, kind)), _ATOM)


class Printer(astunparse.Unparser):  # type: ignore[misc]
    """The unparser with minimal parentheses."""

    def _within(self, node: ast.AST, least: float) -> None:
        """Print `node`, in parentheses if it binds less tightly than `least`."""
        if precedence(node) < least:
            self.write("(")
            self._bare(node)
            self.write(")")
        else:
            self._bare(node)

    def _bare(self, node: ast.AST) -> None:
        if isinstance(node, ast.Tuple):
            self._items(node)
        else:
            self.dispatch(node)

    def _items(self, node: ast.Tuple) -> None:
        for position, item in enumerate(node.elts):
            self.write(", " if position else "")
            self._within(item, _LAMBDA)
        self.write("," if len(node.elts) == 1 else "")

    def _Comment(self, node: Comment) -> None:
        self.fill(f"# {node.text}")

    def _Module(self, node: ast.Module) -> None:
        for statement in node.body:
            self.dispatch(statement)

    def _Constant(self, node: ast.Constant) -> None:
        value = node.value
        if value is Ellipsis:
            self.write("...")
        elif isinstance(value, float) and (value != value or value in (1e999, -1e999)):
            self.write({True: "math.nan"}.get(value != value, "-1e999" if value < 0 else "1e999"))
        else:
            self.write(repr(value))

    def _BinOp(self, node: ast.BinOp) -> None:
        symbol, level = _OPERATORS[type(node.op)]
        if isinstance(node.op, ast.Pow):
            self._within(node.left, _POWER + 1)
            self.write(" ** ")
            self._within(node.right, _UNARY)
            return
        self._within(node.left, level)
        self.write(f" {symbol} ")
        self._within(node.right, level + 0.5)

    def _UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.write("not ")
            self._within(node.operand, _NOT)
            return
        self.write({ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(node.op)])
        constant = isinstance(node.operand, ast.Constant)
        self._within(node.operand, _ATOM if constant else _UNARY)

    def _Compare(self, node: ast.Compare) -> None:
        self._within(node.left, _COMPARE + 0.5)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self.write(f" {_COMPARISONS[type(operator)]} ")
            self._within(right, _COMPARE + 0.5)

    def _BoolOp(self, node: ast.BoolOp) -> None:
        word, level = (" and ", _AND) if isinstance(node.op, ast.And) else (" or ", _OR)
        for position, item in enumerate(node.values):
            self.write(word if position else "")
            self._within(item, level + 0.25)

    def _IfExp(self, node: ast.IfExp) -> None:
        self._within(node.body, _OR)
        self.write(" if ")
        self._within(node.test, _OR)
        self.write(" else ")
        self._within(node.orelse, _TERNARY)

    def _Lambda(self, node: ast.Lambda) -> None:
        self.write("lambda")
        if node.args.args:
            self.write(" ")
            self.dispatch(node.args)
        self.write(": ")
        self._within(node.body, _LAMBDA)

    def _Attribute(self, node: ast.Attribute) -> None:
        number = isinstance(node.value, ast.Constant) and isinstance(node.value.value, int)
        self._within(node.value, _ATOM + number)
        self.write(f".{node.attr}")

    def _Subscript(self, node: ast.Subscript) -> None:
        self._within(node.value, _ATOM)
        self.write("[")
        if isinstance(node.slice, ast.Tuple) and node.slice.elts:
            self._items(node.slice)
        else:
            self._within(node.slice, _TUPLE)
        self.write("]")

    def _Slice(self, node: ast.Slice) -> None:
        for position, part in enumerate((node.lower, node.upper, node.step)):
            if position == 1 or (position == 2 and part is not None):
                self.write(":")
            if part is not None:
                self._within(part, _LAMBDA)

    def _Tuple(self, node: ast.Tuple) -> None:
        self.write("(")
        self._items(node)
        self.write(")")

    def _Call(self, node: ast.Call) -> None:
        self._within(node.func, _ATOM)
        self.write("(")
        items: list[Any] = [*node.args, *node.keywords]
        for position, item in enumerate(items):
            self.write(", " if position else "")
            if isinstance(item, ast.keyword):
                self.write(f"{item.arg}=" if item.arg else "**")
                item = item.value
            self._within(item, _LAMBDA)
        self.write(")")

    def _JoinedStr(self, node: ast.JoinedStr) -> None:
        self.write(ast.unparse(node))

    def _Assign(self, node: ast.Assign) -> None:
        self.fill()
        for target in node.targets:
            self._bare(target)
            self.write(" = ")
        self._bare(node.value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        self.fill()
        self.dispatch(node.target)
        self.write(f" {_OPERATORS[type(node.op)][0]}= ")
        self._bare(node.value)

    def _Return(self, node: ast.Return) -> None:
        self.fill("return")
        if node.value is not None:
            self.write(" ")
            self._bare(node.value)

    def _Expr(self, node: ast.Expr) -> None:
        self.fill()
        self._bare(node.value)

    def _Raise(self, node: ast.Raise) -> None:
        self.fill("raise")
        if node.exc is not None:
            self.write(" ")
            self._within(node.exc, _LAMBDA)

    def _FunctionDef(self, node: ast.FunctionDef) -> None:
        self.write("\n")
        for decorator in node.decorator_list:
            self.fill("@")
            self._bare(decorator)
        self.fill(f"def {node.name}(")
        self.dispatch(node.args)
        self.write(")")
        self.enter()
        for position, statement in enumerate(node.body):
            if position == 0 and ast.get_docstring(node, clean=False) is not None:
                self.fill(f'"""{ast.get_docstring(node, clean=False)}"""')
            else:
                self.dispatch(statement)
        self.leave()
