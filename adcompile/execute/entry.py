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
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as _llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, itanium_mangler
from numba.core import types as _numba_types
from numba.core.callwrapper import PyCallWrapper
from numba.core.lowering import Lower
from numba.core.pythonapi import NativeValue
from numba.np.numpy_support import as_dtype

types: Any = _numba_types  # its names come from star imports
_COPIED = 1024  # bytes up to which a copy is cheaper than an object that owns the memory
_C_ORDER, _F_ORDER, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400  # of <numpy/ndarraytypes.h>
_NEW_ARRAY = 94  # the place of PyArray_NewFromDescr in NumPy's table of functions
_FASTCALL_KEYWORDS = 0x82  # of <methodobject.h>
_HEAD = object.__basicsize__  # bytes that every object begins with; the class is the last word
_WORD = ctypes.sizeof(ctypes.c_void_p)
# Python's own classes for numbers, under the names that its library gives them
_CLASSES = {
    types.float64: "PyFloat_Type",
    types.int64: "PyLong_Type",
    types.boolean: "PyBool_Type",
    types.complex128: "PyComplex_Type",
}
_NUMBERS = [
    *_CLASSES, types.float32, types.complex64, types.int32, types.int16, types.int8, types.uint64,
    types.uint32, types.uint16, types.uint8,
]  # fmt: skip


def _symbol(kind: str, number: Any) -> str:
    return f"adcompile_{kind}_{as_dtype(number).name}"


def _register() -> None:
    """Tell LLVM where NumPy's classes, its descriptions of numbers and its functions are."""
    _llvm.add_symbol("adcompile_class_array", id(np.ndarray))
    for number in _NUMBERS:
        _llvm.add_symbol(_symbol("class", number), id(as_dtype(number).type))
        _llvm.add_symbol(_symbol("dtype", number), id(as_dtype(number)))
    table_of = ctypes.pythonapi.PyCapsule_GetPointer
    table_of.restype, table_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    numpys = importlib.import_module("numpy._core._multiarray_umath")
    address = table_of(numpys._ARRAY_API, None)
    table = ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))
    _llvm.add_symbol("adcompile_new_array", table[_NEW_ARRAY])


_register()  # before machine code is loaded that names them


def is_accepted(type_: Any) -> bool:
    """Whether an entry can tell that an argument is of a type."""
    if isinstance(type_, types.Array):
        return type_.dtype in _NUMBERS and type_.ndim > 0
    if isinstance(type_, types.BaseTuple):
        named = isinstance(type_, types.BaseNamedTuple)
        return not named and all(map(is_accepted, type_))
    return type_ in _NUMBERS


def _given(argument_types: Sequence[Any]) -> list[Any]:
    """The types of the arguments of a call, if those left at their defaults are the last."""
    return [t for t in argument_types if not isinstance(t, types.Omitted)]


def _has_entry(argument_types: Sequence[Any]) -> bool:
    given = _given(argument_types)
    return all(map(is_accepted, given)) and list(argument_types[: len(given)]) == given


def _entry_name(description: Any) -> str:
    return str(itanium_mangler.prepend_namespace(description.mangled_name, ns="adcompile"))


# Numba's classes have no types of their own, hence the comments beside them
class LowerWithEntry(Lower):  # type: ignore[misc]
    """Makes machine code of a function, and its entry."""

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """What Python calls: Numba's and ours."""
        super().create_cpython_wrapper(release_gil)
        context, description = self.context, self.fndesc
        if not _has_entry(description.argtypes):
            return
        module = context.create_module("entry")
        type_ = context.call_conv.get_function_type(description.restype, description.argtypes)
        function = ir.Function(module, type_, description.llvm_func_name)
        _Entry(context, module, function, description, self.env, self.call_helper, False).build()
        self.library.add_ir_module(module)


