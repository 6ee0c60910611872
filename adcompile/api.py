"""The public functions. Each states what it derives; the work is done elsewhere.

Enters: Python functions. Leaves: functions that compute values, gradients or products with
Jacobians.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import pipeline
from adcompile.errors import NotDifferentiable, TypeMismatch, UnsupportedSyntax
from adcompile.function import CompiledFunction
from adcompile.graph.builder import current
from adcompile.graph.trees import as_tuples, is_container, is_static, leaves, mapped
from adcompile.graph.types import is_float, type_of
from adcompile.ops.spellings import as_value, spelled

Function = Callable[..., Any]
Names = str | Sequence[str]


def _signature(function: Function) -> inspect.Signature:
    """Parameters of a function, all of them positional or by keyword."""
    own = getattr(function, "py_func", function)
    parameters = [
        p.replace(kind=p.POSITIONAL_OR_KEYWORD)
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_ONLY)
        else p
        for p in inspect.signature(own, follow_wrapped=False).parameters.values()
    ]
    try:
        return inspect.Signature(parameters)
    except ValueError as error:
        raise UnsupportedSyntax(
            f"the parameters of `{_name(function)}`: {error}",
            hint="put keyword-only parameters without default first",
        ) from None


def _gradient(
    function: Function, argnums: int | Sequence[int], wrt: Names | None, with_value: bool,
    has_aux: bool, options: dict[str, Any],
) -> CompiledFunction:  # fmt: skip
    if wrt is not None:
        items: tuple[int | str, ...] = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        single = isinstance(wrt, str)
    else:
        items = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        single = isinstance(argnums, int)
    if not items:
        raise TypeMismatch("nothing to differentiate with respect to", hint="argnums=0")
    keep = [item for item in items if isinstance(item, str)]
    derive = lambda graph, _: pipeline.gradient_graph(  # noqa: E731
        graph, items, single, pipeline.function_location(function), with_value, has_aux
    )
    prefix = "value_and_grad" if with_value else "grad"
    name = f"{prefix}_{_name(function)}"
    return CompiledFunction(function, derive, _signature(function), name, keep=keep, **options)


def _name(function: Function) -> str:
    name = getattr(function, "__name__", "function")
    return "function" if name == "<lambda>" else name


def grad(
    function: Function | None = None, argnums: int | Sequence[int] = 0, *,
    wrt: Names | None = None, has_aux: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """The gradient of a function with a scalar result, by reverse mode.

    argnums    position of the argument, or positions (the result is then a tuple)
    wrt        instead: names of arguments or of variables inside the function
    has_aux    the function gives (scalar, anything); the result is (gradient, anything)
    options    target="cpu" | "python", fastmath, parallel, cache, inplace (argument names)

    Each gradient has the shape and dtype of what it belongs to. Usable as a decorator, with or
    without arguments. Raises NotDifferentiable for integer arguments and results that are no
    scalar, UnsupportedSyntax and UnsupportedOperation for functions outside the language.
    """
    if function is None:
        return lambda f: grad(f, argnums, wrt=wrt, has_aux=has_aux, **options)
    return _gradient(function, argnums, wrt, False, has_aux, options)


def value_and_grad(
    function: Function | None = None, argnums: int | Sequence[int] = 0, *,
    wrt: Names | None = None, has_aux: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """Value and gradient in one sweep: `(value, gradient)`; see `grad` for the arguments.

    With `has_aux` the result is `((value, anything), gradient)`.
    """
    if function is None:
        return lambda f: value_and_grad(f, argnums, wrt=wrt, has_aux=has_aux, **options)
    return _gradient(function, argnums, wrt, True, has_aux, options)


def jit(function: Function | None = None, *, inplace: Names = (), **options: Any) -> Any:
    """The function itself, compiled.

    inplace    names of array arguments that the function may write; others are copied first
    """
    if function is None:
        return lambda f: jit(f, inplace=inplace, **options)
    names = (inplace,) if isinstance(inplace, str) else tuple(inplace)
    return CompiledFunction(
        function,
        lambda graph, _: graph,
        _signature(function),
        _name(function),
        inplace=names,
        **options,
    )


def jvp(
    function: Function, primals: Sequence[Any] | None = None,
    tangents: Sequence[Any] | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Forward mode: the result and its directional derivative.

    `jvp(f, primals, tangents)` gives `(f(*primals), J @ tangents)`; `jvp(f)` gives a compiled
    function of `(primals, tangents)` to use again. Both are tuples with one item per argument;
    tangents have the types of their primals (those of integers are ignored).
    """
    parameters = [
        inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for n in ("primals", "tangents")
    ]
    made = CompiledFunction(
        function, pipeline.jvp_graph, inspect.Signature(parameters), f"jvp_{_name(function)}",
        own=lambda types: types[0], **options,
    )  # fmt: skip
    if primals is None or tangents is None:
        return made
    if len(primals) != len(tangents):
        raise TypeMismatch(f"{len(primals)} primals but {len(tangents)} tangents")
    pairs = zip(primals, tangents, strict=True)
    return made(tuple(primals), tuple(_tangent(p, t) for p, t in pairs))


