"""What names stand for while a function is lowered.

Enters: bindings made by statements. Leaves: graph values, static Python values, tuples of both, or
`Unbound` markers for names that not every path assigns; and the joins of two such environments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Value
from adcompile.graph.types import Array, Scalar, Type, promote

Environment = dict[str, Any]
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Unbound:
    """A name that may have no value here, and why."""

    reason: str


@dataclass(frozen=True, eq=False)
class Maybe:
    """An item that some paths did not assign: it may be read where `assigned` is true."""

    item: Any
    assigned: Any
    reason: str


@dataclass(frozen=True, eq=False)
class LocalFunction:
    """A lambda or nested function met in the source, with the function around it."""

    node: ast.Lambda | ast.FunctionDef
    frame: Any
    defaults: dict[str, Any]


def is_number(item: Any) -> bool:
    """Whether a static value can become a constant of the graph."""
    return isinstance(item, (bool, int, float, np.bool_, np.integer, np.floating))


def flatten(item: Any) -> Iterator[Any]:
    """The leaves of nested tuples."""
    if isinstance(item, tuple):
        for part in item:
            yield from flatten(part)
    elif isinstance(item, Maybe):
        yield from flatten(item.item)
        yield item.assigned
    else:
        yield item


def regroup(like: Any, parts: Iterator[Any]) -> Any:
    """Nested tuples as `like`, of the next `parts`."""
    if isinstance(like, tuple):
        return tuple(regroup(item, parts) for item in like)
    if isinstance(like, Maybe):
        return Maybe(regroup(like.item, parts), next(parts), like.reason)
    return next(parts)


def same_structure(first: Any, second: Any) -> bool:
    """Whether two items have leaves at the same places."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same_structure(a, b) for a, b in pairs)
    if isinstance(first, Maybe) and isinstance(second, Maybe):
        return same_structure(first.item, second.item)
    return not isinstance(first, (tuple, Maybe)) and not isinstance(second, (tuple, Maybe))


def is_data(item: Any) -> bool:
    """Whether all leaves are values of the graph or numbers."""
    return all(isinstance(leaf, Value) or is_number(leaf) for leaf in flatten(item))


def same_static(first: Any, second: Any) -> bool:
    """Whether two static values are the same constant."""
    if first is second:
        return True
    if isinstance(first, Value) or isinstance(second, Value) or type(first) is not type(second):
        return False
    return bool(isinstance(first, (int, float, str)) and first == second)


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
