"""Texts of single scalars: sizes and numbers of iterations, for people.

Enters: a scalar of a graph. Leaves: the Python expression that computes it from arguments, extents
and named variables.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence

from adcompile.emit import assemble
from adcompile.graph.ir import Value
from adcompile.graph.types import Array


def formula(value: Value) -> str:
    """The text of a scalar."""
    return assemble.text_of(_expression(value))


def product(factors: Sequence[int | Value | None], number: int) -> str:
    """The text of a product of scalars and numbers, the numbers last; None has no name."""
    nodes: list[ast.expr] = []
    for factor in factors:
        if isinstance(factor, Value) and factor.constant is None:
            nodes.append(_expression(factor))
        elif factor is None:
            nodes.append(assemble.name("n"))
        else:
            number *= factor.constant if isinstance(factor, Value) else factor
    nodes.append(ast.Constant(number))
    return assemble.text_of(functools.reduce(lambda a, b: ast.BinOp(a, ast.Mult(), b), nodes))


def _expression(value: Value) -> ast.expr:
    op = value.op
    if op is not None and not op.regions and op.record.show is not None:
        if op.name in ("constant", "dim") or not (value.named or isinstance(value.type, Array)):
            show = op.record.show
            text = show(op) if callable(show) else show
            return assemble.fill(text, [_expression(v) for v in op.inputs], op)
    return assemble.name(value.hint or "t")