class _Header:
    """What NumPy's header of an array says; its fields are those of `PyArrayObject_fields`."""

    def __init__(self, builder: Any, array: Any) -> None:
        pointer, number = cgutils.voidptr_t, ir.IntType(32)
        head = ir.ArrayType(ir.IntType(8), _HEAD)
        fields = [head, pointer, number, pointer, pointer, pointer, pointer, number]
        fields_of = builder.bitcast(array, ir.LiteralStructType(fields).as_pointer())

        def field(index: int) -> Any:
            return builder.load(builder.gep(fields_of, [number(0), number(index)], inbounds=True))

        self.data, self.axes, self.dtype, self.flags = map(field, (1, 2, 6, 7))


class _Entry(PyCallWrapper):  # type: ignore[misc]
    """Writes the entry of one function: `PyObject *(self, arguments, count, names)`.

    `self` is a tuple: what gets calls of other types, what gets an error and the arguments, and
    what has to live as long.
    """

    def build(self) -> None:
        """Add it to the module."""
        context, self._word = self.context, ir.IntType(8 * _WORD)
        item = context.get_argument_type(types.pyobject)
        type_ = ir.FunctionType(item, [item, item.as_pointer(), self._word, item])
        function = ir.Function(self.module, type_, name=_entry_name(self.fndesc))
        self._self, self._arguments, self._count, self._names = function.args
        self.builder = builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.api = context.get_python_api(builder)
        self._other = function.append_basic_block("other")
        given = _given(self.fndesc.argtypes)
        items = self._items(len(given))
        takers = [self._accept(t, i) for t, i in zip(given, items, strict=True)]
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

    def _is(self, a: Any, b: Any) -> Any:
        return self.builder.icmp_unsigned("==", a, self.builder.bitcast(b, a.type))

    def _known(self, name: str) -> Any:
        """The address of what Python's or NumPy's library has under a name."""
        variable = self.module.globals.get(name)
        variable = variable or ir.GlobalVariable(self.module, ir.IntType(8), name)
        return self.builder.bitcast(variable, self.api.pyobj)

    def _items(self, count: int) -> list[Any]:
        self._require(self.builder.icmp_unsigned("==", self._count, self._word(count)))
        self._require(cgutils.is_null(self.builder, self._names))
        places = (self.builder.gep(self._arguments, [self._word(k)]) for k in range(count))
        return [self.builder.load(place) for place in places]

    def _accept(self, type_: Any, item: Any) -> Callable[[], Any]:
        """Hand the call on if an object is not of a type; what makes the value of it, later."""
        words = self.builder.bitcast(item, self.api.pyobj.as_pointer())
        class_ = self.builder.load(self.builder.gep(words, [self._word(_HEAD // _WORD - 1)]))
        if isinstance(type_, types.Array):
            self._require(self._is(class_, self._known("adcompile_class_array")))
            self._accept_array(type_, item)
        elif isinstance(type_, types.BaseTuple):
            self._require(self._is(class_, self._known("PyTuple_Type")))
            size = self.api.tuple_size(item)
            self._require(self.builder.icmp_unsigned("==", size, size.type(len(type_))))
            for k, part in enumerate(type_):
                self._accept(part, self.api.tuple_getitem(item, k))
        else:
            fits = self._is(class_, self._known(_symbol("class", type_)))
            if type_ in _CLASSES:
                fits = self.builder.or_(self._is(class_, self._known(_CLASSES[type_])), fits)
            self._require(fits)
            if type_ == types.float64:  # NumPy's class is a subclass of Python's
                return lambda: NativeValue(self.api.float_as_double(item))
            if type_ == types.int64:
                self._accept_integer(item)
        return lambda: self.api.to_native_value(type_, item)

    def _accept_array(self, type_: Any, item: Any) -> None:
        """As Numba has it: arrays in C order count as such, then those in Fortran's, then any."""
        builder, header = self.builder, _Header(self.builder, item)
        self._require(self._is(header.dtype, self._known(_symbol("dtype", type_.dtype))))
        self._require(builder.icmp_unsigned("==", header.axes, header.axes.type(type_.ndim)))
        asked = _ALIGNED | _WRITEABLE | _C_ORDER
        wanted = _ALIGNED * type_.aligned + _WRITEABLE * type_.mutable
        if type_.layout == "C":
            wanted |= _C_ORDER
        else:
            asked |= _F_ORDER
            wanted |= _F_ORDER * (type_.layout == "F")
        flags = builder.and_(header.flags, header.flags.type(asked))
        self._require(builder.icmp_unsigned("==", flags, flags.type(wanted)))

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
        if isinstance(type_, types.Array) and type_.dtype in _NUMBERS:
            return self._boxed_array(type_, value)
        if isinstance(type_, types.BaseTuple) and not isinstance(type_, types.BaseNamedTuple):
            whole = self.api.tuple_new(len(type_))
            for k, part in enumerate(type_):
                item = self._boxed(part, self.builder.extract_value(value, k), environment)
                self.api.tuple_setitem(whole, k, item)
            return whole
        return self.api.from_native_return(type_, value, environment)

    def _boxed_array(self, type_: Any, value: Any) -> Any:
        context, builder, word = self.context, self.builder, self._word
        array = context.make_array(type_)(context, builder, value=value)
        size = builder.mul(array.nitems, array.itemsize)
        alone = cgutils.alloca_once_value(builder, cgutils.false_bit)
        if type_.layout == "C" and type_.mutable:
            small = builder.icmp_unsigned("<=", size, size.type(_COPIED))
            has_memory = builder.not_(cgutils.is_null(builder, array.meminfo))
            with builder.if_then(builder.and_(small, has_memory)):
                # its count of references is what a record of memory begins with
                count = builder.load(builder.bitcast(array.meminfo, word.as_pointer()))
                builder.store(builder.icmp_unsigned("==", count, word(1)), alone)
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
        number, dtype = ir.IntType(32), self._known(_symbol("dtype", type_.dtype))
        parameters = [item, item, number, pointer, pointer, pointer, number, item]
        new = cgutils.get_or_insert_function(
            self.module, ir.FunctionType(item, parameters), "adcompile_new_array"
        )
        shape = builder.bitcast(cgutils.alloca_once_value(builder, array.shape), pointer)
        self.api.incref(dtype)  # the new array takes it
        copy = builder.call(
            new,
            [
                self._known("adcompile_class_array"), dtype, number(type_.ndim), shape,
                pointer(None), pointer(None), number(0), item(None),
            ],
        )  # fmt: skip
        with builder.if_then(cgutils.is_not_null(builder, copy)):
            cgutils.raw_memcpy(builder, _Header(builder, copy).data, array.data, size, 1)
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
        class_, dtype = (
            self._known(name) for name in ("adcompile_class_array", _symbol("dtype", type_.dtype))
        )
        axes, writeable = number(type_.ndim), number(int(type_.mutable))
        return builder.call(wrap, [place, class_, axes, writeable, dtype])

    # -- what is left to others -----------------------------------------------------------------

    def _call_other(self) -> Any:
        item = self.api.pyobj
        type_ = ir.FunctionType(item, [item, self._arguments.type, self._word, item])
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
        arguments = api.tuple_pack(items)
        failed = api.tuple_getitem(self._self, 1)
        result = api.call_function_objargs(failed, [builder.load(error[1]), arguments])
        for reference in (*map(builder.load, error), arguments):
            api.decref(reference)  # none is no reference: the traceback of an error in machine code
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


def entered(result: Any, other: Callable[..., Any], failed: Callable[..., Any]) -> Any:
    """A function of Python's that runs a compile result; `other` if it has no entry.

    other      gets calls with arguments of other types, by keyword, or of another number
    failed     gets an error of compiled code and the tuple of arguments; what it gives is the
               result of the call
    """
    library, name = result.library, _entry_name(result.fndesc)
    address = library.get_pointer_to_function(name) if _has_entry(result.signature.args) else None
    if not address:
        return other
    definition = _Definition(result.fndesc.qualname.encode(), address, _FASTCALL_KEYWORDS, None)
    # the function reads the definition until it has let go of this tuple
    return _new_function(definition, (other, failed, library, definition), None)
