"""The public functions. Each states what it derives; the work is done elsewhere.

Enters: Python functions. Leaves: functions that compute values, gradients or products with
Jacobians.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from adcompile import jacobians, pipeline, transforms
from adcompile.errors import (
    AdcompileError,
    TypeMismatch,
)
from adcompile.function import CompiledFunction
from adcompile.given import (
    as_they_are,
    call_signature,
    chosen,
    cotangent_like,
    function_name,
    tangents_like,
)
from adcompile.graph.builder import current
from adcompile.graph.ir import Graph, Value, free_name
from adcompile.graph.trees import Leaf, mapped
from adcompile.graph.types import has_derivative, is_continuous
from adcompile.ops.spellings import as_value, spelled
from adcompile.sparse import SparseJacobian
from adcompile.transformation import transformation

Function = Callable[..., Any]
Names = str | Sequence[str]


def _gradient(
    function: Function, argnums: int | Sequence[int], wrt: Names | None, with_value: bool,
    has_aux: bool, holomorphic: bool, options: dict[str, Any],
) -> CompiledFunction:  # fmt: skip
    if wrt is None:
        items, single = chosen(function, "argnums", argnums, int, "argnums=0 or argnums=(0, 1)")
    else:
        if argnums != 0:
            raise TypeMismatch("both argnums and wrt are given", pipeline.place_of(function))
        items, single = chosen(function, "wrt", wrt, str, 'wrt="x" or wrt=("x", "y")')
    keep = [item for item in items if isinstance(item, str)]
    derive = lambda graph, _: transforms.gradient_graph(  # noqa: E731
        graph, items, single, pipeline.function_location(function), with_value, has_aux, holomorphic
    )
    prefix = "value_and_grad" if with_value else "grad"
    name = f"{prefix}_{function_name(function)}"
    return CompiledFunction(function, derive, call_signature(function), name, keep=keep, **options)


@transformation
def grad(
    function: Any = None, argnums: int | Sequence[int] = 0, *,
    wrt: Names | None = None, has_aux: bool = False, holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The gradient of a function with a scalar result, by reverse mode.

    argnums    position of the argument, or positions (the result is then a tuple)
    wrt        instead: names of arguments or of variables inside the function
    has_aux    the function gives (scalar, anything); the result is (gradient, anything)
    holomorphic   the function is holomorphic: complex arguments, a complex result
    options    target="cpu" | "python", fastmath, parallel, cache, inplace (argument names),
               prints (keep what the function prints in the derivative, too),
               boundscheck (raise IndexError for an index that does not exist)

    Each gradient has the shape and dtype of what it belongs to. With respect to a complex number
    z = x + iy it is df/dx - i df/dy: steepest descent goes along minus its conjugate. Usable as a
    decorator, with or without arguments. Raises NotDifferentiable for integer arguments and for
    results that are no scalar, UnsupportedSyntax and UnsupportedOperation for functions outside the
    language.
    """
    return _gradient(function, argnums, wrt, False, has_aux, holomorphic, options)


