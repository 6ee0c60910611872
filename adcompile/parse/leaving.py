"""Rewrites loops that are left early into loops that run while a flag is set.

Enters: the statements of a function. Leaves: statements that mean the same without `break`,
`continue`, `else` of a loop, and `return` inside a loop: what would be skipped stands on the other
side of a branch, and a loop that can be left carries a flag.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)
Statements = list[ast.stmt]
_LOOPS = (ast.For, ast.While)
_LEAVING = (ast.Break, ast.Continue, ast.Return)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class GuardedFor(ast.For):
    """A `for` that goes on while the variable `going` is true."""

    going: str = ""


class SureName(ast.Name):
    """A variable that is only read where it has a value."""


def walk_own(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes inside, except those of nested functions."""
    todo = list(nodes)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            todo.extend(ast.iter_child_nodes(node))


def returns(nodes: Sequence[ast.AST]) -> bool:
    """Whether a `return` of this function is anywhere inside."""
    return any(isinstance(node, ast.Return) for node in walk_own(nodes))


def without_leaving(statements: Statements, taken: set[str]) -> Statements:
    """The statements with every loop rewritten; `taken` are names that flags must not have."""
    return _Rewriter(taken).block(statements)


class _Rewriter:
    def __init__(self, taken: set[str]) -> None:
        self.taken = set(taken)
        self.result = self.returned = ""
        self.gives_value = False

    def fresh(self, name: str) -> str:
        """A name that nobody has, close to `name`."""
        number, chosen = 1, name
        while chosen in self.taken:
            chosen, number = f"{name}_{number}", number + 1
        self.taken.add(chosen)
        return chosen

    def block(self, statements: Sequence[ast.stmt]) -> Statements:
        """Rewrite the loops in statements that no loop of ours surrounds."""
        result: Statements = []
        for statement in statements:
            if isinstance(statement, _LOOPS):
                result += self.loop(statement)
            elif isinstance(statement, ast.If):
                body, orelse = self.block(statement.body), self.block(statement.orelse)
                result.append(_like(statement, ast.If(statement.test, body, orelse)))
            else:
                result.append(statement)
        return result

    def loop(self, node: ast.For | ast.While) -> Statements:
        """The statements that stand for one loop."""
        node = _with_leading_breaks_as_test(node)
        loop = _Loop(self, node)
        body = loop.block(self.block(node.body))
        before: Statements = []
        after = self.block(node.orelse)
        if loop.leaves:
            before.append(_assign(node, loop.going, True))
            if after:
                after = [_like(node, ast.If(_read(node, loop.going), after, []))]
        if loop.has_return:
            before.append(_assign(node, self.returned, False))
            place = loop.return_node
            value = _like(node, SureName(self.result, ast.Load())) if self.gives_value else None
            leave = _like(place, ast.Return(value))
            after = [_like(place, ast.If(_read(node, self.returned), [leave], after))]
            if isinstance(node, ast.While) and _always_true(node.test) and not loop.breaks:
                after = [leave]
        return [*before, self._guarded(node, body, loop), *after]

    def _guarded(self, node: ast.For | ast.While, body: Statements, loop: _Loop) -> ast.stmt:
        body = body or [_like(node, ast.Pass())]
        if isinstance(node, ast.For):
            made: ast.stmt = ast.For(node.target, node.iter, body, [])
            if loop.leaves:
                made = GuardedFor(node.target, node.iter, body, [])
                made.going = loop.going
            return _like(node, made)
        test = node.test
        if loop.leaves:
            flag = _read(node.test, loop.going)
            both = ast.BoolOp(ast.And(), [flag, test])
            test = flag if _always_true(test) else _like(node.test, both)
        return _like(node, ast.While(test, body, []))


