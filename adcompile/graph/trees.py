"""Containers as trees: tuples, named tuples, lists, dicts and dataclasses, nested.

Enters: a container of anything (run-time values, types, values of the graph). Leaves: its parts in
a fixed order, a container of the same kind with other parts, or nested plain tuples, which is how
compiled code takes and gives it.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch


class Leaf:
    """Base of the project's own classes, which are no containers although they are dataclasses."""


@dataclasses.dataclass(frozen=True)
class Static(Leaf):
    """A part that is no value of the graph: known when the function is compiled."""

    value: Any

    def __str__(self) -> str:
        return "="


def parts(item: Any) -> list[Any] | None:
    """What a container holds, dicts in the order of their sorted keys; None for a leaf."""
    if isinstance(item, Leaf):
        return None
    if isinstance(item, (tuple, list)):
        return list(item)
    if type(item) in (dict, OrderedDict):
        return [item[key] for key in keys(item)]
    if is_record(item):
        return [getattr(item, name) for name in _fields(item)]
    return None


def with_parts(like: Any, new: list[Any]) -> Any:
    """A container as `like` that holds the parts `new`."""
    if isinstance(like, tuple):
        make = getattr(like, "_make", tuple)  # of a named tuple
        return make(new)
    if isinstance(like, list):
        return list(new)
    if isinstance(like, dict):
        made = dict(zip(keys(like), new, strict=True))
        return type(like)((key, made[key]) for key in like)
    result = object.__new__(type(like))  # as it is: without __init__ and __post_init__
    given = dict(zip(_fields(like), new, strict=True))
    for field in dataclasses.fields(like):
        if field.name in given or hasattr(like, field.name):
            value = given.get(field.name, getattr(like, field.name, None))
            object.__setattr__(result, field.name, value)
    return result


def is_record(item: Any) -> bool:
    """Whether an item is an instance of a user's dataclass."""
    return hasattr(type(item), "__dataclass_fields__") and not isinstance(item, Leaf)


def is_container(item: Any) -> bool:
    """Whether an item has parts."""
    return parts(item) is not None


def keys(item: dict[Any, Any]) -> list[Any]:
    """The keys of a dict in the order of its parts."""
    return sorted(item, key=lambda key: (type(key).__name__, str(key)))


def _fields(item: Any) -> list[str]:
    """The fields that hold parts: all that are not declared static."""
    fields = dataclasses.fields(item)
    return [f.name for f in fields if not f.metadata.get("static") and hasattr(item, f.name)]


def is_nothing(tree: Any) -> bool:
    """Whether a tree is the empty tuple; a class of the user's may compare as it likes."""
    return isinstance(tree, tuple) and not tree


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a tree in order, without static ones."""
    inner = parts(tree)
    if inner is not None:
        for part in inner:
            yield from leaves(part)
    elif not isinstance(tree, Static):
        yield tree


def rebuild(tree: Any, items: Iterator[Any]) -> Any:
    """A tree like `tree` that holds the next `items` as leaves."""
    return mapped(lambda _: next(items), tree)


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree with `function` applied to each leaf, and to the leaves of `others` beside it."""
    inner = parts(tree)
    if inner is None:
        return tree if isinstance(tree, Static) else function(tree, *others)
    rows = [parts(other) for other in others]
    for other, row in zip(others, rows, strict=True):
        if row is None or len(row) != len(inner):
            raise TypeMismatch(f"{_name(tree)} beside {_name(other)}: the structures differ")
    new = [mapped(function, *together) for together in zip(inner, *rows, strict=True)]
    return with_parts(tree, new)


def _name(item: Any) -> str:
    inner = parts(item)
    kind = type(item).__name__
    return f"a {kind}" if inner is None else f"a {kind} of {len(inner)}"


def is_static(item: Any) -> bool:
    """Whether a run-time leaf is known when compiled: text, None, functions and classes."""
    return item is None or isinstance(item, (str, bytes, slice, np.dtype)) or callable(item)


def is_plain(item: Any) -> bool:
    """Whether an argument can be passed to compiled code as it is."""
    if type(item) is tuple:
        return bool(item) and all(map(is_plain, item))
    return not is_container(item) and not is_static(item)


def as_tuples(tree: Any) -> Any:
    """Nested plain tuples of what a tree holds, without static parts."""
    inner = parts(tree)
    if inner is None:
        return () if _is_static_part(tree) else tree
    return tuple(plain for plain in map(as_tuples, inner) if not _is_empty(plain))


def _is_empty(item: Any) -> bool:
    return isinstance(item, tuple) and not item


def _is_static_part(item: Any) -> bool:
    return isinstance(item, Static) or is_static(item)


def restored(tree: Any, items: Iterator[Any]) -> Any:
    """A run-time tree like `tree` (of types, or of values of the graph) of the next `items`."""
    inner = parts(tree)
    if inner is None:
        return tree.value if isinstance(tree, Static) else next(items)
    return with_parts(tree, [restored(part, items) for part in inner])


def labels(tree: Any, name: str) -> list[str]:
    """A name for each part of a container called `name`."""
    if is_record(tree):
        return _fields(tree)
    if isinstance(tree, dict):
        return [str(key) for key in keys(tree)]
    fields = getattr(tree, "_fields", None)
    return list(fields) if fields else [f"{name}_{k}" for k in range(len(tree))]


def alike(first: Any, second: Any) -> bool:
    """Whether two containers are of one kind, with the same keys and static fields."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return keys(first) == keys(second)
    if is_record(first):
        return fingerprint(with_parts(first, [0] * len(_fields(first)))) == fingerprint(
            with_parts(second, [0] * len(_fields(second)))
        )
    return len(first) == len(second)


def exact(item: Any) -> Any:
    """What tells a static item from those that are equal to it, as 1 is to True and 1.0."""
    if isinstance(item, tuple):
        return (type(item), tuple(map(exact, item)))
    return (type(item), repr(item) if isinstance(item, (float, complex)) else item)


def fingerprint(tree: Any) -> Any:
    """What compiled code depends on apart from the types of the leaves; hashable."""
    inner = parts(tree)
    if inner is None:
        return ("static", exact(tree)) if is_static(tree) else None
    extra: Any = None
    if isinstance(tree, dict):
        extra = exact(tuple(tree))  # loops go through them in this order
    elif is_record(tree):
        moving = _fields(tree)
        extra = tuple(
            (f.name, exact(getattr(tree, f.name, None))) for f in dataclasses.fields(tree)
            if f.name not in moving
        )  # fmt: skip
    return (type(tree), extra, tuple(map(fingerprint, inner)))
