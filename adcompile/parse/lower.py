"""Lowers statements: from a Python function and its argument types to a graph.

Enters: a function, the types of its arguments, and the names to be differentiated. Leaves: a typed
graph, control flow structured, every call to a Python function inlined.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from adcompile.errors import (
    AdcompileError,
    Location,
    ShapeError,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)
from adcompile.graph import trees
from adcompile.graph.builder import Builder
from adcompile.graph.closures import closed
from adcompile.graph.ir import Graph, Parameter, Region, Value
from adcompile.graph.types import Array, Static, Structure
from adcompile.ops.spellings import as_value, counted, described, of_truths
from adcompile.parse import indexing, writing
from adcompile.parse.control import NOTHING, RAISED, ControlLowering
from adcompile.parse.expressions import FOLDING
from adcompile.parse.fence import refuse
from adcompile.parse.instead import close_to
from adcompile.parse.leaving import SureName, returns, without_leaving
from adcompile.parse.liveness import Liveness
from adcompile.parse.objects import Owner
from adcompile.parse.operators import BINARY
from adcompile.parse.recursion import Callee, Recursion
from adcompile.parse.scope import (
    NEVER,
    Environment,
    LocalFunction,
    Unbound,
    assigned_names,
    flatten,
    is_data,
    is_single,
)
from adcompile.parse.source import FunctionSource, read_source


def lower_function(candidate: Any, types: Sequence[Structure], keep: Sequence[str] = ()) -> Graph:
    """The graph of a function for arguments of the given types (nested tuples of types).

    `keep` names variables that must stay values of their own, to be differentiated by name.
    """
    source = read_source(candidate)
    place = source.location(source.node)
    recursion = Recursion(source.function)

    def lower() -> Graph:
        graph = Graph(source.name, [], Region(), doc=inspect.getdoc(source.function) or "")
        builder = Builder(graph)
        with builder, builder.at(place):
            _check_signature(source, types)
            environment = _environment(builder, source.signature, types)
            lowering = Lowering(
                builder, source, environment, recursion, graph.bindings, tuple(keep)
            )
            _lower_body(lowering, graph, place)
        return graph

    return recursion.rounds(lower)


def _environment(
    builder: Builder, signature: inspect.Signature, types: Sequence[Structure]
) -> Environment:
    """The parameters of a graph, and what the function's names stand for at its start."""
    graph, environment = builder.graph, Environment()
    for name, type_ in zip_longest(signature.parameters, types):
        default = signature.parameters[name].default
        if type_ is None:
            environment[name] = default
            continue
        if isinstance(type_, Static):
            environment[name] = type_.value
            graph.parameters.append(Parameter(name, (), default))
            continue
        tree = _parameters(builder, name, type_)
        graph.parameters.append(
            Parameter(name, tree, ... if default is inspect.Parameter.empty else default)
        )
        graph.bindings[name] = [tree] if isinstance(tree, Value) else []
        environment[name] = trees.restored(tree, trees.leaves(tree))
    return environment


def _lower_body(lowering: Lowering, graph: Graph, place: Location) -> None:
    """Lower a function into `graph`, and set what the graph gives."""
    for item in lowering.environment.values():
        lowering.owner.enter_all(item, graph.body)
    if lowering.identity in lowering.recursion.recursive and not lowering.keep:
        result = lowering.recursion.call(
            lowering.builder, lowering.callee(), dict(lowering.environment)
        )
    else:
        result = lowering.run()
    if result is None and any(op.written for op in graph.body.walk()):
        result = ()  # a procedure: what it does is write its arguments
    if not is_data(result):
        raise TypeMismatch(
            f"`{graph.name}` returns {'nothing' if result is None else described(result)}",
            place,
            "return a number, an array or a container of them on every path",
        )
    graph.body.yields = [lowering.builder.value(leaf) for leaf in flatten(result)]
    graph.result = _result_tree(result, iter(range(len(graph.body.yields))))


def _check_signature(source: FunctionSource, types: Sequence[Structure]) -> None:
    parameters = source.signature.parameters.values()
    needed = [p for p in parameters if p.default is p.empty]
    if not len(needed) <= len(types) <= len(parameters):
        takes = counted(len(parameters), "argument", "arguments")
        raise TypeMismatch(f"`{source.name}` takes {takes}, got {len(types)}")


