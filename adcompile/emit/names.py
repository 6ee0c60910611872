"""Chooses variable names for values, and decides when a name may be used again.

Enters: hints from the user's source. Leaves: distinct Python identifiers; a name is taken over by a
later value of the same type in the same region once its holder is not read any more.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from adcompile.graph.ir import Graph, Region, Value
from adcompile.graph.procedures import Procedure
from adcompile.graph.types import Array

_FREE = object()  # the region of a name whose holder's region has ended
_State = tuple[dict[Value, str], dict[str, tuple[Value | None, Any]], dict[str, str]]
_FRESH = frozenset({"empty", "full"})  # what lies in rows, row after row

_RESERVED = frozenset(
    {
        "np",
        "math",
        "cmath",
        "scipy",
        "exact",
        "library",
        "range",
        "len",
        "abs",
        "float",
        "int",
        "bool",
        "complex",
        "quotient",
        "machine",
        "prange",
    }
    | {"quotient_1", "ValueError", "max", "min"}
)


class LastUses:
    """Per region, the position of the last operation that reads each value."""

    def __init__(self, graph: Graph) -> None:
        self._last: dict[Region, dict[Value, int]] = {}
        self._collect(graph.body)

    def _collect(self, region: Region) -> set[Value]:
        last: dict[Value, int] = {}
        for position, op in enumerate(region.ops):
            read = set(_read_by_name(op.inputs))
            for inner in op.regions:
                read |= self._collect(inner)
            for value in read:
                last[value] = position
        for value in _read_by_name(region.yields):
            last[value] = len(region.ops)
        self._last[region] = last
        return set(last)

    def of(self, value: Value, region: Region) -> int:
        """Position of the last reader, -1 for none."""
        return self._last[region].get(value, -1)


def _read_by_name(values: Sequence[Value]) -> Iterator[Value]:
    """The values whose variables are read: an extent is read as `x.shape[0]`, of the array `x`."""
    for value in values:
        yield value
        while value.op is not None and value.op.name == "dim":
            value = value.op.inputs[0]
            yield value


class Names:
    """Names of the values of one function."""

    def __init__(
        self, graph: Graph, functions: Iterable[str] = (), one_type: bool = False
    ) -> None:  # fmt: skip
        self.last = LastUses(graph)
        self._one_type = one_type  # for a compiler that finds one type for each variable
        self.of: dict[Value, str] = {}
        self.preferred: dict[Value, str] = {}
        self._holder: dict[str, tuple[Value | None, Any]] = {}
        self._kinds: dict[str, str] = {}
        self.avoid: set[str] = set(functions)
        # where loops run on threads, the compiler makes `t_1` of `t` when that is assigned again
        self._threads = any("parallel" in op.attrs for op in graph.body.walk())
        for value in graph.params:
            self.give(value, self._unused(identifier(value.hint)), graph.body)
        self._holder.setdefault(identifier(graph.name), (None, None))
        if one_type:  # a container is no number, nor an array
            containers = (p for p in graph.parameters if not isinstance(p.structure, Value))
            self.avoid.update(identifier(p.name) for p in containers)

    def give(self, value: Value, name: str, region: Region) -> None:
        """Bind a name to a value defined in `region`."""
        self.of[value] = name
        self._holder[name] = (value, region)
        self._kinds[name] = self._kind(value)

    def reserve(
        self, value: Value, region: Region, position: int, taken: Collection[str] = ()
    ) -> str:  # fmt: skip
        """A name for `value`, none of `taken`, whose old holder is not read after `position`."""
        own = identifier(value.hint or "t")
        for base in (identifier(self.preferred.get(value) or own), own):
            if base not in taken and self.may_take(base, value, region, position):
                return base
        return self._unused(own, taken)

    def lasting(self, base: str) -> str:
        """A name that no value takes."""
        name = self._unused(base)
        self.avoid.add(name)
        return name

    def may_take(self, name: str, value: Value, region: Region, position: int) -> bool:
        """Whether `value`, defined at `position` of `region`, may be called `name`."""
        if self._is_never_free(name):
            return False
        if name not in self._holder:
            return True
        holder, home = self._holder[name]
        kind = self._kind(value)
        if self._kinds.get(name, kind) != kind:
            return False
        read_later = holder is not None and self.last.of(holder, region) > position
        return home is _FREE or (home is region and not read_later)

    def holds(self, name: str, value: Value) -> bool:
        """Whether the variable still holds this value."""
        return self._holder.get(name, (None, None))[0] is value

    def lend(self, name: str, holder: Value, region: Region) -> None:
        """Let values of `region` take the name while its holder waits for the outcome."""
        self._holder[name] = (None, region)
        self._kinds[name] = self._kind(holder)

    def lend_held(self, name: str, holder: Value, region: Region) -> None:
        """Let values of `region` take the name once `holder` is not read in it any more."""
        self._holder[name] = (holder, region)
        self._kinds[name] = self._kind(holder)

    def leave(self, region: Region) -> None:
        """Free the names of a region that has been emitted."""
        for name, (_, home) in self._holder.items():
            if home is region:
                self._holder[name] = (None, _FREE)

    def snapshot(self) -> _State:
        """State to go back to."""
        return dict(self.of), dict(self._holder), dict(self._kinds)

    def restore(self, state: _State) -> None:
        """Go back to a snapshot."""
        self.of, self._holder, self._kinds = dict(state[0]), dict(state[1]), dict(state[2])

    def _kind(self, value: Value) -> str:
        """What the values of one name have in common."""
        type_, op = value.type, value.op
        if self._one_type and isinstance(type_, Array) and op is not None and not op.regions:
            if op.name not in _FRESH:
                return f"array {id(value)}"  # its strides may be like no other's
        return f"{type(type_).__name__} {type_.dtype} {len(getattr(type_, 'shape', ()))}"

    def _unused(self, base: str, taken: Collection[str] = ()) -> str:
        name, number = base, 1
        mark = "_" if not self._threads else "v" if re.search(r"[\d_]$", base) else ""
        while name in self._holder or name in taken or self._is_never_free(name):
            name, number = f"{base}{mark}{number}", number + 1
        return name

    def _is_never_free(self, name: str) -> bool:
        if self._threads and re.search(r"_\d+$", name):
            return True
        return name in self.avoid or name in _RESERVED or keyword.iskeyword(name)


def procedure_names(entry: str, procedures: Sequence[Procedure]) -> dict[Procedure, str]:
    """A name for each procedure of a module with the function `entry`."""
    names: dict[Procedure, str] = {}
    taken = {entry, *_RESERVED}
    for procedure in procedures:
        base = identifier(procedure.name)
        name, number = base, 1
        while name in taken or keyword.iskeyword(name):
            name, number = f"{base}_{number}", number + 1
        names[procedure] = name
        taken.add(name)
    return names


def identifier(hint: str) -> str:
    """A valid Python identifier close to the hint, and none of a kernel."""
    name = re.sub(r"\W", "_", hint) or "t"
    return f"v{name}" if name[0].isdigit() or name.startswith("_kernel_") else name
