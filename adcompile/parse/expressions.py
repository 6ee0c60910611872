"""Lowers expressions.

Enters: syntax nodes and the environment. Leaves: graph values where something runs, plain Python
values where everything is known at compile time; calls to Python functions are inlined.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from adcompile.errors import (
    AdcompileError,
    Location,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)
from adcompile.graph import clone, trees
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Region, Value
from adcompile.graph.types import Array, Static, check_array
from adcompile.ops import spellings
from adcompile.ops.effects import Formatted, formatted
from adcompile.ops.spellings import as_value, described
from adcompile.parse import indexing
from adcompile.parse.fence import refuse
from adcompile.parse.instead import (
    close_to,
    elsewhere,
    inside_library,
    keyword_hint,
    unknown_call,
)
from adcompile.parse.leaving import SureName
from adcompile.parse.operators import OperatorLowering, has_value
from adcompile.parse.recursion import Recursion, Unknown
from adcompile.parse.scope import (
    Comprehension,
    Environment,
    LocalFunction,
    Maybe,
    Unbound,
    converted,
    flatten,
    is_data,
    is_number,
    is_single,
    join_types,
    regroup,
    same_structure,
)
from adcompile.parse.source import FunctionSource, python_function

# what Python raises when it computes with values known at compile time
FOLDING = (TypeError, ValueError, ZeroDivisionError, IndexError, OverflowError)


class ExpressionLowering(OperatorLowering):
    """Expressions of one function; statements are added by the subclass in `lower`."""

    recursion: Recursion

    def __init__(self, builder: Builder, source: FunctionSource, environment: Environment) -> None:
        self.builder = builder
        self.source = source
        self.environment = environment
        self.statement: ast.AST = source.node
        self.outer: ExpressionLowering | None = None  # the function around a nested one
        self.inside = False  # whether a comprehension of that function made it
        self.around: Environment | None = None  # what is around the comprehension at hand
        self.locals: frozenset[str] = frozenset()
        self.path: tuple[Any, ...] = ()  # through which calls it was reached

    @contextmanager
    def own_names(self) -> Iterator[Environment]:
        """Names of a comprehension are its own; functions made before see what is around it."""
        outer, around = self.environment, self.around
        self.around = outer if around is None else around
        try:
            yield outer
        finally:
            self.environment, self.around = outer, around

    # provided by the subclasses
    def object_attribute(self, base: Any, name: str) -> Any:
        """`base.name` for what is no value of the graph."""
        raise AssertionError

    def object_item(self, base: Any, index: Any, name: str = "item") -> Any:
        """`base[index]` for a container."""
        raise AssertionError

    def sum_of(self, node: Comprehension, start: list[ast.expr], keywords: dict[str, Any]) -> Any:
        """The sum of the items of a generator."""
        raise AssertionError

    def call_object(
        self, target: Any, arguments: list[Any], keywords: dict[str, Any]
    ) -> tuple[Any] | None:
        """Call a class, method or callable object."""
        raise AssertionError

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        raise AssertionError

    def _mapping(self, item: Any) -> dict[Any, Any]:
        raise AssertionError

    def call_program(
        self, program: Any, arguments: list[Any], keywords: dict[str, Any], name: str
    ) -> Any:
        """Inline what stands for a function of NumPy, as if all of it stood at the call."""
        raise AssertionError

    def location(self, node: ast.AST) -> Location:
        """Where a node stands."""
        return self.source.location(node, self.statement)

    def expression(self, node: ast.expr) -> Any:
        """Lower one expression; errors carry its place."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise refuse(node, self.location(node))
        location = self.location(node)
        with self.builder.at(location):
            try:
                return method(node)
            except AdcompileError as error:
                raise error.at(location) from None
            except FOLDING as error:
                raise TypeMismatch(str(error), location) from None

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.environment:
            return self._own(node, self.environment[name])
        if name in self.locals:
            raise UnsupportedSyntax(f"`{name}` has no value yet", hint=f"assign `{name}` before")
        frame, inside = self.outer, self.inside
        while frame is not None:
            seen = frame.environment if inside or frame.around is None else frame.around
            if name in seen:
                return frame._own(node, seen[name])
            inside, frame = frame.inside, frame.outer
        try:
            item = self.source.lookup(name)
        except KeyError:
            hint = close_to(name, self._known_names()) or "define it, or import it at the top"
            raise UnsupportedSyntax(f"`{name}` is not defined", hint=hint) from None
        return self.captured(name, item)

    def _known_names(self) -> list[str]:
        frame: ExpressionLowering | None = self
        names: list[str] = []
        while frame is not None:
            names += frame.environment
            frame = frame.outer
        return [*names, *self.source.function.__globals__, *vars(builtins)]

    def _own(self, node: ast.Name, item: Any) -> Any:
        """What a variable of this function stands for; checked where not every path assigns it."""
        if isinstance(item, Unbound):
            hint = f"give `{node.id}` a value before"
            if "different things" in item.reason:
                hint = f"give `{node.id}` numbers, arrays or equal containers on both sides"
            raise UnsupportedSyntax(f"`{node.id}` {item.reason}", hint=hint)
        if isinstance(item, Maybe):
            if not isinstance(node, SureName):
                message = f"`{node.id}` {item.reason} (line {self.location(node).line})"
                self.require(item.assigned, message, "UnboundLocalError")
                self.environment[node.id] = item.item
            return item.item
        return self.captured(node.id, item)

    def require(self, condition: Any, message: str, error: str) -> None:
        """Raise `error` at run time unless `condition` holds."""
        if isinstance(condition, Value) and condition.constant is not None:
            condition = condition.constant
        if isinstance(condition, Value) or not condition:
            self.builder.op("require", as_value(condition), message=message, error=error)

    def captured(self, name: str, item: Any) -> Any:
        """What comes from outside the function: an array becomes a constant of the graph."""
        if isinstance(item, np.ndarray):
            check_array(item)
            if item.ndim == 0:
                return item[()]
            if item.size > 1024:
                raise UnsupportedOperation(
                    f"the global array `{name}` is large ({item.size} elements)",
                    hint=f"pass `{name}` as an argument",
                )
            return self.builder.array(item, name)
        return item

    def _joinedstr(self, node: ast.JoinedStr) -> Any:
        """An f-string: text, unless the run inserts something."""
        parts: list[Any] = []
        for piece in node.values:
            if isinstance(piece, ast.Constant):
                parts.append(piece.value)
                continue
            assert isinstance(piece, ast.FormattedValue)
            spec = self.expression(piece.format_spec) if piece.format_spec is not None else ""
            if not isinstance(spec, str):
                raise UnsupportedSyntax(
                    "a format that only the run knows", hint='write the width out: f"{x:8.3f}"'
                )
            conversion = chr(piece.conversion) if piece.conversion >= 0 else ""
            item = self.expression(piece.value)
            if isinstance(item, Value):
                parts.append((item, conversion, spec))
            else:
                parts.append(formatted(item, conversion, spec))
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
        return Formatted(tuple(parts))

    _surename = _name

    def _ifexp(self, node: ast.IfExp) -> Any:
        condition = self.truth(node.test)
        if not isinstance(condition, Value):
            return self.expression(node.body if condition else node.orelse)
        sides = []
        for branch in (node.body, node.orelse):
            region = Region()
            before = dict(self.environment)
            with self.builder.inside(region):
                try:
                    sides.append((region, self.expression(branch)))
                except AdcompileError as error:
                    self.recursion.skip(error)
            self.environment = before
        if not sides:
            raise Unknown
        if len(sides) == 1:  # all that is known of the type for now
            return sides[0][1]
        return self.join_branches(condition, sides, "the conditional expression")

    def join_branches(self, condition: Value, sides: list[tuple[Region, Any]], what: str) -> Any:
        """End an `if` whose two sides gave the items in `sides`; gives the joined item."""
        first, second = (item for _, item in sides)
        if not same_structure(first, second) or not is_data(first) or not is_data(second):
            kinds = f"{described(first)} and {described(second)}"
            raise TypeMismatch(
                f"{what} gives values of different kinds: {kinds}",
                hint="give numbers, arrays or equal containers on both sides",
            )
        pairs = list(zip(flatten(first), flatten(second), strict=True))
        for region, _ in sides:
            region.yields = []
        for one, other in pairs:
            values = []
            for (region, _), item in zip(sides, (one, other), strict=True):
                with self.builder.inside(region):
                    values.append(self.builder.value(item))
            joined = join_types(values[0].type, values[1].type, what)
            for (region, _), value in zip(sides, values, strict=True):
                with self.builder.inside(region):
                    region.yields.append(converted(self.builder, value, joined))
        regions = [region for region, _ in sides]
        outputs = self.builder.structured("if", [condition], regions, regions[0].yields)
        return regroup(first, iter(outputs))

    def _subscript(self, node: ast.Subscript) -> Any:
        base = self.expression(node.value)
        index = self.index(node.slice)
        if isinstance(base, Value):
            return indexing.read(self.builder, base, index)
        name = node.value.id if isinstance(node.value, ast.Name) else "item"
        return self.object_item(base, index, name)

    def index(self, node: ast.expr) -> Any:
        """Index items: values, ints, slices, None, Ellipsis, tuples of them."""
        if isinstance(node, ast.Tuple):
            return tuple(self.index(item) for item in node.elts)
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            return slice(*(None if p is None else self.scalar(p, "a slice bound") for p in parts))
        return self.expression(node)

    def _attribute(self, node: ast.Attribute) -> Any:
        return self.attribute(self.expression(node.value), node.attr)

    def attribute(self, base: Any, name: str) -> Any:
        """`base.name`."""
        if not isinstance(base, Value):
            return self.object_attribute(base, name)
        if name in spellings.ATTRIBUTES:
            return spellings.ATTRIBUTES[name](base)
        if name in spellings.METHODS:
            raise UnsupportedOperation(f"`{name}` is a method", hint=f"call it: x.{name}()")
        known = ", ".join(sorted(spellings.ATTRIBUTES))
        raise UnsupportedOperation(
            f"{_plural(base)} have no attribute `{name}` in the compiled language",
            hint=close_to(name, spellings.ATTRIBUTES) or f"{known} are known",
        )

    def _call(self, node: ast.Call) -> Any:
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                keywords |= self._mapping(self.expression(keyword.value))
            else:
                keywords[keyword.arg] = self.expression(keyword.value)
        if isinstance(node.func, ast.Attribute):
            base = self.expression(node.func.value)
            if isinstance(base, Value):
                return self._method(base, node, keywords)
        target = self.expression(node.func)
        items = node.args[0] if node.args else None
        if target is builtins.sum and isinstance(items, Comprehension):
            given = [*node.args[1:], *node.keywords]
            if len(given) < 2 and keywords.keys() <= {"start"}:
                return self.sum_of(items, node.args[1:], keywords)
        arguments = self._items(node.args)
        return self.call(target, arguments, keywords, ast.unparse(node.func))

    def _method(self, base: Value, node: ast.Call, keywords: dict[str, Any]) -> Any:
        assert isinstance(node.func, ast.Attribute)
        front = spellings.METHODS.get(node.func.attr)
        if front is None:
            name = node.func.attr
            raise UnsupportedOperation(
                f"{_plural(base)} have no method `{name}` in the compiled language",
                hint=close_to(name, spellings.METHODS)
                or f"methods: {', '.join(sorted(spellings.METHODS))}",
            )
        arguments = [base, *self._items(node.args)]
        program = spellings.program_of(front)
        if program is not None:
            return self.call_program(program, arguments, keywords, f".{node.func.attr}")
        return self._front(front, arguments, keywords, f".{node.func.attr}")

    def _front(self, front: Any, arguments: list[Any], keywords: dict[str, Any], name: str) -> Any:
        try:
            return front(*arguments, **keywords)
        except AdcompileError:
            raise
        except TypeError as error:
            text = str(error).split("() ")[-1]
            raise UnsupportedOperation(f"`{name}`: {text}", hint=keyword_hint(text)) from None

    def call(self, target: Any, arguments: list[Any], keywords: dict[str, Any], name: str) -> Any:
        """Call something known at compile time."""
        if isinstance(target, LocalFunction):
            return self.call_python(target, arguments, keywords)
        front = spellings.front_of(target)
        if target is len and arguments and not isinstance(arguments[0], Value):
            return len(arguments[0])
        if front is not None:
            static = not any(has_value(a) for a in (*arguments, *keywords.values()))
            scalar = isinstance(target, np.ufunc) or target.__module__ in (
                "math",
                "cmath",
                "builtins",
            )
            if static and scalar and arguments and all(map(is_number, arguments)) and not keywords:
                return target(*arguments)
            return self._front(front, arguments, keywords, name)
        program = spellings.program_of(target)
        if program is not None:
            return self.call_program(program, arguments, keywords, name)
        transform = getattr(target, "__adcompile_transform__", None)
        if isinstance(target, type) and hasattr(target, "__adcompile_static__"):
            return target(*arguments, **keywords)
        if transform is not None:
            return transform(self, *arguments, **keywords)
        if hasattr(target, "__adcompile_graph__"):
            return self._call_graph(target, arguments, keywords)
        if python_function(target) is not None:
            try:
                return self.call_python(target, arguments, keywords)
            except AdcompileError as error:
                if (target.__module__ or "").split(".")[0] in ("numpy", "scipy"):
                    raise unknown_call(target, name) from error  # not the user's code
                if elsewhere(error, self.location(self.statement)):
                    raise inside_library(name, error) from error
                raise
        try:
            called = self.call_object(target, arguments, keywords)
        except AdcompileError as error:
            if elsewhere(error, self.location(self.statement)):
                raise inside_library(name, error) from error
            raise
        if called is None:
            raise unknown_call(target, name)
        return called[0]

    def _call_graph(self, target: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        bound = target.__signature__.bind(*arguments, **keywords)
        bound.apply_defaults()
        values: list[Value] = []

        def typed(leaf: Any) -> Any:
            if not is_single(leaf):
                return Static(leaf)
            values.append(as_value(leaf))
            return values[-1].type

        types = [
            Static(item) if isinstance(item, (bool, int)) else trees.mapped(typed, item)
            for item in bound.args
        ]
        graph = target.__adcompile_graph__(types)
        results = clone.inline(self.builder, graph, values)
        return trees.restored(graph.result, iter(results))


def looked_up(table: dict[Any, Any], key: Any) -> Any:
    """`table[key]`, None for a key that is not there or cannot be hashed."""
    try:
        return table.get(key)
    except TypeError:
        return None


def _plural(value: Value) -> str:
    return "arrays" if isinstance(value.type, Array) else "numbers"
