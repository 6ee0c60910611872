"""How an elementwise operation is recorded: type rule, both derivatives from its partials.

Enters: NumPy spelling, partial derivatives, scalar spelling. Leaves: a record whose inputs
broadcast against each other and whose forward and reverse rules follow from the partials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Op, Record, Region, Value, register
from adcompile.graph.types import (
    Array,
    Scalar,
    Type,
    is_complex,
    is_continuous,
    promote,
    real_dtype,
    shape_of,
)
from adcompile.ops.ones import fit_together

Attrs = dict[str, Any]


def elementwise(
    name: str,
    numpy: Any,
    scalar: str,
    *,
    show: Any = None,
    partials: Callable[..., Any] | None = None,
    result: str = "promote",
    **more: Any,
) -> Record:
    """Record an elementwise operation.

    result     "promote", "number" (no booleans), "integer" (only integers), "float" (integers
               become float64), "first" (the float dtype of the first operand), "bool", "real" (of
               complex numbers their real part's dtype), or "complex"
    partials   (output, *inputs) -> partial derivative per input; None where it is zero

    A partial p says dy = p dx, and where y is real and x is not, dy = Re(p dx).
    """

    def infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
        dtype, weak = result_dtype(types, attrs, result, name)
        shape = builder.broadcast([shape_of(t) for t in types], name)
        return [Array(dtype, shape)] if shape else [Scalar(dtype, weak)]

    def evaluate(*inputs: Any, **attrs: Any) -> Any:
        with np.errstate(all="ignore"):
            return numpy(*inputs)

    if partials is not None:
        more.setdefault("jvp", _jvp_from(partials))
        more.setdefault("vjp", _vjp_from(partials))
    return register(
        Record(
            name,
            infer,
            evaluate,
            show=show or scalar,
            fit=lambda builder, values, attrs: fit_together(builder, values, name),
            scalar=scalar,
            partials=partials,
            reads=False,
            numpy=(numpy,),
            **more,
        )
    )


def result_dtype(types: Sequence[Type], attrs: Attrs, result: str, name: str) -> tuple[str, bool]:
    """Dtype and weakness of an elementwise result."""
    operands = types[1:] if name == "where" else types[:1] if result == "first" else types
    dtype, weak = promote(operands)
    weak = weak and not attrs.get("strong", False)
    kind = np.dtype(dtype).kind
    if result in ("float", "first") and kind not in "fc":
        if np.dtype(dtype).itemsize < 4 and not weak:
            raise TypeMismatch(
                f"`{name}` of {dtype} gives half precision", hint="convert it: x.astype(np.float32)"
            )
        dtype = "float64"
    elif result == "bool":
        dtype = "bool"
    elif result == "integer" and kind not in "iu":
        raise TypeMismatch(f"`{name}` needs integers, not {dtype}")
    elif result == "number" and kind == "b":
        if name != "add":
            raise TypeMismatch(
                f"`{name}` is not defined for booleans", hint="make them numbers: int(b), 1.0 * b"
            )
        dtype = "int64" if weak else dtype
    elif result == "real":
        dtype = real_dtype(dtype)
    elif result == "complex" and kind != "c":
        dtype = "complex64" if dtype == "float32" else "complex128"
    return dtype, weak


def times(value: Value, partial: Any) -> Value:
    """`value * partial`, without the product where the partial is 1 or -1."""
    if not isinstance(partial, Value) and partial in (1.0, -1.0):
        return value if partial == 1.0 else -value
    return value * partial


def scaled(value: Value, partial: Any) -> Value:
    """`value * partial`, such that a masked-out tangent or cotangent is not multiplied by infinity.

    A value that a mask has cut is multiplied inside the mask; where the mask is out of sight, zero
    times anything is zero.
    """
    if not isinstance(partial, Value):
        return times(value, partial)
    for factor, other in ((value, partial), (partial, value)):
        product = _cut(factor, other) if _may_blow_up(other) else None
        if product is not None:
            return product
    return value * partial


def _cut(factor: Value, other: Value) -> Value | None:
    """The product with a factor that a mask has cut, None if none did."""
    op = factor.op
    if op is not None and op.name == "where" and _as_then(op):
        condition, yes, no = op.inputs
        if no.constant == 0:
            return current().op("where", condition, scaled(yes, other), no)
        if yes.constant == 0:
            return current().op("where", condition, yes, scaled(no, other))
    return current().op("scale", factor, other) if _masked(factor) else None


def _as_then(op: Op) -> bool:
    """Whether no array that an operation has read can have been written since."""
    read = {_root(v) for v in op.inputs if isinstance(v.type, Array)}
    if not read:
        return True
    region = current().region
    if op not in region.ops:
        return False
    since = Region(ops=region.ops[region.ops.index(op) + 1 :])
    written = {_root(v) for later in since.walk() for v in later.written}
    return not written or (not written & read and all(map(_has_own_memory, written | read)))


def _has_own_memory(array: Value) -> bool:
    """Whether an array is no other under a new name: not handed on by control flow."""
    if array.op is None:
        graph = current().graph
        return array in graph.params and not any(array in group for group in graph.overlapping)
    return not array.op.regions


_CUTS_THROUGH = frozenset([
    "add", "sub", "mul", "div", "neg", "cast", "slice", "gather", "broadcast_to", "transpose",
    "reshape", "copy",
])  # fmt: skip


def _masked(value: Value, depth: int = 12, buffers: bool = True) -> bool:
    """Whether a mask, a branch, or a buffer that is filled in part made some of this zero."""
    op = value.op
    if op is None or depth == 0:
        return False
    if op.name == "full":
        return buffers and bool(op.inputs[0].constant == 0)
    if op.name in ("where", "if"):
        place = op.outputs.index(value)
        sides = [r.yields[place] for r in op.regions] or op.inputs[1:]
        return any(side.constant == 0 or _masked(side, depth - 1, buffers) for side in sides)
    if op.name == "load":
        return buffers and _collects_masked(_root(op.inputs[0]))
    if op.name in ("sum", "mean"):
        return _masked(op.inputs[0], depth - 1, False)
    if op.name in ("add", "sub"):  # both terms have to be zero, and one by a mask
        cut = [_masked(v, depth - 1, buffers) for v in op.inputs]
        rest = [v for v, masked in zip(op.inputs, cut, strict=True) if not masked]
        return any(cut) and all(map(_adds_nothing, rest))
    counted = op.inputs[:2] if op.name == "mul" else op.inputs[:1]
    through = op.name in _CUTS_THROUGH and any(_masked(v, depth - 1, buffers) for v in counted)
    return through or op.name == "scale"


def _adds_nothing(value: Value) -> bool:
    """Whether a term is zero, or may have begun as zero: in a buffer, or carried by a loop."""
    op = value.op
    if op is not None and op.name != "load":
        return bool(value.constant == 0)
    return (value if op is None else _root(op.inputs[0])) not in current().graph.params


def _root(array: Value) -> Value:
    """The array that a chain of views leads to."""
    while array.op is not None and array.op.record.view:
        array = array.op.inputs[0]
    return array


def _collects_masked(buffer: Value) -> bool:
    """Whether some of what is added to a buffer of zeros comes through a mask or a branch."""
    if buffer.op is None or buffer.op.name != "full":
        return False

    def adds(region: Region, chosen: bool) -> bool:
        for op in region.ops:
            if op.name in _ADDS and _root(op.inputs[0]) is buffer:
                if chosen or _masked(op.inputs[1], 6, False):
                    return True
            if any(adds(inner, chosen or op.name == "if") for inner in op.regions):
                return True
        return False

    builder = current()
    return adds(builder.graph.body, False) or adds(builder.region, False)


_ADDS = ("accumulate", "accumulate_at", "scatter_add")
_FINITE = frozenset([
    "add", "sub", "mul", "neg", "square", "abs", "sign", "maximum", "minimum", "where", "scale",
    "sin", "cos", "tanh", "arctan", "arctan2", "erf", "erfc", "expit", "ndtr", "softmax",
    "lt", "le", "gt", "ge", "eq", "ne", "logical_and", "logical_or", "logical_not", "isnan",
    "isfinite", "floor", "ceil", "sum", "mean", "cumsum", "matmul", "outer", "dim", "cast",
    "constant", "array_constant", "iota", "eye", "nonzero", "identity", "stop_gradient", "copy",
    "slice", "load", "gather", "transpose", "reshape", "broadcast_to", "concatenate", "tril",
    "triu", "full", "real", "imag", "conj", "complex", "abs_squared",
])  # fmt: skip


def _may_blow_up(value: Value, depth: int = 12) -> bool:
    """Whether finite arguments of the function can make this value infinite or NaN."""
    op = value.op
    if op is None:
        return False
    if depth == 0:
        return True
    if op.name == "if":
        return any(_may_blow_up(r.yields[op.outputs.index(value)], depth - 1) for r in op.regions)
    if op.name in ("div", "pow") and op.inputs[1].constant is not None:
        number = op.inputs[1].constant
        tame = number != 0 if op.name == "div" else isinstance(number, (int, float)) and number > 0
        return not tame or _may_blow_up(op.inputs[0], depth - 1)
    if op.name not in _FINITE or (op.name == "full" and _written(value)):
        return True
    return any(_may_blow_up(v, depth - 1) for v in op.inputs)


def _written(array: Value) -> bool:
    """Whether an array of zeros was made to be written: what, is not known here."""
    return array.op is not None and array.op.inputs[0].constant == 0


def _jvp_from(partials: Callable[..., Any]) -> Callable[..., Any]:
    def jvp(
        tangents: Sequence[Value | None], outputs: list[Value], inputs: list[Value], attrs: Attrs
    ) -> list[Value | None]:
        total = None
        for tangent, partial in zip(tangents, partials(*outputs, *inputs), strict=True):
            if tangent is not None and partial is not None:
                term = scaled(tangent, partial)
                total = term if total is None else total + term
        return [None if total is None else match(total, outputs[0])]

    return jvp


def _vjp_from(partials: Callable[..., Any]) -> Callable[..., Any]:
    def vjp(
        cotangents: Sequence[Value | None], outputs: list[Value], inputs: list[Value], attrs: Attrs
    ) -> list[Value | None]:
        (cotangent,) = cotangents
        assert cotangent is not None
        wanted = [is_continuous(v.type) for v in inputs]
        return [
            match(scaled(cotangent, partial), v) if want and partial is not None else None
            for v, partial, want in zip(inputs, partials(*outputs, *inputs), wanted, strict=True)
        ]

    return vjp


def of_kind(value: Value, like: Value) -> Value:
    """`value` as a real or complex number as `like` is: its real part, or with a zero part.

    The cotangent of a real value in a complex operation is the real part of what comes back.
    """
    if is_complex(value.type) == is_complex(like.type):
        return value
    if is_complex(value.type):
        real: Value = current().op("real", value)
        return real
    if value.constant is not None and isinstance(like.type, Scalar):
        return current().constant(value.constant, like.type)
    widened: Value = current().op("cast", value, dtype=like.type.dtype)
    return widened


def match(value: Value, like: Value) -> Value:
    """`value` summed over the axes along which `like` was broadcast, in the dtype of `like`.

    The reverse of broadcasting; also widens a value that has fewer axes than `like`. A real `like`
    takes the real part.
    """
    builder = current()
    value = of_kind(value, like)
    if isinstance(value.type, Scalar) and value.type.dtype != like.type.dtype:
        value = builder.op("cast", value, dtype=like.type.dtype)
    have, want = shape_of(value.type), tuple(map(builder.resolve, shape_of(like.type)))
    extra = len(have) - len(want)
    if extra > 0:
        value = builder.op("sum", value, axes=tuple(range(extra)), keepdims=False)
        have = shape_of(value.type)
    if extra < 0 or (extra >= 0 and len(have) == len(want)):
        ones = tuple(
            axis
            for axis in range(len(have))
            if extra >= 0 and want[axis] == 1 and builder.resolve(have[axis]) != 1
        )
        if ones:
            value = builder.op("sum", value, axes=ones, keepdims=True)
    if tuple(map(builder.resolve, shape_of(value.type))) != want:
        shape = builder.shape(like)
        value = builder.op("broadcast_to", value, *shape, values=shape_of(like.type))
    if value.type.dtype != like.type.dtype:
        value = builder.op("cast", value, dtype=like.type.dtype)
    return value
