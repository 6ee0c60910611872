"""Emits a graph as Python that a person can read and NumPy can run.

Enters: a graph. Leaves: the text of a module with one function: variables named as the user named
them, values read once written into the expression that reads them, one comment per original line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adcompile.emit import assemble
from adcompile.emit.control import ControlEmitter
from adcompile.emit.names import Names, identifier, procedure_names
from adcompile.emit.printer import to_source
from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value, count_uses
from adcompile.graph.procedures import Procedure, procedures_of
from adcompile.graph.trees import as_tuples, is_nothing
from adcompile.graph.types import Array, Scalar, Structure

_MAX_INLINE = 72  # characters of an expression that is not given a name

_MODULES = (
    ("import math", "math."),
    ("import cmath", "cmath."),
    ("import numpy as np", "np."),
    ("import scipy.linalg", "scipy.linalg."),
    ("import scipy.special", "scipy.special."),
    ("from numba import objmode", "with objmode"),
    ("from numba import prange", "prange("),
    ("from adcompile.execute.toolkit import cuda", "cuda."),
    ("from adcompile.execute import device", "device."),
    ("from adcompile.execute import exact", "exact."),
    ("from adcompile.execute import library", "library."),
    ("from adcompile.execute import machine", "machine."),
)
_ALWAYS_INLINE = frozenset({"constant", "dim"})
_VIEWS_IN_NUMPY = frozenset({"real", "imag", "broadcast_to"})  # fresh memory in the graph


@dataclass
class Pending:
    """An expression not yet written: it will stand where its value is read."""

    node: ast.expr
    reads_written: bool
    names: frozenset[str]
    op: Op


@dataclass
class Block:
    """Statements of one region, each with the operation it came from."""

    region: Region
    statements: list[tuple[ast.stmt, Op | None]] = field(default_factory=list)


def emit_python(graph: Graph) -> str:
    """The source of a module that defines the function `graph.name`, and what that calls."""
    return module(PythonEmitter, graph)


def module(
    emitter: type[PythonEmitter], graph: Graph, inner: type[PythonEmitter] | None = None
) -> str:
    """The text of a module: the procedures that `graph` calls, then its function.

    `inner` emits the procedures where they want another emitter.
    """
    procedures = procedures_of(graph)
    names = procedure_names(graph.name, procedures)
    statements: dict[str, ast.stmt] = {}  # functions may need the same helpers
    for body, name in [*((p.graph, names[p]) for p in procedures), (graph, graph.name)]:
        chosen = emitter if body is graph or inner is None else inner
        made = chosen(body, names, len(statements)).function(name)
        statements.update((ast.dump(statement), statement) for statement in made)
    texts = (to_source(ast.Module([statement], [])) for statement in statements.values())
    text = "\n\n\n".join(piece.strip("\n") for piece in texts) + "\n"
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    imports = [full for full, used in _MODULES if re.search(rf"\b{re.escape(used)}", code)]
    return "\n\n".join(imports) + "\n\n\n" * bool(imports) + text.lstrip("\n")


class PythonEmitter(ControlEmitter):
    """Emits one function; `number` tells the helpers it needs from those of others."""

    one_type = False  # whether a variable has one type

    def __init__(
        self, graph: Graph, procedures: dict[Procedure, str] | None = None, number: int = 0
    ) -> None:
        self.graph = graph
        self.procedures = procedures or {}
        self.number = number
        self.aliases = Aliases(graph)
        self.names = Names(graph, self.procedures.values(), self.one_type)
        self.uses = count_uses(graph.body)
        structured = [op for op in graph.body.walk() if op.regions]
        self.handed_on = frozenset(
            [v for op in structured for r in op.regions for v in r.yields]
            + [v for op in structured for v in op.inputs]
        )
        self.pending: dict[Value, Pending] = {}
        self.inline_always: dict[Value, ast.expr] = {}
        self.block = Block(graph.body)
        self.position = 0
        self.helpers: list[ast.stmt] = []  # functions that the function calls

    def function(self, name: str) -> list[ast.stmt]:
        """The definition of the function, called `name`, after the helpers it calls."""
        unpack: list[ast.stmt] = []
        arguments = []
        for parameter in self.graph.parameters:
            structure = as_tuples(parameter.structure)
            arguments.append(self._parameter(parameter.name, structure, unpack))
        self.region_statements(self.graph.body)
        outputs = iter([self.read(v) for v in self.graph.outputs])
        result = self._result(as_tuples(self.graph.result), outputs)
        tail = assemble.comments(self.block.statements)
        if not is_nothing(self.graph.result):
            tail.append(ast.Return(result))
        head: list[ast.stmt] = []
        if self.graph.doc:
            head.append(ast.Expr(ast.Constant(self.graph.doc)))
        return [*self.helpers, assemble.function(name, arguments, [*head, *unpack, *tail])]

    def _parameter(self, name: str, structure: Structure, unpack: list[ast.stmt]) -> str:
        if is_nothing(structure):
            return identifier(name)
        if not isinstance(structure, tuple):
            return self.names.of[structure]
        targets = self._targets(structure)
        unpack.append(ast.Assign([targets], assemble.name(identifier(name))))
        return identifier(name)

    def _targets(self, structure: Structure) -> ast.expr:
        if isinstance(structure, tuple):
            return ast.Tuple([self._targets(item) for item in structure], ast.Store())
        return assemble.name(self.names.of[structure])

    def _result(self, structure: Structure, items: Any) -> ast.expr:
        if isinstance(structure, tuple):
            return ast.Tuple([self._result(item, items) for item in structure], ast.Load())
        node: ast.expr = next(items)
        return node

    # -- values ---------------------------------------------------------------------------------

    def read(self, value: Value) -> ast.expr:
        """The expression that reads a value here."""
        if value in self.inline_always:
            return self.inline_always[value]
        if value in self.pending:
            return self.pending.pop(value).node
        return assemble.name(self.names.of[value])

    def flush(
        self, only_memory: bool = False, name: str | None = None, keep: Sequence[ast.expr] = ()
    ) -> None:
        """Give names to waiting expressions: all, those that read written memory or one name.

        The variables in `keep`, expressions still to be written, are not assigned.
        """
        kept = frozenset().union(*map(assemble.names_in, keep)) - self.names.avoid
        self.names.avoid |= kept
        for value in list(self.pending):
            waiting = self.pending.get(value)
            if waiting is None:
                continue
            if name is not None and name not in waiting.names:
                continue
            if only_memory and not waiting.reads_written:
                continue
            del self.pending[value]
            avoided = name is not None and name not in self.names.avoid
            if avoided:
                self.names.avoid.add(name)  # type: ignore[arg-type]
            self.assign(value, waiting.node, waiting.op, self.position - 1)
            if avoided:
                self.names.avoid.discard(name)  # type: ignore[arg-type]
        self.names.avoid -= kept

    def assign(
        self, value: Value, node: ast.expr, op: Op | None, position: int | None = None
    ) -> None:
        """Write `name = expression`; variables read after `position` keep their values."""
        after = self.position if position is None else position
        name = self.names.reserve(value, self.block.region, after)
        if op is not None and self._is_part_of_live_memory(op):
            node = assemble.copied(node)
        self.flush(name=name, keep=[node])
        self.names.give(value, name, self.block.region)
        self.add(assemble.assignment(name, node, isinstance(value.type, Scalar)), op)

    def add(self, statement: ast.stmt, op: Op | None) -> None:
        """Append a statement."""
        self.block.statements.append((statement, op))

    # -- operations -----------------------------------------------------------------------------

    def region_statements(self, region: Region) -> None:
        """Emit the operations of a region into the current block."""
        self._prefer_carried_names(region)
        for position, op in enumerate(region.ops):
            self.position = position
            self.operation(op)
        self.position = len(region.ops)

    def operation(self, op: Op) -> None:
        """Emit one operation."""
        if op.regions:
            self.structured(op)
        elif op.name == "check_equal":
            self.add(assemble.check(self._template(op), op.attrs["message"]), op)
        elif op.name == "require":
            self._require(op)
        elif op.name == "print":
            self.add(self.print_statement(op), op)
        elif op.name == "seed":
            self.add(ast.Expr(self._template(op)), op)
        elif op.name == "invoke":
            self._invoke(op)
        elif op.record.writes:
            self._write(op)
        elif op.name == "undefined" or (op.name == "dim" and op.result not in self.uses):
            return
        elif len(op.outputs) != 1 or op.name == "nonzero":
            self._several(op)
        else:
            self._value(op)

    def _invoke(self, op: Op) -> None:
        inputs = [self.argument(v) for v in op.inputs]
        if op.written or op.keeps:
            self.flush(only_memory=True, keep=inputs)
        node = ast.Call(assemble.name(self.procedures[op.attrs["procedure"]]), inputs, [])
        if not any(v in self.uses for v in op.outputs):
            self.add(ast.Expr(node), op)
        elif len(op.outputs) == 1:
            self._wait_or_assign(op.result, node, op, True)
        else:
            self._unpack(op, node)

    def argument(self, value: Value) -> ast.expr:
        """An argument of a call."""
        return self.read(value)

    def print_statement(self, op: Op) -> ast.stmt:
        """`print(...)`."""
        return assemble.print_call(op, [self.read(v) for v in op.inputs])

    def _require(self, op: Op) -> None:
        condition = self.read(op.inputs[0])
        message, error = op.attrs["message"], op.attrs["error"]
        if isinstance(condition, ast.Constant) and not condition.value:
            self.add(assemble.error(message, error), op)
        else:
            self.add(assemble.check(assemble.negated(condition), message, error), op)

    def _template(self, op: Op) -> ast.expr:
        """Operands that the spelling repeats are given a name first."""
        text = self.spelling(op)
        for k, value in enumerate(op.inputs):
            if text.count(f"{{{k}}}") > 1 and value in self.pending:
                waiting = self.pending.pop(value)
                if isinstance(waiting.node, (ast.Name, ast.Constant)):
                    self.pending[value] = waiting
                else:
                    self.assign(value, waiting.node, waiting.op, self.position - 1)
        node = assemble.fill(text, [self.read(v) for v in op.inputs], op)
        alone = self._is_part_of_live_memory(op) and not self._computed_with(op.result)
        return assemble.copied(node) if alone else node

    def spelling(self, op: Op) -> str:
        """The template of an operation's spelling."""
        show = op.record.show
        assert show is not None, op
        text: str = show(op) if callable(show) else show
        return text

    def _computed_with(self, value: Value) -> bool:
        """Whether the only reader of a value computes fresh memory of it."""
        last = self.names.last.of(value, self.block.region)
        ops = self.block.region.ops
        if self.uses.get(value) != 1 or not 0 <= last < len(ops):
            return False
        reader = ops[last]
        return reader.record.scalar is not None or reader.name in ("sum", "mean", "cumsum")

    def _is_part_of_live_memory(self, op: Op) -> bool:
        """Whether what NumPy gives as a view could be seen to share memory with its source."""
        if op.name not in _VIEWS_IN_NUMPY or not isinstance(op.result.type, Array):
            return False
        roots = self.aliases.roots
        results = frozenset().union(*(roots.get(v, frozenset()) for v in self.graph.outputs))
        memory = roots.get(op.inputs[0], frozenset()) | roots[op.result]
        return bool(memory & self.aliases.written) or bool(roots[op.result] & results)

    def _value(self, op: Op) -> None:
        value = op.result
        reads = self._reads_written(op)
        for v in op.inputs:
            reads = reads or (v in self.pending and self.pending[v].reads_written)
        node = self._template(op)
        if op.name in _ALWAYS_INLINE and (op.name == "constant" or not value.named):
            self.inline_always[value] = node
            return
        self._wait_or_assign(value, node, op, reads)

    def place(self, value: Value, node: ast.expr, op: Op) -> None:
        """Give the value of a conditional expression its place."""
        self._wait_or_assign(value, node, op, True)

    def _wait_or_assign(self, value: Value, node: ast.expr, op: Op, reads: bool) -> None:
        if self._inlines(value, node) and not op.keeps and not op.written:
            self.pending[value] = Pending(node, reads, assemble.names_in(node), op)
        else:
            self.assign(value, node, op)

    def _reads_written(self, op: Op) -> bool:
        if not op.record.reads or op.record.view:
            return any(
                isinstance(v.type, Array) and self.aliases.roots[v] & self.aliases.written
                for v in op.inputs
                if not op.record.view and op.name != "dim"
            )
        return any(
            bool(self.aliases.roots.get(v, frozenset()) & self.aliases.written) for v in op.inputs
        )

    def _inlines(self, value: Value, node: ast.expr) -> bool:
        if value.named or self.uses.get(value, 0) != 1:
            return False
        if len(assemble.text_of(node)) > _MAX_INLINE:
            return False
        return self._read_here(value)

    def _read_here(self, value: Value) -> bool:
        """Whether the one reader is in this region, not inside a nested one."""
        region = self.block.region
        if value in region.yields:
            return True
        last = self.names.last.of(value, region)
        return 0 <= last < len(region.ops) and value in region.ops[last].inputs

    def _several(self, op: Op) -> None:
        self._unpack(op, self._template(op))

    def _unpack(self, op: Op, node: ast.expr) -> None:
        targets: list[ast.expr] = []
        for value in op.outputs:
            name = self.names.reserve(value, self.block.region, self.position)
            self.flush(name=name, keep=[node])
            self.names.give(value, name, self.block.region)
            targets.append(assemble.name(name))
        self.add(ast.Assign([ast.Tuple(targets, ast.Store())], node, lineno=0), op)

    def _write(self, op: Op) -> None:
        if op.name == "pop":
            self.flush(only_memory=True)
            self.assign(op.result, self._template(op), op)
            return
        inputs = [self.read(v) for v in op.inputs]
        self.flush(only_memory=True, keep=inputs)
        node = assemble.fill(self.spelling(op), inputs, op)
        if op.name in ("push", "scatter_add", "matmul_into", "fold_part"):
            self.add(ast.Expr(node), op)
        elif op.name in ("accumulate", "accumulate_at"):
            self.add(assemble.accumulation(node, inputs[1]), op)
        else:
            self.add(ast.Assign([assemble.whole(node)], inputs[1], lineno=0), op)
