"""NumPy for compiled code, with new arrays of which LLVM knows that they are new.

Numba's own `np.empty` reads the address of an array from a record of its memory, so that LLVM takes
any two arrays for the same memory: what a loop keeps in an array it writes and reads again in every
iteration, and loops are compiled with tests for arrays that overlap. Here the address comes from a
function whose result is declared to be memory of its own.

The system clears a page when it is touched first. For an array of 40 MB these are ten thousand
pages of 4 KB, and more time than most loops need to fill them; pages of 2 MB take a fraction of it.
Linux gives them to those who ask (`madvise`, where the system is set to that), as NumPy itself does
for its arrays. Generated modules import this module as `np`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as _np
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _numba_types
from numba.extending import intrinsic as _intrinsic
from numba.np import arrayobj as _arrays

from adcompile.execute.vectors import align_stack as _align_stack

_types: Any = _numba_types  # its names come from star imports
_PAGE = 2 << 20
_LINE = 64  # bytes of a line of the cache
_SMALLEST = 2 * _PAGE  # bytes of an array that has a whole page inside, wherever it lies
_MADV_HUGEPAGE = 14  # of Linux's <asm-generic/mman-common.h>


def _maker(zeros: bool) -> Any:
    """`np.empty` or `np.zeros`."""

    def typed(typing_context: Any, shape: Any, dtype: Any = None) -> Any:
        dtype = dtype or _types.Omitted(None)
        given = not isinstance(dtype, _types.Omitted)
        result = _array(_arrays.ty_parse_dtype(dtype) if given else _types.float64, shape)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            array, size = _allocated(context, builder, result, shape, values[0])
            if zeros:
                _cgutils.memset(builder, array.data, size, 0)
            return array._getvalue()

        return result(shape, dtype), generate

    return _intrinsic(typed)


# Numba's decorators have no types of their own, hence the comment beside it
@_intrinsic  # type: ignore[untyped-decorator]
def _full(typing_context: Any, shape: Any, value: Any, dtype: Any) -> Any:
    """`np.full` with all of its arguments."""
    result = _array(_arrays.ty_parse_dtype(dtype), shape)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, size = _allocated(context, builder, result, shape, values[0])
        number = context.cast(builder, values[1], value, result.dtype)
        with _cgutils.for_range(builder, builder.udiv(size, array.itemsize)) as loop:
            place = builder.gep(array.data, [loop.index])
            _arrays.store_item(context, builder, result, number, place)
        return array._getvalue()

    return result(shape, value, dtype), generate


def _array(number: Any, shape: Any) -> Any:
    return _types.Array(number, _arrays.ty_parse_shape(shape), "C")


def _allocated(context: Any, builder: Any, type_: Any, shape: Any, given: Any) -> tuple[Any, Any]:
    """A new array in C order, and its bytes; Numba's own code for it is two functions to compile.

    Raises ValueError, as NumPy does, for an array whose size is no number of 63 bits.
    """
    extents = _arrays._parse_shape(context, builder, shape, given)
    size = context.get_constant(_types.intp, _arrays.get_itemsize(context, type_))
    strides: list[Any] = []
    itemsize, fits = size, _ir.Constant(_ir.IntType(1), 1)
    for extent in reversed(extents):
        strides.insert(0, size)
        product = builder.smul_with_overflow(size, extent)
        size = builder.extract_value(product, 0)
        fits = builder.and_(fits, builder.not_(builder.extract_value(product, 1)))
    with builder.if_then(builder.not_(fits), likely=False):
        message = "array is too big: its bytes cannot be counted"
        context.call_conv.return_user_exc(builder, ValueError, (message,))
    alignment = context.get_constant(_types.uint32, _LINE)
    memory = context.nrt.meminfo_alloc_aligned(builder, size, alignment)
    array = _arrays.make_array(type_)(context, builder)
    data = builder.bitcast(
        _data(context, builder, memory), context.get_data_type(type_.dtype).as_pointer()
    )
    lengths, gaps = (_cgutils.pack_array(builder, n, ty=size.type) for n in (extents, strides))
    _arrays.populate_array(
        array, data=data, shape=lengths, strides=gaps, itemsize=itemsize, meminfo=memory
    )
    _advise(builder, data, size)
    return array, size


def _data(context: Any, builder: Any, memory: Any) -> Any:
    """The address of new memory, which no other address leads to.

    Nothing tells LLVM that what frees the memory has to do with this address: hence the statement
    of no instructions that might hand it to any other function, past which nothing is moved.
    """
    pointer = memory.type
    function = _cgutils.get_or_insert_function(
        builder.module, _ir.FunctionType(pointer, [pointer]), "NRT_MemInfo_data"
    )
    function.return_value.add_attribute("noalias")
    function.attributes.add("nounwind")
    data = builder.call(function, [memory])
    anything = _ir.FunctionType(_ir.VoidType(), [pointer])
    builder.asm(anything, "", "r", [data], side_effect=True)
    _align_stack(context, builder)  # loops over such arrays are vectorised more often
    return data


def _advise(builder: Any, data: Any, size: Any) -> None:
    """Ask for large pages where they lie inside of an array."""
    if not sys.platform.startswith("linux"):
        return
    word = size.type
    with builder.if_then(builder.icmp_signed(">=", size, word(_SMALLEST)), likely=False):
        start = builder.ptrtoint(data, word)
        first = builder.and_(builder.add(start, word(_PAGE - 1)), word(-_PAGE))
        end = builder.and_(builder.add(start, size), word(-_PAGE))
        advice = _ir.IntType(32)
        type_ = _ir.FunctionType(advice, [word, word, advice])
        madvise = _cgutils.get_or_insert_function(builder.module, type_, "madvise")
        builder.call(madvise, [first, builder.sub(end, first), advice(_MADV_HUGEPAGE)])


globals().update({_name: getattr(_np, _name) for _name in _np.__all__})
globals().update(empty=_maker(zeros=False), zeros=_maker(zeros=True), full=_full)
