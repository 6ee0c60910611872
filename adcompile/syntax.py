"""Reads Python text into syntax trees, in one thread at a time.

Enters: the text of a module or an expression. Leaves: its tree. CPython 3.11 has one count of the
depth of trees for all threads, and raises SystemError where two threads build trees at a time.
"""

from __future__ import annotations

import ast
import threading

_lock = threading.RLock()


def parsed(text: str) -> ast.Module:
    """The tree of a module; raises SyntaxError."""
    with _lock:
        return ast.parse(text)


def parsed_expression(text: str) -> ast.expr:
    """The tree of an expression; raises SyntaxError."""
    with _lock:
        return ast.parse(text, mode="eval").body
