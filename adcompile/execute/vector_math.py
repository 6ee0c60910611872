"""The functions of `math`, such that loops of compiled code compute several elements at once.

Numba's own calls of `exp` and its kin keep a loop scalar. Here `exp` and `tanh` are formulas of our
own, which LLVM vectorises as any arithmetic. Calls of the others name their vector versions in
glibc's `libmvec` (2.35 or later, x86-64; `AVAILABLE` where it is there), which LLVM takes where it
vectorises a loop; they are within 4 units in the last place. A call that stays scalar goes to the
same `libm` as ever. Generated modules import this module as `math`.
"""

from __future__ import annotations

import ctypes
import platform
from math import *  # noqa: F403  (all that has no vector version)
from typing import Any

import llvmlite.binding as _llvm
from llvmlite import ir as _ir
from numba.core import cgutils as _cgutils
from numba.core import types as _types
from numba.extending import intrinsic as _intrinsic

from adcompile.execute import formulas as _formulas
from adcompile.execute import vectors as _vectors

_UNARY = (
    "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh",
    "asin", "acos", "atan", "asinh", "acosh", "atanh", "erf", "erfc",
)  # fmt: skip
_BINARY = ("atan2", "hypot", "pow")
_OWN = {"exp": _formulas.exp, "tanh": _formulas.tanh}


def _loaded() -> bool:
    """Load the library for code to be linked with; gives whether it has what is needed."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        library = ctypes.CDLL("libmvec.so.1")
        _llvm.load_library_permanently("libmvec.so.1")
    except (OSError, RuntimeError):
        return False
    return hasattr(library, "_ZGVbN2v_erfc")  # among the last to come, with glibc 2.35


AVAILABLE = _loaded()


def _function(name: str, count: int) -> Any:
    """The function of `count` floats under its name in `math`."""

    def typed(*arguments: Any) -> Any:
        single = all(a == _types.float32 for a in arguments)
        number = _types.float32 if single else _types.float64

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            if name in _OWN:
                return _OWN[name](builder, *values)
            return library_call(context, builder, name, values)

        known = all(isinstance(a, (_types.Float, _types.Integer)) for a in arguments)
        return (number(*[number] * count), generate) if known else None

    if count == 1:
        made = _intrinsic(lambda typing_context, x: typed(x))
    else:
        made = _intrinsic(lambda typing_context, x, y: typed(x, y))
    return made


def library_call(context: Any, builder: Any, name: str, values: Any) -> Any:
    """A call of a function of libm, or of a version for several elements."""
    _vectors.align_stack(context, builder)
    single = values[0].type == _ir.FloatType()
    return _call(builder, name, values, single, _vectors.features(context))


def _call(builder: Any, name: str, values: Any, single: bool, features: str) -> Any:
    """A call of the scalar function that says which vector versions it has.

    The scalar function is wrapped: LLVM would take the name `exp` for its own intrinsic, and forget
    what the call says.
    """
    module = builder.module
    symbol = f"{name}f" if single else name
    number = values[0].type
    type_ = _ir.FunctionType(number, [number] * len(values))
    wrapper = module.globals.get(f"adcompile_{symbol}")
    size, shape = (4 if single else 8), "v" * len(values)
    variants = [
        (f"_ZGV{isa}N{width // size}{shape}_{symbol}", width // size)
        for isa, width, needed in _vectors.WIDTHS
        if AVAILABLE and needed in features
    ]
    if wrapper is None:
        wrapper = _ir.Function(module, type_, f"adcompile_{symbol}")
        wrapper.linkage = "linkonce_odr"
        wrapper.attributes.add("noinline")
        inside = _ir.IRBuilder(wrapper.append_basic_block())
        libm = _cgutils.get_or_insert_function(module, type_, symbol)
        inside.ret(inside.call(libm, wrapper.args, tail=True))
        for variant, lanes in variants:
            vector = _ir.VectorType(number, lanes)
            vectors = _ir.FunctionType(vector, [vector] * len(values))
            _keep(module, _cgutils.get_or_insert_function(module, vectors, variant))
    call = builder.call(wrapper, values)
    named = ",".join(f"_ZGV_LLVM_N{n}{shape}_{wrapper.name}({v})" for v, n in variants)
    versions = [f'"vector-function-abi-variant"="{named}"'] if variants else []
    for attribute in ("nounwind", "readnone", *versions):
        set.add(call.attributes, attribute)  # llvmlite's own `add` knows no such attributes
    return call


def _keep(module: Any, function: Any) -> None:
    """Keep a declaration that nothing calls as yet."""
    pointer = _ir.IntType(8).as_pointer()
    kept = module.globals.get("llvm.compiler.used")
    items = [] if kept is None else list(kept.initializer.constant)
    items.append(function.bitcast(pointer))
    type_ = _ir.ArrayType(pointer, len(items))
    if kept is None:
        kept = _ir.GlobalVariable(module, type_, "llvm.compiler.used")
        kept.linkage, kept.section = "appending", "llvm.metadata"
    kept.value_type, kept.type = type_, type_.as_pointer()
    kept.initializer = _ir.Constant(type_, items)


globals().update({_name: _function(_name, 1) for _name in _OWN})
if AVAILABLE:
    globals().update({_name: _function(_name, 1) for _name in _UNARY})
    globals().update({_name: _function(_name, 2) for _name in _BINARY})
