"""Lowers branches and loops to structured operations.

Enters: `if`, `for` and `while` statements without early exits. Leaves: regions with explicit
carried values; a name that some paths do not assign has a flag beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adcompile.errors import AdcompileError, TypeMismatch, UnsupportedSyntax
from adcompile.graph.ir import Region, Value
from adcompile.graph.types import Scalar
from adcompile.ops.spellings import as_value
from adcompile.parse import iteration
from adcompile.parse.expressions import looked_up
from adcompile.parse.leaving import GuardedFor
from adcompile.parse.loops import LoopLowering
from adcompile.parse.recursion import Unknown
from adcompile.parse.scope import (
    Environment,
    Maybe,
    Unbound,
    assigned_names,
    flatten,
    is_data,
    regroup,
    same_static,
    same_structure,
)

NOTHING = object()  # a block that ended without `return`
RAISED = object()  # a block that ended with `raise`
_ONE_SIDE = "has no value on one side of an `if`"
_CHANGES = "may not be what it was: the loop assigns it again"
_NO_ROUND = "has no value if its loop does not run"


@dataclass
class Side:
    """One side of a branch: what was lowered, the names after it, how it ended."""

    region: Region
    environment: Environment
    outcome: Any

    @property
    def raised(self) -> bool:
        """Whether nothing goes on from here."""
        return self.outcome is RAISED


class ControlLowering(LoopLowering):
    """Branches and loops of one function; other statements are added by the subclass in `lower`."""

    def block(self, statements: list[ast.stmt]) -> Any:
        """Lower statements; gives the returned item, or a marker."""
        raise AssertionError

    def _assign(self, target: ast.expr, item: Any) -> None:
        raise AssertionError

    # -- branches -------------------------------------------------------------------------------

    def _sides(self, node: ast.If, rest: Sequence[ast.stmt] = ()) -> list[Side]:
        before, unknown = self.environment, False
        sides = []
        for statements in (node.body, node.orelse):
            self.environment = dict(before)
            with self.builder.inside(Region()) as region:
                try:
                    outcome = self.block([*statements, *rest])
                except AdcompileError as error:
                    self.recursion.skip(error)
                    outcome, unknown = RAISED, True
            sides.append(Side(region, self.environment, outcome))
        if unknown and all(side.raised for side in sides):
            raise Unknown
        self.environment = before
        self.statement = node
        return sides

    def _do_if(self, node: ast.If) -> Any:
        condition = self.truth(node.test)
        if not isinstance(condition, Value):
            return self.block(node.body if condition else node.orelse)
        if self._raises_only(node, condition):
            return self.block(node.orelse)
        sides = self._sides(node)
        if all(side.raised for side in sides):
            self.builder.structured("if", [condition], [s.region for s in sides], [])
            return RAISED
        live = self.liveness.after(node)
        names, pairs = [], []
        for name in assigned_names([*node.body, *node.orelse]):
            item = self._pair(name, sides) if name in live else Unbound("has no value here")
            if isinstance(item, list):
                names.append(name)
                pairs.append(item)
            else:
                self.environment[name] = item
        regions = [(side.region, tuple(pair[k] for pair in pairs)) for k, side in enumerate(sides)]
        outcome = self.join_branches(condition, regions, "a variable assigned in an `if`")
        for name, item in zip(names, outcome, strict=True):
            for value in flatten(item):
                value.hint, value.named = (name, True) if isinstance(item, Value) else ("", False)
            if isinstance(item, Maybe) and isinstance(item.item, Value):
                item.item.hint, item.item.named = name, True
            self.environment[name] = item
        return NOTHING

    def _raises_only(self, node: ast.If, condition: Value) -> bool:
        """Lower `if c: raise ...` as a requirement."""
        if len(node.body) != 1 or not isinstance(node.body[0], ast.Raise):
            return False
        message, error = self.raised_error(node.body[0])
        self.require(self.builder.op("logical_not", condition), message, error)
        return True

    def raised_error(self, node: ast.Raise) -> tuple[str, str]:
        """Message and class of a `raise`."""
        raise AssertionError

    def _pair(self, name: str, sides: list[Side]) -> Any:
        """The items of a name on both sides, made alike; or the one static item it is."""
        items = [
            None if side.raised else side.environment.get(name, Unbound(_ONE_SIDE))
            for side in sides
        ]
        alive = [item for item, side in zip(items, sides, strict=True) if not side.raised]
        if all(isinstance(item, Unbound) for item in alive):
            return alive[0]
        if same_static(alive[0], alive[-1]):
            return alive[0]
        data = next(item for item in alive if not isinstance(item, Unbound))
        if not all(isinstance(item, Unbound) or is_data(item) for item in alive):
            return Unbound("is different things on the sides of an `if`")
        partial = any(isinstance(item, (Unbound, Maybe)) for item in alive)
        inner = data.item if isinstance(data, Maybe) else data
        pair = []
        for item, side in zip(items, sides, strict=True):
            absent = side.raised or isinstance(item, Unbound)
            if absent:
                with self.builder.inside(side.region):
                    item = self._placeholder(inner, side.region)
            if partial and not isinstance(item, Maybe):
                item = Maybe(item, not absent, _ONE_SIDE)
            pair.append(item)
        if not same_structure(*pair):
            return Unbound("is different things on the sides of an `if`")
        return pair

    def _if_returning(self, node: ast.If, rest: list[ast.stmt]) -> Any:
        """A branch with a `return`: what follows is lowered on both sides."""
        condition = self.truth(node.test)
        if not isinstance(condition, Value):
            return self.block([*(node.body if condition else node.orelse), *rest])
        if self._raises_only(node, condition):
            return self.block([*node.orelse, *rest])
        sides = self._sides(node, rest)
        alive = [side for side in sides if not side.raised]
        for side in alive:
            if side.outcome is NOTHING:
                side.outcome = None
        if not alive or all(side.outcome is None for side in alive):
            self.builder.structured("if", [condition], [s.region for s in sides], [])
            return None if alive else RAISED
        if any(side.outcome is None for side in alive):
            raise UnsupportedSyntax(
                "one path ends without a value", self.location(node), "return on every path"
            )
        for side in sides:
            if side.raised:
                with self.builder.inside(side.region):
                    side.outcome = self._placeholder(alive[0].outcome, side.region)
        if same_static(*(side.outcome for side in sides)):
            return alive[0].outcome
        pairs = [(side.region, side.outcome) for side in sides]
        return self.join_branches(condition, pairs, "the returned value")

    # -- loops ----------------------------------------------------------------------------------

    def _do_for(self, node: ast.For) -> Any:
        source = self._iteration(node)
        if isinstance(source, tuple):
            return self._unrolled(node, source)
        names = assigned_names([node])
        if isinstance(node, GuardedFor):
            if source.segmented:
                raise UnsupportedSyntax("a checkpointed loop that may be left early")
            return self._for_with_flag(node, source, names)
        target = node.target.id if isinstance(node.target, ast.Name) else ""
        hint = target if source.is_range and target else "i"

        def body(params: list[Value]) -> list[Region]:
            index = Value(Scalar("int64", weak=True), hint, named=True)
            region = Region([index, *params])
            with self.builder.inside(region):
                self._assign(node.target, source.item(index))
                self._loop_body(node.body)
            return [region]

        bounds = [as_value(b) for b in (source.start, source.stop, source.step)]
        loop = self._loop("for", node, bounds, names, body)
        if source.segmented and loop is not None:
            loop.attrs["segmented"] = True
        return NOTHING

    def _do_guardedfor(self, node: GuardedFor) -> Any:
        return self._do_for(node)

    def _iteration(self, node: ast.For) -> Any:
        """What a loop goes through: a tuple, or something with an index."""
        iterable = node.iter
        with self.builder.at(self.location(iterable)):
            try:
                return iteration.iteration_over(self.expression_or_iterator(iterable))
            except AdcompileError as error:
                raise error.at(self.location(iterable)) from None

    def expression_or_iterator(self, node: ast.expr) -> Any:
        """An expression, where `range`, `zip`, `enumerate` and `reversed` are understood."""
        if (
            isinstance(node, ast.Call)
            and self._is_named(node.func)
            and not any(isinstance(a, ast.Starred) for a in node.args)
        ):
            function = self.expression(node.func)
            front = looked_up(iteration.FRONTS, function)
            if iteration.is_parallel_range(function):
                front = iteration.over_range
            if front is not None:
                arguments = [self.expression_or_iterator(a) for a in node.args]
                keywords = {k.arg or "": self.expression(k.value) for k in node.keywords}
                try:
                    return front(*arguments, **keywords)
                except AdcompileError:
                    raise
                except TypeError as error:
                    text = str(error).split("() ")[-1]
                    raise TypeMismatch(f"`{function.__name__}`: {text}") from None
        return self.expression(node)

    def _is_named(self, function: ast.expr) -> bool:
        """Whether a function is a name, perhaps of a module: methods are known with their call."""
        if isinstance(function, ast.Attribute):
            base = function.value
            return isinstance(base, ast.Name) and base.id not in self.environment
        return isinstance(function, ast.Name)

    def _unrolled(self, node: ast.For, items: tuple[Any, ...]) -> Any:
        """A tuple may hold different types: one copy of the body for each."""
        items = tuple(self.captured("item", item) for item in items)
        if isinstance(node, GuardedFor):
            return self._unrolled_with_flag(node, items)
        for item in items:
            self._assign(node.target, item)
            if self._loop_body(node.body) is RAISED:
                return RAISED
        return NOTHING

    def _unrolled_with_flag(self, node: GuardedFor, items: tuple[Any, ...]) -> Any:
        hidden = "an item of the tuple"  # no name of the user's
        for item in items:
            self.environment[hidden] = item
            flag, name = ast.Name(node.going, ast.Load()), ast.Name(hidden, ast.Load())
            first = ast.Assign([node.target], name)
            guarded = ast.If(flag, [first, *node.body], [])
            for made in (flag, name, first, guarded):
                ast.copy_location(made, node)
            self.liveness.share(guarded, node)
            self._do_if(guarded)
        self.environment.pop(hidden, None)
        return NOTHING

    def _for_with_flag(self, node: GuardedFor, source: Any, names: list[str]) -> Any:
        """A `for` that may be left: a `while` over its index."""
        step = source.step
        target = node.target.id if isinstance(node.target, ast.Name) else "i"
        hidden = f"{target} counted"  # no name of the user's
        self.environment[hidden] = self.builder.value(source.start)

        def test() -> Any:
            index = self.environment[hidden]
            inside = index < source.stop if step > 0 else index > source.stop
            return self.builder.op("logical_and", as_value(self.environment[node.going]), inside)

        def run() -> Any:
            index = self.environment[hidden]
            self._assign(node.target, source.item(index))
            outcome = self._loop_body(node.body)
            self.environment[hidden] = index + step
            return outcome

        self._while(node, [*names, hidden], test, run)
        del self.environment[hidden]
        return NOTHING

    def _do_while(self, node: ast.While) -> Any:
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        if endless and not any(isinstance(n, (ast.Raise, ast.Assert)) for n in ast.walk(node)):
            raise UnsupportedSyntax("this loop never ends", self.location(node.test), "`break`")

        def test() -> Any:
            return as_value(self.truth(node.test))

        self._while(node, assigned_names(node.body), test, lambda: self._loop_body(node.body))
        return NOTHING

    def _while(
        self, node: ast.stmt, names: list[str], test: Callable[[], Any], run: Callable[[], Any]
    ) -> None:
        def body(params: list[Value]) -> list[Region]:
            carried = dict(self.environment)
            with self.builder.inside(Region(list(params))) as condition:
                condition.yields = [test()]
            copies = [Value(p.type, p.hint, p.named) for p in params]
            swap = dict(zip(params, copies, strict=True))
            for name, item in carried.items():
                leaves = [swap.get(v, v) if isinstance(v, Value) else v for v in flatten(item)]
                self.environment[name] = regroup(item, iter(leaves))
            with self.builder.inside(Region(copies)) as region:
                run()
            return [region, condition]

        self._loop("while", node, [], names, body)

    def _loop_body(self, statements: list[ast.stmt]) -> Any:
        outer = self.statement
        outcome = self.block(statements)
        self.statement = outer
        return outcome
