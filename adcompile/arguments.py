"""What a call passes: checks and conversions of run-time arguments.

Enters: the arguments of one call. Leaves: arguments in the form that compiled code takes, the axes
of extent 1 among them, or an error for arguments that must not share memory.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph import trees
from adcompile.graph.ir import Region
from adcompile.graph.types import Array, Static, Structure, is_single_precision, type_of


def default_type(default: Any) -> Structure:
    """The type of an argument left at its default: a float or complex number is a value."""
    return (
        type_of(default) if isinstance(default, (float, complex, np.inexact)) else Static(default)
    )


def ones(item: Any) -> Any:
    """Which axes of an array have the extent 1, in nested tuples."""
    if isinstance(item, tuple):
        return tuple(map(ones, item))
    return frozenset(k for k, n in enumerate(np.shape(item)) if n == 1)


def with_ones(type_: Structure, pattern: Any) -> Structure:
    """A type whose extents are known to be 1 where `pattern` (over plain tuples) says so."""
    found = iter(list(trees.leaves(pattern)))

    def one(leaf: Any) -> Any:
        axes = next(found)
        if not isinstance(leaf, Array):
            return leaf
        shape = tuple(1 if k in axes else dim for k, dim in enumerate(leaf.shape))
        return Array(leaf.dtype, shape, leaf.layout)

    return trees.mapped(one, type_)


def is_lone(item: Any) -> bool:
    """Whether an item is an array of no axis, which counts as the number it holds."""
    return isinstance(item, np.ndarray) and item.ndim == 0


def number_of(item: Any) -> Any:
    """The number in an array of no axis; anything else as it is."""
    return item[()] if is_lone(item) else item


def plain(item: Any) -> Any:
    """Python numbers for the scalars that count as weak."""
    if isinstance(item, tuple):
        return tuple(map(plain, item))
    item = number_of(item)
    weak = (np.float64, np.int64, np.bool_, np.complex128)
    return item.item() if isinstance(item, weak) else item


def strong(item: Any) -> Any:
    """NumPy's float64 for floats: it divides by zero, which Python's refuse to do."""
    if isinstance(item, tuple):
        return tuple(map(strong, item))
    return np.float64(item) if isinstance(item, float) else plain(item)


def has_single(region: Region) -> bool:
    """Whether values are float32: beside them only Python's numbers count as weak."""
    types = [v.type for v in region.params]
    types += [v.type for op in region.walk() for v in op.outputs]
    return any(map(is_single_precision, types))


def refuse_overlap(
    function_name: str, arguments: dict[str, Any], written_names: Collection[str]
) -> None:
    """Raise TypeMismatch if an array that the function writes shares memory with another."""
    arrays = [
        (name, leaf)
        for name, item in arguments.items()
        for leaf in trees.leaves(item)
        if isinstance(leaf, np.ndarray)
    ]
    for k, (name, array) in enumerate(arrays):
        for other_name, other in arrays[k + 1 :]:
            written = {name, other_name} & set(written_names)
            if written and np.may_share_memory(array, other):
                raise TypeMismatch(
                    f"`{name}` and `{other_name}` share memory, and `{function_name}` writes "
                    f"`{written.pop()}`",
                    hint=f"pass a copy: {other_name}.copy()",
                )
