"""The way of a call from Python to machine code and back, made for one function.

Enters: a transformed function, what is compiled for it, and the containers that it has been called
with. Leaves: a class whose calls go straight to machine code. Containers of arguments are taken
apart, and those of a result are made, by lines of Python for just these; a call that is not as they
expect goes the way that every call can go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from types import MethodType
from typing import Any

from adcompile.arguments import EXACT, NOT_TAKEN, is_plain_result, usual
from adcompile.generated import executable
from adcompile.graph import trees
from adcompile.graph.types import Static, Structure

Call = Callable[..., Any]
Enter = Callable[[Call, Call], Call]
_STRUCTURES = 4  # as many structures of arguments have lines of their own


class _Whole:
    """A result that has its containers: the call went another way."""

    def __init__(self, result: Any) -> None:
        self.result = result


def calling(own: Any, cls: type, dispatcher: Any, enter: Enter | None) -> type:
    """A class for `own`, a `cls`, whose calls go straight to what is compiled.

    dispatcher compiles for arguments that are no containers
    enter      gives a call that goes to machine code at once: of what gets calls of other types,
               and what gets an error and the arguments; None if nothing is compiled
    """
    parameters = own.__signature__.parameters
    general = MethodType(cls.__call__, own)
    simple = is_plain_result(own._result) and not own._written and not own._inplace
    call = _dispatching(own, dispatcher) if enter and simple else general
    if all(p.default is p.empty for p in parameters.values()):
        call = _by_name(own, call, general)
    for flat in list(own._structured.values())[-_STRUCTURES:]:
        call = _taking_apart(flat, call)
    if enter is not None:
        call = _entering(own, enter, call)
    return type(cls.__name__, (cls,), {"__call__": staticmethod(call), "__doc__": cls.__doc__})


def _dispatching(own: Any, dispatcher: Any) -> Call:
    """A call for any types."""

    def dispatching(*args: Any, **kwargs: Any) -> Any:
        try:
            named = {name: usual(item) for name, item in kwargs.items()}
            result = dispatcher(*map(usual, args), **named)
            own._refuse_overlap(args, named)  # if another thread has compiled it meanwhile
            return result
        except NOT_TAKEN as error:
            return own._after_failure(error, args, kwargs)

    return dispatching


def _by_name(own: Any, call: Call, general: Call) -> Call:
    """A call with arguments by name is one with all of them in order."""
    names = ", ".join(own.__signature__.parameters)
    text = f"def in_order({names}):\n    return ({names}{',' * bool(names)})\n"
    in_order = executable(text, "in_order")

    def by_name(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return call(*args)
        try:
            ordered = in_order(*args, **kwargs)
        except TypeError:
            ordered = None
        return general(*args, **kwargs) if ordered is None else own(*ordered)

    return by_name


def _entering(own: Any, enter: Enter, other: Call) -> Call:
    """A call that goes to machine code at once; `other` gets those of types that are not known."""
    if is_plain_result(own._result):
        return enter(other, own._failed)
    if not _has_leaves(own._result):
        return other

    def elsewhere(*args: Any, **kwargs: Any) -> _Whole:
        return _Whole(other(*args, **kwargs))

    def failed(error: Exception, args: tuple[Any, ...]) -> _Whole:
        return _Whole(own._failed(error, args))

    space = {"run": enter(elsewhere, failed), "Whole": _Whole}
    text = (
        "def restoring(*args, **kwargs):\n    result = run(*args, **kwargs)\n"
        "    if result.__class__ is Whole:\n        return result.result\n"
        f"    return {_restored(own._result, 'result', space)}\n"
    )
    return executable(text, "restoring", space)


def _restored(tree: Structure, name: str, space: dict[str, Any]) -> str:
    """An expression for a container, of the nested plain tuples that `name` stands for.

    What it needs beside them goes to `space`.
    """
    inner = trees.parts(tree)
    if inner is None:
        return _known(tree.value, space) if isinstance(tree, Static) else name
    place, items = 0, []
    for part in inner:
        items.append(_restored(part, f"{name}[{place}]", space))
        place += _has_leaves(part)
    if type(tree) in (tuple, list):
        text = ", ".join(items)
        return f"[{text}]" if type(tree) is list else f"({text}{',' * bool(items)})"
    if type(tree) is dict:
        labelled = dict(zip(trees.keys(tree), items, strict=True))
        text = ", ".join(f"{_known(key, space)}: {labelled[key]}" for key in tree)
        return "{" + text + "}"
    return f"{_known(trees.with_parts, space)}({_known(tree, space)}, [{', '.join(items)}])"


def _has_leaves(tree: Any) -> bool:
    return any(True for _ in trees.leaves(tree))


def _known(item: Any, space: dict[str, Any]) -> str:
    """A name for something that generated text refers to."""
    name = f"known_{len(space)}"
    space[name] = item
    return name


def _taking_apart(flat: Any, other: Call) -> Call:
    """A call of `flat` with plain tuples for the containers that it was made for.

    Arguments that are of another structure go to `other`.
    """
    space: dict[str, Any] = {"flat": flat, "other": other, "known": EXACT, "exact": trees.exact}
    names = [f"item_{k}" for k in range(len(flat.structures))]
    lines = [f"[{', '.join(names)}] = args"]
    given = [
        _taken(tree, name, lines, space) for tree, name in zip(flat.structures, names, strict=True)
    ]
    body = "\n            ".join(lines)
    text = (
        "def taking_apart(*args, **kwargs):\n"
        f"    if not kwargs:\n        try:\n            {body}\n"
        "        except (AttributeError, TypeError, ValueError):\n            pass\n"
        f"        else:\n            return flat({', '.join(given)})\n"
        "    return other(*args, **kwargs)\n"
    )
    return executable(text, "taking_apart", space)


def _taken(tree: Any, name: str, lines: list[str], space: dict[str, Any]) -> str:
    """An expression for what a container called `name` holds; `lines` raise if it is not `tree`."""

    def expect(same: str) -> None:
        lines.append(f"if not ({same}): raise ValueError")

    def expect_static(name: str, value: Any) -> None:
        known, key = _known(value, space), _known(trees.exact(value), space)
        expect(f"{name} is {known} or exact({name}) == {key}")

    inner = trees.parts(tree)
    if inner is None:
        if not trees.is_static(tree):
            expect(f"{name}.__class__ in known")
            return name
        expect_static(name, tree)
        return "()"
    names = [f"{name}_{k}" for k in range(len(inner))]
    expect(f"{name}.__class__ is {_known(type(tree), space)}")
    if trees.is_record(tree):
        moving = trees.labels(tree, name)
        lines += [f"{new} = {name}.{field}" for new, field in zip(names, moving, strict=True)]
        for rest in [field.name for field in fields(tree) if field.name not in moving]:
            if hasattr(tree, rest):
                expect_static(f"{name}.{rest}", getattr(tree, rest))
            else:
                expect(f"not hasattr({name}, {rest!r})")
    elif isinstance(tree, dict):
        expect(f"tuple({name}) == {_known(tuple(tree), space)}")
        if not all(type(key) is str for key in tree):
            expect(f"[*map(type, {name})] == {_known([*map(type, tree)], space)}")
        named = dict(zip(trees.keys(tree), names, strict=True))
        lines.append(f"[{', '.join(named[key] for key in tree)}] = {name}.values()")
    else:
        lines.append(f"[{', '.join(names)}] = {name}")
    items = [_taken(part, new, lines, space) for part, new in zip(inner, names, strict=True)]
    items = [item for item in items if item != "()"]
    return f"({', '.join(items)}{',' * bool(items)})"
