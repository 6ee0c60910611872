"""Types of the values in a graph.

Enters: runtime values, or type texts such as `"f8[:, ::1]"`. Leaves: `Scalar` and `Array` types
with NumPy 2 promotion (NEP 50: Python scalars are weak), in trees as the values came.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Number
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.trees import (
    Leaf,
    Static,
    is_container,
    is_static,
    leaves,
    mapped,
    parts,
    rebuild,
)

__all__ = ["Array", "Scalar", "StackOf", "Static", "Structure", "Type", "leaves", "rebuild"]

_CODES = {
    "c16": "complex128",
    "c8": "complex64",
    "f8": "float64",
    "f4": "float32",
    "i8": "int64",
    "i4": "int32",
    "i2": "int16",
    "i1": "int8",
    "u8": "uint64",
    "u4": "uint32",
    "u2": "uint16",
    "u1": "uint8",
    "b1": "bool",
}
_TEXT_OF = {name: code for code, name in _CODES.items()}
_symbol_numbers = itertools.count()


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise TypeMismatch for a dtype or byte order that compiled code does not have."""
    if dtype.name in _TEXT_OF and dtype.isnative:
        return
    if dtype.name in _TEXT_OF:
        raise TypeMismatch(
            f"numbers of foreign byte order ({dtype.str}) are not supported",
            hint=f"convert them: x.astype(np.{dtype.name})",
        )
    hint = "convert them: x.astype(np.float64)" if dtype.kind == "f" else ""
    raise TypeMismatch(
        f"numbers of dtype {dtype} are not supported",
        hint=hint or "float64, float32, integers and booleans are",
    )


def check_array(array: np.ndarray[Any, Any]) -> None:
    """Raise TypeMismatch for an array of another dtype, or of a class with rules of its own."""
    check_dtype(array.dtype)
    if type(array) not in (np.ndarray, np.memmap):
        name = f"{type(array).__module__}.{type(array).__name__}"
        hint = "np.asarray(a) makes a plain array"
        if isinstance(array, np.ma.MaskedArray):
            hint = "a.filled(0.0) makes a plain array; pass the mask as an argument of its own"
        raise TypeMismatch(f"arrays of the class {name} are not supported", hint=hint)


class Symbol:
    """One array extent that is known only when the function runs; equal only to itself.

    `of_one` is that of a slice such as `x[:1]` or `x[k : k + 1]`: 1, or 0 past the end.
    """

    def __init__(self, name: str = "n", of_one: bool = False) -> None:
        self.name = name
        self.of_one = of_one
        self.number = next(_symbol_numbers)

    def __repr__(self) -> str:
        return self.name


Dim = int | Symbol


def is_of_one(dim: Dim) -> bool:
    """Whether an extent is 1, or that of a slice of one element."""
    return dim.of_one if isinstance(dim, Symbol) else dim == 1


@dataclass(frozen=True)
class Scalar(Leaf):
    """A scalar of `dtype`; `weak` as a Python number is (it takes its partner's precision)."""

    dtype: str
    weak: bool = False

    def __str__(self) -> str:
        return _TEXT_OF[self.dtype]


@dataclass(frozen=True)
class Array(Leaf):
    """An array: dtype, symbolic shape, and memory layout `C`, `F` or `A` (any strides)."""

    dtype: str
    shape: tuple[Dim, ...]
    layout: str = "C"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __str__(self) -> str:
        return f"{_TEXT_OF[self.dtype]}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class StackOf(Leaf):
    """A growing stack of saved values, all of type `item`."""

    item: Scalar | Array

    @property
    def dtype(self) -> str:
        """The element type of the saved values."""
        return self.item.dtype

    def __str__(self) -> str:
        return f"stack of {self.item}"


Type = Scalar | Array | StackOf
Structure = Any  # a tree of Type


_REAL_PART = {"complex128": "float64", "complex64": "float32"}


def is_continuous(type_: Type) -> bool:
    """Whether derivatives go through values of this type: floats and complex numbers."""
    return np.dtype(type_.dtype).kind in "fc" and not isinstance(type_, StackOf)


def is_real(type_: Type) -> bool:
    """Whether the type is that of a number in single or double precision."""
    return isinstance(type_, Scalar) and type_.dtype in ("float32", "float64")


def is_complex(type_: Type) -> bool:
    """Whether the type is one of complex numbers."""
    return type_.dtype in _REAL_PART


def real_dtype(dtype: str) -> str:
    """The dtype of the real part of numbers of `dtype`."""
    return _REAL_PART.get(dtype, dtype)


def is_single_precision(type_: Type) -> bool:
    """Whether the type holds float32 numbers or pairs of them."""
    return real_dtype(type_.dtype) == "float32"


def beside(type_: Type) -> Type:
    """The type of a tangent or shadow of a value: fresh memory is laid out in C order."""
    if isinstance(type_, Array) and type_.layout == "F":
        return Array(type_.dtype, type_.shape, "A")
    return type_


def has_derivative(leaf: Any) -> bool:
    """Whether a run-time leaf is a float or complex number or array."""
    return not is_static(leaf) and is_continuous(type_of(leaf))


