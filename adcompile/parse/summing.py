"""Lowers `sum(... for k in ...)` where only the run knows how many items there are: to a loop.

Enters: a generator expression. Leaves: loops that carry the sum. Where the items are few and known,
they are written out like those of any container.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from adcompile.errors import UnsupportedSyntax
from adcompile.graph.ir import Region, Value
from adcompile.graph.types import Scalar, Type
from adcompile.ops.spellings import as_value
from adcompile.parse import iteration
from adcompile.parse.expressions import ExpressionLowering
from adcompile.parse.scope import converted, join_types

MAX_WRITTEN_OUT = 256  # items of a list


class SumLowering(ExpressionLowering):
    """Sums of generators of one function."""

    def _assign(self, target: ast.expr, item: Any) -> None:
        raise AssertionError

    def expression_or_iterator(self, node: ast.expr) -> Any:
        """An expression, or something that only loops understand."""
        raise AssertionError

    def counted(self, source: Any) -> range | None:
        """The numbers of the items of an iteration, if there are few and these are known."""
        bounds = (source.start, source.stop, source.step)
        known = [b.constant if isinstance(b, Value) else b for b in bounds]
        return None if None in known else range(*known)

    def sum_in_loop(self, node: ast.GeneratorExp, start: Any) -> Value | None:
        """The sum of the items, or None where they are known.

        Raises UnsupportedSyntax for items that are no numbers.
        """
        source = iteration.iteration_over(self.expression_or_iterator(node.generators[0].iter))
        if isinstance(source, tuple):
            return None
        counts = self.counted(source)
        if counts is not None and len(counts) <= MAX_WRITTEN_OUT:
            return None
        total, outer = as_value(start), self.environment
        try:
            while True:
                types: list[Type] = []
                with self.builder.inside(Region()):  # to see what the items make of it
                    self._sum_over(node, node.generators, source, total, types)
                joined = total.type
                for type_ in types:
                    if not isinstance(type_, Scalar):
                        raise UnsupportedSyntax("a sum of arrays", hint="add them in a for loop")
                    joined = join_types(joined, type_, "a sum")
                if joined == total.type:
                    return self._sum_over(node, node.generators, source, total, [])
                total = converted(self.builder, total, joined)
        finally:
            self.environment = outer

    def _sum_over(
        self, node: ast.GeneratorExp, generators: Sequence[ast.comprehension], source: Any,
        total: Value, types: list[Type],
    ) -> Value:  # fmt: skip
        """Add the items for all that one `for` goes through; enters the types of the sums."""
        first, *rest = generators
        around = self.environment

        def add(item: Any, total: Value) -> Value:
            self.environment = dict(around)
            self._assign(first.target, item)
            return self._sum_if(node, first.ifs, rest, total, types)

        if isinstance(source, tuple):
            for item in source:
                total = add(self.captured("item", item), total)
            return total
        name = first.target.id if isinstance(first.target, ast.Name) and source.is_range else "i"

        def body(index: Value, carried: list[Value]) -> list[Value]:
            added = add(source.item(index), carried[0])
            return [converted(self.builder, added, carried[0].type)]

        bounds = source.start, source.stop, source.step
        return self.builder.loop(*bounds, [total], body, name)[0]

    def _sum_if(
        self, node: ast.GeneratorExp, tests: Sequence[ast.expr],
        rest: Sequence[ast.comprehension], total: Value, types: list[Type],
    ) -> Value:  # fmt: skip
        """Add an item where all conditions hold."""
        if not tests and rest:
            source = iteration.iteration_over(self.expression_or_iterator(rest[0].iter))
            return self._sum_over(node, rest, source, total, types)
        if not tests:
            result: Value = self.builder.op("add", total, as_value(self.expression(node.elt)))
            types.append(result.type)
            return result
        holds = self.truth(tests[0])
        if not isinstance(holds, Value):
            return self._sum_if(node, tests[1:], rest, total, types) if holds else total

        def then() -> list[Value]:
            added = self._sum_if(node, tests[1:], rest, total, types)
            return [converted(self.builder, added, total.type)]

        return self.builder.branch(holds, then, lambda: [total])[0]
