"""Emits a graph of loops as Python that Numba compiles to machine code.

Enters: a scheduled graph. Leaves: the text of a module: scalar arithmetic spelled with `math`, and
constants and conversions typed, because the compiler promotes differently from NumPy.
"""

from __future__ import annotations

import ast

from adcompile.emit import assemble, stacks
from adcompile.emit.kernels import kernel_statements
from adcompile.emit.python import PythonEmitter, module
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.procedures import Procedure
from adcompile.graph.types import Array, Scalar, is_complex
from adcompile.syntax import parsed, parsed_expression


def emit_cpu(graph: Graph) -> str:
    """The source of a module that defines the function `graph.name`."""
    return module(CpuEmitter, graph)


class CpuEmitter(PythonEmitter):
    """Emits one function for the compiler."""

    one_type = True

    def __init__(
        self, graph: Graph, procedures: dict[Procedure, str] | None = None, number: int = 0
    ) -> None:
        super().__init__(graph, procedures, number)
        taken = {graph.name, *self.procedures.values()}
        self._quotient = "quotient" if "quotient" not in taken else "quotient_1"
        self._divides = False  # whether the module has that function
        kernels = [op.record.kernel for op in graph.body.walk() if op.record.kernel is not None]
        self.helpers += kernel_statements(kernels)
        self._growing = stacks.growing_stacks(graph)
        self._sizes: dict[Value, str] = {}

    def operation(self, op: Op) -> None:
        """Emit one operation."""
        stack = op.outputs[0] if op.name == "stack" else op.inputs[0] if op.inputs else None
        if stack in self._growing and op.name in ("stack", "push", "pop"):
            getattr(self, f"_{op.name}")(op)
        else:
            super().operation(op)

    def _stack(self, op: Op) -> None:
        stack, region = op.result, self.block.region
        name = self.names.reserve(stack, region, self.position)
        self.names.give(stack, name, region)
        self._sizes[stack] = self.names.lasting(f"{name}_size")
        for statement in stacks.start(stack, name, self._sizes[stack]):
            self.add(statement, op)

    def _push(self, op: Op) -> None:
        stack, item = op.inputs[0], self.read(op.inputs[1])
        self.flush(only_memory=True, keep=[item])
        for statement in stacks.push(self.names.of[stack], self._sizes[stack], item):
            self.add(statement, op)

    def _pop(self, op: Op) -> None:
        self.flush(only_memory=True)
        (stack,) = op.inputs
        count, item = stacks.pop(self.names.of[stack], self._sizes[stack])
        self.add(count, op)
        self.assign(op.result, item, op)

    def spelling(self, op: Op) -> str:
        """The compiler's spelling of an operation."""
        if op.name == "cast" and op.inputs[0].type.dtype == "bool":
            one, zero = (assemble.typed(number, op.attrs["dtype"]) for number in (1, 0))
            return f"{one} if {{0}} else {zero}"
        if op.name == "cast" and op.inputs[0].type.dtype == op.attrs["dtype"] == "int64":
            return "{0}"
        if op.name == "cast" and (op.inputs[0].type.dtype, op.attrs["dtype"]) == _WIDENING:
            return "np.float64({0})"
        if op.name == "cast" and "uint" in op.inputs[0].type.dtype and op.attrs["dtype"] != "bool":
            return f"np.{op.attrs['dtype']}({{0}})"  # `int` leaves it unsigned
        if op.name == "cast":
            return _CASTS.get(op.attrs["dtype"], f"np.{op.attrs['dtype']}({{0}})")
        if op.name == "stack":  # an empty list that has a type
            return f"[{assemble.zero(op.attrs['type'].item)} for _ in range(0)]"
        if op.name == "matmul_into":
            return "exact.dot_into({0}, {1}, {2})"
        if op.name in _ROUTINES:
            given = [f"{{{k}}}" for k in range(len(op.inputs))]
            flags = [item for _, item in sorted(op.attrs.items()) if isinstance(item, bool)]
            given += map(str, flags)
            return f"library.{op.name}({', '.join(given)})"
        if op.record.scalar is not None and is_complex(op.result.type):
            return self._complex_spelling(op)
        if op.record.kernel is not None:
            return _kernel_call(op, op.record.kernel.__name__)
        if op.record.scalar is not None and isinstance(op.result.type, Scalar):
            if op.attrs.get("hidden"):
                return "exact.hidden({0})"
            if op.name in ("maximum", "minimum"):
                return _extremum(op)
            if op.name == "where" and self._chooses_of_three(op):
                return "exact.where({0}, {1}, {2})"
            if op.name == "exp" and op.attrs.get("chained"):
                return "exact.exp({0})"
            if op.name == "pow" and "whole" in op.attrs:
                return f"exact.power({{0}}, {op.attrs['whole']})"
            if op.name == "pow" and "several" in op.attrs:
                return "math.pow({0}, {1})"
            if op.name == "mul" and op.attrs.get("ordered"):
                return "exact.times({0}, {1})"
            if op.name in _OVERFLOWING and op.result.type.dtype in _SMALL:
                return f"np.{op.result.type.dtype}({op.record.scalar})"
            return op.record.scalar
        if op.name == "copy" and isinstance(op.result.type, Array):
            return "{0}.copy()"
        return super().spelling(op)

    def _chooses_of_three(self, op: Op) -> bool:
        """Whether a choice of floats is between another choice and a number, all of them cheap.

        The compiler makes branches of it otherwise, as it does of what an extremum hands back.
        """
        _, *sides = op.inputs
        if not all(v.type == op.result.type and v.type.dtype in _FLOATS for v in sides):
            return False
        nodes = [self.pending[v].node for v in sides if v in self.pending]
        choices = any(isinstance(node, ast.IfExp) for node in nodes)
        return choices and not any(_is_costly(part) for node in nodes for part in ast.walk(node))

    def _complex_spelling(self, op: Op) -> str:
        if op.name == "log2":  # `cmath` has none
            scale = "1.4426950408889634" if op.result.type.dtype == "complex128" else _LOG2_E
            return f"cmath.log({{0}}) * {scale}"
        if op.name not in ("div", "reciprocal"):
            return op.record.scalar.replace("math.", "cmath.")  # type: ignore[union-attr]
        if op.name == "div" and not is_complex(op.inputs[1].type):
            return "complex({0}.real / {1}, {0}.imag / {1})"
        if not self._divides:
            self._divides = True
            self.helpers += parsed(_QUOTIENT.replace("quotient", self._quotient)).body
        if op.name == "div":
            return f"{self._quotient}({{0}}, {{1}})"
        return f"{self._quotient}({assemble.typed(1, op.result.type.dtype)}, {{0}})"

    def argument(self, value: Value) -> ast.expr:
        """For a number that is written out the compiler would compile the function once more."""
        node = super().argument(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            kind = "bool" if isinstance(node.value, bool) else "np.int64"
            return ast.Call(parsed_expression(kind), [node], [])
        return node

    def print_statement(self, op: Op) -> ast.stmt:
        """A call of a function in which the compiler gives way to Python to print.

        The compiler knows no format specifications, so a lambda, left as it is, has the `print`.
        """
        names = [f"item_{k}" for k in range(len(op.inputs))]
        items: list[ast.expr] = [assemble.name(n) for n in names]
        number = self.number + len(self.helpers)
        plain, compiled = (f"{word}_{number}" for word in ("show", "print"))
        call = ast.Expr(ast.Call(assemble.name(plain), items, []))
        switch = ast.withitem(ast.Call(assemble.name("objmode"), [], []))
        leave = assemble.function(compiled, names, [ast.With([switch], [call], lineno=0)])
        show = assemble.function("", names, []).args
        shown = ast.Lambda(show, assemble.print_call(op, items).value)
        self.helpers += [ast.Assign([assemble.name(plain)], shown, lineno=0), leave]
        return ast.Expr(ast.Call(assemble.name(compiled), [self.read(v) for v in op.inputs], []))


def _is_costly(node: ast.AST) -> bool:
    """Whether it divides or calls something, other than for a type."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) not in ("np.float32", "np.uint64")
    return isinstance(node, (ast.Div, ast.Mod, ast.FloorDiv))


def _extremum(op: Op) -> str:
    dtype = op.result.type.dtype
    if dtype.startswith("int"):
        return f"{op.name[:3]}({{0}}, {{1}})"
    if dtype.startswith("float") and all(v.type.dtype == dtype for v in op.inputs):
        return f"exact.{op.name}({{0}}, {{1}})"
    assert op.record.scalar is not None
    return op.record.scalar


def _kernel_call(op: Op, name: str) -> str:
    """Kernels compute in float64, whatever the operands are."""
    operands = [
        f"{{{k}}}" if v.type.dtype == "float64" else f"float({{{k}}})"
        for k, v in enumerate(op.inputs)
    ]
    call = f"{name}({', '.join(operands)})"
    return call if op.result.type.dtype == "float64" else f"np.{op.result.type.dtype}({call})"


# the compiler's own division of complex numbers raises where the divisor is zero
_QUOTIENT = '''
def quotient(a, b):
    """a / b by Smith's method (1962); a divisor of zero gives infinity or not a number."""
    if abs(b.real) >= abs(b.imag):
        if b.real == 0:
            return complex(a.real / abs(b.real), a.imag / abs(b.real))
        ratio = b.imag / b.real
        scale = b.real + b.imag * ratio
        return complex((a.real + a.imag * ratio) / scale, (a.imag - a.real * ratio) / scale)
    ratio = b.real / b.imag
    scale = b.imag + b.real * ratio
    return complex((a.real * ratio + a.imag) / scale, (a.imag * ratio - a.real) / scale)
'''


# the compiler computes small integers as those of 64 bits, which do not overflow where they do
_SMALL = frozenset({"int8", "int16", "int32", "uint8", "uint16", "uint32"})
_OVERFLOWING = frozenset(
    {"add", "sub", "mul", "neg", "square", "pow", "abs", "floordiv", "left_shift", "invert"}
)
# as in `execute/library.py`
_ROUTINES = frozenset(
    {
        "solve", "svd", "argsort", "cholesky", "slogdet", "eigh", "qr", "pinv", "inv", "det",
        "lu", "lu_solve", "lu_inv", "lu_det", "lu_slogdet", "trsm",
    }
)  # fmt: skip
_FLOATS = frozenset({"float32", "float64"})
_LOG2_E = "np.float32(1.4426950408889634)"
_WIDENING = ("float32", "float64")  # the compiler's `float` leaves a float32 as it is
_CASTS = {"float64": "float({0})", "int64": "int({0})", "bool": "bool({0})"}
