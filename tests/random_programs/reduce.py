"""Makes a failing program small: statements and expressions go while the failure stays the same.

Enters: a program and a test that says whether a program still fails. Leaves: the smallest program
found. Works on the syntax tree, so every step is a shorter function that a person can read; what no
longer runs under Python does not count as the failure.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.random_programs.checks import Outcome
from tests.random_programs.program import Program

_BODIES = ("body", "orelse")


def reduced(program: Program, fails: Callable[[Program], bool], most: int = 1500) -> Program:
    """The program without what the failure does not need; at most `most` attempts."""
    attempts = 0
    changed = True
    while changed:
        changed = False
        for tree in _smaller(ast.parse(program.text)):
            attempts += 1
            if attempts > most:
                return program
            text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            if len(text) >= len(program.text) and text.count("\n") >= program.text.count("\n"):
                continue
            candidate = replace(program, text=text)
            if fails(candidate):
                program, changed = candidate, True
                break
    return program


def _smaller(tree: ast.Module) -> Iterator[ast.Module]:
    """Copies of a module with one thing less: large pieces first."""
    places = [
        (k, name)
        for k, node in enumerate(ast.walk(tree))
        for name in _BODIES
        if isinstance(getattr(node, name, None), list)
    ]
    for size in (8, 4, 2, 1):
        for k, name in places:
            count = len(getattr(_node(tree, k), name))
            for start in range(count - size, -1, -size):
                if count == size and name == "body":
                    continue
                new = copy.deepcopy(tree)
                del getattr(_node(new, k), name)[start : start + size]
                yield new
    for k, name in places:
        for start, statement in enumerate(getattr(_node(tree, k), name)):
            for inner in _BODIES:
                content = getattr(statement, inner, None)
                if (
                    isinstance(content, list)
                    and content
                    and isinstance(statement, (ast.If, ast.For, ast.While))
                ):
                    new = copy.deepcopy(tree)
                    block = getattr(_node(new, k), name)
                    block[start : start + 1] = getattr(block[start], inner)
                    yield new
    yield from _simpler_expressions(tree)


def _node(tree: ast.Module, number: int) -> ast.AST:
    return next(node for k, node in enumerate(ast.walk(tree)) if k == number)


def _simpler_expressions(tree: ast.Module) -> Iterator[ast.Module]:
    """An expression makes way for one of its parts, or for a constant."""
    for k, node in enumerate(ast.walk(tree)):
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr) and not isinstance(
                getattr(value, "ctx", ast.Load()), ast.Store
            ):
                parts = [p for p in ast.walk(value) if isinstance(p, ast.expr) and p is not value]
                for part in [*parts[:12], *_constants(value)]:
                    new = copy.deepcopy(tree)
                    setattr(_node(new, k), name, copy.deepcopy(part))
                    yield new
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr):
                for j, item in enumerate(value):
                    parts = [p for p in ast.walk(item) if isinstance(p, ast.expr) and p is not item]
                    for part in [*parts[:12], *_constants(item)]:
                        new = copy.deepcopy(tree)
                        getattr(_node(new, k), name)[j] = copy.deepcopy(part)
                        yield new


def _constants(value: ast.expr) -> list[ast.expr]:
    if isinstance(value, (ast.Constant, ast.Attribute, ast.Slice, ast.Tuple)):
        return []
    return [ast.Constant(0.5), ast.Constant(True), ast.Constant(0)]


def script(program: Program, outcome: Outcome) -> str:
    """A self-contained script that makes the failure again."""
    return (
        f"# seed {program.seed}: {outcome.text}\n"
        "from tests.random_programs.checks import check\n"
        "from tests.random_programs.program import Program\n\n"
        f"TEXT = '''{program.text}'''\n"
        f"print(check(Program({program.seed}, TEXT, {program.box!r}, {program.single}), compiled="
        f"{outcome.stage == 'compiled'}))\n"
    )