def is_integer(type_: Type) -> bool:
    """Whether the type indexes or counts."""
    return np.dtype(type_.dtype).kind in "iu"


def shape_of(type_: Type) -> tuple[Dim, ...]:
    """The shape; `()` for scalars."""
    return type_.shape if isinstance(type_, Array) else ()


_PYTHON = {"b": False, "i": 1, "u": 1, "f": 1.0, "c": 1j}
_WEAK = ("float64", "int64", "bool", "complex128")


def promote(types: Sequence[Type]) -> tuple[str, bool]:
    """Result dtype of NumPy 2 promotion, and whether the result is weak (all operands were)."""
    strong = [np.dtype(t.dtype) for t in types if not (isinstance(t, Scalar) and t.weak)]
    weak = [np.dtype(t.dtype) for t in types if isinstance(t, Scalar) and t.weak]
    if not strong:
        return max(weak, key=lambda d: "biufc".index(d.kind)).name, True
    return np.result_type(*strong, *(_PYTHON[d.kind] for d in weak)).name, False


def parse_types(text: str) -> list[Structure]:
    """Read `"f8[:, :], f8[:], (f4, i8)"` into types, one per argument.

    Raises TypeMismatch for a text that is none.
    """
    parts = _split(text)
    return [_parse_type(part) for part in parts]


def _split(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [p.strip() for p in [*parts, current] if p.strip()]


def _parse_type(text: str) -> Structure:
    if text.startswith("(") and text.endswith(")"):
        return tuple(_parse_type(part) for part in _split(text[1:-1]))
    match = re.fullmatch(r"(\w+)\s*(?:\[(.*)\])?", text)
    code = _CODES.get(match[1]) if match else None
    if match and code is None and match[1] in _TEXT_OF:
        code = match[1]
    if match is None or code is None:
        raise TypeMismatch(
            f"`{text}` is not a type adcompile knows",
            hint="scalars: f8 f4 i8 b1 c16 c8; arrays: f8[:], f4[:, ::1]; tuples: (f8, f8[:])",
        )
    if match[2] is None:
        return Scalar(code, weak=code in _WEAK)
    axes = [axis.strip() for axis in match[2].split(",") if axis.strip()]
    layout = "A"
    if not axes:
        raise TypeMismatch(f"`{text}` has no axes", hint=f"a number is `{match[1]}`")
    if axes[-1] == "::1":
        layout = "C"
    elif axes[0] == "::1":
        layout = "F"
    shape = tuple(int(axis) if axis.isdigit() else Symbol(f"n{k}") for k, axis in enumerate(axes))
    return Array(code, shape, layout)


def type_of(value: Any) -> Structure:
    """Type of one runtime argument; scalars of Python's precision count as weak Python numbers.

    An array of no axis counts as the number it holds.
    Raises TypeMismatch for values that are no number, array or tuple.
    """
    if is_container(value):
        return mapped(type_of, value)
    if isinstance(value, np.ndarray):
        check_array(value)
        if value.ndim == 0:
            return type_of(value[()])
        flags = value.flags
        layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
        return Array(value.dtype.name, tuple(Symbol(f"n{k}") for k in range(value.ndim)), layout)
    if hasattr(value, "copy_to_host"):
        return _type_on_device(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise TypeMismatch("an integer beyond 64 bits is not supported", hint="pass a float")
    if isinstance(value, (bool, int, float, complex, np.generic)):
        dtype = np.asarray(value).dtype
        check_dtype(dtype)
        return Scalar(dtype.name, weak=dtype.name in _WEAK)
    if is_static(value):
        return Static(value)
    hint = "pass numbers, NumPy arrays, or tuples, lists, dicts and dataclasses of them"
    if isinstance(value, Number):
        hint = "pass a float: float(x)"
    raise TypeMismatch(f"what is of type {type(value).__name__} is not supported", hint=hint)


def _type_on_device(value: Any) -> Structure:
    """The type of an array that a GPU holds; a number there would have to be read back."""
    if not value.shape:
        raise TypeMismatch("a number on the device is not read back", hint="pass float(x)")
    layout = "C" if value.is_c_contiguous() else "F" if value.is_f_contiguous() else "A"
    axes = len(value.shape)
    return Array(_checked(value.dtype), tuple(Symbol(f"n{k}") for k in range(axes)), layout)


@cache
def _checked(dtype: np.dtype[Any]) -> str:
    """The name of a dtype that compiled code has, which NumPy takes long to say."""
    check_dtype(dtype)
    return str(dtype.name)


def type_text(structure: Structure) -> str:
    """The text of a type, readable by `parse_types`."""
    if is_container(structure):
        return f"({', '.join(map(type_text, parts(structure) or ()))})"
    if isinstance(structure, (Scalar, Static)):
        return str(structure)
    axes = [str(d) if isinstance(d, int) else ":" for d in structure.shape]
    if structure.layout == "C" and axes[-1] == ":":
        axes[-1] = "::1"
    elif structure.layout == "F" and axes[0] == ":":
        axes[0] = "::1"
    return f"{_TEXT_OF[structure.dtype]}[{', '.join(axes)}]"
