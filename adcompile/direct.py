"""Calls without a dispatcher: of the readable source under NumPy, or of kernels on a GPU.

Enters: the arguments of a call. Leaves: the results of a function that was made for their types.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from adcompile import pass_order, pipeline
from adcompile.arguments import has_single, ones, plain, strong
from adcompile.errors import AdcompileError, TypeMismatch
from adcompile.generated import executable, template
from adcompile.graph import trees
from adcompile.graph.ir import Graph, Note
from adcompile.graph.procedures import procedures_of
from adcompile.graph.types import Scalar, Structure, type_text

_MOST_KINDS = 64  # kinds of calls


class DirectCalls:
    """The part of a transformed function that runs it for the targets "python" and "cuda"."""

    __name__: str
    target: str
    device: bool
    __signature__: inspect.Signature
    _types: Callable[..., list[Structure]]
    _known: Callable[[tuple[str, ...]], tuple[str, ...]]
    _function: Callable[..., Any]
    _direct: dict[tuple[str, ...], Callable[..., Any]]
    _stretched: dict[tuple[Any, ...], Callable[..., Any]]
    _runs: dict[Any, Callable[..., Any]]  # for kinds of calls on the device
    _inplace: tuple[str, ...]
    _is_plain: Callable[..., bool]
    _call_structured: Callable[..., Any]
    _for_ones: Callable[..., Callable[..., Any] | None]
    _call_types: Callable[..., list[Structure]]
    _bind: Callable[..., Any]
    _bound: Callable[..., tuple[Any, ...]]
    _refuse_overlap: Callable[..., None]
    _restored: Callable[[Any], Any]
    _optimised: Callable[[Sequence[Structure]], Graph]
    _change: Callable[[list[Structure]], list[Structure]]
    _skipped: frozenset[str]

    # -- what is made ---------------------------------------------------------------------------

    def _compiler_source(self, graph: Graph) -> str:
        """The text that the compiler of the target gets."""
        if self.target != "cuda":
            return pipeline.compiler_source(graph)
        return (pipeline.thread_source if self.device else pipeline.kernel_source)(graph)

    def _on_host(self, graph: Graph) -> Graph:
        """The graph to draw: for kernels that of the function which starts them."""
        kernels = self.target == "cuda" and not self.device
        return pipeline.in_kernels(graph) if kernels else graph

    def _scheduled(self, graph: Graph) -> Graph:
        """The graph with notes on what its loops have become."""
        found = self._on_host(graph)
        return pipeline.scheduled(graph) if found is graph else found

    def _transfers(self, graph: Graph, given: list[Any] | None) -> list[Note]:
        """What a call with these arguments copies to the device, and who multiplies matrices."""
        if self.target != "cuda" or self.device:
            return []
        notes = [
            Note("transfer", value.hint, f"{item.nbytes} bytes are in the memory of the host")
            for value, item in zip(graph.params, given or (), strict=False)
            if isinstance(item, np.ndarray)
        ]
        if any(op.name == "matmul" for op in graph.body.walk()):
            from adcompile.execute.tiled import products_by

            notes.append(Note("product", "matrix products", products_by()))
        return notes

    def inspect_ptx(self, *args: Any, capability: tuple[int, int] = (9, 0)) -> dict[str, str]:
        """The PTX text of each kernel by its name, for arguments or types; needs no GPU.

        capability of the GPU to compile for, (major, minor). Raises TypeMismatch for another
        target than "cuda", and for device=True: such a function is compiled with its caller;
        DeviceError where the libraries of the compiler are missing.
        """
        if self.target != "cuda" or self.device:
            raise TypeMismatch(
                f"`{self.__name__}` has no kernels", pipeline.place_of(self._function),
                'only target="cuda" without device=True makes them',
            )  # fmt: skip
        from adcompile.execute.cuda import kernels_of
        from adcompile.execute.headless import ptx_of

        graph = self._optimised(self._types(args))
        with self._located():
            host = pipeline.in_kernels(graph)
            source = pipeline.launching_source(host)
        texts = {p.name: [type_text(v.type) for v in p.graph.params] for p in procedures_of(host)}
        kernels = kernels_of(source, graph.name, texts)
        return {name: ptx_of(kernel, types, capability) for name, kernel, types in kernels}

    # -- calls ----------------------------------------------------------------------------------

    def _call_directly(self, /, *args: Any, **kwargs: Any) -> Any:
        if not self._is_plain(args, kwargs):
            return self._call_structured(args, kwargs)
        return self._run_directly(*args, **kwargs)

    @functools.cached_property
    def _device_function(self) -> Any:
        from adcompile.execute.device_function import device_function

        def generate(texts: tuple[str, ...]) -> tuple[str, str]:
            graph = self._optimised(self._types(self._known(texts)))
            with self._located():
                return pipeline.thread_source(graph), graph.name

        return device_function(template(self.__name__, self.__signature__), generate)

    def _run_directly(self, /, *args: Any, **kwargs: Any) -> Any:
        if self.device:
            return self._device_function(*args, **kwargs)
        if self.target == "cuda":
            return self._run_on_device(args, kwargs)
        run = self._for_ones(args, kwargs) or self._direct_function(self._call_types(args, kwargs))
        self._refuse_overlap(args, kwargs)
        # slopes of branches not taken may be infinite; they are masked out
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._restored(run(*self._bound(args, kwargs)))

    def _run_on_device(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from adcompile.execute.arena import forgotten_if_it_fails
        from adcompile.execute.cuda import explained
        from adcompile.execute.plans import kind_of

        with explained(), forgotten_if_it_fails():
            complete = not kwargs and len(args) == len(self.__signature__.parameters)
            kind = kind_of(args) if complete else None
            run, items = self._runs.get(kind), args
            if run is None:
                self._refuse_host_arrays(args, kwargs)
                args, kwargs = self._moved(args, kwargs)
                run, items = self._for_device(args, kwargs)
            self._refuse_overlap(args, kwargs)
            result = run(*items)
            if kind is not None and kind not in self._runs:
                if len(self._runs) >= _MOST_KINDS:
                    self._runs.clear()
                self._runs[kind] = run
            return self._restored(result)

    def _for_device(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """The compiled function for arguments on the device, and what it takes."""
        types, items = self._call_types(args, kwargs), self._bound(args, kwargs)
        run = self._stretched.get(stretched_key(items, types)) if self._stretched else None
        return run or self._direct_function(types), items

    def _moved(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call on the device."""
        from adcompile.execute.cuda import on_device

        def moved(item: Any) -> Any:
            return trees.mapped(on_device, trees.as_tuples(item))

        return tuple(map(moved, args)), {name: moved(item) for name, item in kwargs.items()}

    def _refuse_host_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeMismatch for what kernels would write in a copy."""
        arguments = self._bind(args, kwargs).arguments
        for name in self._inplace:
            if any(isinstance(leaf, np.ndarray) for leaf in trees.leaves(arguments.get(name))):
                raise TypeMismatch(
                    f"`{name}` is in the memory of the host, and `{self.__name__}` writes it on "
                    "the device", hint="pass an array of the device: numba.cuda.to_device(x)",
                )  # fmt: skip

    def _direct_function(self, types: list[Structure]) -> Callable[..., Any]:
        key = tuple(type_text(t) for t in types)
        if key not in self._direct:
            graph = self._optimised(self._change(types))
            make = _kernels if self.target == "cuda" else _readable
            with self._located():
                return self._direct.setdefault(key, make(graph))
        return self._direct[key]

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Run chosen passes; an error without a place is one of the whole function."""
        try:
            with pass_order.skipping(self._skipped):
                yield
        except AdcompileError as error:
            raise error.at(pipeline.place_of(self._function)) from None


def stretched_key(items: Sequence[Any], types: Sequence[Structure]) -> tuple[Any, ...]:
    """Which extents are 1 and what types: for what a function is made that knows these extents."""
    return tuple(map(ones, items)), tuple(map(type_text, types))


def _readable(graph: Graph) -> Callable[..., Any]:
    run = executable(pipeline.readable_source(graph), graph.name)
    number = plain if has_single(graph.body) else strong
    return lambda *args: run(*map(number, args))


def _kernels(graph: Graph) -> Callable[..., Any]:
    from adcompile.execute.cuda import DeviceNumber, compile_kernels

    run = compile_kernels(pipeline.kernel_source(graph), graph.name)
    numbers = [isinstance(v.type, Scalar) for v in graph.outputs]

    def call(*args: Any) -> Any:
        result = run(*map(plain, args))
        if not any(numbers):
            return result
        marks = iter(numbers)
        return trees.mapped(
            lambda leaf: leaf if not next(marks) or np.isscalar(leaf) else DeviceNumber(leaf),
            result,
        )

    return call
