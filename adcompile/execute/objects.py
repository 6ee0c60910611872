"""What machine code can know of Python's and NumPy's objects.

Enters: addresses of objects, while machine code is written. Leaves: instructions that tell their
classes, and what NumPy's header of an array says. The classes and functions themselves are told to
LLVM by name, so that machine code from the disk finds them in another process.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

import llvmlite.binding as _llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core import types as _numba_types
from numba.np.numpy_support import as_dtype

types: Any = _numba_types  # its names come from star imports
C_ORDER, F_ORDER, ALIGNED, WRITEABLE = 0x1, 0x2, 0x100, 0x400  # of <numpy/ndarraytypes.h>
ARRAY, NEW_ARRAY = "adcompile_class_array", "adcompile_new_array"
# Python's own classes for numbers, under the names that its library gives them
CLASSES = {
    types.float64: "PyFloat_Type",
    types.int64: "PyLong_Type",
    types.boolean: "PyBool_Type",
    types.complex128: "PyComplex_Type",
}
NUMBERS = [
    *CLASSES, types.float32, types.complex64, types.int32, types.int16, types.int8, types.uint64,
    types.uint32, types.uint16, types.uint8,
]  # fmt: skip
_PLACE_OF_NEW_ARRAY = 94  # of PyArray_NewFromDescr, in NumPy's table of functions
_HEAD = object.__basicsize__  # bytes that every object begins with; the class is the last word
WORD = ir.IntType(8 * ctypes.sizeof(ctypes.c_void_p))
_BYTE, _INT = ir.IntType(8), ir.IntType(32)


def symbol(kind: str, number: Any) -> str:
    """The name of NumPy's class ("class") or description ("dtype") of a number."""
    return f"adcompile_{kind}_{as_dtype(number).name}"


def _register() -> None:
    _llvm.add_symbol(ARRAY, id(np.ndarray))
    for number in NUMBERS:
        _llvm.add_symbol(symbol("class", number), id(as_dtype(number).type))
        _llvm.add_symbol(symbol("dtype", number), id(as_dtype(number)))
    table_of = ctypes.pythonapi.PyCapsule_GetPointer
    table_of.restype, table_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    numpys = importlib.import_module("numpy._core._multiarray_umath")
    address = table_of(numpys._ARRAY_API, None)
    table = ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))
    _llvm.add_symbol(NEW_ARRAY, table[_PLACE_OF_NEW_ARRAY])


_register()  # before machine code is loaded that names them


def known(api: Any, name: str) -> Any:
    """The object that Python's or NumPy's library has under a name."""
    module = api.builder.module
    variable = module.globals.get(name) or ir.GlobalVariable(module, _BYTE, name)
    return api.builder.bitcast(variable, api.pyobj)


def same(builder: Any, a: Any, b: Any) -> Any:
    """Whether two addresses are one."""
    return builder.icmp_unsigned("==", a, builder.bitcast(b, a.type))


def class_of(api: Any, item: Any) -> Any:
    """The class of an object."""
    words = api.builder.bitcast(item, api.pyobj.as_pointer())
    return api.builder.load(api.builder.gep(words, [WORD(_HEAD * 8 // WORD.width - 1)]))


def _fields(builder: Any, item: Any, types: list[Any], places: tuple[int, ...]) -> list[Any]:
    """Fields of an object, whose types come behind what every object begins with."""
    struct = ir.LiteralStructType([ir.ArrayType(_BYTE, _HEAD), *types])
    whole = builder.bitcast(item, struct.as_pointer())
    return [builder.load(builder.gep(whole, [_INT(0), _INT(k + 1)], inbounds=True)) for k in places]


class Header:
    """What NumPy's header of an array says: the fields of `PyArrayObject_fields`."""

    def __init__(self, builder: Any, array: Any) -> None:
        pointer = cgutils.voidptr_t
        types = [pointer, _INT, pointer, pointer, pointer, pointer, _INT]
        found = _fields(builder, array, types, (0, 1, 2, 3, 5, 6))
        self.data, self.axes, self._shape, self._strides, self._dtype, self.flags = found
        self._builder = builder

    def has_dtype(self, dtype: Any) -> Any:
        """By number and byte order: an array that was unpickled has a description of its own."""
        builder = self._builder
        # of a `PyArray_Descr`: the class of numbers, kind, letter, byte order, flags, number
        types = [cgutils.voidptr_t, _BYTE, _BYTE, _BYTE, _BYTE, _INT]
        order, number = _fields(builder, self._dtype, types, (3, 5))
        return builder.and_(
            builder.icmp_unsigned("==", number, _INT(dtype.num)),
            builder.icmp_unsigned("==", order, _BYTE(ord(dtype.byteorder))),
        )

    def extent(self, axis: int) -> Any:
        """The extent of an axis."""
        return self._along(axis, self._shape)

    def _along(self, axis: int, field: Any) -> Any:
        numbers = self._builder.bitcast(field, WORD.as_pointer())
        return self._builder.load(self._builder.gep(numbers, [WORD(axis)]))

    def bytes(self, type_: Any) -> tuple[Any, Any]:
        """The addresses of the first byte of an array, and of that after its last."""
        builder = self._builder
        low = high = builder.ptrtoint(self.data, WORD)
        some = cgutils.true_bit
        for axis in range(type_.ndim):
            extent, stride = self.extent(axis), self._along(axis, self._strides)
            some = builder.and_(some, builder.icmp_signed(">", extent, WORD(0)))
            span = builder.mul(builder.sub(extent, WORD(1)), stride)
            down = builder.icmp_signed("<", span, WORD(0))
            low = builder.select(down, builder.add(low, span), low)
            high = builder.select(down, high, builder.add(high, span))
        size = WORD(as_dtype(type_.dtype).itemsize)
        return low, builder.select(some, builder.add(high, size), low)
