"""The way from Python into compiled code, for arguments of the types that it was compiled for.

Numba's own looks the types of the arguments up, puts the arguments into a tuple and takes them out
again, and wraps an array that is given back into two objects, whose class it unpickles each time:
for a gradient of ten numbers that is most of a call. Here each function has, beside its machine
code, an entry that tells by the classes of its arguments, and by what NumPy's header of an array
says, whether they are of its types. Small arrays that nothing else holds are given back as arrays
with memory of their own.

Enters: what Numba knows of a function when it makes machine code. Leaves: more machine code beside
it, and functions of Python's that run it, and hand on what is not of its types, and what fails.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from llvmlite import ir
from numba.core import cgutils, itanium_mangler
from numba.core import types as _numba_types
from numba.core.callwrapper import PyCallWrapper
from numba.core.pythonapi import NativeValue
from numba.np.numpy_support import as_dtype

from adcompile.execute.objects import (
    ALIGNED,
    ARRAY,
    C_ORDER,
    CLASSES,
    F_ORDER,
    NEW_ARRAY,
    NUMBERS,
    WORD,
    WRITEABLE,
    Header,
    class_of,
    known,
    same,
    symbol,
)

types: Any = _numba_types  # its names come from star imports
_COPIED = 1024  # bytes up to which a copy is cheaper than an object that owns the memory
_COMPARED = 32  # arrays that are compared with each other, if the function writes
_FASTCALL_KEYWORDS = 0x82  # of <methodobject.h>
_WRITTEN, _ONES, _ONCE = "WRITTEN", "ONES", "ONCE"  # what a module says about its function


def _is_accepted(type_: Any) -> bool:
    """Whether an entry can tell that an argument is of a type."""
    if isinstance(type_, types.Array):
        return type_.dtype in NUMBERS and type_.ndim > 0
    if isinstance(type_, types.BaseTuple):
        named = isinstance(type_, types.BaseNamedTuple)
        return not named and all(map(_is_accepted, type_))
    return type_ in NUMBERS


def _given(argument_types: Sequence[Any]) -> list[Any]:
    """The types of the arguments of a call, if those left at their defaults are the last."""
    return [t for t in argument_types if not isinstance(t, types.Omitted)]


def _has_entry(argument_types: Sequence[Any]) -> bool:
    given = _given(argument_types)
    return all(map(_is_accepted, given)) and list(argument_types[: len(given)]) == given


def _arrays_in(type_: Any) -> int:
    if isinstance(type_, types.BaseTuple):
        return sum(map(_arrays_in, type_))
    return int(isinstance(type_, types.Array))


def marked(source: str, written: Sequence[int], ones: Sequence[Sequence[int]], once: bool) -> str:
    """The text of a module that says for which calls its function is made, beside their types.

    written    the places of arguments that it writes: others may not share memory with those
    ones       the axes of each array or number, in order, that have the extent 1
    once       it cannot be run again after an error: no other axes may have the extent 1
    """
    lines = [f"{_WRITTEN} = {set(written)}\n"] if written else []
    lines += [f"{_ONES} = {list(map(tuple, ones))}\n"] if any(ones) else []
    lines += [f"{_ONCE} = True\n"] if once else []
    return "".join([*lines, source])


def _entry_name(description: Any) -> str:
    return str(itanium_mangler.prepend_namespace(description.mangled_name, ns="adcompile"))


class WithEntry:
    """What makes machine code of a function, and its entry beside it; Numba's is the other base."""

    context: Any
    fndesc: Any
    func_ir: Any
    env: Any
    call_helper: Any
    library: Any

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """What Python calls: Numba's and ours."""
        # the other base has it, which has no types of its own
        super().create_cpython_wrapper(release_gil)  # type: ignore[misc]
        context, description = self.context, self.fndesc
        said = self.func_ir.func_id.func.__globals__
        written = said.get(_WRITTEN, set())
        arrays = sum(map(_arrays_in, description.argtypes)) if written else 0
        if not _has_entry(description.argtypes) or arrays > _COMPARED:
            return
        module = context.create_module("entry")
        type_ = context.call_conv.get_function_type(description.restype, description.argtypes)
        function = ir.Function(module, type_, description.llvm_func_name)
        entry = _Entry(context, module, function, description, self.env, self.call_helper, False)
        entry.written, entry.once = written, said.get(_ONCE, False)
        entry.ones = iter(said.get(_ONES, ()))
        entry.build()
        self.library.add_ir_module(module)