def _parameters(builder: Builder, name: str, type_: Structure, prefix: str = "") -> Any:
    inner = trees.parts(type_)
    if inner is None:
        return type_ if isinstance(type_, Static) else builder.parameter(type_, name)
    names = trees.labels(type_, name)
    if prefix and not isinstance(type_, (tuple, list)):
        names = [f"{prefix}_{n}" for n in names]
    return trees.with_parts(
        type_, [_parameters(builder, n, part, n) for n, part in zip(names, inner, strict=True)]
    )


def _result_tree(item: Any, numbers: Iterator[int]) -> Any:
    """The result as a tree of positions among the outputs; what is no value is static."""
    inner = trees.parts(item)
    if inner is None:
        return next(numbers) if is_single(item) else Static(item)
    return trees.with_parts(item, [_result_tree(part, numbers) for part in inner])


def _all_names(node: ast.FunctionDef) -> set[str]:
    """Every name in a function, so that flags get others."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found | {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)} | {node.name}


class Lowering(ControlLowering):
    """Statements of one function; inlined calls are lowerings of their own."""

    def __init__(
        self,
        builder: Builder,
        source: FunctionSource,
        environment: Environment,
        recursion: Recursion,
        bindings: dict[str, list[Value | None]] | None = None,
        keep: tuple[str, ...] = (),
        caller: Lowering | None = None,
        function: LocalFunction | None = None,
    ) -> None:
        super().__init__(builder, source, environment)
        self.owner = Owner() if caller is None else caller.owner
        self.recursion = recursion
        self.bindings = bindings
        self.keep = keep
        self.function = function
        self.outer = None if function is None else function.frame
        self.inside = function is not None and function.inside
        self.identity = source.function if function is None else function.place
        self.callers: tuple[Any, ...] = (self.identity,)
        self.path = (self.identity,)
        if caller is not None:
            place = builder.location
            self.callers = (*caller.callers, self.identity)
            self.path = (*caller.path, place and (place.line, place.column), self.identity)
        self.node = source.node if function is None else function.node
        self.statement = self.node
        if isinstance(self.node, ast.FunctionDef):
            self.statements = without_leaving(self.node.body, _all_names(self.node))
            self.liveness = Liveness(self.statements)
            parameters = ast.walk(self.node.args)
            self.locals = frozenset(
                [*assigned_names(self.statements)]
                + [a.arg for a in parameters if isinstance(a, ast.arg)]
            )

    def run(self) -> Any:
        """Lower the body; gives what it returns."""
        if isinstance(self.node, ast.Lambda):
            return self.expression(self.node.body)
        result = self.block(self.statements)
        if result is RAISED:
            raise UnsupportedSyntax(
                "every path raises an error", self.source.location(self.node), "return a value"
            )
        return None if result is NOTHING else result

    def block(self, statements: list[ast.stmt]) -> Any:
        """Lower statements in order; gives the returned item, or the marker for none."""
        for position, statement in enumerate(statements):
            self.statement = statement
            location = self.location(statement)
            with self.builder.at(location):
                try:
                    if isinstance(statement, ast.Return):
                        return self._returned(statement)
                    if isinstance(statement, ast.If) and returns([statement]):
                        return self._if_returning(statement, statements[position + 1 :])
                    if self._statement(statement) is RAISED:
                        return RAISED
                except AdcompileError as error:
                    raise error.at(location) from None
                except FOLDING as error:
                    raise TypeMismatch(str(error), location) from None
        return NOTHING

    def _returned(self, node: ast.Return) -> Any:
        if isinstance(node.value, SureName):
            item = self.environment.get(node.value.id)
            if isinstance(item, Unbound) and item.reason is NEVER:  # no path leads here
                self.require(False, f"`{node.value.id}` {NEVER}", "UnboundLocalError")
                return RAISED
        return None if node.value is None else self.expression(node.value)

    def _statement(self, node: ast.stmt) -> Any:
        method = getattr(self, f"_do_{type(node).__name__.lower()}", None)
        if method is None:
            raise refuse(node, self.location(node))
        return method(node)

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
            for place, part in zip(target.elts, parts, strict=True):
                self._assign(place.value if isinstance(place, ast.Starred) else place, part)
        elif isinstance(target, ast.Subscript):
            base, index = self._place(target)
            if isinstance(base, Value):
                writing.write(self.builder, base, index, as_value(item))
            else:
                self.set_item(base, index, item, target)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.expression(target.value), target.attr, item, target)
        else:
            raise refuse(target, self.location(target))

    def _unpacked(self, item: Any, target: ast.Tuple | ast.List) -> Any:
        starred = [k for k, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
        count = len(target.elts) - len(starred)
        if isinstance(item, Value) and isinstance(item.type, Array):
            if starred:
                raise refuse(target.elts[starred[0]], self.location(target.elts[starred[0]]))
            extent = self.builder.resolve(item.type.shape[0])
            self.builder.unify(extent, count, "unpacking")
            item = tuple(indexing.read(self.builder, item, k) for k in range(count))
        parts = isinstance(item, (tuple, list))
        if not parts or (len(item) < count if starred else len(item) != count):
            what = f"a {type(item).__name__} of {len(item)}" if parts else described(item)
            raise ShapeError(f"{count} names for the parts of {what}")
        if not starred:
            return item
        first, behind = starred[0], count - starred[0]
        rest = self.owner.made(list(item[first : len(item) - behind]), self.builder.region)
        return [*item[:first], rest, *item[len(item) - behind :]]

    def _bind(self, name: str, item: Any) -> None:
        if name in self.keep and self.bindings is not None and is_single(item):
            item = self.builder.op("identity", as_value(item))
            item.hint, item.named = name, True
        elif isinstance(item, Value) and not item.named and item.constant is None:
            item.hint, item.named = name, True
        self.environment[name] = item
        if self.bindings is not None and self.builder.region is self.builder.graph.body:
            self.bindings.setdefault(name, []).append(item if isinstance(item, Value) else None)

    def _place(self, target: ast.Subscript) -> tuple[Any, Any]:
        return self.expression(target.value), self.index(target.slice)

    def _do_augassign(self, node: ast.AugAssign) -> None:
        if type(node.op) not in BINARY:
            raise refuse(node.op, self.location(node))
        name, _ = BINARY[type(node.op)]
        if isinstance(node.target, ast.Subscript):
            base, index = self._place(node.target)
            if isinstance(base, Value):
                item = as_value(self.expression(node.value))
                writing.update(self.builder, base, index, of_truths(name, base, item), item)
                return
            old = self.object_item(base, index)
        elif isinstance(node.target, ast.Attribute):
            base = self.expression(node.target.value)
            if isinstance(base, Value):
                self.set_attribute(base, node.target.attr, None, node.target)
            old = self.object_attribute(base, node.target.attr)
        else:
            read = ast.Name(node.target.id, ast.Load())
            old = self.expression(ast.copy_location(read, node.target))
        item = self.expression(node.value)
        if isinstance(old, Value) and isinstance(old.type, Array):
            item = as_value(item)
            writing.update_array(self.builder, old, of_truths(name, old, item), item)
            return
        if isinstance(old, list):
            self.change(old, node)
        new = self.augmented(type(node.op), old, item, node)
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, new)
        elif isinstance(node.target, ast.Subscript):
            self.set_item(base, index, new, node.target)
        else:
            self.set_attribute(base, node.target.attr, new, node.target)

    # -- statements that check --------------------------------------------------------------------

    def _do_assert(self, node: ast.Assert) -> None:
        message = "" if node.msg is None else self._message(node.msg)
        self.require(self.truth(node.test), message, "AssertionError")

    def _do_raise(self, node: ast.Raise) -> Any:
        message, error = self.raised_error(node)
        self.require(False, message, error)
        return RAISED

    def raised_error(self, node: ast.Raise) -> tuple[str, str]:
        """Message and class of a `raise`."""
        if node.exc is None or node.cause is not None:
            what = "`raise` of nothing" if node.exc is None else "`raise ... from`"
            raise UnsupportedSyntax(
                f"{what} is not in the compiled language",
                self.location(node),
                'raise ValueError("why")',
            )
        call = node.exc if isinstance(node.exc, ast.Call) else ast.Call(node.exc, [], [])
        error: Any = self.expression(call.func)
        if not isinstance(error, type) or not issubclass(error, Exception):
            raise TypeMismatch("only exception classes can be raised", self.location(node))
        known: Any = getattr(builtins, getattr(error, "__name__", ""), None)
        if known is not error:
            raise UnsupportedSyntax(
                "compiled code knows only Python's own exceptions",
                self.location(node),
                "raise ValueError or RuntimeError",
            )
        if len(call.args) > 1 or call.keywords:
            raise UnsupportedSyntax(
                "an exception takes one message in compiled code",
                self.location(node),
                'raise ValueError("why")',
            )
        return (self._message(call.args[0]) if call.args else ""), known.__name__

    def _message(self, node: ast.expr) -> str:
        """A message, fixed when compiled: what an f-string would insert is shown as written."""
        if isinstance(node, ast.JoinedStr):
            return ast.unparse(node)[2:-1]
        item = self.expression(node)
        if isinstance(item, Value):
            raise TypeMismatch(
                "a message must be text",
                self.location(node),
                'the message is fixed: f"x is {x}" is shown as written',
            )
        return str(item)

    def _do_functiondef(self, node: ast.FunctionDef) -> None:
        item: Any = self.local_function(node)
        for decorator in reversed(node.decorator_list):
            target = self.expression(decorator)
            known = ("__adcompile_transform__", "__adcompile_static__")
            if not any(hasattr(target, name) for name in known):
                raise UnsupportedSyntax(
                    "this decorator is not in the compiled language",
                    self.location(decorator),
                    "call it outside the function, or write out what it does",
                )
            item = self.call(target, [item], {}, ast.unparse(decorator))
        self.environment[node.name] = item

    # -- calls ----------------------------------------------------------------------------------

    def call_python(self, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Inline a call: the callee is lowered into the same graph, unless it calls itself."""
        if isinstance(function, LocalFunction):
            name = getattr(function.node, "name", "lambda")
            bound = _bound(function, name, arguments, keywords)
            source, local = function.frame.source, function
        else:
            source, local = replace(read_source(function), call=self.source.call), None
            try:
                bindings = source.signature.bind(*arguments, **keywords)
            except TypeError as error:
                raise TypeMismatch(f"calling `{source.name}`: {error}") from None
            bindings.apply_defaults()
            bound = dict(bindings.arguments)
        callee = Lowering(self.builder, source, bound, self.recursion, caller=self, function=local)
        if callee.identity in self.recursion.recursive:
            return self.recursion.call(self.builder, callee.callee(), bound)
        if callee.identity in self.callers:
            self.recursion.meet(callee.identity)
        return callee.run()

    def call_program(
        self, program: Any, arguments: list[Any], keywords: dict[str, Any], name: str
    ) -> Any:
        """Inline what stands for a function of NumPy, as if all of it stood at the call."""
        source = replace(read_source(program), call=self.builder.location)
        try:
            bound = source.signature.bind(*arguments, **keywords)
        except TypeError as error:
            raise UnsupportedOperation(f"`{name}`: {error}") from None
        bound.apply_defaults()
        return Lowering(
            self.builder, source, dict(bound.arguments), self.recursion, caller=self
        ).run()

    def callee(self) -> Callee:
        """This function as one to be called, not inlined."""

        def lower(builder: Builder, environment: Environment, key: Any) -> Any:
            inside = Lowering(
                builder, self.source, environment, self.recursion, function=self.function
            )
            inside.path = (key,)
            return inside.run()

        name = self.source.name if self.function is None else self.function.__name__
        number = 0 if self.function is None else self.function.number
        place = self.source.location(self.node)
        return Callee((self.identity, number), name, place, lower, self.function is not None)

    def lower_local(self, function: LocalFunction, types: Sequence[Structure]) -> Graph:
        """A nested function as a graph of its own; what it reads around it is captured."""
        inside = Graph(function.__name__, [], Region())
        builder = Builder(inside)
        with builder, builder.at(function.location):
            environment = _environment(builder, function.__signature__, types)
            builder.borrow(self.builder)
            callee = Lowering(
                builder, self.source, environment, self.recursion, caller=self, function=function
            )
            callee.owner = Owner()
            _lower_body(callee, inside, function.location)
        return closed(inside, self.builder)


def _bound(
    function: LocalFunction, name: str, arguments: list[Any], keywords: dict[str, Any]
) -> Environment:
    """The parameters of a nested function in a call."""
    node = function.node.args
    names = [a.arg for a in (*node.posonlyargs, *node.args)]
    every = [*names, *(a.arg for a in node.kwonlyargs)]
    if len(arguments) > len(names):
        takes = counted(len(names), "argument", "arguments")
        raise TypeMismatch(f"`{name}` takes {takes} by position, got {len(arguments)}")
    for key in (a.arg for a in node.posonlyargs if a.arg in keywords):
        raise TypeMismatch(f"`{name}` takes `{key}` by position only")
    given = dict(zip(names, arguments, strict=False))
    for key in keywords:
        if key in given or key not in every:
            twice = key in given
            text = f"gets `{key}` twice" if twice else f"has no argument `{key}`"
            raise TypeMismatch(f"`{name}` {text}", hint="" if twice else close_to(key, every))
    bound = {**function.defaults, **given, **keywords}
    missing = [n for n in every if n not in bound]
    if missing:
        raise TypeMismatch(f"`{name}` needs an argument for `{missing[0]}`")
    return bound
