"""What compiled code asks of the machine it runs on."""

from __future__ import annotations

from typing import Any

from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic
from numba.extending import lower_builtin as _lower
from numba.extending import type_callable as _typing


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


def stack_place() -> int:
    """The address of the frame of the function that asks; stacks grow towards smaller ones.

    In Python, which looks after its own stack, 0.
    """
    return 0


@_typing(stack_place)  # type: ignore[untyped-decorator]
def _typed(context: Any) -> Any:
    return lambda: _types.int64


@_lower(stack_place)  # type: ignore[untyped-decorator]
def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    pointer, number = _ir.IntType(8).as_pointer(), _ir.IntType(32)
    frame = builder.module.declare_intrinsic(
        "llvm.frameaddress", [pointer], _ir.FunctionType(pointer, [number])
    )
    return builder.ptrtoint(builder.call(frame, [number(0)]), _ir.IntType(64))
