"""Operations that a loop can vectorise, with the meaning that NumPy gives them.

`maximum` and `minimum` of floats give NaN where either operand is NaN. Spelled as a comparison,
LLVM would fold an array by them one element after the other.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as _llvm
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic

_HAS_INSTRUCTION = _llvm.llvm_version_info[0] >= 17  # earlier ones do not compile it for x86


def _extremum(name: str, first_wins: str) -> Any:
    def extremum(typing_context: Any, a: Any, b: Any) -> Any:
        if not isinstance(a, _types.Float) or not isinstance(b, _types.Float):
            return None
        result = a if a.bitwidth > b.bitwidth else b

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            x, y = values
            if not _HAS_INSTRUCTION:
                wins = builder.fcmp_ordered(first_wins, x, y)
                return builder.select(builder.or_(wins, builder.fcmp_unordered("uno", x, x)), x, y)
            size = "f32" if result == _types.float32 else "f64"
            type_ = _ir.FunctionType(x.type, [x.type, x.type])
            made = _cgutils.get_or_insert_function(builder.module, type_, f"llvm.{name}.{size}")
            return builder.call(made, values)

        return result(result, result), generate

    return _intrinsic(extremum)


maximum = _extremum("maximum", ">")
minimum = _extremum("minimum", "<")
