"""Lowers `sum(... for k in ...)` where only the run knows how many items there are: to a loop.

Enters: a generator expression, or that of a list that is summed at once. Leaves: loops that carry
the sum. Where the items are few and known, they are written out like those of any container.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from adcompile.errors import TypeMismatch, UnsupportedSyntax
from adcompile.graph.ir import Region, Value
from adcompile.graph.types import Scalar, Type
from adcompile.ops.spellings import as_value
from adcompile.parse import iteration
from adcompile.parse.expressions import ExpressionLowering
from adcompile.parse.scope import Comprehension, converted, join_types

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

    def comprehension(
        self, node: Comprehension, generators: list[ast.comprehension],
        source: Any,
    ) -> list[Any]:  # fmt: skip
        """The items for all that the first `for` goes through, written out."""
        raise AssertionError

    def sum_items(self, items: Any, start: Any = 0) -> Any:
        """The sum of the items of a container."""
        raise AssertionError

    def sum_of(self, node: Comprehension, start: list[ast.expr], keywords: dict[str, Any]) -> Any:
        """The sum of the items of a generator.

        Raises UnsupportedSyntax for items that only the run counts and that are no numbers, and
        TypeMismatch where it starts from a truth value then.
        """
        source = iteration.iteration_over(self.expression_or_iterator(node.generators[0].iter))
        first = self.expression(start[0]) if start else keywords.get("start", 0)
        counts = None if isinstance(source, tuple) else self.counted(source)
        if isinstance(source, tuple) or (counts is not None and len(counts) <= MAX_WRITTEN_OUT):
            items = self.comprehension(node, node.generators, source)
            return self.sum_items(tuple(items), first)
        return self._sum_in_loop(node, source, first)

    def _sum_in_loop(self, node: Comprehension, source: Any, start: Any) -> Value:
        total = as_value(start)
        if total.type.dtype == "bool":
            raise TypeMismatch("a sum that starts from a truth value", hint="start from a number")
        with self.own_names():
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

    def _sum_over(
        self, node: Comprehension, generators: Sequence[ast.comprehension],
        source: Any, total: Value, types: list[Type],
    ) -> Value:  # fmt: skip
        """Add the items for all that one `for` goes through; enters the types of the sums."""
        first, *rest = generators
        outer = self.environment

        def add(item: Any, total: Value) -> Value:
            self.environment = dict(outer)
            self._assign(first.target, item)
            return self._sum_if(node, first.ifs, rest, total, types)

        if isinstance(source, tuple):
            for item in source:
                total = add(self.captured("item", item), total)
            return total
        name = first.target.id if isinstance(first.target, ast.Name) and source.is_range else "i"

        def body(index: Value, carried: list[Value]) -> list[Value]:
            return [self._as_carried(add(source.item(index), carried[0]), carried[0])]

        bounds = source.start, source.stop, source.step
        return self.builder.loop(*bounds, [total], body, name)[0]

    def _sum_if(
        self, node: Comprehension, tests: Sequence[ast.expr],
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
            return [self._as_carried(self._sum_if(node, tests[1:], rest, total, types), total)]

        return self.builder.branch(holds, then, lambda: [total])[0]

    def _as_carried(self, added: Value, total: Value) -> Value:
        """A sum in the type that the loop carries, once this is wide enough."""
        if not isinstance(added.type, Scalar) or not isinstance(total.type, Scalar):
            return added
        fits = join_types(total.type, added.type, "a sum") == total.type
        return converted(self.builder, added, total.type) if fits else added
