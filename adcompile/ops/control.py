"""Structured control flow, constants, extents, checks, and markers without arithmetic.

Enters: what the builder appends for `if`, `for` and `while`. Leaves: records whose regions the
stages treat themselves; markers differentiate as the identity or as zero.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from adcompile.errors import ShapeError
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Record, register
from adcompile.graph.types import Array, Scalar, Symbol, Type

Attrs = dict[str, Any]


def _structured(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    raise AssertionError("control flow is built by Builder.structured")


for _name in ("if", "for", "while"):
    register(Record(_name, _structured))


def _constant_evaluate(value: Any, type: Scalar) -> Any:
    return value if type.weak else np.dtype(type.dtype).type(value)


def _constant_show(op: Op) -> str:
    type_, text = op.attrs["type"], literal(op.attrs["value"])
    if type_.weak or type_.dtype in ("float64", "int64", "bool", "complex128"):
        return text
    return f"np.{type_.dtype}({text})"


def literal(value: Any) -> str:
    """A number, or nested lists of them, as an expression that gives exactly that."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, complex):
        # a text that gives the signs of zeros, too: -1j has the real part -0.0, and 1 - 0j has none
        if value.real == 0 and value.imag < 0 and np.signbit(value.real):
            return f"-{literal(-value)}"
        plain = (value.real and value.imag) or "-" not in repr(value)
        if plain and np.isfinite(value):
            return repr(value)
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if value == -np.inf:
        return "-np.inf"
    return f"np.{value!r}" if value != value or value == np.inf else repr(value)


register(
    Record(
        "constant",
        lambda builder, types, attrs: [attrs["type"]],
        _constant_evaluate,
        show=_constant_show,
        reads=False,
        cheap=True,
        inactive=True,
    )
)


def _array_show(op: Op) -> str:
    data = op.attrs["data"]
    if data.size == 0:
        return f"np.zeros({data.shape}, np.{data.dtype.name})"
    return f"np.array({literal(data.tolist())}, np.{data.dtype.name})"


register(
    Record(
        "array_constant",
        lambda builder, types, attrs: [Array(attrs["data"].dtype.name, attrs["data"].shape)],
        lambda data: data,
        show=_array_show,
        reads=False,
        inactive=True,
    )
)
register(
    Record(
        "dim",
        lambda builder, types, attrs: [Scalar("int64", weak=True)],
        lambda x, axis: x.shape[axis],
        show=lambda op: f"{{0}}.shape[{op.attrs['axis']}]",
        takes_complex=True,
        reads=False,
        cheap=True,
        inactive=True,
    )
)


def _check(first: int, second: int, message: str, dims: Any) -> tuple[()]:
    if first != second:
        raise ShapeError(message)
    return ()


register(
    Record(
        "check_equal",
        lambda builder, types, attrs: [],
        _check,
        show="{0} != {1}",
        reads=False,
        keeps=True,
        inactive=True,
    )
)


def _same(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    return [types[0]]


def _fresh(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    (type_,) = types
    return [Array(type_.dtype, type_.shape)] if isinstance(type_, Array) else [type_]


def _stop_show(op: Op) -> str:
    return "{0}.copy()" if isinstance(op.result.type, Array) else "{0}"


register(
    Record(
        "identity",
        _same,
        lambda x: x,
        show="{0}",
        jvp=lambda ts, outs, ins, attrs: [ts[0]],
        vjp=lambda cts, outs, ins, attrs: [cts[0]],
        view=True,
        reads=False,
        cheap=True,
        takes_complex=True,
        notes="marks a value that is differentiated by name",
    )
)
register(
    Record(
        "stop_gradient", _fresh, lambda x: np.array(x)[()], show=_stop_show, inactive=True,
        element=lambda read, index, op: read(0, index), takes_complex=True,
        notes="the value is kept, the derivative is zero",
    )
)  # fmt: skip


def _undefined(type: Type) -> Any:
    """Nothing; of an array, one without elements, for its extents may be asked for."""
    return np.empty((0,) * type.ndim, type.dtype) if isinstance(type, Array) else None


register(
    Record(
        "undefined",
        lambda builder, types, attrs: [attrs["type"]],
        _undefined,
        reads=False,
        inactive=True,
        notes="the other side of a branch that saves a value for the reverse sweep",
    )
)


def _require(condition: bool, message: str, error: str) -> tuple[()]:
    if not condition:
        raise getattr(builtins, error)(message)
    return ()


register(
    Record(
        "require",
        lambda builder, types, attrs: [],
        _require,
        show="{0}",
        reads=False,
        keeps=True,
        inactive=True,
        notes="an error that the user raises, or a variable read on a path that did not assign it",
    )
)


for _name, _oracle, _notes in (
    ("threads", 3, "how many threads may run at once; the oracle acts as if there were three"),
    ("stack_place", 0, "an address; Python looks after its own stack, and there it is always 0"),
):
    register(
        Record(
            _name, lambda builder, types, attrs: [Scalar("int64", weak=True)],
            lambda _oracle=_oracle: _oracle, show=f"machine.{_name}()", reads=False, inactive=True,
            notes=_notes,
        )
    )  # fmt: skip


def _call_evaluate(*inputs: Any, graph: Any, rule: Any) -> Any:
    from adcompile.graph.interpret import interpret_flat

    results = tuple(interpret_flat(graph, inputs))
    return results if len(results) != 1 else results[0]


register(
    Record(
        "call",
        lambda builder, types, attrs: [v.type for v in attrs["graph"].outputs],
        _call_evaluate,
        takes_complex=True,
        notes="a graph with a derivative of its own; replaced by its operations afterwards",
    )
)


def _invoke_infer(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    fresh: dict[Symbol, Symbol] = {}
    found: list[Type] = []
    for type_ in attrs["procedure"].results:
        if isinstance(type_, Array):
            shape = (
                fresh.setdefault(d, Symbol(d.name)) if isinstance(d, Symbol) else d
                for d in type_.shape
            )
            type_ = Array(type_.dtype, tuple(shape))
        found.append(type_)
    return found


def _invoke(*inputs: Any, procedure: Any) -> Any:
    from adcompile.graph.interpret import interpret_flat

    results = tuple(interpret_flat(procedure.graph, inputs))
    return results if len(results) != 1 else results[0]


register(
    Record(
        "invoke", _invoke_infer, _invoke, takes_complex=True,
        notes="a call of a function that may call itself; what it writes is known to it",
    )
)  # fmt: skip
register(
    Record(
        "scope", _structured,
        notes="one run of such a function, while its forward and reverse sweeps are taken apart",
    )
)  # fmt: skip
register(
    Record(
        "clobber", lambda builder, types, attrs: [], writes=True, keeps=True, inactive=True,
        notes="a write by a caller, after the function has returned and before its reverse sweep",
    )
)  # fmt: skip
