"""How kernels spell operations on numbers for which the compiler for the device knows no NumPy.

Enters: an operation on real numbers. Leaves: a template with constants of the operation's type,
because a plain one would drag float32 into float64; None where the CPU's spelling does.
"""

from __future__ import annotations

import math

from adcompile.emit.assemble import typed
from adcompile.graph.ir import Op

_WHOLE = {"float32": 2.0**23, "float64": 2.0**52}  # from here on every number is a whole one


def scalar_spelling(op: Op) -> str | None:
    """The template for the result's type."""
    dtype = op.inputs[0].type.dtype
    if op.name in ("maximum", "minimum"):  # NaN if either is, as for NumPy
        floats = op.result.type.dtype.startswith("float")
        return f"{f'device.{op.name}' if floats else op.name[:3]}({{0}}, {{1}})"
    spell = _FLOATS.get(op.name) if dtype.startswith("float") else _INTEGERS.get(op.name)
    if spell is None:
        return None

    def number(value: float) -> str:
        return typed(value, dtype)

    return spell.format(
        "{0}", "{1}", type=f"np.{dtype}", zero=number(0.0), one=number(1.0), two=number(2.0),
        whole=number(_WHOLE.get(dtype, 0.0)), third=number(1 / 3),
        ln2=number(math.log(2)), per_ln2=number(1 / math.log(2)),
    )  # fmt: skip


# to a whole number by way of an integer; the sign of zero stays
_ROUNDED = "{0} if not abs({0}) < {whole} else math.copysign({type}(%s({0})), {0})"
_FLOATS = {
    "sign": "{0} if {0} != {0} else {type}(int({0} > {zero}) - int({0} < {zero}))",
    "floor": _ROUNDED % "math.floor",
    "ceil": _ROUNDED % "math.ceil",
    "trunc": _ROUNDED % "int",
    # a sum in which the last place counts ones is rounded as it should be: to even
    "rint": "{0} if not abs({0}) < {whole} else math.copysign(abs({0}) + {whole} - {whole}, {0})",
    "fmod": "math.fmod({0}, {1})",
    "signbit": "math.copysign({one}, {0}) < {zero}",
    "isinf": "math.isinf({0})",
    "isnan": "{0} != {0}",
    "isfinite": "math.isfinite({0})",
    "exp2": "math.pow({two}, {0})",
    "cbrt": "device.cbrt({0}, {third})",
    "logaddexp2": "np.logaddexp({0} * {ln2}, {1} * {ln2}) * {per_ln2}",
}
_INTEGERS = {
    "sign": "{type}(int({0} > 0) - int({0} < 0))",
    "floor": "{0}",
    "ceil": "{0}",
    "trunc": "{0}",
    "rint": "{0}",
    "fmod": "device.remainder({0}, {1})",
    "signbit": "{0} < 0",
    "isinf": "{0} != {0}",
    "isnan": "{0} != {0}",
    "isfinite": "{0} == {0}",
    "gcd": "device.gcd({0}, {1})",
    "lcm": "device.lcm({0}, {1})",
}
