"""NumPy for compiled code, with large new arrays in large pages.

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

_types: Any = _numba_types  # its names come from star imports
_PAGE = 2 << 20
_SMALLEST = 2 * _PAGE  # bytes of an array that has a whole page inside, wherever it lies
_MADV_HUGEPAGE = 14  # of Linux's <asm-generic/mman-common.h>


def _maker(zeros: bool) -> Any:
    """`np.empty` or `np.zeros`."""

    def typed(typing_context: Any, shape: Any, dtype: Any = None) -> Any:
        dtype = dtype or _types.Omitted(None)
        given = not isinstance(dtype, _types.Omitted)
        number = _arrays.ty_parse_dtype(dtype) if given else _types.float64
        result = _types.Array(number, _arrays.ty_parse_shape(shape), "C")

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            extents = _arrays._parse_shape(context, builder, shape, values[0])
            array, size = _allocated(context, builder, result, extents)
            _advise(builder, array.data, size)
            if zeros:
                _cgutils.memset(builder, array.data, size, 0)
            return array._getvalue()

        return result(shape, dtype), generate

    return _intrinsic(typed)


def _allocated(context: Any, builder: Any, type_: Any, extents: Any) -> tuple[Any, Any]:
    """A new array in C order, and its bytes; Numba's own code for it is two functions to compile.

    Raises ValueError, as NumPy does, for an array whose size is no number of 63 bits.
    """
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
    alignment = context.get_preferred_array_alignment(type_.dtype)
    memory = context.nrt.meminfo_alloc_aligned(builder, size, alignment)
    array = _arrays.make_array(type_)(context, builder)
    data = builder.bitcast(
        context.nrt.meminfo_data(builder, memory), context.get_data_type(type_.dtype).as_pointer()
    )
    shape, gaps = (_cgutils.pack_array(builder, n, ty=size.type) for n in (extents, strides))
    _arrays.populate_array(
        array, data=data, shape=shape, strides=gaps, itemsize=itemsize, meminfo=memory
    )
    return array, size


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
globals().update(empty=_maker(zeros=False), zeros=_maker(zeros=True))
