"""Lowers statements: from a Python function and its argument types to a graph.

Enters: a function, the types of its arguments, and the names to be differentiated. Leaves: a typed
graph, control flow structured, every call to a Python function inlined.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from adcompile.errors import (
    AdcompileError,
    ShapeError,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Parameter, Region, Value
from adcompile.graph.types import Array, Scalar, Static, Structure, Type
from adcompile.ops.spellings import as_value, static
from adcompile.parse import indexing
from adcompile.parse.expressions import _BINARY, ExpressionLowering
from adcompile.parse.fence import refuse
from adcompile.parse.scope import (
    Environment,
    LocalFunction,
    Unbound,
    assigned_names,
    contains,
    converted,
    flatten,
    is_number,
    join_types,
    regroup,
    same_static,
)
from adcompile.parse.source import FunctionSource, read_source
from adcompile.parse.views import refuse_stale_views

_NOTHING = object()  # a block that ended without `return`


def lower_function(candidate: Any, types: Sequence[Structure], keep: Sequence[str] = ()) -> Graph:
    """The graph of a function for arguments of the given types (nested tuples of types).

    `keep` names variables that must stay values of their own, to be differentiated by name.
    """
    source = read_source(candidate)
    names = list(source.signature.parameters)
    graph = Graph(source.name, [], Region(), doc=inspect.getdoc(source.function) or "")
    builder = Builder(graph)
    environment: Environment = {}
    with builder, builder.at(source.location(source.node)):
        _check_signature(source, types)
        for name, type_ in zip_longest(names, types):
            default = source.signature.parameters[name].default
            if type_ is None:
                environment[name] = default
                continue
            if isinstance(type_, Static):
                environment[name] = type_.value
                graph.parameters.append(Parameter(name, (), default))
                continue
            item = _parameters(builder, name, type_)
            graph.parameters.append(
                Parameter(name, item, ... if default is inspect.Parameter.empty else default)
            )
            graph.bindings[name] = [item] if isinstance(item, Value) else []
            environment[name] = item
        lowering = Lowering(builder, source, environment, graph.bindings, tuple(keep))
        result = lowering.run()
        if result is None and any(op.record.writes for op in graph.body.walk()):
            result = ()  # a procedure: what it does is write its arguments
        values = [_result(builder, leaf, source) for leaf in flatten(result)]
    graph.body.yields = values
    refuse_stale_views(graph)
    graph.result = regroup(result, iter(range(len(values))))
    return graph


def _check_signature(source: FunctionSource, types: Sequence[Structure]) -> None:
    parameters = source.signature.parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UnsupportedSyntax(
                f"`{parameter}` is not in the compiled language", hint="name each parameter"
            )
    needed = [p for p in parameters if p.default is p.empty]
    if not len(needed) <= len(types) <= len(parameters):
        raise TypeMismatch(f"{source.name} takes {len(parameters)} arguments, got {len(types)}")


def _parameters(builder: Builder, name: str, type_: Structure) -> Any:
    if isinstance(type_, tuple):
        return tuple(_parameters(builder, f"{name}_{k}", item) for k, item in enumerate(type_))
    return builder.parameter(type_, name)


def _result(builder: Builder, item: Any, source: FunctionSource) -> Value:
    if isinstance(item, Value) or is_number(item):
        return builder.value(item)
    raise TypeMismatch(
        f"`{source.name}` returns {'nothing' if item is None else type(item).__name__}",
        source.location(source.node),
        "return a number, an array or a tuple of them on every path",
    )


class Lowering(ExpressionLowering):
    """Statements of one function; inlined calls are lowerings of their own."""

    def __init__(
        self,
        builder: Builder,
        source: FunctionSource,
        environment: Environment,
        bindings: dict[str, list[Value]] | None = None,
        keep: tuple[str, ...] = (),
        callers: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(builder, source, environment)
        self.bindings = bindings
        self.keep = keep
        self.callers = (*callers, source.function.__code__)

    def run(self) -> Any:
        """Lower the body; gives what it returns."""
        node = self.source.node
        if isinstance(node, ast.Lambda):
            return self.expression(node.body)
        result = self.block(node.body)
        return None if result is _NOTHING else result

    def block(self, statements: list[ast.stmt]) -> Any:
        """Lower statements in order; gives the returned item, or the marker for none."""
        for position, statement in enumerate(statements):
            self.statement = statement
            location = self.location(statement)
            with self.builder.at(location):
                try:
                    if isinstance(statement, ast.Return):
                        return None if statement.value is None else self.expression(statement.value)
                    if isinstance(statement, ast.If) and contains([statement], ast.Return):
                        return self._if_returning(statement, statements[position + 1 :])
                    self._statement(statement)
                except AdcompileError as error:
                    raise error.at(location) from None
        return _NOTHING

    def _statement(self, node: ast.stmt) -> None:
        method = getattr(self, f"_do_{type(node).__name__.lower()}", None)
        if method is None:
            raise refuse(node, self.location(node))
        method(node)

    def _do_pass(self, node: ast.Pass) -> None:
        pass

    def _do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.expression(node.value)

    # -- assignment -----------------------------------------------------------------------------

    def _do_assign(self, node: ast.Assign) -> None:
        item = self.expression(node.value)
        for target in node.targets:
            self._assign(target, item)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, self.expression(node.value))

    def _assign(self, target: ast.expr, item: Any) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, item)
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = self._unpacked(item, target)
            for part_target, part in zip(target.elts, parts, strict=True):
                self._assign(part_target, part)
        elif isinstance(target, ast.Subscript):
            indexing.write(self.builder, *self._place(target), as_value(item))
        else:
            raise refuse(target, self.location(target))

    def _unpacked(self, item: Any, target: ast.Tuple | ast.List) -> Any:
        count = len(target.elts)
        if isinstance(item, Value) and isinstance(item.type, Array):
            extent = self.builder.resolve(item.type.shape[0])
            self.builder.unify(extent, count, "unpacking")
            item = tuple(indexing.read(self.builder, item, k) for k in range(count))
        if not isinstance(item, (tuple, list)) or len(item) != count:
            raise ShapeError(f"{count} names cannot be unpacked from this value")
        return item

    def _bind(self, name: str, item: Any) -> None:
        if name in self.keep and self.bindings is not None:
            item = self.builder.op("identity", as_value(item))
            item.hint, item.named = name, True
        elif isinstance(item, Value) and not item.named and item.constant is None:
            item.hint, item.named = name, True
        self.environment[name] = item
        if self.bindings is not None and self.builder.region is self.builder.graph.body:
            self.bindings.setdefault(name, []).append(item)

    def _place(self, target: ast.Subscript) -> tuple[Value, Any]:
        base = self.expression(target.value)
        if not isinstance(base, Value):
            raise TypeMismatch("only arrays are written in place", self.location(target))
        return base, self.index(target.slice)

    def _do_augassign(self, node: ast.AugAssign) -> None:
        if type(node.op) not in _BINARY:
            raise refuse(node, self.location(node))
        name, _ = _BINARY[type(node.op)]
        if isinstance(node.target, ast.Subscript):
            array, index = self._place(node.target)
            item = as_value(self.expression(node.value))
            indexing.update(self.builder, array, index, name, item)
            return
        assert isinstance(node.target, ast.Name)
        read = ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target)
        old, item = self.expression(read), self.expression(node.value)
        if isinstance(old, Value) and isinstance(old.type, Array):
            indexing.update_array(self.builder, old, name, as_value(item))
        else:
            self._bind(node.target.id, self.binary(type(node.op), old, item, node))

    # -- branches -------------------------------------------------------------------------------

    def _do_if(self, node: ast.If) -> None:
        condition = self.truth(node.test)
        if not isinstance(condition, Value):
            self.block(node.body if condition else node.orelse)
            return
        before = self.environment
        sides = []
        for statements in (node.body, node.orelse):
            self.environment = dict(before)
            with self.builder.inside(Region()) as region:
                self.block(statements)
            sides.append((region, self.environment))
        self.environment = before
        self.statement = node
        names = assigned_names([*node.body, *node.orelse])
        joined, kept = [], []
        for name in names:
            items = [
                env.get(name, Unbound("has no value on one side of an `if`")) for _, env in sides
            ]
            if any(isinstance(item, Unbound) for item in items):
                self.environment[name] = Unbound("has no value on one side of an `if`")
            elif same_static(*items):
                self.environment[name] = items[0]
            elif not all(isinstance(i, Value) or is_number(i) for it in items for i in flatten(it)):
                self.environment[name] = Unbound("is different things on the sides of an `if`")
            else:
                joined.append(name)
                kept.append(items)
        regions = [
            (region, tuple(items[k] for items in kept)) for k, (region, _) in enumerate(sides)
        ]
        outcome = self.join_branches(condition, regions, "a variable assigned in an `if`")
        for name, item in zip(joined, outcome, strict=True):
            for value in flatten(item):
                value.hint, value.named = (name, True) if isinstance(item, Value) else ("", False)
            self.environment[name] = item

    def _if_returning(self, node: ast.If, rest: list[ast.stmt]) -> Any:
        condition = self.truth(node.test)
        if not isinstance(condition, Value):
            return self.block([*(node.body if condition else node.orelse), *rest])
        before = self.environment
        sides = []
        for statements in (node.body, node.orelse):
            self.environment = dict(before)
            with self.builder.inside(Region()) as region:
                result = self.block([*statements, *rest])
            if result is _NOTHING or result is None:
                raise UnsupportedSyntax(
                    "one path ends without a value", self.location(node), "return on every path"
                )
            sides.append((region, result))
        self.environment = before
        return self.join_branches(condition, sides, "the returned value")

    # -- loops ----------------------------------------------------------------------------------

    def _do_for(self, node: ast.For) -> None:
        self._refuse_leaving(node)
        items = self._tuple_items(node.iter)
        if items is not None:
            for item in items:  # a tuple may hold different types: one copy of the body for each
                self._assign(node.target, item)
                self._loop_body(node.body)
            return
        if not isinstance(node.target, ast.Name):
            raise refuse(node.target, self.location(node.target))
        bounds = self._range(node.iter)
        index_name = node.target.id

        def body(params: list[Value]) -> list[Region]:
            index = Value(Scalar("int64", weak=True), index_name, named=True)
            region = Region([index, *params])
            self.environment[index_name] = index
            with self.builder.inside(region):
                self._loop_body(node.body)
            return [region]

        names = [n for n in assigned_names(node.body) if n != index_name]
        self._loop("for", node, bounds, names, body)
        self.environment[index_name] = Unbound("has a value only inside its loop")

    def _tuple_items(self, node: ast.expr) -> Any:
        """What a loop over a tuple, or over `zip` or `enumerate` of tuples, goes through."""
        if not isinstance(node, ast.Call):
            item = self.expression(node)
            return item if isinstance(item, tuple) else None
        function = self.expression(node.func)
        if function not in (zip, enumerate, reversed) or node.keywords:
            return None
        arguments = [self.expression(a) for a in node.args]
        if not all(isinstance(a, tuple) for a in arguments):
            return None
        if function is zip and len({len(a) for a in arguments}) > 1:
            raise ShapeError("tuples of different lengths", self.location(node))
        return tuple(function(*arguments))

    def _range(self, node: ast.expr) -> list[Value]:
        is_range = isinstance(node, ast.Call) and self.expression(node.func) is range
        if not is_range or node.keywords:  # type: ignore[attr-defined]
            raise UnsupportedSyntax(
                "`for` needs a range", self.location(node), "for i in range(len(a)): x = a[i]"
            )
        assert isinstance(node, ast.Call)
        items = [self.scalar(a, "a bound of range") for a in node.args]
        start, stop, step = {1: [0, *items, 1], 2: [*items, 1]}.get(len(items), items)
        try:
            if static(step, "the step of range") == 0:
                raise ShapeError("the step of range cannot be 0")
        except AdcompileError as error:
            raise error.at(self.location(node)) from None
        return [as_value(x) for x in (start, stop, step)]

    def _do_while(self, node: ast.While) -> None:
        self._refuse_leaving(node)

        def body(params: list[Value]) -> list[Region]:
            carried = dict(self.environment)
            with self.builder.inside(Region(list(params))) as test:
                test.yields = [as_value(self.truth(node.test))]
            copies = [Value(p.type, p.hint, p.named) for p in params]
            swap = dict(zip(params, copies, strict=True))
            for name, item in carried.items():
                leaves = [swap.get(v, v) if isinstance(v, Value) else v for v in flatten(item)]
                self.environment[name] = regroup(item, iter(leaves))
            with self.builder.inside(Region(copies)) as region:
                self._loop_body(node.body)
            return [region, test]

        self._loop("while", node, [], assigned_names(node.body), body)

    def _refuse_leaving(self, node: ast.For | ast.While) -> None:
        if node.orelse:
            raise UnsupportedSyntax("`else` of a loop", self.location(node), "use a flag")
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return):
                raise UnsupportedSyntax(
                    "`return` inside a loop", self.location(inner), "return after the loop"
                )

    def _loop_body(self, statements: list[ast.stmt]) -> None:
        outer = self.statement
        self.block(statements)
        self.statement = outer

    def _loop(self, kind: str, node: Any, inputs: list[Value], names: list[str], body: Any) -> None:
        """Carry the assigned names around; types are widened until they repeat."""
        before = dict(self.environment)
        carried = [n for n in names if n in before and _can_carry(before[n])]
        initial = [leaf for n in carried for leaf in flatten(before[n])]
        types = [self.builder.value(leaf).type for leaf in initial]
        for _ in range(8):
            params = [Value(t) for t in types]
            items = regroup(tuple(before[n] for n in carried), iter(params))
            self.environment = dict(before)
            for name, item in zip(carried, items, strict=True):
                for leaf in flatten(item):
                    leaf.hint, leaf.named = name, True
                self.environment[name] = item
            regions = body(params)
            ends = tuple(self.environment.get(n) for n in carried)
            wanted = self._carried_types(carried, before, ends, types)
            if wanted == types:
                break
            types = wanted
        self._finish_loop(kind, inputs, regions, carried, before, initial, ends, types)
        for name in names:
            if name not in carried:
                self.environment[name] = Unbound("is first assigned inside a loop")

    def _carried_types(
        self, names: list[str], before: Environment, ends: Any, types: list[Type]
    ) -> list[Type]:
        wanted: list[Type] = []
        for name, end in zip(names, ends, strict=True):
            start_leaves, end_leaves = list(flatten(before[name])), list(flatten(end))
            numbers = all(isinstance(leaf, Value) or is_number(leaf) for leaf in end_leaves)
            if len(start_leaves) != len(end_leaves) or not numbers:
                raise TypeMismatch(f"`{name}` changes its kind in the loop")
            for leaf in end_leaves:
                have = types[len(wanted)]
                value = self.builder.constant(leaf) if is_number(leaf) else leaf
                wanted.append(join_types(have, value.type, f"`{name}`"))
        return wanted

    def _finish_loop(
        self, kind: str, inputs: list[Value], regions: list[Region], names: list[str],
        before: Environment, initial: list[Any], ends: Any, types: list[Type],
    ) -> None:  # fmt: skip
        start = [converted(self.builder, i, t) for i, t in zip(initial, types, strict=True)]
        region = regions[0]
        with self.builder.inside(region):
            for leaf, type_, first in zip(flatten(ends), types, start, strict=True):
                end = converted(self.builder, leaf, type_)
                if isinstance(end.type, Array) and isinstance(first.type, Array):
                    for one, other in zip(first.type.shape, end.type.shape, strict=True):
                        self.builder.unify(one, other, "an array carried around a loop")
                region.yields.append(end)
        params = region.params[1:] if kind == "for" else region.params
        outputs = self.builder.structured(kind, [*inputs, *start], regions, params)
        self.environment = dict(before)
        results = regroup(tuple(before[n] for n in names), iter(outputs))
        for name, item in zip(names, results, strict=True):
            self.environment[name] = item
            if self.bindings is not None and self.builder.region is self.builder.graph.body:
                self.bindings.setdefault(name, []).append(item)

    # -- calls ----------------------------------------------------------------------------------

    def call_python(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Inline a call: the callee is lowered into the same graph."""
        if isinstance(function, LocalFunction):
            return self._call_local(function, arguments, keywords)
        source = read_source(function)
        if source.function.__code__ in self.callers:
            raise UnsupportedSyntax(
                f"`{source.name}` calls itself", hint="write the recursion as a loop"
            )
        try:
            bound = source.signature.bind(*arguments, **keywords)
        except TypeError as error:
            raise TypeMismatch(f"calling `{source.name}`: {error}") from None
        bound.apply_defaults()
        callee = Lowering(self.builder, source, dict(bound.arguments), callers=self.callers)
        return callee.run()

    def _call_local(
        self, function: LocalFunction, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        names = [a.arg for a in function.node.args.args]
        if len(arguments) + len(keywords) != len(names):
            raise TypeMismatch(f"the lambda takes {len(names)} arguments")
        inner = {**function.environment, **dict(zip(names, arguments, strict=False)), **keywords}
        outer, self.environment = self.environment, inner
        try:
            return self.expression(function.node.body)
        finally:
            self.environment = outer


def _can_carry(item: Any) -> bool:
    return all(isinstance(leaf, Value) or is_number(leaf) for leaf in flatten(item))
