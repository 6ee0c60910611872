"""Columns of an array that a loop walks along are copied into arrays of their own.

Enters: a graph of loops over elements, and in a loop around others one over `j` that uses `a[j, 0]`
and `a[j, 1]`. Leaves: the same graph where these are elements of `a_0` and `a_1`, which are copied
from `a` before the outer loop and, where they were written, back after it. LLVM computes several
iterations at once where the next one uses the next element; that a row has two, it cannot know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise, repeat
from typing import Any

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Sum
from adcompile.graph.builder import Builder
from adcompile.graph.concurrency import Concurrency, Plan
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.ir import Graph, Note, Op, Region, Value, resolved
from adcompile.graph.outside import COUNTING, outside
from adcompile.graph.types import Array, Dim, is_complex, shape_of
from adcompile.ops.memory import empty
from adcompile.optimize.loads import changed, defined
from adcompile.optimize.nests import home_of, steps_by_one
from adcompile.optimize.unroll import is_short

_PLAIN = frozenset({*INDEX_STARTS, "constant", "dim", "cast"})
FEWEST = 4  # rounds of an outer loop that are worth two copies

_Rows = tuple[Value, Sequence[Any], Sequence[Any]]  # an array; its indices before and behind a row
Path = tuple[tuple[Region, Op], ...]  # loops, each with the region it stands in, from the outside


def part_columns(graph: Graph) -> None:
    """Rewrite in place the inner loops whose iterations stand alone."""
    tried: set[Op] = set()
    while _one(graph, tried):
        pass


def may_part(graph: Graph) -> bool:
    """Whether there is a loop to ask about, now or when short loops inside are written out."""
    columns = {op.regions[0].params[0] for op in graph.body.walk() if is_short(op)}
    elements = (op for op in graph.body.walk() if op.name in INDEX_STARTS)
    several = (index for index in map(index_of, elements) if len(index) > 1)
    return any(
        row.constant is None and (column in columns or column.constant is not None)
        for *_, row, column in several
    )


def _one(graph: Graph, tried: set[Op]) -> bool:
    """Rewrite for one loop; gives whether one was found."""
    known = None
    for path in _innermost(graph.body, ()):
        loop = path[-1][1]
        if loop in tried:
            continue
        tried.add(loop)
        if _walked(loop) and _is_plain(loop):
            known = known or Concurrency(graph)
            copies = _Columns(graph, path, known).copies()
            for copy in copies:
                tried.update(_part(copy, graph))
            if copies:
                return True
    return False


def _innermost(region: Region, path: Path) -> Iterator[Path]:
    """The loops inside others that have none inside, each with those around it."""
    for op in region.ops:
        here = (*path, (region, op)) if op.name in ("for", "while") else path
        inside = [p for inner in op.regions for p in _innermost(inner, here)]
        yield from inside
        if not inside and op.name == "for" and path:
            yield here


def _walked(loop: Op) -> dict[Value, list[Op]]:
    """The arrays of which a loop uses elements of given columns, in rows that it counts."""
    found: dict[Value, list[Op]] = {}
    for op in loop.regions[0].ops:
        if _is_in_column(op) and index_of(op)[-2].constant is None:
            found.setdefault(op.inputs[0], []).append(op)
    return found


def _is_in_column(op: Op) -> bool:
    """Whether an operation uses an element of a column that is known."""
    array = op.inputs[0].type if op.name in INDEX_STARTS else None
    if not isinstance(array, Array) or array.layout != "C":
        return False
    index = index_of(op)
    return len(index) > 1 and index[-1].constant is not None and index[-1].constant >= 0


def _is_plain(loop: Op) -> bool:
    """Whether one instruction can do each operation for several iterations."""
    if not steps_by_one(loop):
        return False
    for op in loop.regions[0].ops:
        known = op.record.scalar is not None or op.name in _PLAIN
        if not known or op.record.kernel or any(is_complex(v.type) for v in op.outputs):
            return False
    return True


@dataclass(eq=False)
class _Copy:
    """What is copied of an array around a loop: some columns, the rows that are used."""

    array: Value
    region: Region
    loop: Op
    inner: Op
    written: bool
    own: set[Value]
    aliases: Aliases
    table: list[Value] = field(default_factory=list)
    ends: list[tuple[Sum, Sum]] = field(default_factory=list)
    columns: dict[int, list[Op]] = field(default_factory=dict)
    extents: dict[Dim, tuple[Value, int]] = field(default_factory=dict)


class _Columns:
    """One inner loop, and what it needs to find elements side by side."""

    def __init__(self, graph: Graph, path: Path, known: Concurrency) -> None:
        self.path, self.loop, self.params = path, path[-1][1], graph.params
        self.owned = graph.owned
        self.body = self.loop.regions[0]
        self.concurrency, self.aliases, self.bounds = known, known.aliases, known.bounds
        self.counter = self.body.params[0]
        self.own = defined(self.body)
        walked = _walked(self.loop).items()
        self.arrays = [v for v, ops in walked if any(self._follows(index_of(o)[-2]) for o in ops)]

    def copies(self) -> list[_Copy]:
        """What to copy so that the loop is computed for several iterations at once."""
        if not self.arrays or not self._others_aside() or not self._stands_alone():
            return []
        found = [copy for array in self.arrays if (copy := self._copy(array)) is not None]
        return found if len(found) == len(self.arrays) else []

    # -- whether --------------------------------------------------------------------------------

    def _follows(self, place: Value) -> bool:
        """Whether each iteration uses the next place."""
        return abs(self.bounds.sum_of(place, self.body).factors.get(self.counter, 0)) == 1

    def _others_aside(self) -> bool:
        """Whether elements of other arrays are side by side, or the same in all iterations."""
        for op in self.body.ops:
            if op.name in INDEX_STARTS and op.inputs[0] not in self.arrays:
                *rows, last = index_of(op)
                if any(v in self.own and v.constant is None for v in rows):
                    return False
                if last in self.own and last.constant is None and not self._follows(last):
                    return False
        return True

    def _stands_alone(self) -> bool:
        plan = self.concurrency.plan(self.loop)
        return isinstance(plan, Plan) and not plan.sums and not plan.scratch

    def _copy(self, array: Value) -> _Copy | None:
        """What to copy around the outermost loop that allows it, and is worth it."""
        for place, (region, loop) in enumerate(self.path[:-1]):
            if not self._is_straight(place):
                continue
            start, stop = (v.constant for v in loop.inputs[:2]) if loop.name == "for" else (None, 0)
            if start is not None and stop is not None and abs(stop - start) < FEWEST:
                continue
            found = self._copied_around(array, region, loop)
            if found is not None:
                return found
        return None

    def _is_straight(self, place: int) -> bool:
        """Whether no branch, which may never be taken, lies between a loop and the innermost."""
        return all(r in op.regions for (_, op), (r, _) in pairwise(self.path[place:]))

    def _copied_around(self, array: Value, region: Region, loop: Op) -> _Copy | None:
        own = {v for r in loop.regions for v in defined(r)}
        if array in own:
            return None
        moving = _moving(loop, own)
        roots = self.aliases.roots[array]
        written = bool(roots & changed(loop, self.aliases))
        copy = _Copy(array, region, loop, self.loop, written, own, self.aliases)
        if copy.written and (roots != {array} or (array.op is None and array not in self.owned)):
            return None  # other names, or other threads, may write rows that are copied back
        for op in loop.walk():
            if array not in op.used:
                shared = any(self.aliases.roots.get(v, frozenset()) & roots for v in op.used)
                if copy.written and shared:
                    return None
            elif op.name != "dim" and not self._take(op, copy, moving):
                return None
        return copy if self._is_known(copy) else None

    def _take(self, op: Op, copy: _Copy, moving: set[Value]) -> bool:
        """Note an element that an operation uses; gives whether it is one."""
        if not _is_in_column(op) or op.inputs.index(copy.array) or op.used.count(copy.array) > 1:
            return False
        *table, row, column = index_of(op)
        width = shape_of(copy.array.type)[-1]
        if isinstance(width, int) and column.constant >= width:
            return False
        if not copy.columns and self._are_there(table, copy):
            copy.table = table
        if list(map(_known, table)) != list(map(_known, copy.table)):
            return False
        home = home_of(copy.region, op)
        assert home is not None
        ends = self.bounds.reach(row, home, moving)
        if ends is None or not self.bounds.never_negative(row, home):
            return False
        copy.ends.append(ends)
        copy.columns.setdefault(int(column.constant), []).append(op)
        return True

    def _are_there(self, table: Sequence[Value], copy: _Copy) -> bool:
        """Whether indices before those of the row are known outside, and of elements."""
        fixed = (v.constant is not None or v not in copy.own for v in table)
        dims = shape_of(copy.array.type)
        return all(fixed) and all(map(self.bounds.fits, table, dims, repeat(copy.region)))

    def _is_known(self, copy: _Copy) -> bool:
        """Whether the ends can be computed before the outer loop: extents are those of arrays."""
        symbols = {a for pair in copy.ends for end in pair for a in end.factors}
        symbols = {a for a in symbols if not isinstance(a, Value)}
        same = self.bounds.same(copy.region)
        used = (v for op in copy.loop.walk() for v in op.used if v not in copy.own)
        for value in chain(used, self.params):
            for axis, dim in enumerate(shape_of(value.type)):
                copy.extents.setdefault(resolved(same, dim), (value, axis))
        return all(symbol in copy.extents for symbol in symbols)


def _known(value: Value) -> Any:
    """A number, if it is one."""
    return value if value.constant is None else value.constant


def _moving(loop: Op, own: set[Value]) -> set[Value]:
    """The values of a loop that cannot be computed before it."""
    moving = set(own)
    for op in loop.walk() if loop.name == "for" else ():
        if op.name in COUNTING and moving.isdisjoint(op.inputs):
            moving.difference_update(op.outputs)
    return moving


def _part(copy: _Copy, graph: Graph) -> list[Op]:
    """Copy the columns before the loop, use them in it, and copy back what it wrote.

    Gives the loops that copy.
    """
    region, array = copy.region, copy.array
    with Builder(graph) as builder, builder.at(copy.loop.location), builder.inside(region):
        with builder.inside(Region()) as before:
            last = len(copy.table) + 1
            rows, width = (_extent(array, axis, builder) for axis in (last - 1, last))
            table = [builder.value(_known(v)) for v in copy.table]
            first, stops = _range(copy, rows, width, builder)
            columns = {k: empty(builder, [rows], array.type.dtype) for k in sorted(copy.columns)}
            for k, column in columns.items():
                column.hint = f"{array.hint or 'column'}_{k}"
                _move(first, stops[k], (array, table, [k]), (column, [], []), builder)
        with builder.inside(Region()) as after:
            for k, column in columns.items() if copy.written else ():
                _move(first, stops[k], (column, [], []), (array, table, [k]), builder)
    for k, ops in copy.columns.items():
        for op in ops:
            op.inputs = [columns[k], *op.inputs[1 : INDEX_STARTS[op.name]], op.inputs[-2]]
    counter = copy.inner.regions[0].params[0].hint
    why = f"the loop over `{counter}` walks along them, several elements at once"
    graph.notes.append(Note("columns", array.hint, why, copy.inner.location))
    place = region.ops.index(copy.loop)
    region.ops[place : place + 1] = [*before.ops, copy.loop, *after.ops]
    return [op for op in (*before.ops, *after.ops) if op.name == "for"]


def _move(first: Value, stop: Value, source: _Rows, target: _Rows, builder: Builder) -> None:
    """A loop that copies an element of each row."""

    def body(row: Value, _: list[Value]) -> list[Value]:
        (read, *around), (written, before, behind) = source, target
        item = builder.op("load", read, *around[0], row, *around[1])
        builder.op("store", written, item, *before, row, *behind)
        return []

    builder.loop(first, stop, 1, [], body)


def _range(
    copy: _Copy, rows: Value, width: Value, builder: Builder
) -> tuple[Value, dict[int, Value]]:
    """The rows that the loop uses: the first, and where they end for each column.

    There may be no such column: the program says so, or does not come to where it is used.
    """
    firsts, lasts = zip(*copy.ends, strict=True)
    ends = [end.plus(Sum(1)) for end in lasts]
    first = builder.op("maximum", _furthest("minimum", firsts, copy, builder), 0)
    stop = builder.op("minimum", _furthest("maximum", ends, copy, builder), rows)
    stops = dict.fromkeys(copy.columns, stop)
    if not isinstance(shape_of(copy.array.type)[-1], int):
        for k in stops:
            stops[k] = builder.op("where", builder.op("gt", width, k), stop, 0)
    return first, stops


def _furthest(name: str, sums: Sequence[Sum], copy: _Copy, builder: Builder) -> Value:
    """The least or greatest of several sums."""
    kept: list[Sum] = []
    for one in sums:
        for k, other in enumerate(kept):
            gap = one.plus(other, -1)
            if not gap.factors:
                if (gap.constant < 0) is (name == "minimum"):
                    kept[k] = one
                break
        else:
            kept.append(one)
    value, *others = [_computed(s, copy, builder) for s in kept]
    for another in others:
        value = builder.op(name, value, another)
    return value


def _computed(found: Sum, copy: _Copy, builder: Builder) -> Value:
    value: Value = builder.constant(found.constant)
    for atom, factor in found.factors.items():
        if isinstance(atom, Value):
            known = outside(atom, copy.loop, copy.aliases, builder)
            assert known is not None
        else:
            known = _extent(*copy.extents[atom], builder)
        value = value + known * factor
    return value


def _extent(array: Value, axis: int, builder: Builder) -> Value:
    extent: Value = builder.op("dim", array, axis=axis)
    return extent