@transformation
def value_and_grad(
    function: Any = None, argnums: int | Sequence[int] = 0, *,
    wrt: Names | None = None, has_aux: bool = False, holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """Value and gradient in one sweep: `(value, gradient)`; see `grad` for the arguments.

    With `has_aux` the result is `((value, anything), gradient)`.
    """
    return _gradient(function, argnums, wrt, True, has_aux, holomorphic, options)


@transformation
def jit(function: Any = None, *, inplace: Names = (), **options: Any) -> Any:
    """The function itself, compiled.

    inplace    names of array arguments that the function may write; others are copied first
    """
    names = (inplace,) if isinstance(inplace, str) else inplace
    return CompiledFunction(
        function,
        lambda graph, _: graph,
        call_signature(function),
        function_name(function),
        inplace=names,  # type: ignore[arg-type]
        **{"prints": True, **options},
    )


@transformation
def jvp(
    function: Function, primals: Sequence[Any] | None = None,
    tangents: Sequence[Any] | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Forward mode: the result and its directional derivative.

    `jvp(f, primals, tangents)` gives `(f(*primals), J @ tangents)`; `jvp(f)` gives a compiled
    function of `(primals, tangents)` to use again. Both are tuples with one item per argument;
    tangents have the types of their primals (those of integers are ignored).
    """
    made = _jvp_function(function, transforms.jvp_graph, **options)
    if primals is None or tangents is None:
        return made
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        text = "primals and tangents are tuples, one item per argument"
        raise TypeMismatch(text, pipeline.place_of(function), "ad.jvp(f, (x,), (x_dot,))")
    return made(tuple(primals), tangents_like(function, primals, tangents))


def _jvp_function(function: Function, derive: Any, **options: Any) -> CompiledFunction:
    parameters = [
        inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for n in ("primals", "tangents")
    ]
    return CompiledFunction(
        function, derive, inspect.Signature(parameters), f"jvp_{function_name(function)}",
        own=lambda types: _primals(function, types), **options,
    )  # fmt: skip


def _primals(function: Function, types: Sequence[Any]) -> Sequence[Any]:
    for name, given in zip(("primals", "tangents"), types, strict=True):
        if not isinstance(given, (tuple, list)):
            raise TypeMismatch(
                f"the {name} of `{function_name(function)}` must be a tuple, one item per argument",
                hint=f"({name[:-1]},)",
            )
    primals: Sequence[Any] = types[0]
    return primals


@transformation
def jacfwd(
    function: Any = None, argnums: int | Sequence[int] = 0, *,
    holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The Jacobian by columns: one forward sweep for each element of the argument.

    For a result of shape s and an argument of shape t the derivative has the shape s + t. For
    several results or arguments it has the structure of the result, with the structure of the
    arguments inside. A holomorphic function has complex arguments and results; else arguments must
    be real. Raises NotDifferentiable for integers.
    """
    return _jacobian(function, argnums, "fwd", holomorphic, options)


@transformation
def jacrev(
    function: Any = None, argnums: int | Sequence[int] = 0, *,
    holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The Jacobian by rows: one reverse sweep for each element of the result; see `jacfwd`.

    Arguments may be complex, and results must be real, unless the function is holomorphic.
    """
    return _jacobian(function, argnums, "rev", holomorphic, options)


@transformation
def jacobian(
    function: Any = None, argnums: int | Sequence[int] = 0, *, sparsity: Any = None,
    mode: str = "auto", check: bool = False, holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """All derivatives of all results, by forward or by reverse sweeps.

    mode       "fwd", "rev", or "auto": the one that needs fewer sweeps, forward if equally many
    sparsity   where the derivative may be other than zero: a `scipy.sparse` matrix (the places that
               it stores), a boolean array, or "detect" to find it out from the function
    check      compare a sparse result with a sweep along a random direction, at each call

    Without `sparsity` see `jacfwd` for the shape; in "auto" the dtype is that of the result, too.
    With it the derivative of one array or number by another is a `scipy.sparse.csr_array` of shape
    (result.size, argument.size) that stores the places of the pattern, also where they are zero,
    in the dtype of the result. A sweep computes all columns (or rows) that do not meet.

    Raises ShapeError for a pattern of another shape, SparsityError for a pattern that cannot be
    detected, or (with `check`) that misses entries.
    """
    if mode not in jacobians.NAME_OF_MODE:
        raise TypeMismatch(f"mode={mode!r}", hint="one of 'fwd', 'rev', 'auto'")
    if sparsity is None:
        return _jacobian(function, argnums, mode, holomorphic, options, local=mode == "auto")
    _refuse_holomorphic(holomorphic)
    return _sparse(function, argnums, "jacobian", sparsity, mode, check, options)


def _refuse_holomorphic(holomorphic: bool) -> None:
    if holomorphic:
        raise TypeMismatch("holomorphic=True with sparsity: a sparse derivative is of real numbers")


def _sparse(
    function: Function, argnums: int | Sequence[int], name: str, sparsity: Any, mode: str,
    check: bool, options: dict[str, Any],
) -> SparseJacobian:  # fmt: skip
    if not isinstance(argnums, int):
        raise TypeMismatch(
            f"argnums={argnums!r} with sparsity: a sparse derivative is that by one argument",
            hint="argnums=0; put what belongs together into one array",
        )
    if isinstance(sparsity, str) and sparsity != "detect":
        raise TypeMismatch(f"sparsity={sparsity!r}", hint='a matrix, or "detect"')
    pattern = None if isinstance(sparsity, str) else sparsity
    inner = grad(function, argnums, **options) if name == "hessian" else function
    return SparseJacobian(
        inner, function_name(inner), call_signature(function), argnums,
        name=f"{name}_{function_name(function)}", pattern=pattern, mode=mode,
        symmetric=name == "hessian", check=check, options=options,
    )  # fmt: skip


def _jacobian(
    function: Function, argnums: int | Sequence[int], mode: str, holomorphic: bool,
    options: dict[str, Any], local: bool = False,
) -> CompiledFunction:  # fmt: skip
    items, single = chosen(function, "argnums", argnums, int, "argnums=0 or argnums=(0, 1)")
    name = f"{jacobians.NAME_OF_MODE[mode]}_{function_name(function)}"

    def derive(graph: Graph, _: Any) -> Graph:
        place = pipeline.function_location(function)
        loops = pipeline.in_loops if local and not graph.captured else None
        return jacobians.jacobian_graph(graph, items, single, mode, place, holomorphic, loops)

    return CompiledFunction(function, derive, call_signature(function), name, **options)


@transformation
def hessian(
    function: Any = None, argnums: int | Sequence[int] = 0, *, sparsity: Any = None,
    check: bool = False, holomorphic: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The second derivatives of a function with a scalar result: forward over reverse.

    For an argument of shape s the result has the shape s + s; for several arguments it is a tuple
    of tuples. With `sparsity`, and with `check`, see `jacobian`: the pattern is symmetric, and so
    are the colours, of which an arrow needs two.
    """
    if sparsity is not None:
        _refuse_holomorphic(holomorphic)
        return _sparse(function, argnums, "hessian", sparsity, "fwd", check, options)
    gradient = grad(function, argnums, holomorphic=holomorphic, **options)
    return _jacobian(gradient, argnums, "fwd", holomorphic, options, local=True)


@transformation
def hvp(function: Any = None, argnums: int = 0, **options: Any) -> Any:
    """The Hessian times a vector, without the Hessian: forward over reverse.

    Gives a compiled function of the arguments and a tangent, which has the structure of the
    argument that `argnums` chooses; so has the result.
    """
    (item,), single = chosen(function, "argnums", argnums, int, "argnums=0")
    if not single:
        text = f"argnums={argnums!r}, but hvp takes one argument at a time"
        raise TypeMismatch(text, pipeline.place_of(function), "argnums=0")
    own = list(call_signature(function).parameters.values())
    tangent = free_name("tangent", [p.name for p in own])
    parameters = [
        p.replace(default=p.empty)
        for p in [*own, inspect.Parameter(tangent, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    ]

    def derive(graph: Graph, types: Sequence[Any]) -> Graph:
        place = pipeline.function_location(function)
        return transforms.hvp_graph(graph, types, item, place)

    return CompiledFunction(
        function, derive, inspect.Signature(parameters), f"hvp_{function_name(function)}",
        own=lambda types: types[:-1], **options,
    )  # fmt: skip


def linearize(function: Function, *primals: Any, **options: Any) -> tuple[Any, Callable[..., Any]]:
    """`(f(*primals), push)`: `push(*tangents)` is the derivative at `primals` along tangents.

    It runs the function again, so a function that draws random numbers is refused.
    """
    primals = as_they_are(primals)
    value = jit(function, **options)(*primals)
    run = _jvp_function(function, transforms.pushforward_graph, **options)

    def push(*tangents: Any) -> Any:
        return run(tuple(primals), tangents_like(function, primals, tangents))[1]

    return value, push


@transformation
def vmap(function: Any = None, in_axes: Any = 0, out_axes: int = 0, **options: Any) -> Any:
    """The function along an axis of its arguments: a loop, so each element takes its own branches.

    in_axes    the axis that counts the elements: one for all arguments, or one each; None for an
               argument that all elements share
    out_axes   where that axis stands in the results

    Raises TypeMismatch for an argument without the axis, ShapeError for axes of different lengths.
    """
    signature = call_signature(function)
    names = list(signature.parameters)
    axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(names)
    place = pipeline.place_of(function)
    if len(axes) != len(names):
        raise TypeMismatch(f"{len(axes)} in_axes for {len(names)} arguments", place)
    for option, axis in [*(("in_axes", a) for a in axes), ("out_axes", out_axes)]:
        shared = option == "in_axes" and axis is None
        if not shared and (not isinstance(axis, int) or isinstance(axis, bool)):
            raise TypeMismatch(f"{option}={axis!r} is no axis", place, "an axis is an integer")
    if all(axis is None for axis in axes):
        raise TypeMismatch("vmap along no axis: all in_axes are None", place, "in_axes=0")
    return CompiledFunction(
        function,
        lambda graph, _: transforms.batched_graph(graph, axes, out_axes),
        signature,
        f"vmap_{function_name(function)}",
        own=lambda types: transforms.element_types(types, names, axes),
        **options,
    )


def vjp(function: Function, *primals: Any, **options: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Reverse mode for any result: `(f(*primals), pullback)`.

    `pullback(cotangent)` takes a cotangent in the structure of the result and gives a tuple with
    the cotangent of each argument (None for those without derivative). It runs the function again,
    so a function that draws random numbers is refused.
    """
    primals = as_they_are(primals)
    value = jit(function, **options)(*primals)
    run = _vjp_function(function, len(primals), **options)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        try:
            given = cotangent_like(cotangent, value)
        except AdcompileError as error:
            raise error.at(pipeline.place_of(function)) from None
        results = iter(run(*primals, given))
        cotangents: tuple[Any, ...] = mapped(
            lambda p: next(results) if has_derivative(p) else None, tuple(primals)
        )
        return cotangents

    return value, pullback


def _vjp_function(function: Function, count: int, **options: Any) -> CompiledFunction:
    """A function of `count` primals and a cotangent that gives the cotangents of float leaves."""
    own = list(call_signature(function).parameters.values())[:count]
    cotangent = free_name("cotangent", [p.name for p in own])
    parameters = [*own, inspect.Parameter(cotangent, inspect.Parameter.KEYWORD_ONLY)]
    parameters = [p.replace(kind=p.POSITIONAL_OR_KEYWORD, default=p.empty) for p in parameters]
    return CompiledFunction(
        function, transforms.vjp_graph, inspect.Signature(parameters),
        f"vjp_{function_name(function)}", own=lambda types: types[:-1], **options,
    )  # fmt: skip


def stop_gradient(value: Any) -> Any:
    """`value`, whose derivative counts as zero inside differentiated functions."""
    return value


@spelled(stop_gradient)
def _stop_gradient(value: Any) -> Any:
    return current().op("stop_gradient", as_value(value))


def _jvp_inside(lowering: Any, f: Any, primals: Any = None, tangents: Any = None) -> Any:
    made = jvp(f)
    if primals is None:
        return made
    return lowering.call(made, [tuple(primals), tuple(tangents)], {}, "jvp")


def _vjp_inside(lowering: Any, f: Any, *primals: Any) -> Any:
    return lowering.call(f, list(primals), {}, "vjp"), _Pullback(f, primals)


def _linearize_inside(lowering: Any, f: Any, *primals: Any) -> Any:
    return lowering.call(f, list(primals), {}, "linearize"), _Push(f, primals)


class _Pullback(Leaf):
    """The pullback of `vjp` in compiled code."""

    def __init__(self, function: Any, primals: tuple[Any, ...]) -> None:
        self.run, self.primals = _vjp_function(function, len(primals)), primals

    def __adcompile_transform__(self, lowering: Any, cotangent: Any) -> Any:
        results = iter(lowering.call(self.run, [*self.primals, cotangent], {}, "pullback"))
        return mapped(
            lambda p: next(results) if isinstance(p, Value) and is_continuous(p.type) else None,
            tuple(self.primals),
        )


class _Push(Leaf):
    """The linear function of `linearize` in compiled code."""

    def __init__(self, function: Any, primals: tuple[Any, ...]) -> None:
        self.run, self.primals = jvp(function), primals

    def __adcompile_transform__(self, lowering: Any, *tangents: Any) -> Any:
        return lowering.call(self.run, [self.primals, tangents], {}, "push")[1]


_inside: dict[Any, Any] = {jvp: _jvp_inside, vjp: _vjp_inside, linearize: _linearize_inside}
for _function, _front in _inside.items():
    _function.__adcompile_transform__ = _front  # in compiled code, on functions known there