class _Loop:
    """Rewrites the body of one loop, whose inner loops are rewritten already."""

    def __init__(self, names: _Rewriter, node: ast.For | ast.While) -> None:
        self.names = names
        own = list(_own_leaving(node.body))
        self.has_return = False  # that can be reached
        may_return = any(isinstance(n, ast.Return) for n in walk_own(node.body))
        self.breaks = any(isinstance(n, ast.Break) for n in own)
        self.leaves = may_return or self.breaks
        self.going = names.fresh("going") if self.leaves else ""
        self.return_node: ast.stmt = node
        if may_return and not names.returned:
            names.returned, names.result = names.fresh("returned"), names.fresh("result")
        self.guards: list[str] = []

    def block(self, statements: Statements) -> Statements:
        """Statements in which nothing is run after leaving."""
        done: Statements = []
        for position, statement in enumerate(statements):
            rest = statements[position + 1 :]
            if isinstance(statement, _LEAVING):
                return done + self._leave(statement)
            if not isinstance(statement, ast.If) or not _may_leave([statement]):
                done.append(statement)
                continue
            body, orelse = statement.body, statement.orelse
            if not rest:
                body, orelse = self.block(body), self.block(orelse)
            elif _always_leaves(body):
                body, orelse = self.block(body), self.block([*orelse, *rest])
            elif _always_leaves(orelse):
                body, orelse = self.block([*body, *rest]), self.block(orelse)
            else:
                return done + self._guard(statement, rest)
            empty = _like(statement, ast.Pass())
            return [*done, _like(statement, ast.If(statement.test, body or [empty], orelse))]
        return done

    def _guard(self, statement: ast.If, rest: Statements) -> Statements:
        """Run `rest` only if no path through the branch left."""
        flag = self.names.fresh("proceed")
        self.guards.append(flag)
        body, orelse = self.block(statement.body), self.block(statement.orelse)
        self.guards.pop()
        return [
            _assign(statement, flag, True),
            _like(statement, ast.If(statement.test, body, orelse)),
            _like(statement, ast.If(_read(statement, flag), self.block(rest), [])),
        ]

    def _leave(self, statement: ast.stmt) -> Statements:
        result: Statements = []
        if isinstance(statement, ast.Return):
            self.has_return, self.return_node = True, statement
            value = statement.value
            if value is not None and not isinstance(value, SureName):
                self.names.gives_value = True
                target = _like(statement, ast.Name(self.names.result, ast.Store()))
                result.append(_like(statement, ast.Assign([target], value)))
            result.append(_assign(statement, self.names.returned, True))
        if not isinstance(statement, ast.Continue):
            result.append(_assign(statement, self.going, False))
        return result + [_assign(statement, flag, False) for flag in self.guards]


def _with_leading_breaks_as_test(node: ast.For | ast.While) -> ast.For | ast.While:
    """`while True: if c: break; ...` as `while not c: ...`."""
    while isinstance(node, ast.While) and not node.orelse:
        first = node.body[0]
        if not isinstance(first, ast.If) or first.orelse or not _is_break(first.body):
            break
        stay: ast.expr = _like(first.test, ast.UnaryOp(ast.Not(), first.test))
        if not _always_true(node.test):
            stay = _like(node.test, ast.BoolOp(ast.And(), [node.test, stay]))
        rest = node.body[1:] or [_like(first, ast.Pass())]
        node = _like(node, ast.While(stay, rest, []))
    return node


def _is_break(statements: Statements) -> bool:
    return len(statements) == 1 and isinstance(statements[0], ast.Break)


def _always_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _own_leaving(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """`break`, `continue` and `return` that concern the loop around these statements."""
    for statement in statements:
        if isinstance(statement, _LEAVING):
            yield statement
        elif isinstance(statement, ast.If):
            yield from _own_leaving([*statement.body, *statement.orelse])
        elif isinstance(statement, _LOOPS):
            yield from _own_leaving(statement.orelse)
            yield from (n for n in walk_own(statement.body) if isinstance(n, ast.Return))


def _may_leave(statements: Sequence[ast.stmt]) -> bool:
    return any(True for _ in _own_leaving(statements))


def _always_leaves(statements: Sequence[ast.stmt]) -> bool:
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return _always_leaves(last.body) and _always_leaves(last.orelse)
    return isinstance(last, (*_LEAVING, ast.Raise))


def _like(place: ast.AST, node: Node) -> Node:
    return ast.copy_location(node, place)


def _read(place: ast.AST, name: str) -> ast.expr:
    return _like(place, ast.Name(name, ast.Load()))


def _assign(place: ast.AST, name: str, value: bool) -> ast.stmt:
    target = _like(place, ast.Name(name, ast.Store()))
    return _like(place, ast.Assign([target], _like(place, ast.Constant(value))))
