"""A function for one thread, generated for the types with which a kernel calls it.

Enters: a function that gives source text for argument types written as text. Leaves: what the
compiler for the device calls inside kernels; in the simulator, a function that runs there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types as _types
from numba.core.typing.typeof import typeof

from adcompile.errors import DeviceError
from adcompile.execute.cache import module_from_source
from adcompile.execute.dispatch import type_text
from adcompile.execute.toolkit import SIMULATED, cuda

types: Any = _types
Generate = Callable[[tuple[str, ...]], tuple[str, str]]


def device_function(template: Callable[..., Any], generate: Generate) -> Any:
    """A function with the signature of `template` for the device.

    `generate` gets one type text per argument and gives (source, name of the function).
    """
    return _Simulated(generate) if SIMULATED else _dispatcher()(template, generate)


def _compiled(generate: Generate, texts: tuple[str, ...]) -> Any:
    source, entry = generate(texts)
    return getattr(module_from_source(source, entry), entry)


class _Simulated:
    """Runs in the simulator, where kernels are plain Python."""

    def __init__(self, generate: Generate) -> None:
        self._generate = generate
        self._made: dict[tuple[str, ...], Any] = {}

    def __call__(self, *args: Any) -> Any:
        texts = tuple(type_text(_type_of(item)) for item in args)
        if texts not in self._made:
            self._made[texts] = _compiled(self._generate, texts)
        return self._made[texts](*args)


def _type_of(item: Any) -> Any:
    inner = getattr(item, "_item", getattr(item, "_ary", item))  # the simulator's arrays
    return typeof(inner)


def _dispatcher() -> type:
    """The class of such functions; the simulator has no class to start from."""

    class GeneratedDeviceFunction(cuda.dispatcher.CUDADispatcher):  # type: ignore[misc]
        """Compiles what `generate` writes for the types at hand.

        Relies on one inner working of the compiler: `compile_device` is the one place where a
        device function is compiled for types, and its results may be those of another function.
        """

        def __init__(self, template: Callable[..., Any], generate: Generate) -> None:
            super().__init__(template, targetoptions={"device": True, "opt": True})
            self._generate = generate

        def compile_device(self, args: tuple[Any, ...], return_type: Any = None) -> Any:
            """Make the function for argument types."""
            if args not in self.overloads:
                plain = tuple(_unliteral(t) for t in args)
                texts = tuple(type_text(t) for t in plain)
                made = _compiled(self._generate, texts)
                self.overloads[args] = made.compile_device(args, return_type)
            return self.overloads[args]

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            raise DeviceError(
                f"`{self.py_func.__name__}` is for one thread of a kernel",
                hint="call it inside a function decorated with @cuda.jit, or leave out device=True",
            )

    return GeneratedDeviceFunction


def _unliteral(type_: Any) -> Any:
    return type_.literal_type if isinstance(type_, types.Literal) else type_
