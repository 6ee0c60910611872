"""The vector registers of the machine that code is compiled for, and the stack beside them.

Vectors that do not fit into registers wait on the stack. LLVM takes it to be aligned to 16 bytes:
wider ones would lie across two lines of the cache in some processes and not in others, and a loop
would take up to twice as long.
"""

from __future__ import annotations

from typing import Any

# name of the instruction set in the symbols of `libmvec`, bytes of its vectors, what the processor
# must have; the first every x86-64 has
WIDTHS = (("b", 16, ""), ("d", 32, "+avx2"), ("e", 64, "+avx512f"))


def features(context: Any) -> str:
    """What the processor has, as LLVM names it."""
    return str(context.codegen().magic_tuple()[-1])


def align_stack(context: Any, builder: Any) -> None:
    """Have the stack of the function that is built begin at a multiple of the widest vector."""
    known = features(context)
    widest = max(width for _, width, needed in WIDTHS if needed in known)
    # llvmlite's own `add` knows no such attribute
    set.add(builder.function.attributes, f"alignstack({widest})")
