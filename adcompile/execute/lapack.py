"""Routines of BLAS and LAPACK that the compiler has not, of SciPy's, for compiled code.

Enters: arrays whose columns (or rows) lie together, and integers. Leaves: calls of Fortran, which
takes the places of all its arguments. The addresses stand in a table, so that machine code from the
disk finds them in another process. It holds functions that load SciPy, which takes longer than all
of this package, until one of them is called.
"""

from __future__ import annotations

import ctypes
from typing import Any

import llvmlite.binding as _llvm
import numpy as np
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _numba_types
from numba.core.typing import signature as _signature
from numba.extending import get_cython_function_address as _address
from numba.extending import intrinsic as _intrinsic

_types: Any = _numba_types  # its names come from star imports
# the number of arguments, without the one that says how it went
_LAPACK = {"getrf": 5, "getrs": 8, "getri": 6}
_BLAS = {"trsm": 11}
_COUNTS = {**{name: count + 1 for name, count in _LAPACK.items()}, **_BLAS}
_KINDS = {"f": "s", "d": "d", "F": "c", "D": "z"}  # by NumPy's characters
_NAMES = [kind + name for kind in _KINDS.values() for name in _COUNTS]
_TABLE, _SYMBOL = (ctypes.c_void_p * len(_NAMES))(), "adcompile_lapack"
_INT, _PLACE = _ir.IntType(32), _ir.IntType(8).as_pointer()


def _function_type(name: str) -> Any:
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _COUNTS[name[1:]])


def _loading(place: int) -> Any:
    """A routine that puts all of them into the table, and runs the one that was meant."""
    type_ = _function_type(_NAMES[place])

    def load(*arguments: Any) -> None:
        for number, name in enumerate(_NAMES):
            module = "cython_blas" if name[1:] in _BLAS else "cython_lapack"
            _TABLE[number] = _address(f"scipy.linalg.{module}", name)
        type_(_TABLE[place])(*arguments)

    return type_(load)


_LOADING = [_loading(place) for place in range(len(_NAMES))]  # kept as long as code may call them
for _number, _load in enumerate(_LOADING):
    _TABLE[_number] = ctypes.cast(_load, ctypes.c_void_p).value
_llvm.add_symbol(_SYMBOL, ctypes.addressof(_TABLE))


def _made(name: str) -> Any:
    """What compiled code calls: a routine of a tuple of arrays, numbers of theirs and integers."""

    # Numba's decorators have no types of their own
    @_intrinsic  # type: ignore[untyped-decorator]
    def routine(context: Any, arguments: Any) -> Any:
        result = _types.int32 if name in _LAPACK else _types.none

        def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = _cgutils.unpack_tuple(builder, values[0])
            places = [
                _place(context, builder, type_, value)
                for type_, value in zip(signature.args[0], given, strict=True)
            ]
            status = _cgutils.alloca_once_value(builder, _INT(0))
            if name in _LAPACK:
                places.append(builder.bitcast(status, _PLACE))
            assert len(places) == _COUNTS[name]
            function = _entry(builder, _kind(signature.args[0]) + name)
            builder.call(function, places)
            return builder.load(status) if name in _LAPACK else context.get_dummy_value()

        return _signature(result, arguments), call

    return routine


def _kind(arguments: Any) -> str:
    """The letter for the precision of a routine, that of its first matrix."""
    dtypes = [np.dtype(str(type_.dtype)).char for type_ in arguments if hasattr(type_, "dtype")]
    return next(_KINDS[char] for char in dtypes if char in _KINDS)


def _place(context: Any, builder: Any, type_: Any, value: Any) -> Any:
    """Where an argument is: the elements of an array, or a number put down for Fortran.

    A letter is an integer, whose first byte is read.
    """
    if isinstance(type_, _types.Array):
        return builder.bitcast(context.make_array(type_)(context, builder, value).data, _PLACE)
    if isinstance(type_, _types.Integer):
        value = context.cast(builder, value, type_, _types.int32)
    return builder.bitcast(_cgutils.alloca_once_value(builder, value), _PLACE)


def _entry(builder: Any, name: str) -> Any:
    """The function whose address is in the table now."""
    type_ = _ir.FunctionType(_ir.VoidType(), [_PLACE] * _COUNTS[name[1:]]).as_pointer()
    array = _ir.ArrayType(type_, len(_NAMES))
    table = builder.module.globals.get(_SYMBOL)
    if table is None:
        table = _ir.GlobalVariable(builder.module, array, _SYMBOL)
    return builder.load(builder.gep(table, [_INT(0), _INT(_NAMES.index(name))]))


getrf, getrs, getri, trsm = map(_made, (*_LAPACK, *_BLAS))
