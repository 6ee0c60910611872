"""The callable that every transformation gives back.

Enters: a Python function, a way to derive a graph from its graph, options. Leaves: an object that
is called like the function, compiles once per combination of argument types, prints its source,
draws its graph, and can be called inside `@njit` code.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, MethodType
from typing import Any

from adcompile import pass_order, pipeline
from adcompile.arguments import (
    NOT_TAKEN,
    check_arguments,
    check_options,
    default_type,
    is_plain_result,
    ones,
    plain,
    refuse_overlap,
    refuse_read_only,
    refuse_variadic,
    same_tree,
    usual,
    with_ones,
)
from adcompile.direct import DirectCalls, stretched_key
from adcompile.dispatched import Change, DispatchedCalls, unchanged
from adcompile.errors import (
    AdcompileError,
    Location,
    ShapeError,
    TypeMismatch,
    UnsupportedOperation,
    UnsupportedSyntax,
)
from adcompile.explain import Explanation, explain
from adcompile.generated import name_of
from adcompile.graph import trees
from adcompile.graph.ir import Graph
from adcompile.graph.procedures import procedures_of
from adcompile.graph.show import GraphView
from adcompile.graph.types import (
    Array,
    Scalar,
    Static,
    Structure,
    leaves,
    parse_types,
    type_of,
)
from adcompile.transformation import Transformed

Derive = Callable[[Graph, Sequence[Structure]], Graph]
Own = Callable[[Sequence[Structure]], Sequence[Structure]]
_TARGETS = ("cpu", "cuda", "python")


class CompiledFunction(Transformed, DispatchedCalls, DirectCalls):
    """A transformed function.

    derive     makes the graph of the result from the function's graph and the types of a call
    own        picks the types of the function's own arguments out of those of a call
    target     "cpu" compiles with Numba; "cuda" makes kernels for an NVIDIA GPU, takes arrays of
               the host or the device and gives arrays of the device; "python" runs the readable
               source under NumPy
    fastmath   let the compiler contract and reassociate (NaN and infinities keep their meaning)
    parallel   run loops whose iterations stand alone on several threads; see docs/language.md
    cache      keep machine code on disk
    device     with target "cuda": for the kernels of others to call, by one thread
    boundscheck raise IndexError for an index that does not exist, which is undefined otherwise
    passes     optimisations to switch off, by their names in `explain()`: {"merge_loops": False}
    inplace    names of arguments that may be written; all others are copied before a write
    """

    def __init__(
        self,
        function: Callable[..., Any],
        derive: Derive,
        signature: inspect.Signature,
        name: str,
        *,
        target: str = "cpu",
        fastmath: bool = True,
        parallel: bool = False,
        cache: bool = True,
        inplace: Sequence[str] = (),
        keep: Sequence[str] = (),
        prints: bool = False,
        boundscheck: bool = False,
        device: bool = False,
        passes: Mapping[str, bool] = MappingProxyType({}),
        own: Own = lambda types: types,
        **unknown: Any,
    ) -> None:
        place = pipeline.place_of(function)
        options = {
            "fastmath": fastmath, "parallel": parallel, "cache": cache, "boundscheck": boundscheck
        }  # fmt: skip
        check_options(
            _TARGETS, target, {**options, "device": device, "prints": prints}, unknown, place
        )
        refuse_variadic(signature, place)
        functools.update_wrapper(self, function, updated=())  # no state of another of its kind
        self.__name__ = name
        self.__signature__ = signature
        self.target, self.device = target, device
        self._function = function
        self._derive = derive
        self._options = {name: on for name, on in options.items() if name != "parallel"}
        self._skipped = pass_order.skipped_passes(passes, options, target, place)
        if not isinstance(inplace, (tuple, list)):
            raise TypeMismatch(f"inplace={inplace!r} is no tuple of argument names", place)
        self._inplace, self._keep, self._own = tuple(inplace), tuple(keep), own
        self._prints = prints
        for written in self._inplace:
            if written not in signature.parameters:
                raise TypeMismatch(
                    f"inplace={written!r}: `{name_of(function)}` has no such argument", place
                )
        self._checks: dict[str, Location | None] = {}
        self._written: set[str] = set()
        self._direct: dict[tuple[str, ...], Callable[..., Any]] = {}
        self._stretched: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._runs: dict[Any, Callable[..., Any]] = {}
        self._recursive = False
        self._result: Structure = None
        self._structured: dict[Any, CompiledFunction] = {}
        self._change: Change = unchanged
        self._flat = False  # a variant for containers, which come as plain tuples
        self.structures: list[Any] = []  # the first arguments, with 0 for each array or number
        self._lock = threading.RLock()
        self._kind = CompiledFunction
        self._fitted: Any = None
        self._made: Any = None
        self._call = self._first_call if target == "cpu" else self._call_directly

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the function; see the class for what it compiles."""
        try:
            args = tuple(map(usual, args))
            kwargs = {name: usual(item) for name, item in kwargs.items()}
            if self._inplace:
                refuse_read_only(self.__name__, self._bind(args, kwargs).arguments, self._inplace)
            return self._call(*args, **kwargs)
        except NOT_TAKEN as error:
            return self._after_failure(error, args, kwargs)
        except RecursionError:
            if self._recursive:
                raise  # of the function itself, as in Python
            raise self._too_deep() from None

    def _too_deep(self) -> UnsupportedSyntax:
        return UnsupportedSyntax(
            f"`{self.__name__}` or its arguments are nested too deeply",
            pipeline.place_of(self._function),
            "split long expressions into statements, write chains of calls as loops",
        )

    @property
    def _numba_type_(self) -> Any:
        """How compilers see it in the functions that they compile."""
        if self.target != "cuda":
            return self._type_of_dispatcher
        if not self.device:
            raise AttributeError("_numba_type_")
        return self._device_function._numba_type_

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: the instance is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<adcompile function {self.__name__}{self.__signature__}>"

    # -- graphs and sources ---------------------------------------------------------------------

    def __adcompile_graph__(self, types: Sequence[Structure]) -> Graph:
        """The derived graph for argument types, for use inside other functions."""
        try:
            own = self._own(types)
            graph, written = pipeline.function_graph(
                self._function, own, self._inplace, self._keep, self._prints
            )
            self._written.update(written)
            return self._derive(graph, types)
        except AdcompileError as error:
            raise error.at(pipeline.place_of(self._function)) from None
        except RecursionError:
            raise self._too_deep() from None

    def _optimised(self, types: Sequence[Structure]) -> Graph:
        with self._lock, pass_order.skipping(self._skipped):
            graph = pass_order.optimise(self.__adcompile_graph__(types))
            graph.doc = self._describe()
            self._recursive = self._recursive or bool(procedures_of(graph))
            self._checks.update(graph.checks)
            kinds = self._result, graph.result
            if self._result is not None and not (
                all(map(is_plain_result, kinds)) or same_tree(*kinds)
            ):
                raise UnsupportedOperation(
                    f"the structure of what `{self.__name__}` gives depends on the types of its "
                    "arguments", hint="return the same kind of container for all of them",
                )  # fmt: skip
            self._result = trees.mapped(lambda _: 0, graph.result)
            return graph

    def _describe(self) -> str:
        return f"{self.__name__}: generated by adcompile from `{name_of(self._function)}`."

    def source(self, *args: Any, stage: str | None = None) -> str:
        """The generated Python for arguments, or for types such as `"f8[:, :]"`.

        stage      "derivative": for people and NumPy; "compiled": the loops, or for target="cuda"
                   the kernels, that the compiler sees; default: "compiled" for target="cuda", else
                   "derivative"
        """
        graph = self._optimised(self._types(args))
        stages = {"derivative": pipeline.readable_source, "compiled": self._compiler_source}
        chosen = stage or ("compiled" if self.target == "cuda" else "derivative")
        if chosen in stages:
            try:
                with self._located():
                    return stages[chosen](graph)
            except RecursionError:
                raise self._too_deep() from None
        place = pipeline.place_of(self._function)
        raise TypeMismatch(f"stage={stage!r}", place, "one of 'derivative', 'compiled'")

    def graph(self, *args: Any) -> GraphView:
        """The SSA graph for arguments or types: prints as text, draws itself as SVG.

        For target="cuda" it is that of the host, with a node for each kernel that it starts.
        """
        graph = self._optimised(self._types(args))
        with self._located():
            return GraphView(self._on_host(graph))

    def explain(self, *args: Any) -> Explanation:
        """What is saved, computed again, allocated and fused, and why, for arguments or types.

        With arguments it also says how many bytes are saved, and which of them go to the GPU.
        """
        types = self._types(args)
        graph = self._optimised(types)
        given: list[Any] | None = None
        if not any(isinstance(leaf, (Array, Scalar, str)) for leaf in leaves(args)):
            defaults = [p.default for p in self.__signature__.parameters.values()][len(args) :]
            pairs = zip([*args, *defaults], types, strict=True)
            given = [
                leaf for item, type_ in pairs if not isinstance(type_, Static)
                for leaf in leaves(plain(trees.as_tuples(item)))
            ]  # fmt: skip
        with self._located():
            scheduled = self._scheduled(graph)
            scheduled.notes += self._transfers(graph, given)
            return explain(graph, scheduled, given, pass_order.passes_run())

    def _types(self, args: Sequence[Any]) -> list[Structure]:
        types: list[Structure] = []
        parameters = list(self.__signature__.parameters.values())
        for item in args:
            if isinstance(item, str) and item == "=":
                types.append(Static(parameters[len(types)].default))
            elif isinstance(item, str):
                types += parse_types(item)
            elif isinstance(item, Static) or any(
                isinstance(leaf, (Array, Scalar)) for leaf in leaves(item)
            ):
                types.append(item)
            else:
                types.append(type_of(item))
        for parameter in parameters[len(types) :]:
            if parameter.default is parameter.empty:
                raise TypeMismatch(
                    f"`{self.__name__}` needs an argument or type for `{parameter.name}`",
                    pipeline.place_of(self._function),
                )
            types.append(default_type(parameter.default))
        return types

    def _call_types(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Structure]:
        """The types of a call; arguments left at a default that is no float are static."""
        given = self._bind(args, kwargs).arguments
        return [
            type_of(given[name]) if name in given else default_type(parameter.default)
            for name, parameter in self.__signature__.parameters.items()
        ]

    def call_graph(self, *args: Any, **kwargs: Any) -> tuple[Graph, list[Any]]:
        """The graph for the arguments of a call, extents of 1 known, and their leaves in order."""
        types = self._call_types(args, kwargs)
        items = [trees.as_tuples(item) for item in self._bound(args, kwargs)]
        values = [(t, item) for t, item in zip(types, items, strict=True)]
        graph = self._optimised(
            [t if isinstance(t, Static) else with_ones(t, ones(item)) for t, item in values]
        )
        return graph, [x for t, item in values if not isinstance(t, Static) for x in leaves(item)]

    # -- calls ----------------------------------------------------------------------------------

    def _restored(self, result: Any) -> Any:
        """Containers of the kinds that the function gives, out of plain tuples."""
        if is_plain_result(self._result):
            return result
        return trees.restored(self._result, trees.leaves(result))

    def _is_plain(self, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
        return all(map(trees.is_plain, args)) and all(map(trees.is_plain, kwargs.values()))

    def _call_structured(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """A call with containers: compiled once for each structure, over plain tuples."""
        bound = self._bind(args, kwargs)
        special = {n: item for n, item in bound.arguments.items() if not trees.is_plain(item)}
        try:
            key = tuple((name, trees.fingerprint(item)) for name, item in special.items())
            found = self._structured.get(key)
        except TypeError as error:
            raise TypeMismatch(
                f"`{self.__name__}`: {error}", hint="what is no array or number must be hashable"
            ) from None
        if found is None:
            with self._lock:
                made = self._for_structure(bound.arguments, special)
                found = self._structured.setdefault(key, made)
                if self.target == "cpu":
                    self._enter()
        bound.arguments.update((name, trees.as_tuples(item)) for name, item in special.items())
        return found(*bound.args, **bound.kwargs)

    def _for_structure(self, given: dict[str, Any], special: dict[str, Any]) -> CompiledFunction:
        """This function for arguments that come as plain tuples in place of these containers."""
        structures = {name: type_of(item) for name, item in special.items()}
        names = list(self.__signature__.parameters)

        def change(types: list[Structure]) -> list[Structure]:
            return [
                trees.rebuild(structures[n], trees.leaves(t)) if n in structures else t
                for n, t in zip(names, types, strict=True)
            ]

        made = CompiledFunction.__new__(CompiledFunction)
        made.__dict__.update(self.__dict__)
        made._direct, made._stretched, made._structured, made._runs = {}, {}, {}, {}
        made._result, made._change, made._flat = None, change, True
        made.structures = [
            trees.mapped(lambda x: x if trees.is_static(x) else 0, given[name])
            for name in names[: len(given)] if name in given
        ]  # fmt: skip
        made._fitted, made._made, made._lock = None, None, threading.RLock()
        made._call = made._first_plain if self.target == "cpu" else made._run_directly
        return made

    def _refuse_overlap(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        if self._written:
            arguments = self._bind(args, kwargs).arguments
            refuse_overlap(self.__name__, arguments, self._written)

    def _bound(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        bound = self._bind(args, kwargs)
        bound.apply_defaults()
        return bound.args

    def _bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        try:
            return self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            place = pipeline.place_of(self._function)
            raise TypeMismatch(f"`{self.__name__}{self.__signature__}`: {error}", place) from None

    def prepared(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Graph, list[Any], Location | None]:
        """The graph for a call, what its parameters stand for, and where the function is."""
        place = pipeline.place_of(self._function)
        args = tuple(map(usual, args))
        kwargs = {name: usual(item) for name, item in kwargs.items()}
        check_arguments(self.__name__, self._bind(args, kwargs).arguments, place)
        plain_args = [trees.as_tuples(item) for item in self._bound(args, kwargs)]
        types = [
            type_ if isinstance(type_, Static) else with_ones(type_, ones(item))
            for type_, item in zip(self._call_types(args, kwargs), plain_args, strict=True)
        ]
        graph = self._optimised(types)
        items: list[Any] = []
        for parameter, item in zip(graph.parameters, plain_args, strict=True):
            if list(leaves(parameter.structure)):
                items += leaves(item)
        return graph, items, place

    # -- extents of 1 that only the run can know ------------------------------------------------

    def _after_failure(
        self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What compiled code could not take: containers, extents of 1, or a real error."""
        if pipeline.is_for_other_shapes(error):
            if self._is_fitted:
                self._go_all_ways()
                return self(*args, **kwargs)
            if self._made is not None:  # another thread has done so since this call began
                return self._call_with_care(*args, **kwargs)
        if self._stretched and str(error) in self._checks:
            return self._after_failed_check(error, args, kwargs)
        bound = self._bind(args, kwargs)
        if not (isinstance(error, AdcompileError) and error.location is not None):
            place = pipeline.place_of(self._function)
            check_arguments(self.__name__, bound.arguments, place)
        items = tuple(map(usual, args))
        if any(item is not given for item, given in zip(items, args, strict=True)):
            return self(*items, **kwargs)  # an array of no axis
        if not self._flat and not self._is_plain(args, kwargs):
            return self._call_structured(args, kwargs)
        return self._after_failed_check(error, args, kwargs)

    def _after_failed_check(
        self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Specialise for arguments with extents of 1, or say where the shapes do not fit."""
        message = str(error)
        if isinstance(error, AdcompileError) or message not in self._checks:
            raise self._placed(error)
        if self.target == "cuda":
            args, kwargs = self._moved(args, kwargs)
        bound = self._bound(args, kwargs)
        key = stretched_key(bound, types := self._call_types(args, kwargs))
        written = self._inplace and self.target != "cuda"  # it is compiled for these extents
        if written or not any(leaves(key[0])):
            raise ShapeError(message, self._place_of_check(message)) from None
        try:
            run = self._stretching(key, types)
            if self.target == "cuda":
                return self._run_on_device(args, kwargs)
            given = (args, kwargs) if self.target == "cpu" else (bound, {})
            return self._restored(run(*given[0], **given[1]))
        except ValueError as second:
            if isinstance(second, AdcompileError) or str(second) not in self._checks:
                raise
            raise ShapeError(str(second), self._place_of_check(str(second))) from None

    def _place_of_check(self, message: str) -> Location | None:
        return self._checks[message] or pipeline.place_of(self._function)

    def _for_ones(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Callable[..., Any] | None:
        """What is compiled for extents of 1, if the function writes in place and there are any.

        It could not be run again after a check that fails.
        """
        if not self._inplace:
            return None
        key = stretched_key(self._bound(args, kwargs), types := self._call_types(args, kwargs))
        return self._stretching(key, types) if any(leaves(key[0])) else None

    def _placed(self, error: Exception) -> Exception:
        """An error of compiled code, which knows no place, with a note of the function's."""
        place = pipeline.place_of(self._function)
        if not isinstance(error, AdcompileError) and place is not None:
            note = f"in `{self.__name__}`, compiled from {place.file}:{place.line}"
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        return error

    def _stretching(self, key: tuple[Any, ...], types: list[Structure]) -> Callable[..., Any]:
        if key not in self._stretched:

            def change(types: list[Structure]) -> list[Structure]:
                return [with_ones(t, p) for t, p in zip(types, key[0], strict=True)]

            if self.target == "cpu":
                made = self._make_dispatcher(change, [sorted(axes) for axes in leaves(key[0])])
            else:
                made = self._direct_function(change(types))
            return self._stretched.setdefault(key, made)
        return self._stretched[key]
