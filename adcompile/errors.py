"""Every error adcompile raises on purpose.

Enters: a message, the place in the user's source and a hint. Leaves: an exception whose text names
file and line, shows the source line with a caret under the guilty expression, and says what to
write instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Location:
    """A place in the user's source: one expression inside one statement.

    `line` counts from 1 in `file`; `column` and `end_column` count from 0 in `text`, the whole
    source line; `statement` is the first line of the statement, stripped, as shown in comments.
    """

    file: str
    line: int
    column: int
    end_column: int
    text: str
    statement: str
    statement_line: int
    role: str = ""  # what is computed there: the value itself, or "adjoint", "tangent", ...

    def computing(self, role: str) -> Location:
        """The same place, where the adjoint or tangent of what stands there is computed."""
        return replace(self, role=f"{role} of the {self.role}" if self.role else role)

    def excerpt(self) -> str:
        """The source line with carets under the expression."""
        number = f"{self.line:>5} | "
        width = max(1, self.end_column - self.column)
        return f"{number}{self.text}\n{' ' * (len(number) + self.column)}{'^' * width}"


class AdcompileError(Exception):
    """Base of all errors: `message`, optional `location` and `hint`."""

    def __init__(self, message: str, location: Location | None = None, hint: str = "") -> None:
        self.message = message
        self.location = location
        self.hint = hint
        super().__init__(self.render())

    def render(self) -> str:
        """The text a user sees."""
        text = self.message
        if self.location is not None:
            where = f"{self.location.file}:{self.location.line}"
            text = f"{where}: {text}\n{self.location.excerpt()}"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text

    def at(self, location: Location | None) -> AdcompileError:
        """This error with `location` filled in where it had none."""
        if self.location is None and location is not None:
            self.location = location
            self.args = (self.render(),)
        return self


class UnsupportedSyntax(AdcompileError):
    """The function uses Python that is not in the compiled language."""


class UnsupportedOperation(AdcompileError):
    """A call, attribute or operator that has no record, or not for these types."""


class TypeMismatch(AdcompileError, TypeError):
    """Argument or operand types that do not fit together."""


class NotDifferentiable(AdcompileError, TypeError):
    """A gradient was asked for where none is defined."""


class ShapeError(AdcompileError, ValueError):
    """Array shapes that do not fit together."""


class DeviceError(AdcompileError, RuntimeError):
    """The GPU, its driver or its compiler: missing, too old, out of memory, or a failed launch."""


class SparsityError(AdcompileError, ValueError):
    """A sparsity pattern that cannot be detected, or that misses entries of the derivative."""


class SourceNotFound(AdcompileError):
    """The Python source of a function cannot be read."""


class NonFinite(AdcompileError, ArithmeticError):
    """A NaN or an infinity that reaches a result; raised by `adcompile.debug`.

    operation  the operation that gives it first, or "argument" or "constant"
    role       "" where it arises in the function itself, "adjoint" or "tangent" in its derivative
    index      the first element of the operation's result that is not finite
    operands   what the operation takes to compute that element, or whole where that is not known
    rounds     the loops around it, each with its counter: (("i", 3), ("k", 0))
    value      the NaN or infinity
    """

    operation: str
    role: str
    index: tuple[int, ...]
    operands: tuple[object, ...]
    rounds: tuple[tuple[str, int], ...]
    value: complex


class InternalError(AdcompileError):
    """A graph breaks its own rules: a defect of adcompile, never of the user's function."""
