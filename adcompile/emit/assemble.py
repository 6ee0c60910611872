"""Small pieces of syntax trees: templates filled in, statements, comments.

Enters: spellings such as `"np.exp({0})"` and the expressions of the inputs. Leaves: `ast` nodes.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Sequence
from typing import Any

from adcompile.emit.printer import Comment, expression_text, to_source
from adcompile.graph.ir import Op
from adcompile.graph.types import Array, Scalar, shape_of
from adcompile.syntax import parsed, parsed_expression


def name(text: str) -> ast.Name:
    """A variable."""
    return ast.Name(text, ast.Load())


@functools.cache
def _parsed(template: str, count: int) -> ast.expr:
    text = template
    for k in range(count):
        text = text.replace(f"{{{k}}}", f"_input_{k}_")
    return parsed_expression(text)


class _Filler(ast.NodeTransformer):
    def __init__(self, inputs: Sequence[ast.expr]) -> None:
        self.inputs = {f"_input_{k}_": node for k, node in enumerate(inputs)}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.inputs.get(node.id, node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        node.elts = [self.visit(item) for item in node.elts]
        return _whole_shape(node.elts) or node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return node


def fill(template: str, inputs: Sequence[ast.expr], op: Op) -> ast.expr:
    """The template with its inputs filled in."""
    node = _Filler(inputs).visit(copy.deepcopy(_parsed(template, len(op.inputs))))
    if op.name == "dim":
        source, axis = op.inputs[0], op.attrs["axis"]
        node.extent = (source, axis, len(shape_of(source.type)))
    elif op.name in ("reshape", "full", "empty", "broadcast_to"):
        _shorten_shape(node, op)
    result: ast.expr = node
    return result


def _whole_shape(items: Sequence[ast.expr]) -> ast.expr | None:
    """`x.shape` for the tuple of all extents of one array."""
    extents = [getattr(item, "extent", None) for item in items]
    if not extents or None in extents:
        return None
    source, _, ndim = extents[0]  # type: ignore[misc]
    if extents != [(source, axis, ndim) for axis in range(ndim)]:
        return None
    first = items[0]
    assert isinstance(first, ast.Subscript)
    return first.value


def _shorten_shape(node: ast.expr, op: Op) -> None:
    """`reshape(x.shape)`, `np.zeros(x.shape)` instead of listing the extents."""
    assert isinstance(node, ast.Call)
    if op.name == "reshape":
        whole = _whole_shape(node.args)
        if whole is not None:
            node.args = [whole]
    else:
        place = 1 if op.name == "broadcast_to" else 0
        whole = _whole_shape([node.args[place]])
        if whole is not None:
            node.args[place] = whole


def names_in(node: ast.AST) -> frozenset[str]:
    """The variables an expression reads."""
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def zero(type_: Scalar | Array) -> str:
    """The spelling of nothing of a type: zero, or an array without elements."""
    if isinstance(type_, Array):
        dtype = "bool_" if type_.dtype == "bool" else type_.dtype
        return f"np.empty({(0,) * type_.ndim}, np.{dtype})"
    return "False" if type_.dtype == "bool" else typed(0, type_.dtype)


def typed(number: float, dtype: str) -> str:
    """The spelling of a number of a type."""
    if dtype in ("float64", "int64"):
        return str(float(number) if dtype == "float64" else number)
    return f"np.{dtype}({number})"


def text_of(node: ast.expr) -> str:
    """The text of an expression."""
    return expression_text(node)


def assignment(target: str, node: ast.expr, scalar: bool = False) -> ast.stmt:
    """`target = node`; for scalars `target += term` where that says the same."""
    if scalar and isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name):
        if node.left.id == target and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            return ast.AugAssign(name(target), node.op, node.right)  # type: ignore[arg-type]
    return ast.Assign([name(target)], node, lineno=0)


def error(message: str, error_name: str) -> ast.stmt:
    """`raise ValueError(message)`."""
    arguments: list[ast.expr] = [ast.Constant(message)] if message else []
    return ast.Raise(ast.Call(name(error_name), arguments, []), None)


def check(condition: ast.expr, message: str, error_name: str = "ValueError") -> ast.stmt:
    """`if condition: raise ValueError(message)`."""
    return ast.If(condition, [error(message, error_name)], [])


def print_call(op: Op, inputs: Sequence[ast.expr]) -> ast.Expr:
    """The `print` that an operation stands for."""

    def shown(item: Any) -> ast.expr:
        if isinstance(item, int):
            return inputs[item]
        kind, content = item
        if kind == "text":
            return ast.Constant(content)
        pieces: list[ast.expr] = []
        for part in content:
            if isinstance(part, str):
                pieces.append(ast.Constant(part))
                continue
            number, conversion, spec = part
            format_spec = ast.JoinedStr([ast.Constant(spec)]) if spec else None
            code = ord(conversion) if conversion else -1
            pieces.append(ast.FormattedValue(inputs[number], code, format_spec))
        return ast.JoinedStr(pieces)

    options = [ast.keyword(key, ast.Constant(value)) for key, value in op.attrs["options"]]
    return ast.Expr(ast.Call(name("print"), [shown(i) for i in op.attrs["items"]], options))


def copied(node: ast.expr) -> ast.expr:
    """`node.copy()`, once."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        if node.func.attr == "copy":
            return node
    return ast.Call(ast.Attribute(node, "copy", ast.Load()), [], [])