def _tangent(primal: Any, tangent: Any) -> Any:
    """A tangent in the type of its primal."""
    if is_container(primal):
        return mapped(_tangent, primal, tangent)
    if tangent is None:
        return primal  # of what has no derivative
    if isinstance(primal, np.ndarray):
        array = np.ascontiguousarray(tangent, primal.dtype)
        if array.shape != primal.shape:
            raise TypeMismatch(f"a tangent of shape {array.shape} for a primal of {primal.shape}")
        return array
    return type(primal)(tangent) if isinstance(primal, (float, np.floating)) else tangent


def vjp(function: Function, *primals: Any, **options: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Reverse mode for any result: `(f(*primals), pullback)`.

    `pullback(cotangent)` takes a cotangent in the structure of the result and gives a tuple with
    the cotangent of each argument (None for those without derivative). It runs the function again.
    """
    value = jit(function, **options)(*primals)
    names = list(_signature(function).parameters.values())[: len(primals)]
    parameters = [
        *names,
        inspect.Parameter("cotangent", inspect.Parameter.KEYWORD_ONLY),
    ]
    parameters = [p.replace(kind=p.POSITIONAL_OR_KEYWORD, default=p.empty) for p in parameters]
    run = CompiledFunction(
        function, pipeline.vjp_graph, inspect.Signature(parameters), f"vjp_{_name(function)}",
        own=lambda types: types[:-1], **options,
    )  # fmt: skip

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        results = iter(run(*primals, _like(cotangent, value)))
        cotangents: tuple[Any, ...] = mapped(
            lambda p: next(results) if _has_derivative(p) else None, tuple(primals)
        )
        return cotangents

    return value, pullback


def _like(cotangent: Any, value: Any) -> Any:
    """A cotangent in the dtype of the value it belongs to."""
    if is_container(value):
        return mapped(lambda v, c: _like(c, v), value, cotangent)
    if is_static(value) or cotangent is None:
        return value
    if isinstance(value, np.ndarray):
        return np.broadcast_to(np.asarray(cotangent, value.dtype), value.shape).copy()
    return np.asarray(cotangent, np.asarray(value).dtype)[()]


def stop_gradient(value: Any) -> Any:
    """`value`, whose derivative counts as zero inside differentiated functions."""
    return value


@spelled(stop_gradient)
def _stop_gradient(value: Any) -> Any:
    return current().op("stop_gradient", as_value(value))


def check_grads(
    function: Function, args: Sequence[Any], order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"), atol: float | None = None, rtol: float | None = None,
    **options: Any,
) -> None:  # fmt: skip
    """Compare derivatives with central differences along random directions.

    order      up to which order (the second order differentiates the first-order derivative)
    modes      "fwd" for forward mode, "rev" for reverse mode
    atol, rtol tolerances; by default 1e-6 and 1e-5 in float64, 2e-2 in float32

    Raises AssertionError with both numbers where they differ, TypeMismatch for unknown modes.
    """
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise TypeMismatch(f"modes={modes!r}", hint="'fwd' and 'rev'")
    structure = tuple(type_of(a) for a in args)
    single = any(leaf.dtype == "float32" for leaf in leaves(structure))
    tolerances = (atol or (2e-2 if single else 1e-6), rtol or (2e-2 if single else 1e-5))
    generator = np.random.default_rng(0)
    for mode in modes:
        _check_mode(function, tuple(args), mode, tolerances, generator, options)
    if order > 1:
        numbers = tuple(k for k, t in enumerate(structure) if all(map(is_float, leaves(t))))
        if not numbers:
            raise NotDifferentiable(f"`{_name(function)}` has no float argument")
        gradient = grad(function, numbers, **options)
        check_grads(gradient, args, order - 1, modes, atol, rtol, **options)


def _check_mode(
    function: Function, args: tuple[Any, ...], mode: str, tolerances: tuple[float, float],
    generator: np.random.Generator, options: dict[str, Any],
) -> None:  # fmt: skip
    run = jit(function, **options)
    direction = tuple(_random_like(a, generator) for a in args)
    step = 1e-3 if tolerances[0] > 1e-3 else 1e-6
    moved = [_moved(args, direction, sign * step) for sign in (1, -1)]
    ahead, behind = (_numbers(run(*items)) for items in moved)
    expected = [
        (np.asarray(a, float) - np.asarray(b, float)) / (2 * step)
        for a, b in zip(ahead, behind, strict=True)
    ]
    if mode == "fwd":
        _, tangent = jvp(function, args, direction, **options)
        for found, wanted in zip(_numbers(tangent), expected, strict=True):
            _close(found, wanted, tolerances, f"forward mode of {_name(function)}")
        return
    value, pullback = vjp(function, *args, **options)
    cotangent = _random_like(value, generator)
    found = pullback(cotangent)
    products: list[float] = []
    mapped(lambda d, g: products.append(_product(d, g)), direction, found)
    inner = sum(products)
    outer = sum(
        float(np.sum(np.asarray(c, float) * e))
        for c, e in zip(_numbers(cotangent), expected, strict=True)
    )
    _close(inner, outer, tolerances, f"reverse mode of {_name(function)}")


def _numbers(tree: Any) -> list[Any]:
    """The leaves of a run-time tree that are numbers or arrays."""
    return list(leaves(as_tuples(tree)))


def _product(direction: Any, gradient: Any) -> float:
    if gradient is None:
        return 0.0
    return float(np.sum(np.asarray(gradient, float) * np.asarray(direction, float)))


def _has_derivative(leaf: Any) -> bool:
    return not is_static(leaf) and is_float(type_of(leaf))


def _random_like(item: Any, generator: np.random.Generator) -> Any:
    if is_container(item):
        return mapped(lambda leaf: _random_like(leaf, generator), item)
    if is_static(item):
        return item
    array = np.asarray(item)
    if array.dtype.kind != "f":
        return item
    drawn = generator.standard_normal(array.shape).astype(array.dtype)
    return drawn if isinstance(item, np.ndarray) else drawn[()]


def _moved(args: Any, direction: Any, step: float) -> Any:
    if is_container(args):
        return mapped(lambda a, d: _moved(a, d, step), args, direction)
    if is_static(args):
        return args
    array = np.asarray(args)
    if array.dtype.kind != "f":
        return args
    moved = (array + step * np.asarray(direction)).astype(array.dtype)
    return moved if isinstance(args, np.ndarray) else moved[()]


def _close(found: Any, wanted: Any, tolerances: tuple[float, float], what: str) -> None:
    atol, rtol = tolerances
    if not np.allclose(found, wanted, rtol, atol):
        raise AssertionError(f"{what}: {found} but finite differences give {wanted}")
