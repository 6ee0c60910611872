"""Lowers operators, comparisons and truth values.

Enters: syntax nodes of `+`, `<`, `and`, `not` and their kin. Leaves: operations of the graph, or
plain Python values where both sides are known when compiled.
"""

from __future__ import annotations

import ast
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.errors import AdcompileError, Location, TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Region, Value
from adcompile.graph.trees import is_container
from adcompile.graph.types import Array, Scalar
from adcompile.ops.effects import Formatted
from adcompile.ops.spellings import as_value, described, of_truths, power
from adcompile.parse.fence import refuse
from adcompile.parse.instead import in_library
from adcompile.parse.recursion import Recursion
from adcompile.parse.scope import Environment, flatten

BINARY: dict[type[ast.operator], tuple[str, Callable[..., Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("div", operator.truediv),
    ast.FloorDiv: ("floordiv", operator.floordiv),
    ast.Mod: ("mod", operator.mod),
    ast.Pow: ("pow", operator.pow),
    ast.MatMult: ("matmul", operator.matmul),
    ast.BitAnd: ("bitwise_and", operator.and_),
    ast.BitOr: ("bitwise_or", operator.or_),
    ast.BitXor: ("bitwise_xor", operator.xor),
    ast.LShift: ("left_shift", operator.lshift),
    ast.RShift: ("right_shift", operator.rshift),
}
_UNARY = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}
_COMPARE: dict[type[ast.cmpop], tuple[str, Callable[..., Any]]] = {
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
    ast.Eq: ("eq", operator.eq),
    ast.NotEq: ("ne", operator.ne),
}


class OperatorLowering:
    """Operators of one function; the other expressions are added by the subclass."""

    builder: Builder
    environment: Environment
    recursion: Recursion

    def expression(self, node: ast.expr) -> Any:
        """Lower one expression."""
        raise AssertionError

    def location(self, node: ast.AST) -> Location:
        """Where a node stands."""
        raise AssertionError

    def join_branches(self, condition: Value, sides: list[tuple[Region, Any]], what: str) -> Any:
        """End an `if` whose two sides gave items; gives the joined item."""
        raise AssertionError

    def call_python(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Inline a call of a Python function."""
        raise AssertionError

    def scalar(self, node: ast.expr, what: str) -> Any:
        """An expression that must be one number or truth value."""
        item = self.expression(node)
        if isinstance(item, Value) and isinstance(item.type, Array):
            raise self._no_truth(what, node)
        return item

    def _no_truth(self, what: str, node: ast.AST) -> TypeMismatch:
        hint = "`&`, `|` and `~` join arrays of truth values: (0 < x) & (x < 1)"
        if what == "a condition":
            hint = "np.where chooses elementwise; np.sum(mask) > 0 asks for any"
        elif what == "a slice bound":
            hint = "index it: n[0]"
        return TypeMismatch(f"{what} must be a scalar, not an array", self.location(node), hint)

    def _binop(self, node: ast.BinOp) -> Any:
        left, right = self.expression(node.left), self.expression(node.right)
        return self.binary(type(node.op), left, right, node)

    def binary(self, kind: type[ast.operator], left: Any, right: Any, node: ast.AST) -> Any:
        """`left op right`, folded when both are static."""
        if kind not in BINARY:
            raise refuse(kind(), self.location(node))
        name, python = BINARY[kind]
        word = python.__name__.rstrip("_")
        sides = [(left, right, f"__{word}__"), (right, left, f"__r{word}__")]
        if type(right) is not type(left) and isinstance(right, type(left)):
            sides.reverse()
        for first, second, method in sides:
            own = of_users(first, method)
            if own is not None:
                return self.call_python(own, [first, second], {})
        if not isinstance(left, Value) and not isinstance(right, Value):
            try:
                return python(left, right)
            except TypeError:
                sequence = any(isinstance(side, (list, tuple)) for side in (left, right))
                raise TypeMismatch(
                    f"`{ast.unparse(node)}` of {described(left)} and {described(right)}",
                    hint="make it an array: np.array(...)" if sequence else "",
                ) from None
        for item, other in ((left, right), (right, left)):
            if isinstance(item, (list, tuple)) and isinstance(other.type, Scalar):
                raise TypeMismatch(
                    f"`{ast.unparse(node)}` of a {type(item).__name__} and a number",
                    hint="make it an array: np.array(...)",
                )
        left, right = as_value(left), as_value(right)
        if name == "pow":
            return power(left, right)
        return self.builder.op(of_truths(name, left, right), left, right)

    def augmented(self, kind: type[ast.operator], left: Any, right: Any, node: ast.AST) -> Any:
        """What `left op= right` makes of what is no array."""
        own = of_users(left, f"__i{BINARY[kind][1].__name__.rstrip('_')}__")
        if own is not None:
            return self.call_python(own, [left, right], {})
        return self.binary(kind, left, right, node)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        item = self.expression(node.operand)
        own = of_users(item, _UNARY.get(type(node.op), ""))
        if own is not None:
            return self.call_python(own, [item], {})
        if isinstance(node.op, ast.USub):
            return -item
        if isinstance(node.op, ast.UAdd):
            return item
        if not isinstance(item, Value):
            return not item if isinstance(node.op, ast.Not) else ~item
        if isinstance(node.op, ast.Invert):
            return self.builder.op(of_truths("invert", item), item)
        if isinstance(node.op, ast.Not) and isinstance(item.type, Array):
            raise self._no_truth("the operand of `not`", node)
        if item.type.dtype != "bool":
            item = self.builder.op("ne", item, 0)
        return self.builder.op("logical_not", item)

    def _compare(self, node: ast.Compare) -> Any:
        left = self.expression(node.left)
        result: Any = None
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.expression(right_node)
            part = self._compare_two(kind, left, right, node)
            if len(node.ops) > 1 and isinstance(part, Value) and isinstance(part.type, Array):
                raise self._no_truth("an operand of a chained comparison", node)
            if result is None:
                result = part
            elif isinstance(result, Value) or isinstance(part, Value):
                result = self.builder.op("logical_and", as_value(result), as_value(part))
            else:
                result = result and part
            left = right
        return result

    def _compare_two(self, kind: ast.cmpop, left: Any, right: Any, node: ast.Compare) -> Any:
        if isinstance(kind, (ast.Is, ast.IsNot)):
            numbers = _is_numeric(left) and _is_numeric(right)
            if numbers and (isinstance(left, Value) or isinstance(right, Value)):
                raise refuse(kind, self.location(node))
            return (left is right) == isinstance(kind, ast.Is)
        if isinstance(kind, (ast.In, ast.NotIn)):
            found = self._is_among(left, right, node)
            if isinstance(found, Value):
                return (
                    self.builder.op("logical_not", found) if isinstance(kind, ast.NotIn) else found
                )
            return found == isinstance(kind, ast.In)
        if type(kind) not in _COMPARE:
            raise refuse(kind, self.location(node))
        name, python = _COMPARE[type(kind)]
        if not isinstance(left, Value) and not isinstance(right, Value):
            for side in (left, right):
                if isinstance(side, Formatted) or (is_container(side) and has_value(side)):
                    raise TypeMismatch(
                        f"{described(side)} of what only the run knows is compared",
                        hint="compare its parts, or make it an array: np.array(...)",
                    )
            return python(left, right)
        return self.builder.op(name, as_value(left), as_value(right))

    def _is_among(self, item: Any, container: Any, node: ast.Compare) -> Any:
        """`item in container`: whether it is one of its parts, or equal to one."""
        if isinstance(container, str) and isinstance(item, str):
            return item in container
        if not isinstance(container, (tuple, list, dict)):
            raise TypeMismatch(
                f"`in` looks into tuples, lists and dicts, not into {described(container)}",
                hint="np.sum(items == x) > 0 asks whether a number is among those of an array",
            )
        found: Any = False
        for part in container:
            one = self._is_one(item, part, node)
            if not isinstance(one, Value):
                if one:
                    return True
            else:
                found = self.builder.op("logical_or", found, one) if found is not False else one
        return found

    def _is_one(self, item: Any, part: Any, node: ast.Compare) -> Any:
        if item is part:
            return True
        sides = (item, part)
        if any(isinstance(side, Value) and isinstance(side.type, Array) for side in sides):
            raise self._no_truth("what `in` compares", node)
        if any(isinstance(side, Value) for side in sides) and not all(map(_is_numeric, sides)):
            return False
        return self._compare_two(ast.Eq(), item, part, node)

    def _boolop(self, node: ast.BoolOp) -> Any:
        return self._one_of(node.values, isinstance(node.op, ast.And))

    def _one_of(self, nodes: list[ast.expr], is_and: bool) -> Any:
        """`and` or `or` as a value: one of the operands, which may be numbers."""
        first = self.expression(nodes[0])
        if len(nodes) == 1:
            return first
        condition = self._as_truth(first, nodes[0], _OPERAND)
        if not isinstance(condition, Value):
            return self._one_of(nodes[1:], is_and) if bool(condition) == is_and else first
        try:
            region, rest = self._aside(lambda: self._one_of(nodes[1:], is_and))
        except AdcompileError as error:
            self.recursion.skip(error)
            return first
        if _is_truth(first) and _is_truth(rest):
            return self._joined(condition, region, rest, is_and)
        sides = [(region, rest), (Region(), first)]
        return self.join_branches(condition, sides if is_and else sides[::-1], "`and` or `or`")

    def _lazy(self, nodes: list[ast.expr], is_and: bool) -> Any:
        """`and` or `or` in a condition."""
        first = self.truth(nodes[0], _OPERAND)
        if len(nodes) == 1:
            return first
        if not isinstance(first, Value):
            return self._lazy(nodes[1:], is_and) if bool(first) == is_and else first
        try:
            region, rest = self._aside(lambda: self._lazy(nodes[1:], is_and))
        except AdcompileError as error:
            self.recursion.skip(error)
            return first
        return self._joined(first, region, rest, is_and)

    def _aside(self, lower: Callable[[], Any]) -> tuple[Region, Any]:
        """What is evaluated only on one side of a condition."""
        region, before = Region(), dict(self.environment)
        try:
            with self.builder.inside(region):
                item = lower()
        finally:
            self.environment = before
        return region, item

    def _joined(self, first: Value, region: Region, item: Any, is_and: bool) -> Any:
        """Two truth values, the second of which was lowered in `region`."""
        with self.builder.inside(region):
            rest = as_value(item)
        name = "logical_and" if is_and else "logical_or"
        if all(op.record.cheap and not op.record.reads for op in region.ops):
            self.builder.region.ops.extend(region.ops)  # nothing is lost by evaluating both
            return self.builder.op(name, first, rest)
        region.yields = [rest]
        other = Region()
        with self.builder.inside(other):
            other.yields = [self.builder.constant(not is_and)]
        sides = [region, other] if is_and else [other, region]
        return self.builder.structured("if", [first], sides, [rest])[0]

    def truth(self, node: ast.expr, what: str = "a condition") -> Any:
        """A condition: a static value, or a scalar graph value of dtype bool."""
        if isinstance(node, ast.BoolOp):
            with self.builder.at(self.location(node)):
                return self._lazy(node.values, isinstance(node.op, ast.And))
        return self._as_truth(self.expression(node), node, what)

    def _as_truth(self, item: Any, node: ast.AST, what: str) -> Any:
        if isinstance(item, Value) and isinstance(item.type, Array):
            raise self._no_truth(what, node)
        if isinstance(item, Value):
            if item.constant is not None:
                return bool(item.constant)
            if item.type.dtype != "bool":
                return self.builder.op("ne", item, 0)
        return item


_OPERAND = "an operand of `and` or `or`"


def of_users(item: Any, method: str) -> Any:
    """The special method that a class of the user's defines, None if it does not."""
    own = None if isinstance(item, Value) else inspect.getattr_static(type(item), method, None)
    is_written = inspect.isfunction(own) and not in_library(own.__code__.co_filename)
    return own if is_written else None


def _is_truth(item: Any) -> bool:
    return isinstance(item, bool) or (isinstance(item, Value) and item.type.dtype == "bool")


def _is_numeric(item: Any) -> bool:
    return isinstance(item, (Value, bool, int, float, complex, np.number, np.bool_))


def has_value(item: Any) -> bool:
    """Whether an item holds something that only the run knows."""
    return any(isinstance(leaf, Value) for leaf in flatten(item))
