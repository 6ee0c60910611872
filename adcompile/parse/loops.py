"""Lowers loops: what each name is before, in and after a loop.

Enters: the body of a loop, and the names that it assigns. Leaves: a `for` or `while` that carries
their values, with types that hold in every iteration.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from adcompile.errors import AdcompileError, TypeMismatch
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Array, Dim, Scalar, Type
from adcompile.ops import memory
from adcompile.ops.spellings import described
from adcompile.parse.liveness import Liveness
from adcompile.parse.objects import ObjectLowering
from adcompile.parse.scope import (
    NEVER,
    Environment,
    Maybe,
    Unbound,
    converted,
    flatten,
    is_data,
    join_types,
    regroup,
    same_structure,
)

_CHANGES = "may not be what it was: the loop assigns it again"
_NO_ROUND = "has no value if its loop does not run"


class LoopLowering(ObjectLowering):
    """The loops of one function; statements around them are added by the subclass."""

    bindings: dict[str, list[Value | None]] | None
    liveness: Liveness

    def _loop(
        self, kind: str, node: ast.stmt, inputs: list[Value], names: list[str],
        body: Callable[[list[Value]], list[Region]],
    ) -> Op | None:  # fmt: skip
        """Lower a loop; gives None if its body needs a result of a type that is not known yet."""
        before = dict(self.environment)
        try:
            return self._carrying_loop(kind, node, inputs, names, body)
        except AdcompileError as error:
            self.recursion.skip(error)
            self.environment = before
            return None

    def _carrying_loop(
        self, kind: str, node: ast.stmt, inputs: list[Value], names: list[str],
        body: Callable[[list[Value]], list[Region]],
    ) -> Op:  # fmt: skip
        """Carry the assigned names that are read later; types are widened until they repeat."""
        before = dict(self.environment)
        live = self.liveness.after(node)
        wanted = [n for n in names if n in live or " " in n]
        start = {n: before[n] for n in wanted if n in before and is_data(before[n])}
        types = {n: self._types(item) for n, item in start.items()}
        for _ in range(12):
            params = {n: [Value(t) for t in types[n]] for n in start}
            self.environment = dict(before)
            unknown = {n: Unbound(_CHANGES) for n in names if n not in start}
            self.environment |= unknown
            for name, values in params.items():
                self._enter(name, start[name], values)
            regions = body([v for values in params.values() for v in values])
            ends = self.environment
            changed = self._extend(wanted, start, types, before, ends, regions[0])
            changed |= self._widen(start, types, ends)
            if not changed:
                break
        loop = self._finish_loop(kind, inputs, regions, before, start, ends, types)
        for name in names:
            if name in unknown and ends[name] is unknown[name]:  # no round assigns it
                self.environment[name] = before.get(name, Unbound(NEVER))
            elif name not in start:
                self.environment[name] = self._after_loop(ends.get(name))
        return loop

    def _after_loop(self, end: Any) -> Unbound:
        """Why a name that a loop assigns cannot be read after it."""
        if end is None or not is_data(end):
            return Unbound("is assigned inside a loop, and is no number or array")
        return Unbound("is first assigned inside a loop, with a size that is not known outside")

    def _placeholder(self, item: Any, region: Region) -> Any:
        """Zeros like `item`, for a path on which it has no value."""
        zeros = []
        for leaf in flatten(item):
            type_ = self.builder.value(leaf).type
            if isinstance(type_, Scalar):
                zeros.append(self.builder.constant(0, type_))
                continue
            assert isinstance(type_, Array)
            extents = [self._extent_outside(d, region) for d in type_.shape]
            zeros.append(memory.full(self.builder, [e or 0 for e in extents], 0, type_.dtype))
        return regroup(item, iter(zeros))

    def _extent_outside(self, dim: Dim, region: Region) -> Value | int | None:
        """An extent met in `region`, if it is known outside of it."""
        with self.builder.inside(region):
            dim = self.builder.resolve(dim)
            if isinstance(dim, int):
                return dim
            if not self.builder.knows(dim):
                return None
            value = self.builder.extent(dim)
        inside = {v for op in region.walk() for v in op.outputs} | set(region.params)
        inside |= {p for op in region.walk() for inner in op.regions for p in inner.params}
        return None if value in inside else value

    def _types(self, item: Any) -> list[Type]:
        return [self.builder.value(leaf).type for leaf in flatten(item)]

    def _enter(self, name: str, like: Any, values: list[Value]) -> None:
        """Let a name stand for what is carried into the loop's body."""
        item = regroup(like, iter(values))
        for leaf in flatten(item.item if isinstance(item, Maybe) else item):
            leaf.hint, leaf.named = name.split()[0], True
        if isinstance(item, Maybe):
            item.assigned.hint = f"{name}_assigned"
        self.environment[name] = item

    def _extend(
        self, wanted: list[str], start: Environment, types: dict[str, list[Type]],
        before: Environment, ends: Environment, region: Region,
    ) -> bool:  # fmt: skip
        """Also carry what the loop assigns first, beginning with zeros that may not be read."""
        changed = False
        for name in wanted:
            item = ends.get(name, Unbound(_NO_ROUND))
            new = name not in start and not isinstance(item, Unbound) and is_data(item)
            now_partial = name in start and isinstance(item, Maybe)
            if not new and not (now_partial and not isinstance(start[name], Maybe)):
                continue
            inner = item.item if isinstance(item, Maybe) else item
            if new:
                arrays = [t for t in self._types_inside(inner, region) if isinstance(t, Array)]
                dims = [d for t in arrays for d in t.shape]
                if any(self._extent_outside(d, region) is None for d in dims):
                    continue
                start[name] = Maybe(self._placeholder(inner, region), False, _NO_ROUND)
            else:
                start[name] = Maybe(start[name], True, _NO_ROUND)
            types[name] = self._types(start[name])
            changed = True
        return changed

    def _types_inside(self, item: Any, region: Region) -> list[Type]:
        with self.builder.inside(region):
            return self._types(item)

    def _widen(self, start: Environment, types: dict[str, list[Type]], ends: Environment) -> bool:
        changed = False
        for name in start:
            end = self._as_started(name, start, ends)
            joined = [
                join_types(have, self._leaf_type(leaf), f"`{name}`")
                for have, leaf in zip(types[name], flatten(end), strict=True)
            ]
            changed |= joined != types[name]
            types[name] = joined
        return changed

    def _leaf_type(self, leaf: Any) -> Type:
        return leaf.type if isinstance(leaf, Value) else self.builder.constant(leaf).type

    def _as_started(self, name: str, start: Environment, ends: Environment) -> Any:
        """What a name is at the end of the body, in the structure it began with."""
        end = ends.get(name)
        if isinstance(start[name], Maybe) and not isinstance(end, Maybe):
            end = Maybe(end, True, _NO_ROUND)
        if not same_structure(start[name], end) or not is_data(end):
            before, after = described(start[name]), described(end)
            raise TypeMismatch(
                f"`{name}` changes its kind in the loop: {before} before, {after} after",
                hint="give the new kind a name of its own, or fill an array",
            )
        return end

    def _finish_loop(
        self, kind: str, inputs: list[Value], regions: list[Region], before: Environment,
        start: Environment, ends: Environment, types: dict[str, list[Type]],
    ) -> Op:  # fmt: skip
        wanted = [t for name in start for t in types[name]]
        leaves = [leaf for item in start.values() for leaf in flatten(item)]
        first = [converted(self.builder, i, t) for i, t in zip(leaves, wanted, strict=True)]
        region = regions[0]
        last = [leaf for n in start for leaf in flatten(self._as_started(n, start, ends))]
        with self.builder.inside(region):
            for leaf, type_, begin in zip(last, wanted, first, strict=True):
                end = converted(self.builder, leaf, type_)
                if isinstance(end.type, Array) and isinstance(begin.type, Array):
                    for one, other in zip(begin.type.shape, end.type.shape, strict=True):
                        self.builder.unify(one, other, "an array carried around a loop")
                region.yields.append(end)
        params = region.params[1:] if kind == "for" else region.params
        outputs = self.builder.structured(kind, [*inputs, *first], regions, params)
        self.environment = dict(before)
        results = regroup(tuple(start.values()), iter(outputs))
        lasts = regroup(tuple(start.values()), iter(last))
        begins = regroup(tuple(start.values()), iter(params))
        for name, item, begin, end in zip(start, results, begins, lasts, strict=True):
            carried = list(flatten(begin))
            scalars = all(isinstance(v.type, Scalar) for v in carried)
            if scalars and carried == list(flatten(end)):
                continue  # no round changes it
            self.environment[name] = item
            if self.bindings is not None and self.builder.region is self.builder.graph.body:
                single = item if isinstance(item, Value) else None
                self.bindings.setdefault(name, []).append(single)
        return next(op for op in reversed(self.builder.region.ops) if regions[0] in op.regions)
