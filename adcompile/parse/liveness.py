"""Which variables may still be read: what a branch or loop has to hand on.

Enters: the statements of a function, loops without early exits. Leaves: for every branch and loop
the names whose values somebody may read after it, or in a later iteration.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from adcompile.parse.leaving import GuardedFor, walk_own

Names = frozenset[str]


class Liveness:
    """The names read after each branch and loop of one function."""

    def __init__(self, statements: Sequence[ast.stmt], at_end: Iterable[str] = ()) -> None:
        self._after: dict[ast.AST, Names] = {}
        self._always = _read_in_nested_functions(statements)
        self.at_start = self._block(statements, frozenset(at_end) | self._always)

    def after(self, node: ast.AST) -> Names:
        """For a branch: names read after it. For a loop: also those that its next round reads."""
        return self._after[node]

    def share(self, new: ast.AST, node: ast.AST) -> None:
        """Let a statement made for `node` hand on what `node` does."""
        self._after[new] = self._after[node]

    def _block(self, statements: Sequence[ast.stmt], live: Names) -> Names:
        for statement in reversed(statements):
            live = self._statement(statement, live)
        return live

    def _statement(self, node: ast.stmt, live: Names) -> Names:
        if isinstance(node, ast.If):
            self._after[node] = live
            sides = self._block(node.body, live) | self._block(node.orelse, live)
            return sides | reads([node.test])
        if isinstance(node, (ast.For, ast.While)):
            return self._loop(node, live)
        if isinstance(node, ast.Return):
            live = self._always
        elif isinstance(node, ast.Assign):
            live -= _bound(node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            live -= _bound([node.target])
        elif isinstance(node, ast.FunctionDef):
            live -= {node.name}
        return live | self._always | reads([node])

    def _loop(self, node: ast.For | ast.While, live: Names) -> Names:
        targets, flag = Names(), Names()
        if isinstance(node, ast.For):
            first = reads([node.iter])
            targets = _bound([node.target])
            flag = Names([node.going] if isinstance(node, GuardedFor) else [])
        else:
            first = reads([node.test])
        around = live | flag | (Names() if isinstance(node, ast.For) else first)
        while True:
            start = self._block(node.body, around) - targets
            if start <= around:
                break
            around |= start
        self._after[node] = around
        return around | first | self._always


def reads(nodes: Sequence[ast.AST]) -> Names:
    """Names that are read inside, also by augmented assignment."""
    found: set[str] = set()
    for node in walk_own(nodes):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return frozenset(found)


def _bound(targets: Sequence[ast.AST]) -> Names:
    return frozenset(
        n.id for n in walk_own(targets) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )


def _read_in_nested_functions(statements: Sequence[ast.stmt]) -> Names:
    found: set[str] = set()
    for node in walk_own(statements):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            found.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return frozenset(found)
