"""Calls through a dispatcher: of code compiled for the types of arguments.

Enters: the arguments of a call. Leaves: the results of machine code. Python's calls share code that
goes the ways which the shapes of the first call of its types choose (`optimize/ways.py`). Shapes
that choose others, and calls from compiled code, get code with all ways.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adcompile import pass_order, pipeline
from adcompile.arguments import NOT_TAKEN, is_plain_result
from adcompile.calls import calling
from adcompile.errors import TypeMismatch, UnsupportedSyntax
from adcompile.generated import template
from adcompile.graph import trees
from adcompile.graph.ir import Graph
from adcompile.graph.types import Static, Structure, leaves

Change = Callable[[list[Structure]], list[Structure]]


def unchanged(types: list[Structure]) -> list[Structure]:
    """The types as they are."""
    return types


class DispatchedCalls:
    """The part of a transformed function that runs it for the target "cpu"."""

    __name__: str
    __signature__: inspect.Signature
    _optimised: Callable[[Sequence[Structure]], Graph]
    _types: Callable[..., list[Structure]]
    _change: Change
    _options: dict[str, bool]
    _skipped: frozenset[str]
    _written: set[str]
    _checks: dict[str, Any]
    _recursive: bool
    _result: Structure
    _stretched: dict[tuple[Any, ...], Any]
    _lock: Any
    _call: Callable[..., Any]
    _is_plain: Callable[..., bool]
    _call_structured: Callable[..., Any]
    _refuse_overlap: Callable[..., None]
    _restored: Callable[[Any], Any]
    _after_failure: Callable[..., Any]
    _placed: Callable[[Exception], Exception]
    _for_ones: Callable[..., Callable[..., Any] | None]
    _inplace: tuple[str, ...]
    _too_deep: Callable[[], UnsupportedSyntax]
    _kind: type[Any]  # the class, before calls go straight to a dispatcher
    _fitted: Any  # the dispatcher of Python's calls
    _made: Any  # the one with all ways

    def _first_call(self, /, *args: Any, **kwargs: Any) -> Any:
        """Make the dispatcher; later calls go straight to machine code."""
        if not self._is_plain(args, kwargs):
            return self._call_structured(args, kwargs)
        return self._first_plain(*args, **kwargs)

    def _first_plain(self, /, *args: Any, **kwargs: Any) -> Any:
        """As above, for arguments that are plain, or were made so."""
        result = self._call_with_care(*args, **kwargs)
        self._refuse_overlap(args, kwargs)  # if another thread has compiled it meanwhile
        return result

    def _enter(self, dispatcher: Any = None) -> None:
        """Have calls go straight to machine code, as there is some for further types.

        dispatcher what has compiled it, None if calls with other containers have come
        """
        from adcompile.execute.dispatch import entering

        with self._lock:
            dispatchers = [d for d in (self._fitted, *self._stretched.values()) if d is not None]
            if dispatcher is not None and dispatcher not in dispatchers:
                return
            compiled = any(each.overloads for each in dispatchers)
            enter = functools.partial(entering, dispatchers) if compiled else None
            if self._written or not is_plain_result(self._result):
                self._call = self._call_with_care
            try:
                self.__class__ = calling(self, self._kind, self._fitted, enter)
            except (MemoryError, RecursionError, SyntaxError):  # too many parentheses
                raise self._too_deep() from None

    def _failed(self, error: Exception, args: tuple[Any, ...]) -> Any:
        """The result of a call whose machine code has ended with an error."""
        if isinstance(error, NOT_TAKEN):
            return self._after_failure(error, args, {})
        raise self._placed(error)

    def _call_with_care(self, /, *args: Any, **kwargs: Any) -> Any:
        """A call of a function that writes arguments, or gives containers."""
        self._refuse_overlap(args, kwargs)
        run = self._for_ones(args, kwargs) or self._for_calls
        return self._restored(run(*args, **kwargs))

    @property
    def _type_of_dispatcher(self) -> Any:
        """What functions that Numba compiles for the CPU see: this function with all ways."""
        from adcompile.execute.dispatch import type_of_dispatcher

        return type_of_dispatcher(self._dispatcher)

    @property
    def _is_fitted(self) -> bool:
        """Whether calls get code that has not all ways."""
        return self._fitted is not None and self._fitted is not self._made

    def _go_all_ways(self) -> None:
        """Compile for all shapes, as some have come that choose other ways than the first."""
        with self._lock:
            self._fitted = self._dispatcher
            self.__class__ = self._kind
            self._call = getattr(self, self._call.__name__)  # a copy calls itself
            self._enter()

    @property
    def _for_calls(self) -> Any:
        if self._fitted is None:
            with self._lock:
                if self._fitted is None:
                    self._fitted = self._make_dispatcher(unchanged, by_shapes=True)
        return self._fitted

    @property
    def _dispatcher(self) -> Any:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make_dispatcher(unchanged)
        return self._made

    def _make_dispatcher(
        self, change: Change, ones: Sequence[Sequence[int]] = (), by_shapes: bool = False
    ) -> Any:
        from adcompile.execute.dispatch import make_dispatcher
        from adcompile.execute.entry import marked

        def generate(texts: tuple[str, ...], args: tuple[Any, ...] | None) -> tuple[str, str]:
            types = self._change(change(self._types(self._known(texts))))
            graph = self._optimised(types)
            shapes = _shapes(types, args) if by_shapes and args is not None else ()
            try:
                with pass_order.skipping(self._skipped):
                    source = pipeline.compiler_source(graph, shapes)
            except RecursionError:
                raise self._too_deep() from None
            names = self.__signature__.parameters
            written = [place for place, name in enumerate(names) if name in self._written]
            return marked(source, written, ones, bool(self._inplace)), graph.name

        return make_dispatcher(
            template(self.__name__, self.__signature__), generate, self._enter,
            lambda *args, **kwargs: self._refuse_overlap(args, kwargs), **self._options,
        )  # fmt: skip

    def _known(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text, name in zip(texts, self.__signature__.parameters, strict=True):
            if "?" in text:
                raise TypeMismatch(
                    f"argument `{name}` of `{self.__name__}` has the type {text.strip('?')}, "
                    "which is not supported",
                    hint="pass numbers, NumPy arrays of at least one axis, or tuples of them",
                )
        return texts


def _shapes(types: Sequence[Structure], args: Sequence[Any]) -> list[tuple[int, ...]]:
    """The shapes of the arguments that a graph has parameters for, in their order."""
    given = (x for t, x in zip(types, args, strict=True) if not isinstance(t, Static))
    return [getattr(leaf, "shape", ()) for item in given for leaf in leaves(trees.as_tuples(item))]
