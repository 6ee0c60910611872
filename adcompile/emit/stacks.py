"""Stacks of numbers as arrays that grow, for the compiler.

Enters: the operations on a stack that only one function uses. Leaves: statements about an array and
the number of its elements that count; a list would ask more of every step.
"""

from __future__ import annotations

import ast

from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import Scalar, StackOf
from adcompile.syntax import parsed

_FIRST = 16  # elements before a stack grows


def growing_stacks(graph: Graph) -> set[Value]:
    """The stacks of numbers that no procedure is given."""
    found, given = set[Value](), set[Value]()
    for op in graph.body.walk():
        if op.name == "stack" and isinstance(op.attrs["type"].item, Scalar):
            found.add(op.result)
        elif op.name not in ("push", "pop"):
            given.update(op.inputs)
    return found - given


def start(stack: Value, name: str, size: str) -> list[ast.stmt]:
    """An empty stack."""
    assert isinstance(stack.type, StackOf)
    dtype = stack.type.item.dtype
    kind = "bool_" if dtype == "bool" else dtype
    return _statements(f"{name} = np.empty({_FIRST}, np.{kind})\n{size} = 0")


def push(name: str, size: str, item: ast.expr) -> list[ast.stmt]:
    """Put an item on top."""
    grow, store, count = _statements(
        f"if {size} == len({name}):\n    {name} = exact.grown({name})\n"
        f"{name}[np.uint64({size})] = 0\n{size} += 1"
    )
    assert isinstance(store, ast.Assign)
    store.value = item
    return [grow, store, count]


def pop(name: str, size: str) -> tuple[ast.stmt, ast.expr]:
    """Count the item on top no more, and what reads it then."""
    (count,) = _statements(f"{size} -= 1")
    (read,) = _statements(f"{name}[np.uint64({size})]")
    assert isinstance(read, ast.Expr)
    return count, read.value


def _statements(text: str) -> list[ast.stmt]:
    return parsed(text).body