# Numba's class has no types of its own, hence the comment beside it
class _Entry(PyCallWrapper):  # type: ignore[misc]
    """Writes the entry of one function: `PyObject *(self, arguments, count, names)`.

    `self` is a tuple: what gets calls of other types, what gets an error and the arguments, the
    names of the parameters, and what has to live as long.
    """

    written: set[int]
    once: bool
    ones: Iterator[tuple[int, ...]]

    def build(self) -> None:
        """Add it to the module."""
        context = self.context
        item = context.get_argument_type(types.pyobject)
        type_ = ir.FunctionType(item, [item, item.as_pointer(), WORD, item])
        function = ir.Function(self.module, type_, name=_entry_name(self.fndesc))
        self._self, self._arguments, self._count, self._names = function.args
        self.builder = builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.api = context.get_python_api(builder)
        self._other = function.append_basic_block("other")
        given = _given(self.fndesc.argtypes)
        items = self._items(len(given))
        self._arrays: list[tuple[bool, tuple[Any, Any]]] = []  # written or not, first byte, end
        takers = [
            self._accept(type_, item, k in self.written)
            for k, (type_, item) in enumerate(zip(given, items, strict=True))
        ]
        for (written, (low, high)), (too, (first, end)) in combinations(self._arrays, 2):
            if written or too:
                apart = builder.icmp_unsigned("<=", high, first)
                self._require(builder.or_(apart, builder.icmp_unsigned("<=", end, low)))
        environment = self.get_env(self.api, builder)
        values = self._taken(takers)
        omitted = [None] * (len(self.fndesc.argtypes) - len(given))
        status, result = context.call_conv.call_function(
            builder, self.func, self.fndesc.restype, self.fndesc.argtypes, [*values, *omitted],
            attrs=("noinline",),
        )  # fmt: skip
        with builder.if_then(status.is_error, likely=False):
            self._release(values)
            context.call_conv.raise_error(builder, self.api, status)
            builder.ret(self._after_error(items))
        with builder.if_then(status.is_none, likely=False):
            self._release(values)
            self.api.return_none()
        boxed = self._boxed(self._simplified_return_type(), result, environment)
        self._release(values)  # not before: what is given back may be an argument
        builder.ret(boxed)
        builder.position_at_end(self._other)
        builder.ret(self._call_other())

    # -- arguments ------------------------------------------------------------------------------

    def _require(self, condition: Any) -> None:
        """Hand the call on where this does not hold."""
        following = self.builder.append_basic_block()
        self.builder.cbranch(condition, following, self._other)
        self.builder.position_at_end(following)

    def _is(self, class_: Any, name: str) -> Any:
        return same(self.builder, class_, known(self.api, name))

    def _items(self, count: int) -> list[Any]:
        builder = self.builder
        first = cgutils.alloca_once_value(builder, self._arguments)
        total = cgutils.alloca_once_value(builder, self._count)
        with builder.if_then(cgutils.is_not_null(builder, self._names), likely=False):
            builder.store(builder.add(self._count, self.api.tuple_size(self._names)), total)
        self._require(builder.icmp_unsigned("==", builder.load(total), WORD(count)))
        if count:
            with builder.if_then(cgutils.is_not_null(builder, self._names), likely=False):
                builder.store(self._in_order(count), first)
        start = builder.load(first)
        return [builder.load(builder.gep(start, [WORD(k)])) for k in range(count)]

    def _in_order(self, count: int) -> Any:
        """The arguments, of which some come by name, in the order of the parameters.

        Their names are objects that the interpreter has once.
        """
        builder, api = self.builder, self.api
        type_ = ir.FunctionType(api.pyobj, [api.pyobj, WORD])
        part = cgutils.get_or_insert_function(self.module, type_, "PyTuple_GetItem")
        own = cgutils.alloca_once(builder, api.pyobj, size=WORD(count))
        wanted = api.tuple_getitem(self._self, 2)
        self._require(builder.icmp_signed(">=", api.tuple_size(wanted), WORD(count)))
        with cgutils.for_range(builder, WORD(count)) as each:
            place = builder.gep(own, [each.index])
            by_place = builder.icmp_signed("<", each.index, self._count)
            with builder.if_else(by_place) as (given, named):
                with given:
                    item = builder.load(builder.gep(self._arguments, [each.index]))
                    builder.store(item, place)
                with named:
                    builder.store(api.get_null_object(), place)
                    name = builder.call(part, [wanted, each.index])
                    with cgutils.for_range(builder, api.tuple_size(self._names)) as other:
                        found = builder.call(part, [self._names, other.index])
                        is_it = same(builder, found, name)
                        with builder.if_then(is_it):
                            source = builder.add(self._count, other.index)
                            item = builder.load(builder.gep(self._arguments, [source]))
                            builder.store(item, place)
                    self._require(cgutils.is_not_null(builder, builder.load(place)))
        return own

    def _accept(self, type_: Any, item: Any, written: bool) -> Callable[[], Any]:
        """Hand the call on if an object is not of a type; what makes the value of it, later."""
        class_ = class_of(self.api, item)
        ones = () if isinstance(type_, types.BaseTuple) else next(self.ones, ())
        if isinstance(type_, types.Array):
            self._require(self._is(class_, ARRAY))
            header = self._accept_array(type_, item)
            for axis in range(type_.ndim) if self.once else ones:
                extent, holds = header.extent(axis), "==" if axis in ones else "!="
                self._require(self.builder.icmp_unsigned(holds, extent, extent.type(1)))
            if self.written:
                self._arrays.append((written, header.bytes(type_)))
        elif isinstance(type_, types.BaseTuple):
            self._require(self._is(class_, "PyTuple_Type"))
            size = self.api.tuple_size(item)
            self._require(self.builder.icmp_unsigned("==", size, size.type(len(type_))))
            for k, part in enumerate(type_):
                self._accept(part, self.api.tuple_getitem(item, k), written)
        else:
            fits = self._is(class_, symbol("class", type_))
            if type_ in CLASSES:
                fits = self.builder.or_(self._is(class_, CLASSES[type_]), fits)
            self._require(fits)
            if type_ == types.float64:  # NumPy's class is a subclass of Python's
                return lambda: NativeValue(self.api.float_as_double(item))
            if type_ == types.int64:
                self._accept_integer(item)
        return lambda: self.api.to_native_value(type_, item)

    def _accept_array(self, type_: Any, item: Any) -> Header:
        """As Numba has it: arrays in C order count as such, then those in Fortran's, then any."""
        builder, header = self.builder, Header(self.builder, item)
        self._require(header.has_dtype(as_dtype(type_.dtype)))
        self._require(builder.icmp_unsigned("==", header.axes, header.axes.type(type_.ndim)))
        asked = ALIGNED | WRITEABLE | C_ORDER
        wanted = ALIGNED * type_.aligned + WRITEABLE * type_.mutable
        if type_.layout == "C":
            wanted |= C_ORDER
        else:
            asked |= F_ORDER
            wanted |= F_ORDER * (type_.layout == "F")
        flags = builder.and_(header.flags, header.flags.type(asked))
        self._require(builder.icmp_unsigned("==", flags, flags.type(wanted)))
        return header

    def _accept_integer(self, item: Any) -> None:
        """A number beyond 63 bits is of another type."""
        builder, number = self.builder, ir.IntType(32)
        type_ = ir.FunctionType(ir.IntType(64), [self.api.pyobj, number.as_pointer()])
        name = "PyLong_AsLongLongAndOverflow"
        beyond = cgutils.alloca_once(builder, number)
        builder.call(cgutils.get_or_insert_function(self.module, type_, name), [item, beyond])
        self._require(builder.icmp_unsigned("==", builder.load(beyond), number(0)))

    def _taken(self, takers: list[Callable[[], Any]]) -> list[Any]:
        values: list[Any] = []
        for take in takers:
            native = take()
            with self.builder.if_then(native.is_error, likely=False):  # no memory
                self._release(values)
                self.builder.ret(self.api.get_null_object())
            values.append(native.value)
        return values

    def _release(self, values: list[Any]) -> None:
        given = _given(self.fndesc.argtypes)
        for type_, value in zip(given, values, strict=False):
            self.context.nrt.decref(self.builder, type_, value)

    # -- results --------------------------------------------------------------------------------

    def _boxed(self, type_: Any, value: Any, environment: Any) -> Any:
        """The object of a value, whose references are its own afterwards."""
        if isinstance(type_, types.Array) and type_.dtype in NUMBERS:
            return self._boxed_array(type_, value)
        if isinstance(type_, types.BaseTuple) and not isinstance(type_, types.BaseNamedTuple):
            whole = self.api.tuple_new(len(type_))
            for k, part in enumerate(type_):
                item = self._boxed(part, self.builder.extract_value(value, k), environment)
                self.api.tuple_setitem(whole, k, item)
            return whole
        return self.api.from_native_return(type_, value, environment)

    def _boxed_array(self, type_: Any, value: Any) -> Any:
        context, builder = self.context, self.builder
        array = context.make_array(type_)(context, builder, value=value)
        size = builder.mul(array.nitems, array.itemsize)
        alone = cgutils.alloca_once_value(builder, cgutils.false_bit)
        if type_.layout == "C" and type_.mutable:
            small = builder.icmp_unsigned("<=", size, size.type(_COPIED))
            has_memory = builder.not_(cgutils.is_null(builder, array.meminfo))
            with builder.if_then(builder.and_(small, has_memory)):
                # its count of references is what a record of memory begins with
                count = builder.load(builder.bitcast(array.meminfo, WORD.as_pointer()))
                builder.store(builder.icmp_unsigned("==", count, WORD(1)), alone)
        result = cgutils.alloca_once(builder, self.api.pyobj)
        with builder.if_else(builder.load(alone)) as (copied, kept):
            with copied:
                builder.store(self._copy(type_, array, size), result)
            with kept:
                builder.store(self._wrapped(type_, value), result)
        context.nrt.decref(builder, type_, value)
        return builder.load(result)

    def _copy(self, type_: Any, array: Any, size: Any) -> Any:
        """A new array of Python's."""
        builder, item, pointer = self.builder, self.api.pyobj, cgutils.voidptr_t
        number, dtype = ir.IntType(32), known(self.api, symbol("dtype", type_.dtype))
        parameters = [item, item, number, pointer, pointer, pointer, number, item]
        new = cgutils.get_or_insert_function(
            self.module, ir.FunctionType(item, parameters), NEW_ARRAY
        )
        shape = builder.bitcast(cgutils.alloca_once_value(builder, array.shape), pointer)
        self.api.incref(dtype)  # the new array takes it
        copy = builder.call(
            new,
            [
                known(self.api, ARRAY), dtype, number(type_.ndim), shape,
                pointer(None), pointer(None), number(0), item(None),
            ],
        )  # fmt: skip
        with builder.if_then(cgutils.is_not_null(builder, copy)):
            cgutils.raw_memcpy(builder, Header(builder, copy).data, array.data, size, 1)
        return copy

    def _wrapped(self, type_: Any, value: Any) -> Any:
        """An array over the same memory, with a reference to it."""
        builder, item, number = self.builder, self.api.pyobj, ir.IntType(32)
        wrap = cgutils.get_or_insert_function(
            self.module,
            ir.FunctionType(item, [cgutils.voidptr_t, item, number, number, item]),
            "NRT_adapt_ndarray_to_python_acqref",
        )
        place = builder.bitcast(cgutils.alloca_once_value(builder, value), cgutils.voidptr_t)
        class_, dtype = (known(self.api, name) for name in (ARRAY, symbol("dtype", type_.dtype)))
        axes, writeable = number(type_.ndim), number(int(type_.mutable))
        return builder.call(wrap, [place, class_, axes, writeable, dtype])

    # -- what is left to others -----------------------------------------------------------------

    def _call_other(self) -> Any:
        item = self.api.pyobj
        type_ = ir.FunctionType(item, [item, self._arguments.type, WORD, item])
        call = cgutils.get_or_insert_function(self.module, type_, "PyObject_Vectorcall")
        other = self.api.tuple_getitem(self._self, 0)
        return self.builder.call(call, [other, self._arguments, self._count, self._names])

    def _after_error(self, items: list[Any]) -> Any:
        """What is made of the error that is set and the arguments."""
        builder, api = self.builder, self.api
        error = [cgutils.alloca_once(builder, api.pyobj) for _ in range(3)]
        api.err_fetch(*error)
        type_ = ir.FunctionType(ir.VoidType(), [place.type for place in error])
        name = "PyErr_NormalizeException"
        builder.call(cgutils.get_or_insert_function(self.module, type_, name), error)
        value, traceback = map(builder.load, error[1:])
        with builder.if_then(cgutils.is_not_null(builder, traceback)):
            type_ = ir.FunctionType(ir.IntType(32), [api.pyobj, api.pyobj])
            name = "PyException_SetTraceback"
            function = cgutils.get_or_insert_function(self.module, type_, name)
            builder.call(function, [value, traceback])
        arguments = api.tuple_pack(items)
        failed = api.tuple_getitem(self._self, 1)
        result = api.call_function_objargs(failed, [value, arguments])
        for reference in (*map(builder.load, error), arguments):
            api.decref(reference)  # the traceback may be none, which is no reference
        return result


class _Definition(ctypes.Structure):
    """A `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("address", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )  # fmt: skip


_new_function = ctypes.pythonapi.PyCFunction_NewEx
_new_function.restype = ctypes.py_object
_new_function.argtypes = [ctypes.POINTER(_Definition), ctypes.py_object, ctypes.c_void_p]


def entered(
    result: Any, other: Callable[..., Any], failed: Callable[..., Any], names: Sequence[str] = ()
) -> Any:
    """A function of Python's that runs a compile result; `other` if it has no entry.

    other      gets calls with arguments of other types, or of another number or names
    failed     gets an error of compiled code and the tuple of arguments; what it gives is the
               result of the call
    names      of the parameters, for arguments by name
    """
    library, name = result.library, _entry_name(result.fndesc)
    address = library.get_pointer_to_function(name) if _has_entry(result.signature.args) else None
    if not address:
        return other
    definition = _Definition(result.fndesc.qualname.encode(), address, _FASTCALL_KEYWORDS, None)
    interned = tuple(map(sys.intern, names))
    # the function reads the definition until it has let go of this tuple
    return _new_function(definition, (other, failed, interned, library, definition), None)
