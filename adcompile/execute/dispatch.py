"""A Numba dispatcher whose code is generated for each combination of argument types.

Enters: a function that gives source text for argument types written as text. Leaves: a dispatcher
that chooses by type in C, and that other compiled functions can call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numba.core import sigutils
from numba.core import types as _types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numba.core.typing import signature
from numba.core.typing.typeof import typeof

from adcompile.errors import AdcompileError
from adcompile.execute.cpu import compile_for, compile_source
from adcompile.execute.entry import entered
from adcompile.execute.lean import collecting_seldom

types: Any = _types  # its names come from star imports
Call = Callable[..., Any]
Changed = Callable[["GeneratedDispatcher"], None]
_ENTRIES = 8  # as many kinds of calls go to machine code at once
Generate = Callable[[tuple[str, ...], tuple[Any, ...] | None], tuple[str, str]]


# Numba's classes and decorators have no types of their own, hence the comments beside them
class _Borrowing(CPUDispatcher):  # type: ignore[misc]
    """A dispatcher of what others have compiled, which stays when this one goes."""

    def _make_finalizer(self) -> Callable[[], None]:
        return _leave


def _leave() -> None:
    """Numba would take the overloads from the compiler, while other dispatchers have them."""


class GeneratedDispatcher(_Borrowing):
    """Compiles what `generate` writes for the types at hand.

    Relies on inner workings of Numba: `compile` is the one place where overloads are made,
    `_compile_for_args` is what a call from Python gets to it by, `add_overload` accepts the compile
    result of another function with the same argument types, and `_make_finalizer` ends these.
    """

    def __init__(
        self, template: Callable[..., Any], generate: Generate, changed: Changed, before: Call,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(template)
        self._generate, self._changed, self._before = generate, changed, before
        self._compile_options = options
        self._given: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # arguments of a call

    @global_compiler_lock  # type: ignore[untyped-decorator]
    def _compile_for_args(self, *args: Any, **kwargs: Any) -> Any:
        self._given = args, kwargs
        try:
            return super()._compile_for_args(*args, **kwargs)
        except AdcompileError as error:
            error.__traceback__ = None  # it says which line of the user's it is about
            raise
        finally:
            self._given = None

    @global_compiler_lock  # type: ignore[untyped-decorator]
    def compile(self, sig: Any) -> Any:
        """Make the overload for a signature."""
        arguments, _ = sigutils.normalize_signature(sig)
        key = tuple(arguments)
        if key not in self.overloads:
            self._add(key)
        if self._given is not None:
            args, kwargs = self._given
            self._before(*args, **kwargs)
        return self.overloads[key].entry_point

    def _add(self, key: tuple[Any, ...]) -> None:
        with collecting_seldom():
            args = self._given and self._given[0]
            source, entry = self._generate(tuple(type_text(t) for t in key), args)
            # a module for each signature: processes that share the cache write no file for two
            source = f"# {', '.join(map(str, key))}\n{source}"
            known = tuple(map(_without_default, key))
            result = compile_for(compile_source(source, entry, **self._compile_options), known)
            result = result._replace(signature=signature(result.signature.return_type, *key))
        self.add_overload(result)
        self._changed(self)


def entering(
    dispatchers: Iterable[GeneratedDispatcher],
    other: Callable[..., Any],
    failed: Callable[..., Any],
) -> Callable[..., Any]:
    """A function that runs what dispatchers have compiled, the latest first.

    `other` gets calls of other types, `failed` an error and the arguments.
    """
    compiled = [(each, result) for each in dispatchers for result in each.overloads.values()]
    function = other
    for dispatcher, result in compiled[-_ENTRIES:]:
        names = dispatcher.py_func.__code__.co_varnames
        function = entered(result, function, failed, names)
    return function


def make_dispatcher(
    template: Callable[..., Any], generate: Generate, changed: Changed, before: Call, **options: Any
) -> GeneratedDispatcher:
    """A dispatcher with the signature of `template`; `options` go to `compile_source`.

    `generate` gets one type text per argument, and the arguments themselves (None where compiled
    code is the caller), and gives (source, name of the function); what it raises reaches a Python
    caller as it is. `changed` gets the dispatcher when it has machine code for further types;
    `before` gets the arguments of a call that had to wait for this, and may refuse them.
    """
    return GeneratedDispatcher(template, generate, changed, before, **options)


_VALUES = (float, complex)  # defaults that are arguments as any other
_SCALARS = {
    types.complex128: "c16",
    types.complex64: "c8",
    types.float64: "f8",
    types.float32: "f4",
    types.int64: "i8",
    types.int32: "i4",
    types.int16: "i2",
    types.int8: "i1",
    types.uint64: "u8",
    types.uint32: "u4",
    types.uint16: "u2",
    types.uint8: "u1",
    types.boolean: "b1",
}


def type_of_dispatcher(dispatcher: Any) -> Any:
    """The Numba type of a function: what Numba asks for as `_numba_type_`."""
    return types.Dispatcher(dispatcher)


def _without_default(type_: Any) -> Any:
    """The type of an argument left at its default, which the code has: it may be a function."""
    left = isinstance(type_, types.Omitted) and not isinstance(type_.value, _VALUES)
    return types.Omitted(None) if left else type_


def type_text(type_: Any) -> str:
    """A Numba type as text: `f8`, `f8[:, ::1]`, `(f8, i8)`.

    `=` stands for an argument left at a default that is no float or complex number, `?name` for
    unsupported types.
    """
    if type_ in _SCALARS:
        return _SCALARS[type_]
    if isinstance(type_, types.Omitted):
        varies = isinstance(type_.value, _VALUES)
        return type_text(typeof(type_.value)) if varies else "="
    if isinstance(type_, (types.IntegerLiteral, types.BooleanLiteral)):
        return type_text(type_.literal_type)
    if isinstance(type_, types.Array) and type_.dtype in _SCALARS and type_.ndim > 0:
        axes = [":"] * type_.ndim
        if type_.layout == "C":
            axes[-1] = "::1"
        elif type_.layout == "F":
            axes[0] = "::1"
        return f"{_SCALARS[type_.dtype]}[{', '.join(axes)}]"
    if isinstance(type_, types.BaseTuple) and not isinstance(type_, types.BaseNamedTuple):
        return f"({', '.join(type_text(t) for t in type_)})"
    return f"?{type_}"


def numba_type(text: str) -> Any:
    """The Numba type behind a text of a number or array: the other way round."""
    number, _, axes = text.partition("[")
    found = next(type_ for type_, name in _SCALARS.items() if name == number)
    if not axes:
        return found
    parts = [part.strip() for part in axes.rstrip("]").split(",")]
    layout = "C" if parts[-1] == "::1" else "F" if parts[0] == "::1" else "A"
    return types.Array(found, len(parts), layout)
