"""Functions that call themselves: each becomes a procedure, lowered once per kind of arguments.

Enters: calls of such functions. Leaves: `invoke` operations and the procedures they name. What a
procedure gives, and which numbers among its arguments change from call to call, is found by rounds:
a path that needs a result of a type not known yet is left out, and whenever something is learned
the whole function is lowered again. The first result's type comes from a path that ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

from adcompile.errors import (
    AdcompileError,
    InternalError,
    Location,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.graph import trees
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Graph, Region, Value
from adcompile.graph.procedures import (
    Procedure,
    close,
    note_effects,
    note_sharing,
    own_results,
    procedures_of,
)
from adcompile.graph.types import Array, Scalar, Static, Structure, Symbol
from adcompile.parse.scope import (
    Environment,
    LocalFunction,
    converted,
    flatten,
    is_number,
    is_single,
    join_types,
    same_static,
)
from adcompile.parse.views import refuse_stale_views

_MAX_KINDS = 48  # different kinds of arguments of the recursive functions of one program
_MAX_DEPTH = 10  # procedures inside procedures, while they are lowered
_MAX_ROUNDS = 100
_MAX_TRANSFORMED = 6  # transformations of one function inside it

Lower = Callable[[Builder, Environment, Any], Any]


class Learned(Exception):
    """Something was learned: the function is lowered again."""


class Unknown(AdcompileError):
    """This path needs a result whose type is not known yet."""

    def __init__(self) -> None:
        super().__init__("the type of a result is not known yet")


@dataclass(frozen=True)
class Callee:
    """A function to be called: `identity` tells it from others, in every round."""

    identity: Any
    name: str
    location: Location
    lower: Lower
    nested: bool


@dataclass
class _Active:
    """A procedure that is being lowered."""

    base: Any
    key: Any
    fixed: dict[str, Any]


@dataclass
class Recursion:
    """What is known of the recursive functions that one function reaches.

    What is learned is kept from round to round; what stands after `_results` is of one round.
    """

    function: Any
    recursive: set[Any] = field(default_factory=set)
    _changing: dict[Any, set[str]] = field(default_factory=dict)
    _layouts: dict[Any, list[str]] = field(default_factory=dict)
    _results: dict[Any, Any] = field(default_factory=dict)
    _procedures: dict[Any, Procedure] = field(default_factory=dict)
    _active: list[_Active] = field(default_factory=list)
    _set_aside: list[Procedure] = field(default_factory=list)
    _made: dict[Any, int] = field(default_factory=dict)
    _skipped: bool = False

    def rounds(self, lower: Callable[[], Graph]) -> Graph:
        """The graph that `lower` gives once nothing more is learned."""
        with _lowering(self.function):
            for _ in range(_MAX_ROUNDS):
                self._procedures, self._active, self._set_aside = {}, [], []
                self._made, self._skipped = {}, False
                try:
                    graph = lower()
                except Learned:
                    continue
                self._finish(graph)
                return graph
        raise InternalError("the types of a recursive function do not settle")

    def _finish(self, graph: Graph) -> None:
        procedures = procedures_of(graph)
        if procedures:
            close(procedures, graph)
            note_effects(procedures)
            note_sharing(procedures)
            for procedure in procedures:
                own_results(procedure)
        own = set(self._procedures.values()) | set(self._set_aside)
        for body in [graph, *(p.graph for p in own)]:
            refuse_stale_views(body, own)
        for procedure in own:
            graph.checks.update(procedure.graph.checks)

    def count(self, place: Any) -> int:
        """How many nested functions were made at a place before."""
        number = self._made.get(place, 0)
        self._made[place] = number + 1
        return number

    def skip(self, error: AdcompileError) -> None:
        """Leave a path out; raises the error if it is not the outcome of what is not known yet."""
        if not isinstance(error, Unknown) and not self._skipped:
            raise error
        self._skipped = True

    def meet(self, identity: Any) -> None:
        """A function was reached from itself: it has to be a procedure."""
        self.recursive.add(identity)
        raise Learned

    # -- calls ----------------------------------------------------------------------------------

    def call(self, builder: Builder, callee: Callee, bound: Environment) -> Any:
        """Append a call; gives the item that the function gives."""
        base = (callee.identity, tuple((n, _kind(item)) for n, item in bound.items()))
        self._widen_layouts(base, bound)
        active = next((a for a in reversed(self._active) if a.base == base), None)
        if active is not None:
            self._compare(active, bound)
        else:
            active = self._outermost(base, bound)
            if active.key not in self._procedures:
                self._refuse_endless(callee)
                self._build(builder, callee, bound, active)
        procedure = self._procedures[active.key]
        if active.key not in self._results:
            raise Unknown
        if not self._active and not _sharable(callee, bound):
            # what it reads around it may be another next time
            self._set_aside.append(self._procedures.pop(active.key))
        given = [v for n, item in bound.items() if n not in active.fixed for v in flatten(item)]
        outputs = builder.op("invoke", *given, procedure=procedure)
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        return trees.restored(self._results[active.key], iter(results))

    def _outermost(self, base: Any, bound: Environment) -> _Active:
        """What a call that is not made from inside the same function asks for."""
        changing = self._changing.setdefault(base, set())
        fixed = {n: i for n, i in bound.items() if is_number(i) and n not in changing}
        key = (base, tuple((n, type(item), item) for n, item in fixed.items()))
        return _Active(base, key, fixed)

    def _compare(self, active: _Active, bound: Environment) -> None:
        """Numbers that are others in the call inside than outside are known only at run time."""
        changed = {n for n, number in active.fixed.items() if not same_static(bound[n], number)}
        if changed:
            self._changing[active.base] |= changed
            raise Learned

    def _widen_layouts(self, base: Any, bound: Environment) -> None:
        arrays = [t.type for item in bound.values() for t in flatten(item) if _is_array(t)]
        layouts = [t.layout for t in arrays]
        known = self._layouts.setdefault(base, layouts)
        joined = [a if a == b else "A" for a, b in zip(known, layouts, strict=True)]
        if joined != known:
            self._layouts[base] = joined
            raise Learned

    def _refuse_endless(self, callee: Callee) -> None:
        if len(self._active) >= _MAX_DEPTH or len(self._changing) > _MAX_KINDS:
            raise UnsupportedSyntax(
                f"`{callee.name}` calls itself with ever other kinds of arguments",
                hint="let each call pass arrays of the same number of axes, numbers of the same "
                "type, and the same functions; or write the recursion as a loop",
            )

    # -- procedures -----------------------------------------------------------------------------

    def _build(self, outer: Builder, callee: Callee, bound: Environment, active: _Active) -> None:
        procedure = self._procedures[active.key] = Procedure(callee.name)
        known = self._results.get(active.key)
        procedure.results = list(trees.leaves(known))
        self._active.append(active)
        builder = Builder(procedure.graph)
        try:
            with builder, builder.at(callee.location):
                builder.borrow(outer)
                layouts = iter(self._layouts[active.base])
                environment = {
                    name: item if name in active.fixed else _entered(builder, name, item, layouts)
                    for name, item in bound.items()
                }
                result = callee.lower(builder, environment, active.key)
                self._settle_result(builder, callee, active, result)
        except AdcompileError as error:
            self.skip(error)
            del self._procedures[active.key]
            raise self._unknown(callee) from None
        finally:
            self._active.pop()

    def _settle_result(
        self, builder: Builder, callee: Callee, active: _Active, result: Any
    ) -> None:
        """Let the procedure give its result; raises Learned if it is of another type than known."""
        types = trees.mapped(lambda leaf: _leaf_type(builder, leaf), result)
        known = self._results.get(active.key)
        joined = types if active.key not in self._results else _joined(known, types, callee)
        if active.key not in self._results or not _equal(known, joined):
            self._results[active.key] = joined
            raise Learned
        builder.graph.body.yields = [
            converted(builder, leaf, type_)
            for leaf, type_ in zip(flatten(result), trees.leaves(joined), strict=True)
        ]

    def _unknown(self, callee: Callee) -> Exception:
        """What to raise where every path of a procedure needs a result that is not known yet."""
        if len(self._active) > 1:
            return Unknown()
        return UnsupportedSyntax(
            f"every path of `{callee.name}` calls it again", callee.location,
            "return a value on a path that makes no further call",
        )  # fmt: skip


_local = threading.local()


@contextmanager
def _lowering(function: Any) -> Iterator[None]:
    """Refuse a function that is reached from itself through a transformed or special function."""
    stack = _local.__dict__.setdefault("functions", [])
    if stack.count(function) >= _MAX_TRANSFORMED:
        name = function.__name__
        raise UnsupportedSyntax(
            f"`{name}` calls what a decorator or transformation made of it",
            current().location,
            f"let `{name}` call the plain function: give what is made of it another name, as "
            f"in `{name}_grad = ad.grad({name})`",
        )
    stack.append(function)
    try:
        yield
    finally:
        stack.pop()


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, Value) and isinstance(leaf.type, Array)


def _kind(item: Any) -> Any:
    """What of an argument makes a procedure of its own; equal in every round."""
    inner = trees.parts(item)
    if inner is not None:
        return (trees.fingerprint(trees.mapped(lambda _: 0, item)), tuple(map(_kind, inner)))
    if isinstance(item, Value):
        if isinstance(item.type, Array):
            return ("array", item.type.dtype, item.type.ndim)
        return ("number", item.type.dtype, getattr(item.type, "weak", None))
    if is_number(item):
        return _kind(Value(_number_type(item)))
    if isinstance(item, LocalFunction):
        return ("function", item.place, item.number)
    return item if isinstance(item, (str, type(None))) else _Same(item)


class _Same:
    """An object as part of a key: equal to itself alone, bound methods as they compare."""

    def __init__(self, item: Any) -> None:
        self.item = item

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        both = isinstance(self.item, MethodType) and isinstance(other.item, MethodType)
        return self.item is other.item or (both and self.item == other.item)

    def __hash__(self) -> int:
        if isinstance(self.item, MethodType):
            return hash((id(self.item.__func__), id(self.item.__self__)))
        return id(self.item)


def _number_type(number: Any) -> Scalar:
    with Builder(Graph("", [], Region())) as builder:
        type_ = builder.constant(number).type
    assert isinstance(type_, Scalar)
    return type_


def _sharable(callee: Callee, bound: Environment) -> bool:
    """Whether two calls with equal kinds of arguments mean the same body."""
    return not callee.nested and all(map(_is_plain, bound.values()))


def _is_plain(item: Any) -> bool:
    inner = trees.parts(item)
    if inner is not None:
        return all(map(_is_plain, inner))
    plain = (type(None), str, type, FunctionType)
    return is_single(item) or isinstance(item, plain)


def _entered(builder: Builder, name: str, item: Any, layouts: Any) -> Any:
    """The item that stands for an argument inside."""
    inner = trees.parts(item)
    if inner is not None:
        names = trees.labels(item, name)
        parts = [_entered(builder, n, p, layouts) for n, p in zip(names, inner, strict=True)]
        return trees.with_parts(item, parts)
    if not is_single(item):
        return item
    type_ = item.type if isinstance(item, Value) else _number_type(item)
    if isinstance(type_, Array):
        shape = tuple(Symbol(f"n{k}") for k in range(type_.ndim))
        type_ = Array(type_.dtype, shape, next(layouts))
    return builder.parameter(type_, name)


def _leaf_type(builder: Builder, leaf: Any) -> Structure:
    if not is_single(leaf):
        return Static(leaf)
    type_ = builder.value(leaf).type
    if isinstance(type_, Array):
        shape = tuple(builder.resolve(d) for d in type_.shape)
        return Array(type_.dtype, tuple(d if isinstance(d, int) else Symbol() for d in shape))
    return type_


def _joined(known: Structure, found: Structure, callee: Callee) -> Structure:
    """The type of results that are now this, now that; raises TypeMismatch if there is none."""
    what = f"what `{callee.name}` gives"
    one, other = list(trees.leaves(known)), list(trees.leaves(found))
    if not _same_tree(known, found):
        raise TypeMismatch(
            f"{what} depends on how often it calls itself", callee.location,
            "return the same kind of number, array or tuple on every path",
        )  # fmt: skip
    try:
        joined = [join_types(a, b, what) for a, b in zip(one, other, strict=True)]
    except TypeMismatch as error:
        raise error.at(callee.location) from None
    for k, (a, b) in enumerate(zip(one, other, strict=True)):
        if isinstance(a, Array) and isinstance(b, Array):
            pairs = zip(a.shape, b.shape, strict=True)
            shape = tuple(d if isinstance(d, int) and d == e else Symbol() for d, e in pairs)
            joined[k] = Array(a.dtype, shape)
    return trees.rebuild(known, iter(joined))


def _same_tree(first: Structure, second: Structure) -> bool:
    one, other = trees.parts(first), trees.parts(second)
    if one is not None and other is not None:
        return trees.alike(first, second) and all(map(_same_tree, one, other))
    if isinstance(first, Static) or isinstance(second, Static):
        return first == second
    return one is None and other is None


def _equal(first: Structure, second: Structure) -> bool:
    def text(type_: Any) -> Any:
        if not isinstance(type_, Array):
            return type_
        return type_.dtype, [d if isinstance(d, int) else None for d in type_.shape]

    pairs = zip(trees.leaves(first), trees.leaves(second), strict=True)
    return all(text(a) == text(b) for a, b in pairs)
