"""What names stand for while a function is lowered.

Enters: bindings made by statements. Leaves: graph values, static Python values, tuples of both, or
`Unbound` markers for names that not every path assigns; and the joins of two such environments.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.errors import Location, TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.trees import Leaf, alike, is_container, parts, with_parts
from adcompile.graph.types import Array, Scalar, Type, promote

Environment = dict[str, Any]
Comprehension = ast.ListComp | ast.GeneratorExp  # of items that stand in an order
NEVER = "never gets a value"
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Unbound(Leaf):
    """A name that may have no value here, and why."""

    reason: str


@dataclass(frozen=True, eq=False)
class Maybe(Leaf):
    """An item that some paths did not assign: it may be read where `assigned` is true."""

    item: Any
    assigned: Any
    reason: str


@dataclass(frozen=True, eq=False)
class LocalFunction(Leaf):
    """A lambda or nested function met in the source, with the function around it."""

    node: ast.Lambda | ast.FunctionDef
    frame: Any
    defaults: dict[str, Any]
    place: Any  # tells it from functions written elsewhere, also when the source is read again
    number: int  # tells it from others made at the same place
    inside: bool  # whether a comprehension made it, whose variables it sees then

    @property
    def __name__(self) -> str:
        """The function's name; `function` for a lambda."""
        return getattr(self.node, "name", "function")

    @property
    def __signature__(self) -> inspect.Signature:
        """Parameters and defaults."""
        arguments = self.node.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        empty, kind = inspect.Parameter.empty, inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature(
            [inspect.Parameter(n, kind, default=self.defaults.get(n, empty)) for n in names]
        )

    @property
    def location(self) -> Location:
        """Where the function is written."""
        result: Location = self.frame.source.location(self.node)
        return result

    def __adcompile_graph__(self, types: Any) -> Any:
        return self.frame.lower_local(self, types)


def read_names(function: ast.Lambda | ast.FunctionDef) -> set[str]:
    """The names that the body of a function reads, and that are no parameters of it."""
    arguments = function.args
    own = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    body = function.body if isinstance(function.body, list) else [function.body]
    nodes = [node for statement in body for node in ast.walk(statement)]
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} - own


def is_number(item: Any) -> bool:
    """Whether a static value can become a constant of the graph."""
    return isinstance(item, (bool, int, float, complex, np.bool_, np.number))


def flatten(item: Any) -> Iterator[Any]:
    """The values and numbers in a container, or the item itself if it is one."""
    inner = parts(item)
    if inner is not None:
        for part in inner:
            yield from flatten(part)
    elif isinstance(item, Maybe):
        yield from flatten(item.item)
        yield item.assigned
    elif is_single(item):
        yield item


def regroup(like: Any, values: Iterator[Any]) -> Any:
    """An item as `like`, of the next `values`."""
    inner = parts(like)
    if inner is not None:
        return with_parts(like, [regroup(part, values) for part in inner])
    if isinstance(like, Maybe):
        return Maybe(regroup(like.item, values), next(values), like.reason)
    return next(values) if is_single(like) else like


def same_structure(first: Any, second: Any) -> bool:
    """Whether two items have leaves at the same places."""
    one, other = parts(first), parts(second)
    if one is not None and other is not None:
        return alike(first, second) and all(map(same_structure, one, other))
    if isinstance(first, Maybe) and isinstance(second, Maybe):
        return same_structure(first.item, second.item)
    if is_single(first) or is_single(second):
        return is_single(first) and is_single(second)
    return same_static(first, second)


def is_data(item: Any) -> bool:
    """Whether an item is a value, a number or a container, so that branches can choose it."""
    if isinstance(item, Maybe):
        return is_data(item.item)
    return is_container(item) or is_single(item)


def is_single(item: Any) -> bool:
    """Whether an item is one value of the graph, or a number that can become one."""
    return isinstance(item, Value) or is_number(item)


def same_static(first: Any, second: Any) -> bool:
    """Whether two static values are the same constant."""
    if first is second:
        return True
    if isinstance(first, Value) or isinstance(second, Value) or type(first) is not type(second):
        return False
    return bool(isinstance(first, (int, float, complex, str, np.generic)) and first == second)


def join_types(first: Type, second: Type, what: str) -> Type:
    """The type that holds both values; raises TypeMismatch if there is none."""
    if isinstance(first, Scalar) and isinstance(second, Scalar):
        if first == second:
            return first
        dtype, weak = promote([first, second])
        return Scalar(dtype, weak)
    if isinstance(first, Array) and isinstance(second, Array):
        if first.dtype == second.dtype and first.ndim == second.ndim:
            layout = first.layout if first.layout == second.layout else "A"
            return Array(first.dtype, first.shape, layout)
    raise TypeMismatch(
        f"{what} is once {_describe(first)} and once {_describe(second)}",
        hint="give it one type: for an array, start with np.zeros of the final shape and dtype",
    )


def _describe(type_: Type) -> str:
    if isinstance(type_, Array):
        return f"a {type_.ndim}-d {type_.dtype} array"
    return f"a {type_.dtype} scalar"


def converted(builder: Builder, value: Any, type_: Type) -> Value:
    """`value` as a graph value of (joined) type `type_`."""
    graph_value = builder.value(value)
    have = graph_value.type
    if isinstance(type_, Scalar) and have != type_:
        if graph_value.constant is not None:
            return builder.constant(graph_value.constant, type_)
        result: Value = builder.op("cast", graph_value, dtype=type_.dtype, weak=type_.weak)
        return result
    return graph_value


def assigned_names(statements: Sequence[ast.stmt]) -> list[str]:
    """Names that statements bind, in order of appearance; those of nested functions are theirs."""
    names: dict[str, None] = {}
    for statement in statements:
        for node in _in_order(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.setdefault(node.id)
            elif isinstance(node, ast.FunctionDef):
                names.setdefault(node.name)
    return list(names)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.Lambda, *_COMPREHENSIONS)):
        for child in ast.iter_child_nodes(node):
            yield from _in_order(child)
