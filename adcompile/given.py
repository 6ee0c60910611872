"""What a user gives to a transformation: a function, positions or names, tangents, cotangents.

Enters: arguments of the public functions. Leaves: the same, checked and in the types that are
wanted, or an error that names the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import pipeline
from adcompile.errors import AdcompileError, SourceNotFound, TypeMismatch, UnsupportedSyntax
from adcompile.graph.trees import is_container, is_static, mapped
from adcompile.graph.types import has_derivative
from adcompile.ops.spellings import described

Function = Callable[..., Any]


def call_signature(function: Function) -> inspect.Signature:
    """Parameters of a function, all of them positional or by keyword."""
    own = getattr(function, "py_func", function)
    if not callable(own) and not hasattr(own, "__signature__"):
        raise TypeMismatch(f"expected a function, got {described(own)}", hint="ad.grad(f)(x)")
    try:
        known = getattr(own, "__signature__", None) or inspect.signature(own, follow_wrapped=False)
    except (TypeError, ValueError):
        raise SourceNotFound(
            f"{described(own)} has no Python source: it is a {type(own).__name__}",
            hint="write a function that calls it: lambda x: np.sin(x)",
        ) from None
    parameters = [
        p.replace(kind=p.POSITIONAL_OR_KEYWORD)
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_ONLY)
        else p
        for p in known.parameters.values()
    ]
    try:
        return inspect.Signature(parameters)
    except ValueError as error:
        raise UnsupportedSyntax(
            f"the parameters of `{function_name(function)}`: {error}",
            hint="put keyword-only parameters without default first",
        ) from None


def chosen(
    function: Function, option: str, given: Any, kind: type, hint: str
) -> tuple[tuple[Any, ...], bool]:
    """What to differentiate with respect to, and whether it is a single thing."""
    single = isinstance(given, kind)
    items = (given,) if single else tuple(given) if isinstance(given, (tuple, list)) else None
    place = pipeline.place_of(function)
    if items is None or not all(isinstance(i, kind) and not isinstance(i, bool) for i in items):
        what = "no position of an argument" if kind is int else "no name of a variable"
        raise TypeMismatch(f"{option}={given!r} is {what}", place, hint)
    if not items:
        raise TypeMismatch("nothing to differentiate with respect to", place, hint)
    count = len(call_signature(function).parameters)
    places = [i % count if isinstance(i, int) and -count <= i < count else i for i in items]
    if len(set(places)) < len(places):
        raise TypeMismatch(f"{option}={given!r} names an argument twice", place, hint)
    return items, single


def function_name(function: Function) -> str:
    """The name of a function; `function` for a lambda."""
    name = getattr(function, "__name__", "function")
    return "function" if name == "<lambda>" else name


def as_they_are(primals: tuple[Any, ...]) -> tuple[Any, ...]:
    """Primals that no later write changes."""
    held: tuple[Any, ...] = mapped(lambda p: p.copy() if isinstance(p, np.ndarray) else p, primals)
    return held


def tangents_like(
    function: Function, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, ...]:
    """Tangents in the types of their primals; raises TypeMismatch that names the function."""
    place = pipeline.place_of(function)
    if len(primals) != len(tangents):
        raise TypeMismatch(f"{len(primals)} primals but {len(tangents)} tangents", place)
    try:
        return tuple(map(tangent_like, primals, tangents))
    except AdcompileError as error:
        raise error.at(place) from None


def tangent_like(primal: Any, tangent: Any) -> Any:
    """A tangent in the type of its primal."""
    if is_container(primal):
        return mapped(tangent_like, primal, tangent)
    if tangent is None:  # zero
        return np.zeros_like(primal)[()] if has_derivative(primal) else primal
    if isinstance(primal, np.ndarray):
        array = np.asarray(_numbers(tangent, primal, "tangent"), primal.dtype, order="C")
        if array.shape != primal.shape:
            raise TypeMismatch(f"a tangent of shape {array.shape} for a primal of {primal.shape}")
        return array
    if not isinstance(primal, (float, complex, np.inexact)):
        if isinstance(tangent, (float, complex, np.inexact)) and tangent != 0:
            raise TypeMismatch("a tangent of an integer, which has none", hint=f"pass {primal}.0")
        return tangent
    if np.shape(_numbers(tangent, primal, "tangent")) != ():
        raise TypeMismatch(f"a tangent of shape {np.shape(tangent)} for a number")
    return type(primal)(tangent)


def _numbers(item: Any, value: Any, what: str) -> Any:
    """`item`, if NumPy makes numbers of it that fit `value`; raises TypeMismatch otherwise."""
    try:
        known = np.asarray(item).dtype.kind in "biufc"
    except ValueError:  # lists of different lengths
        known = False
    if not known:
        raise TypeMismatch(f"a {what} must be a number or an array, got {described(item)}")
    if np.iscomplexobj(item) and not np.iscomplexobj(value):
        raise TypeMismatch(f"a complex {what} of a real value", hint=f"pass {what}.real")
    return item


def cotangent_like(cotangent: Any, value: Any) -> Any:
    """A cotangent in the dtype of the value it belongs to."""
    if is_container(value):
        return mapped(lambda v, c: cotangent_like(c, v), value, cotangent)
    if is_static(value):
        return value
    if cotangent is None:  # zero
        return np.zeros_like(value)[()]
    array = np.asarray(_numbers(cotangent, value, "cotangent"), np.asarray(value).dtype)
    if array.shape not in ((), np.shape(value)):
        raise TypeMismatch(f"a cotangent of shape {array.shape} for a result of {np.shape(value)}")
    return np.broadcast_to(array, np.shape(value)).copy()[()]
