"""Scalar arithmetic with exact types.

Enters: an elementwise operation and scalar operands. Leaves: the scalar operation on operands
converted to the one dtype NumPy would compute in, so that no later stage promotes differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Scalar, is_complex, promote, real_dtype

_OF_PARTS = frozenset({"abs", "abs_squared", "real", "imag", "angle"})
_MIXED = frozenset({"add", "sub", "mul", "div"})  # with a real operand, which stays real
_LOGICAL = frozenset({"logical_and", "logical_or", "logical_not", "logical_xor"})


def scalar_operation(builder: Builder, op: Op, operands: Sequence[Value]) -> Value:
    """`op` applied to scalars, in the dtype of its result."""
    dtype = op.result.type.dtype
    name = op.name
    if name == "cast":
        return converted(builder, operands[0], dtype)
    if name in _OF_PARTS:
        common, _ = promote([v.type for v in op.inputs])
        if name == "abs":
            common = dtype if not is_complex(op.inputs[0].type) else common
        values = [converted(builder, v, common) for v in operands]
    elif name == "complex":
        values = [converted(builder, v, real_dtype(dtype)) for v in operands]
    elif name in _LOGICAL:
        values = [converted(builder, v, "bool") for v in operands]
    elif name == "where":
        values = [converted(builder, operands[0], "bool")]
        values += [converted(builder, v, dtype) for v in operands[1:]]
    elif name == "pow":
        return _power(builder, operands, dtype)
    elif dtype == "bool":  # a question about numbers
        common, _ = promote([v.type for v in op.inputs])
        values = [converted(builder, v, common) for v in operands]
    elif name in _MIXED and is_complex(op.result.type):
        real = real_dtype(dtype)
        values = [converted(builder, v, dtype if is_complex(v.type) else real) for v in operands]
    else:
        values = [converted(builder, v, dtype) for v in operands]
    result: Value = builder.op(name, *values)
    return result


def converted(builder: Builder, value: Value, dtype: str) -> Value:
    """`value` in another dtype; constants are converted at once."""
    if value.type.dtype == dtype:
        return value
    if dtype == "bool" and is_complex(value.type):
        truth: Value = builder.op("ne", value, 0)
        return truth
    if value.constant is not None:
        return builder.constant(value.constant, Scalar(dtype))
    result: Value = builder.op("cast", value, dtype=dtype)
    return result


def _power(builder: Builder, operands: Sequence[Value], dtype: str) -> Value:
    base, exponent = converted(builder, operands[0], dtype), operands[1]
    number: Any = exponent.constant
    if number is not None and np.dtype(dtype).kind in "fc":
        if number in (2, 3, 4):
            square = base * base
            return square if number == 2 else square * base if number == 3 else square * square
        if number == 0.5:
            root: Value = builder.op("sqrt", base)
            return root
        if number == -1:
            return converted(builder, builder.constant(1), dtype) / base
    result: Value = builder.op("pow", base, converted(builder, exponent, dtype))
    return result
