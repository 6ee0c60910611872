"""Emits control flow: variables that loops carry and branches agree on.

Enters: `if`, `for` and `while` operations. Leaves: statements in which a carried value is one
variable, assigned before the loop and again in its body.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adcompile.emit import assemble
from adcompile.graph.ir import Op, Region, Value, is_undefined
from adcompile.graph.types import Scalar
from adcompile.syntax import parsed_expression

if TYPE_CHECKING:
    from adcompile.emit.names import Names

_MAX_TERNARY = 60


class ControlEmitter:
    """The part of an emitter that writes structured operations."""

    names: Names
    uses: dict[Value, int]
    pending: dict[Value, Any]
    inline_always: dict[Value, ast.expr]
    handed_on: frozenset[Value]  # what regions give, or loops start with
    block: Any
    position: int

    def read(self, value: Value) -> ast.expr:
        """The expression that reads a value here."""
        raise AssertionError

    def flush(
        self, only_memory: bool = False, name: str | None = None, keep: Sequence[ast.expr] = ()
    ) -> None:
        """Give names to waiting expressions."""
        raise AssertionError

    def add(self, statement: ast.stmt, op: Op | None) -> None:
        """Append a statement."""
        raise AssertionError

    def region_statements(self, region: Region) -> None:
        """Emit the operations of a region."""
        raise AssertionError

    def _prefer_carried_names(self, region: Region) -> None:
        """Values that start a loop variable take its name."""
        for op in region.ops:
            if op.name in ("for", "while"):
                skip = 3 if op.name == "for" else 0
                for value, output in zip(op.inputs[skip:], op.outputs, strict=True):
                    if not value.named and self.uses.get(value) == 1 and output.hint:
                        self.names.preferred[value] = output.hint

    def structured(self, op: Op) -> None:
        """Emit one structured operation."""
        if op.name == "if":
            if not self._ternary(op):
                self._if(op)
        else:
            self._loop(op)

    # -- branches -------------------------------------------------------------------------------

    def _ternary(self, op: Op) -> bool:
        """Emit `a if c else b` where both sides are short expressions."""
        inside = [inner for region in op.regions for inner in region.walk()]
        if len(op.outputs) != 1 or len(inside) > 8 or any(o.written or o.keeps for o in inside):
            return False  # also of branches in branches: each would be tried twice
        condition = op.inputs[0]
        saved = self.names.snapshot(), dict(self.pending), dict(self.inline_always)
        sides = []
        for region in op.regions:
            statements = self._inner(op, region, [])
            if statements or (region.yields[0] in self.uses and is_undefined(region.yields[0])):
                break
            sides.append(self._short(region.yields[0]))
        if len(sides) < 2 or any(
            s is None or len(assemble.text_of(s)) > _MAX_TERNARY for s in sides
        ):
            self.names.restore(saved[0])
            self.pending, self.inline_always = saved[1], saved[2]
            return False
        node = ast.IfExp(self.read(condition), sides[0], sides[1])  # type: ignore[arg-type]
        self.place(op.outputs[0], node, op)
        return True

    def place(self, value: Value, node: ast.expr, op: Op) -> None:
        """Assign an expression to the value of a structured operation."""
        raise AssertionError

    def _short(self, value: Value) -> ast.expr | None:
        node = self.read(value)
        return None if isinstance(node, ast.Name) and is_undefined(value) else node

    def _if(self, op: Op) -> None:
        test = self.read(op.inputs[0])
        self.flush(keep=[test])
        region = self.block.region
        helds = [self._held_yield(op, k) for k in range(len(op.outputs))]
        targets = self._branch_targets(op, helds, test)
        bodies = []
        self._assign_handed_on(op)
        for inner in op.regions:
            for k, (name, held) in enumerate(zip(targets, helds, strict=True)):
                if held is not None and self.names.of.get(held) == name:
                    self.names.lend_held(name, held, inner)
                else:
                    self.names.lend(name, op.outputs[k], inner)
                if inner.yields[k].op in inner.ops:
                    self.names.preferred[inner.yields[k]] = name
            bodies.append(self._inner(op, inner, list(zip(targets, inner.yields, strict=True))))
        for value, name in zip(op.outputs, targets, strict=True):
            self.names.give(value, name, region)
        then, otherwise = bodies
        if not then and otherwise:
            test, then, otherwise = assemble.negated(test), otherwise, []
        if then or otherwise:
            self.add(ast.If(test, then or [ast.Pass()], otherwise), op)

    def _assign_handed_on(self, op: Op) -> None:
        """What is handed on, perhaps under another name, has a value after both sides."""
        for k, output in enumerate(op.outputs):
            if output in self.handed_on:
                for value in (inner.yields[k] for inner in op.regions):
                    if is_undefined(value):
                        text = assemble.zero(value.type)  # type: ignore[arg-type]
                        self.inline_always[value] = parsed_expression(text)

    def _branch_targets(self, op: Op, helds: Sequence[Value | None], test: ast.expr) -> list[str]:
        targets: list[str] = []
        region = self.block.region
        for value, held in zip(op.outputs, helds, strict=True):
            name = self.names.of.get(held) if held is not None else None
            if name is None or name in targets or not self.names.holds(name, held):  # type: ignore[arg-type]
                name = self.names.reserve(value, region, self.position - 1, targets)
            self.flush(name=name, keep=[test])
            targets.append(name)
        return targets

    def _held_yield(self, op: Op, k: int) -> Value | None:
        """An outer value that one side passes on, and that nobody reads afterwards."""
        region = self.block.region
        for inner in op.regions:
            value = inner.yields[k]
            if value in self.names.of and self.names.last.of(value, region) == self.position:
                if self.names.may_take(self.names.of[value], op.outputs[k], region, self.position):
                    return value
        return None

    def _inner(self, op: Op, region: Region, ends: Sequence[tuple[str, Value]]) -> list[ast.stmt]:
        """Emit a nested region and the assignments at its end."""
        outer, position = self.block, self.position
        self.block = type(outer)(region)
        self.region_statements(region)
        self._parallel(ends)
        statements = assemble.comments(self.block.statements, op)
        self.block, self.position = outer, position
        self.names.leave(region)
        return statements

    def _parallel(self, ends: Sequence[tuple[str, Value]]) -> None:
        """Assign all targets at once where one's value reads another's target."""
        if not ends:
            return
        todo = []
        for target, value in ends:
            absent = is_undefined(value) and value not in self.inline_always
            if absent or self.names.of.get(value) == target:
                if value not in self.pending:
                    continue
            todo.append((target, value))
        nodes = [self.read(value) for _, value in todo]
        self.flush(keep=nodes)
        targets = [target for target, _ in todo]
        clash = any(
            name in assemble.names_in(node) for k, node in enumerate(nodes) for name in targets[:k]
        )
        last = self.block.region.ops[-1] if self.block.region.ops else None
        if clash:
            left = ast.Tuple([assemble.name(t) for t in targets], ast.Store())
            self.add(ast.Assign([left], ast.Tuple(nodes, ast.Load()), lineno=0), last)
            return
        for (target, value), node in zip(todo, nodes, strict=True):
            self.add(assemble.assignment(target, node, _scalar(value)), last)

    # -- loops ----------------------------------------------------------------------------------

    def _loop(self, op: Op) -> None:
        skip = 3 if op.name == "for" else 0
        bounds = [self.read(v) for v in op.inputs[:skip]]
        names = self._start(op, op.inputs[skip:], bounds)
        self.flush(keep=[*bounds, *map(assemble.name, names)])
        body = op.regions[0]
        region = self.block.region
        first = 1 if op.name == "for" else 0
        if op.name == "for":
            self._name_index(op, names)
        for inner in op.regions:
            for name, value in zip(names, inner.params[first:], strict=True):
                self.names.give(value, name, inner)
        test, head = self._test(op, names)
        for name, value in zip(names, body.params[first:], strict=True):
            self.names.give(value, name, body)
        for name, value in zip(names, body.yields, strict=True):
            if value.op in body.ops and body.yields.count(value) == 1:
                self.names.preferred[value] = name
        statements = head + self._inner(op, body, list(zip(names, body.yields, strict=True)))
        for name, value in zip(names, op.outputs, strict=True):
            self.names.give(value, name, region)
        statements = statements or [ast.Pass()]
        if op.name == "for":
            index = assemble.name(self.names.of[body.params[0]])
            self.add(ast.For(index, _range(bounds, op), statements, [], lineno=0), op)
        else:
            self.add(ast.While(test, statements, []), op)  # type: ignore[arg-type]

    def _name_index(self, op: Op, carried: Sequence[str]) -> None:
        body = op.regions[0]
        index = body.params[0]
        name = self.names.reserve(index, self.block.region, self.position - 1, carried)
        self.names.give(index, name, body)
        if "parallel" in op.attrs:  # the compiler may count threads without a sign
            self.inline_always[index] = parsed_expression(f"np.int64({name})")

    def _start(self, op: Op, initial: Sequence[Value], bounds: list[ast.expr]) -> list[str]:
        """The variable of each carried value, assigned its first value."""
        region = self.block.region
        names: list[str] = []
        todo: list[tuple[str, Value]] = []
        for value, output in zip(initial, op.outputs, strict=True):
            own = self.names.of.get(value) if value not in self.inline_always else None
            last_read = self.names.last.of(value, region) == self.position
            free = own is not None and initial.count(value) == 1 and last_read
            inside = any(self.names.last.of(value, inner) >= 0 for inner in op.regions)
            if free and own not in names and not inside:
                if self.names.may_take(own, output, region, self.position):  # type: ignore[arg-type]
                    names.append(own)  # type: ignore[arg-type]
                    continue
            name = self.names.reserve(output, region, self.position - 1, names)
            names.append(name)
            self.names.lend(name, output, region)
            todo.append((name, value))
        for name, value in todo:
            node = self.read(value)
            self.flush(name=name, keep=[node, *bounds, *map(assemble.name, names)])
            self.add(assemble.assignment(name, node), op)
        return names

    def _test(self, op: Op, names: list[str]) -> tuple[ast.expr | None, list[ast.stmt]]:
        """The condition of a `while`, and statements that must run before it each time."""
        if op.name == "for":
            return None, []
        region = op.regions[1]
        outer, position = self.block, self.position
        self.block = type(outer)(region)
        kept = set(names) - self.names.avoid  # the body reads them, whatever the test reads
        self.names.avoid |= kept
        self.region_statements(region)
        self.names.avoid -= kept
        test = self.read(region.yields[0])
        statements = assemble.comments(self.block.statements, op)
        self.block, self.position = outer, position
        if not statements:
            return test, []
        leave = ast.If(assemble.negated(test), [ast.Break()], [])
        return ast.Constant(True), [*statements, leave]


def _scalar(value: Value) -> bool:
    return isinstance(value.type, Scalar)


def _range(bounds: list[ast.expr], op: Op) -> ast.expr:
    start, _, step = op.inputs[:3]
    arguments = bounds
    if step.constant == 1:
        arguments = bounds[1:2] if start.constant == 0 else bounds[:2]
    kind = "prange" if op.attrs.get("parallel") else "range"
    return ast.Call(assemble.name(kind), arguments, [])
