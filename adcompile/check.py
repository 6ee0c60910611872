"""Compares derivatives with finite differences.

Enters: a function and arguments. Leaves: nothing, or an AssertionError with both numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.api import grad, jit, jvp, vjp
from adcompile.errors import NotDifferentiable, TypeMismatch
from adcompile.given import function_name
from adcompile.graph.trees import as_tuples, is_container, is_static, leaves, mapped
from adcompile.graph.types import is_complex, is_continuous, is_single_precision, type_of

Function = Callable[..., Any]


def check_grads(
    function: Function, args: Sequence[Any], order: int = 1,
    modes: Sequence[str] = ("fwd", "rev"), atol: float | None = None, rtol: float | None = None,
    **options: Any,
) -> None:  # fmt: skip
    """Compare derivatives with central differences along random directions.

    Complex arguments are moved in real directions and, a second time, in imaginary ones.

    order      up to which order (the second order differentiates the first-order derivative)
    modes      "fwd" for forward mode, "rev" for reverse mode
    atol, rtol tolerances; by default 1e-6 and 1e-5 in float64, 2e-2 in float32

    Raises AssertionError with both numbers where they differ, TypeMismatch for unknown modes.
    """
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise TypeMismatch(f"modes={modes!r}", hint="'fwd' and 'rev'")
    if not isinstance(order, int) or order < 1:
        raise TypeMismatch(f"order={order!r}", hint="1 or more")
    structure = tuple(type_of(a) for a in args)
    single = any(map(is_single_precision, leaves(structure)))
    turns = (1.0, 1j) if any(map(is_complex, leaves(structure))) else (1.0,)
    tolerances = (atol or (2e-2 if single else 1e-6), rtol or (2e-2 if single else 1e-5))
    generator = np.random.default_rng(0)
    for mode in modes:
        for turn in turns:
            direction = tuple(_random_like(a, generator, turn) for a in args)
            _check_mode(function, tuple(args), direction, mode, tolerances, generator, options)
    if order > 1:
        numbers = tuple(k for k, t in enumerate(structure) if all(map(is_continuous, leaves(t))))
        if not numbers:
            raise NotDifferentiable(f"`{function_name(function)}` has no float argument")
        gradient = grad(function, numbers, **options)
        check_grads(gradient, args, order - 1, modes, atol, rtol, **options)


def _check_mode(
    function: Function, args: tuple[Any, ...], direction: tuple[Any, ...], mode: str,
    tolerances: tuple[float, float], generator: np.random.Generator, options: dict[str, Any],
) -> None:  # fmt: skip
    run = jit(function, **options)
    step = 1e-3 if tolerances[0] > 1e-3 else 1e-6
    moved = [_moved(args, direction, sign * step) for sign in (1, -1)]
    ahead, behind = (_numbers(run(*items)) for items in moved)
    expected = [(_wide(a) - _wide(b)) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    if mode == "fwd":
        _, tangent = jvp(function, args, direction, **options)
        for found, wanted in zip(_numbers(tangent), expected, strict=True):
            _close(found, wanted, tolerances, f"forward mode of {function_name(function)}")
        return
    value, pullback = vjp(function, *args, **options)
    cotangent = _random_like(value, generator, 1.0 + 1j)
    found = pullback(cotangent)
    products: list[float] = []
    mapped(lambda d, g: products.append(_product(d, g)), direction, found)
    inner = sum(products)
    outer = sum(
        float(np.sum(_wide(c) * e).real) for c, e in zip(_numbers(cotangent), expected, strict=True)
    )
    _close(inner, outer, tolerances, f"reverse mode of {function_name(function)}")


def _numbers(tree: Any) -> list[Any]:
    """The leaves of a run-time tree that are numbers or arrays."""
    return list(leaves(as_tuples(tree)))


def _product(direction: Any, gradient: Any) -> float:
    if gradient is None:
        return 0.0
    return float(np.sum(_wide(gradient) * _wide(direction)).real)


def _wide(item: Any) -> Any:
    """An array in double precision, in which differences can be taken."""
    return np.asarray(item, complex if np.iscomplexobj(item) else float)


def _random_like(item: Any, generator: np.random.Generator, turn: complex) -> Any:
    """Random numbers in the structure of `item`, complex ones times `turn`."""
    if is_container(item):
        return mapped(lambda leaf: _random_like(leaf, generator, turn), item)
    if is_static(item):
        return item
    array = np.asarray(item)
    if array.dtype.kind not in "fc":
        return item
    numbers = generator.standard_normal(array.shape)
    drawn = np.asarray(numbers * turn if array.dtype.kind == "c" else numbers).astype(array.dtype)
    return drawn if isinstance(item, np.ndarray) else drawn[()]


def _moved(args: Any, direction: Any, step: float) -> Any:
    if is_container(args):
        return mapped(lambda a, d: _moved(a, d, step), args, direction)
    if is_static(args):
        return args
    array = np.asarray(args)
    if array.dtype.kind not in "fc":
        return args
    moved = (array + step * np.asarray(direction)).astype(array.dtype)
    return moved if isinstance(args, np.ndarray) else moved[()]


def _close(found: Any, wanted: Any, tolerances: tuple[float, float], what: str) -> None:
    atol, rtol = tolerances
    if not np.allclose(found, wanted, rtol, atol):
        raise AssertionError(f"{what}: {found} but finite differences give {wanted}")
