"""What a call passes: checks and conversions of run-time arguments, and of options.

Enters: the arguments of one call. Leaves: arguments in the form that compiled code takes, the axes
of extent 1 among them, or an error for arguments that must not share memory.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Collection, Iterator
from itertools import combinations
from operator import itemgetter
from typing import Any

import numpy as np

from adcompile.errors import Location, TypeMismatch, UnsupportedSyntax
from adcompile.graph import trees
from adcompile.graph.ir import Region
from adcompile.graph.types import (
    Array,
    Static,
    Structure,
    check_array,
    is_single_precision,
    type_of,
)


def default_type(default: Any) -> Structure:
    """The type of an argument left at its default: a float or complex number is a value."""
    return (
        type_of(default) if isinstance(default, (float, complex, np.inexact)) else Static(default)
    )


def refuse_variadic(signature: inspect.Signature, place: Location | None) -> None:
    """Raise UnsupportedSyntax for `*args` and `**kwargs`."""
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            message = f"`{parameter}` is not in the compiled language"
            raise UnsupportedSyntax(message, place, "name each parameter")


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


# errors of machine code that has got what it does not take
NOT_TAKEN = (ValueError, TypeError, OverflowError)
_CODES = "f8 f4 c16 c8 i8 i4 i2 i1 u8 u4 u2 u1 b1"
_PYTHON = [float, int, bool, complex]
EXACT = frozenset([*_PYTHON, np.ndarray, *(np.dtype(c).type for c in _CODES.split())])


def usual(item: Any) -> Any:
    """An argument as compiled code takes it: plain arrays, numbers for arrays of no axis.

    Memory maps are arrays. Raises TypeMismatch for other classes of arrays, which have rules of
    their own, and for what is no number, array or container.
    """
    kind = type(item)
    if kind is np.ndarray:
        if not item.dtype.isnative:  # of which Numba takes some for others that it knows
            check_array(item)
        return item if item.ndim else item[()]
    if kind is int and 2**63 <= item < 2**64:
        return np.uint64(item)  # Numba takes every Python integer for one of 64 bits with a sign
    if kind in EXACT:
        return item
    if isinstance(item, np.ndarray):
        check_array(item)
        return usual(np.asarray(item))
    parts = trees.parts(item)
    if parts is None:
        return item
    new = [usual(part) for part in parts]
    return item if all(map(operator.is_, new, parts)) else trees.with_parts(item, new)


def check_arguments(name: str, arguments: dict[str, Any], place: Location | None) -> None:
    """Raise TypeMismatch that names the argument for one that compiled code does not take."""
    for key, item in arguments.items():
        try:
            type_of(item)
        except TypeMismatch as error:
            text = f"argument `{key}` of `{name}`: {error.message}"
            raise TypeMismatch(text, place, error.hint) from None


def plain(item: Any) -> Any:
    """Python numbers for the scalars that count as weak."""
    if isinstance(item, tuple):
        return tuple(map(plain, item))
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
        if isinstance(leaf, np.ndarray) or hasattr(leaf, "copy_to_host")
    ]
    for (name, _), (other_name, _) in _sharing(arrays):
        if written := {name, other_name} & set(written_names):
            raise TypeMismatch(
                f"`{name}` and `{other_name}` share memory, and `{function_name}` writes "
                f"`{written.pop()}`",
                hint=f"pass a copy: {other_name}.copy()",
            )


def _sharing(arrays: list[tuple[str, Any]]) -> Iterator[tuple[tuple[str, Any], tuple[str, Any]]]:
    """The pairs of arrays whose memory overlaps, on the host or on the device."""
    on_host = [item for item in arrays if isinstance(item[1], np.ndarray)]
    for one, other in combinations(on_host, 2):
        if np.may_share_memory(one[1], other[1]):
            yield one, other
    spans = [(*_bytes_of(a), (name, a)) for name, a in arrays if not isinstance(a, np.ndarray)]
    begun: list[tuple[int, int, tuple[str, Any]]] = []
    for low, high, item in sorted(spans, key=itemgetter(0)):
        begun = [span for span in begun if low < span[1]]
        for _, _, earlier in begun:
            yield earlier, item
        if low < high:
            begun.append((low, high, item))


def _bytes_of(array: Any) -> tuple[int, int]:
    """The addresses of the first byte of an array on the device, and of that after its last."""
    if (pointer := getattr(array, "device_ctypes_pointer", None)) is not None:
        first = pointer.value or 0
    else:
        first = array.__array_interface__["data"][0]
    if not array.size:
        return first, first
    spans = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    low, high = (sum(pick(span, 0) for span in spans) for pick in (min, max))
    return first + low, first + high + array.dtype.itemsize


def refuse_read_only(
    function_name: str, arguments: dict[str, Any], written_names: Collection[str]
) -> None:
    """Raise TypeMismatch if an array that the function writes in place cannot be written."""
    for name in written_names:
        for leaf in trees.leaves(arguments.get(name)):
            if isinstance(leaf, np.ndarray) and not leaf.flags.writeable:
                raise TypeMismatch(
                    f"`{name}` is read-only, and `{function_name}` writes it in place",
                    hint=f"pass a copy, or leave `{name}` out of inplace",
                )


def check_options(
    targets: Collection[str], target: str, flags: dict[str, bool], unknown: Collection[str],
    place: Location | None,
) -> None:  # fmt: skip
    """Raise TypeMismatch for a target or option that there is not."""
    if target not in targets:
        raise TypeMismatch(f"there is no target {target!r}", place, f"one of {', '.join(targets)}")
    for name in unknown:
        known = ", ".join(["target", "inplace", *flags])
        raise TypeMismatch(f"there is no option `{name}`", place, f"options: {known}")
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeMismatch(f"{name}={flag!r} is neither True nor False", place)
    if flags["boundscheck"] and target == "cuda":
        hint = 'no error can leave a kernel: look for it with target="cpu" or "python"'
        raise TypeMismatch('boundscheck=True with target="cuda"', place, hint)
    if flags["device"] and target != "cuda":
        raise TypeMismatch(f'device=True with target="{target}"', place, 'target="cuda"')


def is_plain_result(tree: Structure) -> bool:
    """Whether a result needs no containers but plain tuples."""
    if type(tree) is tuple:
        return all(map(is_plain_result, tree))
    return not trees.is_container(tree) and not isinstance(tree, Static)


def same_tree(first: Structure, second: Structure) -> bool:
    """Whether two results are the same containers around their leaves."""
    return trees.fingerprint(_marked(first)) == trees.fingerprint(_marked(second))


def _marked(tree: Structure) -> Structure:
    """The tree with its static parts as they are, to be compared."""
    return trees.restored(tree, (0 for _ in trees.leaves(tree)))
