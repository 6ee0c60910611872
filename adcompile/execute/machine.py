"""What compiled code asks of the machine it runs on."""

from __future__ import annotations

from typing import Any

from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic


# Numba's decorators have no types of their own, hence the comments beside them
@_intrinsic  # type: ignore[untyped-decorator]
def threads(typing_context: Any) -> Any:
    """How many threads a `prange` of the same function may use: `numba.get_num_threads()`.

    That function itself holds an address, with which machine code cannot be kept on disk; the
    symbol is there wherever there is a `prange`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        type_ = _ir.FunctionType(_ir.IntType(64), [])
        function = _cgutils.get_or_insert_function(builder.module, type_, "get_num_threads")
        return builder.call(function, [])

    return _types.int64(), generate