def negated(test: ast.expr) -> ast.expr:
    """`not test`, the shortest way."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def whole(target: ast.expr) -> ast.expr:
    """A target that can be assigned in place."""
    if isinstance(target, ast.Subscript):
        inner = target.value
        everything = isinstance(target.slice, ast.Constant) and target.slice.value is ...
        return inner if everything and isinstance(inner, ast.Subscript) else target
    return ast.Subscript(target, ast.Constant(...), ast.Store())


def accumulation(target: ast.expr, value: ast.expr) -> ast.stmt:
    """`target += value`, or `-=` for a negated value."""
    operator: ast.operator = ast.Add()
    negated = _without_minus(value)
    if negated is not None:
        operator, value = ast.Sub(), negated
    if not isinstance(target, (ast.Name, ast.Subscript)):
        target = whole(target)
    return ast.AugAssign(target, operator, value)  # type: ignore[arg-type]


def _without_minus(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        left = _without_minus(node.left)
        if left is not None:
            return ast.BinOp(left, node.op, node.right)
    return None


def function(name_: str, arguments: Sequence[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """A function definition with positional parameters."""
    parameters = ast.arguments(
        posonlyargs=[], args=[ast.arg(a) for a in arguments], kwonlyargs=[], kw_defaults=[],
        defaults=[],
    )  # fmt: skip
    return ast.FunctionDef(name_, parameters, body or [ast.Pass()], [], lineno=0)


def comments(
    statements: Sequence[tuple[ast.stmt, Op | None]], inside: Op | None = None
) -> list[ast.stmt]:
    """Statements with a comment before each group that came from one line of the user's.

    The line of `inside`, the loop or branch around the statements, is not repeated.
    """
    result: list[ast.stmt] = []
    group: list[ast.stmt] = []
    place = inside.location if inside is not None else None
    current = (place.file, place.statement_line) if place else None
    line = ""

    def close() -> None:
        if line and not (len(group) == 1 and _is_same(group[0], line)) and group:
            result.append(Comment(line))
        result.extend(group)

    for statement, op in statements:
        location = op.location if op is not None else None
        key = (location.file, location.statement_line) if location else current
        if key != current:
            close()
            group, current, line = [], key, location.statement if location else ""
        group.append(statement)
    close()
    return result


def _is_same(statement: ast.stmt, line: str) -> bool:
    """Whether the printed statement (or the head of a block) reads as the user's line."""
    printed = to_source(statement).split("\n")[0].strip()
    return _normal(printed) == _normal(line)


@functools.cache
def _normal(line: str) -> str:
    text = line + " pass" if line.endswith(":") else line
    if text.startswith(("elif", "else")):
        return text
    try:
        return ast.unparse(parsed(text))
    except SyntaxError:
        return text
