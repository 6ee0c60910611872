"""Arithmetic, comparison and selection, elementwise with broadcasting.

Enters: operands. Leaves: records of the operators of the language. Kinks: abs'(0) = 0; where two
operands of maximum or minimum tie, each gets half of the cotangent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Value, register
from adcompile.graph.types import Array, Scalar, Type, is_complex, is_continuous
from adcompile.ops.elementwise import Attrs, elementwise, match, of_kind
from adcompile.ops.memory import refuse_narrowing


def _quotient_partials(y: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """By one division, which also serves other quotients by the same number."""
    inverse = 1.0 / b
    return inverse, -y * inverse


elementwise(
    "add", np.add, "{0} + {1}", partials=lambda y, a, b: (1.0, 1.0), result="number", cheap=True,
    takes_complex=True,
)  # fmt: skip
elementwise(
    "sub", np.subtract, "{0} - {1}", partials=lambda y, a, b: (1.0, -1.0), result="number",
    cheap=True, takes_complex=True,
)  # fmt: skip
elementwise(
    "mul", np.multiply, "{0} * {1}", partials=lambda y, a, b: (b, a), result="number", cheap=True,
    takes_complex=True,
)  # fmt: skip
elementwise(
    "div", np.true_divide, "{0} / {1}", result="float", domain=(0.5, 2.0), takes_complex=True,
    partials=_quotient_partials,
)  # fmt: skip
elementwise(
    "neg", np.negative, "-{0}", partials=lambda y, x: (-1.0,), result="number", cheap=True,
    takes_complex=True,
)  # fmt: skip
elementwise(
    "square", np.square, "{0} * {0}", show="np.square({0})", partials=lambda y, x: (2.0 * x,),
    result="number", cheap=True, takes_complex=True,
)  # fmt: skip
elementwise(
    "reciprocal", np.reciprocal, "1 / {0}", show="np.reciprocal({0})", result="float",
    partials=lambda y, x: (-y * y,), domain=(0.5, 2.0), takes_complex=True,
)  # fmt: skip


def _power_partials(y: Value, x: Value, p: Value) -> tuple[Any, Any]:
    builder = current()
    exponent = p.constant
    if exponent is not None:
        if exponent == 0:
            return None, None
        if exponent == 1:
            return 1.0, None
        if exponent == 2:
            return 2.0 * x, None
        return exponent * x ** (exponent - 1), None
    # x ** p with a run-time p: the logarithm is wanted only where x is not 0
    slope = builder.op("where", builder.op("eq", p, 0), 0.0, p * x ** (p - 1))
    if not is_continuous(p.type):
        return slope, None
    zero = builder.op("eq", x, 0)
    safe = of_kind(builder.op("where", zero, 1.0, x), y)
    return slope, builder.op("where", zero, 0.0, y * builder.op("log", safe))


elementwise(
    "pow", np.power, "{0} ** {1}", partials=_power_partials, domain=(0.5, 2.0), result="number",
    takes_complex=True,
    notes="d/dp is 0 where the base is 0, not a number where it is negative",
)  # fmt: skip
elementwise("floordiv", np.floor_divide, "{0} // {1}", inactive=True, domain=(0.5, 2.0), cheap=True)
elementwise(
    "mod", np.mod, "{0} % {1}", domain=(0.5, 2.0), cheap=True,
    partials=lambda y, a, b: (1.0, -current().op("floordiv", a, b)),
)  # fmt: skip

for _name, _symbol, _ufunc in (
    ("lt", "<", np.less), ("le", "<=", np.less_equal), ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal), ("eq", "==", np.equal), ("ne", "!=", np.not_equal),
):  # fmt: skip
    elementwise(
        _name, _ufunc, f"{{0}} {_symbol} {{1}}", result="bool", inactive=True, cheap=True,
        takes_complex=_name in ("eq", "ne"),
        instead="they have no order: compare abs(z), z.real or z.imag",
    )  # fmt: skip


def _word(scalar: str, arrays: str) -> Callable[[Op], str]:
    """Python's word for truth values, NumPy's function for arrays of them."""
    return lambda op: scalar if isinstance(op.result.type, Scalar) else arrays


elementwise(
    "logical_and", np.logical_and, "{0} and {1}", result="bool", inactive=True, cheap=True,
    show=_word("{0} and {1}", "np.logical_and({0}, {1})"),
)  # fmt: skip
elementwise(
    "logical_or", np.logical_or, "{0} or {1}", result="bool", inactive=True, cheap=True,
    show=_word("{0} or {1}", "np.logical_or({0}, {1})"),
)  # fmt: skip
elementwise(
    "logical_not", np.logical_not, "not {0}", result="bool", inactive=True, cheap=True,
    show=_word("not {0}", "np.logical_not({0})"),
)  # fmt: skip
elementwise(
    "logical_xor", np.logical_xor, "{0} != {1}", result="bool", inactive=True, cheap=True,
    show=_word("{0} != {1}", "np.logical_xor({0}, {1})"),
)  # fmt: skip


def _abs_partials(y: Value, x: Value) -> tuple[Value]:
    op = current().op
    if not is_complex(x.type):
        return (op("sign", x),)
    return (op("conj", x) / op("where", op("eq", y, 0), 1.0, y),)


elementwise(
    "abs", np.absolute, "abs({0})", show="np.abs({0})", cheap=True, partials=_abs_partials,
    result="real", takes_complex=True, notes="abs'(0) = 0, also of complex numbers",
)  # fmt: skip
elementwise(
    "sign", np.sign, "np.sign({0})", show="np.sign({0})", inactive=True, cheap=True,
    notes="the derivative is 0 everywhere", instead="z / abs(z)",
)  # fmt: skip
elementwise("floor", np.floor, "np.floor({0})", inactive=True, result="float")
elementwise("ceil", np.ceil, "np.ceil({0})", inactive=True, result="float")
elementwise("rint", np.rint, "np.rint({0})", inactive=True, result="float")
elementwise("trunc", np.trunc, "np.trunc({0})", inactive=True, result="float")
elementwise("spacing", np.spacing, "np.spacing({0})", inactive=True, result="float")
elementwise(
    "fmod", np.fmod, "np.fmod({0}, {1})", domain=(0.5, 2.0), result="number",
    partials=lambda y, a, b: (1.0, -current().op("trunc", a / b)),
)  # fmt: skip
elementwise("signbit", np.signbit, "np.signbit({0})", result="bool", inactive=True)
elementwise("isinf", np.isinf, "np.isinf({0})", result="bool", inactive=True)
elementwise("isnan", np.isnan, "np.isnan({0})", result="bool", inactive=True, takes_complex=True)
elementwise(
    "isfinite", np.isfinite, "np.isfinite({0})", result="bool", inactive=True, takes_complex=True
)


def _where_show(op: Op) -> str:
    if isinstance(op.result.type, Scalar):
        return "{1} if {0} else {2}"
    return "np.where({0}, {1}, {2})"


def _where_jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    yes, no = (0.0 if t is None else t for t in tangents[1:])
    return [match(current().op("where", inputs[0], yes, no), outputs[0])]


def _where_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
    condition, yes, no = inputs
    (g,) = cotangents
    select = current().op
    return [
        None,
        match(select("where", condition, g, 0.0), yes) if is_continuous(yes.type) else None,
        match(select("where", condition, 0.0, g), no) if is_continuous(no.type) else None,
    ]


elementwise(
    "where", np.where, "{1} if {0} else {2}", show=_where_show, jvp=_where_jvp, vjp=_where_vjp,
    cheap=True, takes_complex=True,
)  # fmt: skip


# -- products with masked factors ----------------------------------------------------------------


def _scale_show(op: Op) -> str:
    if isinstance(op.result.type, Scalar):
        return "{0} * {1} if {0} != 0 else {0}"
    return "np.where({0} != 0, {0} * {1}, 0.0)"


def _scale_jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    """Both terms of the product rule are zero where their factor of the masked side is."""
    (value, partial), (value_dot, partial_dot) = inputs, tangents
    scale = current().op
    terms = []
    if value_dot is not None:
        terms.append(scale("scale", value_dot, partial))
    if partial_dot is not None:
        terms.append(scale("scale", value, partial_dot))
    return [match(terms[0] if len(terms) == 1 else terms[0] + terms[1], outputs[0])]


def _scale_vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
    (value, partial), (g,) = inputs, cotangents
    scale = current().op
    return [
        match(scale("scale", g, partial), value),
        match(scale("scale", value, g), partial),
    ]


def _scale_evaluate(value: Any, partial: Any) -> Any:
    return np.where(np.equal(value, 0.0), np.multiply(value, 0.0), np.multiply(value, partial))


elementwise(
    "scale", _scale_evaluate, "{0} * {1} if {0} != 0 else {0}", jvp=_scale_jvp, vjp=_scale_vjp,
    show=_scale_show, takes_complex=True, notes="a product that is 0 where the first factor is",
)  # fmt: skip


def _extremum_show(op: Op) -> str:
    if isinstance(op.result.type, Scalar) and not is_continuous(op.result.type):
        return f"{op.name[:3]}({{0}}, {{1}})"
    return f"np.{op.name}({{0}}, {{1}})"


def _extremum(name: str, ufunc: Any, first_wins: str) -> None:
    def share(x: Value, other: Value, cotangent: Value) -> Value:
        op = current().op
        tie = op("where", op("eq", x, other), 0.5 * cotangent, 0.0)
        return op("where", op(first_wins, x, other), cotangent, tie)

    def jvp(tangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Value]:
        a, b = inputs
        terms = [
            share(x, other, t)
            for x, other, t in ((a, b, tangents[0]), (b, a, tangents[1]))
            if t is not None
        ]
        return [match(terms[0] if len(terms) == 1 else terms[0] + terms[1], outputs[0])]

    def vjp(cotangents: Any, outputs: Any, inputs: list[Value], attrs: Attrs) -> list[Any]:
        a, b = inputs
        (g,) = cotangents
        return [
            match(share(a, b, g), a) if is_continuous(a.type) else None,
            match(share(b, a, g), b) if is_continuous(b.type) else None,
        ]

    symbol = ">" if name == "maximum" else "<"
    elementwise(
        name, ufunc, f"{{0}} if {{0}} {symbol} {{1}} or {{0}} != {{0}} else {{1}}",
        show=_extremum_show, jvp=jvp, vjp=vjp, cheap=True,
        notes="a tie gives each operand half",
    )  # fmt: skip


_extremum("maximum", np.maximum, "gt")
_extremum("minimum", np.minimum, "lt")


def _cast_infer(builder: Builder, types: list[Type], attrs: Attrs) -> list[Type]:
    (type_,) = types
    refuse_narrowing(type_, attrs["dtype"])
    if isinstance(type_, Array):
        return [Array(attrs["dtype"], type_.shape)]
    return [Scalar(attrs["dtype"], attrs.get("weak", False))]


_PYTHON_CASTS = {
    "float64": "float({0})",
    "int64": "int({0})",
    "bool": "bool({0})",
    "complex128": "complex({0})",
}


def _cast_show(op: Op) -> str:
    dtype = op.attrs["dtype"]
    if isinstance(op.result.type, Array):
        return f"{{0}}.astype(np.{'bool_' if dtype == 'bool' else dtype})"
    assert isinstance(op.result.type, Scalar)
    if op.result.type.weak or dtype == "bool":
        return _PYTHON_CASTS[dtype]
    return f"np.{dtype}({{0}})"


def _cast_evaluate(x: Any, dtype: str, weak: bool = False) -> Any:
    return np.asarray(x).astype(dtype)[()]


register(
    Record(
        "cast",
        _cast_infer,
        _cast_evaluate,
        show=_cast_show,
        scalar="np.{dtype}({0})",
        jvp=lambda ts, outs, ins, attrs: [
            match(ts[0], outs[0]) if is_continuous(outs[0].type) else None
        ],
        vjp=lambda cts, outs, ins, attrs: [
            match(cts[0], ins[0]) if is_continuous(ins[0].type) else None
        ],
        reads=False,
        cheap=True,
        takes_complex=True,
    )
)
