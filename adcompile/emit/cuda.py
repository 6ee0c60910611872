"""Emits kernels, and the host function that starts them, as Python for NVIDIA's compiler.

Enters: a graph whose loops are kernels. Leaves: the text of a module: `@cuda.jit` functions that
any number of threads may run, and a function of plain Python that allocates and launches.
"""

from __future__ import annotations

import ast
from copy import copy

from adcompile.emit import assemble
from adcompile.emit.cpu import CpuEmitter
from adcompile.emit.cuda_scalars import scalar_spelling
from adcompile.emit.python import PythonEmitter, module
from adcompile.graph.ir import Graph, Op
from adcompile.graph.types import is_complex, shape_of
from adcompile.syntax import parsed_expression

_LAUNCH = {"elements": "elements", "columns": "columns", "rows": "rows", "serial": "one_block"}


def emit_cuda(graph: Graph) -> str:
    """The source of a module that defines the function `graph.name` and its kernels."""
    return module(HostEmitter, graph, KernelEmitter)


def emit_thread(graph: Graph) -> str:
    """The source of a module that defines the function `graph.name` for kernels to call."""
    return module(ThreadEmitter, graph)


def _decorated(statement: ast.stmt, decorator: ast.expr) -> ast.stmt:
    """A definition with a decorator; the functions that it calls are kept for other targets."""
    if not isinstance(statement, ast.FunctionDef):
        return statement
    decorated = copy(statement)
    decorated.decorator_list = [decorator]
    return decorated


class KernelEmitter(CpuEmitter):
    """Emits one kernel, or one function that kernels call."""

    def function(self, name: str) -> list[ast.stmt]:
        """The definition of the kernel, after the functions that it calls."""
        *called, kernel = super().function(name)
        for_threads = parsed_expression("cuda.jit(device=True)")
        return [*(_decorated(c, for_threads) for c in called), _decorated(kernel, self.decorator())]

    def decorator(self) -> ast.expr:
        """How the compiler is asked for it."""
        return parsed_expression("cuda.jit")

    def spelling(self, op: Op) -> str:
        """The compiler's spelling of an operation."""
        if op.name == "empty":
            extents = shape_of(op.result.type)
            text = ", ".join(map(str, extents))
            shape = f"({text})" if len(extents) > 1 else text
            return f"cuda.local.array({shape}, np.{_dtype_name(op.result.type.dtype)})"
        if op.name == "matmul_into":
            return "device.dot_into({0}, {1}, {2})"
        if op.record.scalar is not None and not any(is_complex(v.type) for v in op.inputs):
            found = scalar_spelling(op)
            if found is not None:
                return found
        return super().spelling(op)

    def _chooses_of_three(self, op: Op) -> bool:
        """The compiler for the device has no `exact.where`."""
        return False

    def _write(self, op: Op) -> None:
        if op.attrs.get("atomic"):
            array, value, *index = (self.read(v) for v in op.inputs)
            self.flush(only_memory=True, keep=[array, value, *index])
            place = index[0] if len(index) == 1 else ast.Tuple(index, ast.Load())
            call = ast.Call(parsed_expression("cuda.atomic.add"), [array, place, value], [])
            self.add(ast.Expr(call), op)
        else:
            super()._write(op)

    def operation(self, op: Op) -> None:
        """Emit one operation."""
        if op.name == "meet":
            self.flush(only_memory=True)
            self.add(ast.Expr(parsed_expression("cuda.syncthreads()")), op)
        else:
            super().operation(op)


class ThreadEmitter(KernelEmitter):
    """Emits a function that one thread of a kernel calls."""

    def decorator(self) -> ast.expr:
        """How the compiler is asked for it."""
        return parsed_expression("cuda.jit(device=True)")


class HostEmitter(PythonEmitter):
    """Emits the function that starts the kernels."""

    def operation(self, op: Op) -> None:
        """Emit one operation."""
        if op.name == "launch":
            self._launch(op)
        else:
            super().operation(op)

    def _launch(self, op: Op) -> None:
        count = len(op.inputs) - op.attrs["extents"]
        inputs = [self.read(v) for v in op.inputs]
        self.flush(only_memory=True, keep=inputs)
        shape = ast.Call(
            parsed_expression(f"device.{_LAUNCH[op.attrs['grid']]}"), inputs[count:], []
        )
        kernel = assemble.name(self.procedures[op.attrs["procedure"]])
        started = ast.Subscript(kernel, shape, ast.Load())
        self.add(ast.Expr(ast.Call(started, inputs[:count], [])), op)

    def _write(self, op: Op) -> None:
        if op.name == "assign":
            inputs = [self.read(v) for v in op.inputs]
            self.flush(only_memory=True, keep=inputs)
            self.add(ast.Expr(assemble.fill("device.fill({0}, {1})", inputs, op)), op)
        else:
            super()._write(op)

    def spelling(self, op: Op) -> str:
        """The host's spelling of an operation."""
        inputs = [f"{{{k}}}" for k in range(len(op.inputs))]
        if op.name == "matmul_into":
            return "device.matmul_into({0}, {1}, {2})"
        if op.name == "parts":
            grid = op.attrs["grid"].split()
            word = "threads_of" if len(grid) > 1 else "blocks_of"
            return f"device.{word}(device.{_LAUNCH[grid[0]]}({', '.join(inputs)}))"
        if op.name in ("empty", "full"):
            extents = inputs[op.name == "full" :]
            shape = f"({', '.join(extents)}{',' * (len(extents) == 1)})"
            given = f", {inputs[0]}" if op.name == "full" else ""
            return f"device.{op.name}({shape}{given}, np.{_dtype_name(op.result.type.dtype)})"
        if op.record.view:
            return super().spelling(op).replace("{0}", "device.view({0})", 1)
        if op.name == "array_constant":
            return f"device.constant({super().spelling(op)})"
        return super().spelling(op)


def _dtype_name(dtype: str) -> str:
    return "bool_" if dtype == "bool" else dtype
