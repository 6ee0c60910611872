"""Numbers in arguments and results: moved, rounded, compared.

Enters: arguments and results in their containers. Leaves: copies of them, or `Wrong` where two
results that must agree do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adcompile.graph.trees import as_tuples, is_container, leaves, mapped


class Wrong(AssertionError):
    """Two ways to compute one thing that differ."""


def copied(item: Any) -> Any:
    return mapped(lambda leaf: leaf.copy(order="K") if isinstance(leaf, np.ndarray) else leaf, item)


def random_like(item: Any, rng: np.random.Generator) -> Any:
    if is_container(item):
        return mapped(lambda leaf: random_like(leaf, rng), item)
    if np.asarray(item).dtype.kind != "f":
        return item
    drawn = rng.standard_normal(np.shape(item))
    return drawn if isinstance(item, np.ndarray) else float(drawn)


def moved(args: Any, direction: Any, step: float) -> Any:
    if is_container(args):
        return mapped(lambda a, d: moved(a, d, step), args, direction)
    if np.asarray(args).dtype.kind != "f":
        return np.copy(args) if isinstance(args, np.ndarray) else args
    return args + step * direction


def rounded(leaf: Any) -> Any:
    """A number that single precision holds exactly."""
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
        return leaf.astype(np.float32).astype(np.float64, order="K")
    return float(np.float32(leaf)) if isinstance(leaf, float) else leaf


def narrowed(leaf: Any) -> Any:
    """A number or array of floats in single precision."""
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
        return leaf.astype(np.float32)
    return np.float32(leaf) if isinstance(leaf, float) else leaf


def numbers_in(tree: Any) -> list[Any]:
    return [leaf for leaf in leaves(as_tuples(tree)) if leaf is not None]


def product(cotangent: Any, direction: Any) -> float:
    return 0.0 if cotangent is None else float(np.sum(np.asarray(cotangent) * direction))


def close(found: Any, wanted: Any, rtol: float, atol: float, what: str) -> None:
    if not np.allclose(found, wanted, rtol, atol, equal_nan=True):
        raise Wrong(what)


def all_close(
    found: list[Any], wanted: list[Any], rtol: float, what: str, atol: float = 0.0
) -> None:
    if len(found) != len(wanted):
        raise Wrong(f"{what}: {len(found)} results, not {len(wanted)}")
    for f, w in zip(found, wanted, strict=True):
        if np.shape(f) != np.shape(w):
            raise Wrong(f"{what}: a shape")
        close(f, w, rtol, atol or rtol * (1 + float(np.max(np.abs(w), initial=0))), what)
