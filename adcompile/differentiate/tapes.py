"""How large the tapes of values in loops are.

Enters: a value inside loops. Leaves: the extents of an array with a place for every iteration, all
computed before the outermost loop; or nothing, where only the run can tell how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Op, Region, Value, extent_in
from adcompile.graph.types import Dim, Symbol, shape_of
from adcompile.ops import memory

if TYPE_CHECKING:
    from adcompile.differentiate.mirror import Mirror


class TapeSizes:
    """The part of the settlement that sizes tapes."""

    mirror: Mirror
    builder: Builder
    bounds: Bounds
    body: Region
    before_loop: dict[Op, list[Op]]
    _at_body: dict[tuple[Op, Value], Value | None]

    def _tape_sizes(self, value: Value, home: Region, outermost: Op) -> list[Value] | None:
        wanted: list[Value] = []
        with self.builder.inside(Region()) as counting:
            for op, _ in self.mirror.loops(home):
                if op.name == "while":
                    return None
                start, stop, step = op.inputs[:3]
                if index_counts(start, stop, step):
                    size = stop if step.constant == 1 else start + 1
                    known = size.op is not None and size.op.name == "dim"
                    wanted.append(size if known else self.builder.op("maximum", size, 0))
                else:
                    wanted.append(self.mirror.trip_count(op, self.builder))
            wanted += [self._extent(d, home) for d in shape_of(value.type)]
        home_of = self.mirror.home
        scratch = {v for op in counting.ops for v in op.outputs}
        loops: list[tuple[Op, Region] | None] = [*self.mirror.loops(home)]
        loops += [None] * (len(wanted) - len(loops))
        sizes = []
        for size, loop in zip(wanted, loops, strict=True):
            moved = self._outside(size, outermost, scratch, home_of)
            if moved is None and loop is not None:
                moved = self._most(*loop, outermost)
            if moved is None:
                return None
            sizes.append(moved)
        return sizes

    def _most(self, loop: Op, body: Region, outermost: Op) -> Value | None:
        """The most iterations that an inner loop can have, whatever the loops around it do."""
        start, stop, step = (self.bounds.sum_of(v, body) for v in loop.inputs[:3])
        by = step.constant
        if index_counts(*loop.inputs[:3]):
            span = stop if by == 1 else start.plus(Sum(1))
        else:
            span = stop.plus(start, -1) if by > 0 else start.plus(stop, -1)
        most = self.bounds.greatest(span, body)
        if most is None or not all(self._known_before(atom) for atom in most.factors):
            return None
        with self.builder.inside(Region()) as made:
            total = self._from_sum(most.plus(Sum(abs(by) - 1)))
            if abs(by) > 1:
                total = self.builder.op("floordiv", total, abs(by))
            size: Value = self.builder.op("maximum", total, 0)
        self.before_loop.setdefault(outermost, []).extend(made.ops)
        return size

    def _from_sum(self, found: Sum) -> Value:
        """An integer of what is computed outside all loops."""
        total = self.builder.constant(found.constant)
        for atom, factor in found.factors.items():
            item = self.body.extents[atom] if isinstance(atom, Symbol) else atom
            total = total + (item if factor == 1 else item * factor)
        return total

    def _known_before(self, atom: Value | Symbol) -> bool:
        """Whether an integer is computed outside all loops."""
        if isinstance(atom, Symbol):
            return atom in self.body.extents
        home = self.mirror.home.get(atom)
        return home is None or home is self.body

    def _extent(self, dim: Dim, home: Region) -> Value:
        """The value that holds an extent, as seen from a forward region."""
        found = extent_in(dim, self._regions_to(home))
        assert found is not None
        return self.builder.value(found)

    def _outer_extent(self, dim: Dim, home: Region) -> Value:
        """The same, from as far outside as it is known: not that of a slice which it is to give."""
        regions = self._regions_to(home)
        found = extent_in(dim, regions)
        if not isinstance(found, int):
            known = (extent_in(dim, regions[: k + 1]) for k in range(len(regions)))
            found = next(v for v in known if v is not None)
        return self.builder.value(found)

    def _regions_to(self, home: Region) -> list[Region]:
        """A forward region behind those that it stands in, from the body on."""
        regions = [home]
        while regions[0] is not self.body:
            regions.insert(0, self.mirror.parents[regions[0]][1])
        return regions

    def _outside(
        self, value: Value, loop: Op, scratch: set[Value], home_of: dict[Value, Region]
    ) -> Value | None:
        """The value computed before `loop`, or None if it depends on what happens inside.

        What has no home was made since the forward sweep: before its loops, or for `scratch`.
        """
        key = (loop, value)
        if key in self._at_body:
            return self._at_body[key]
        home = home_of.get(value)
        if value not in scratch and (home is None or home is self.body):
            return value
        op = value.op
        result = None
        if op is not None and op.name == "dim" and op.inputs[0].op is not None:
            length = self._slice_length(op)
            if length is not None:
                made, scalars = length
                result = self._outside(made, loop, scratch | scalars, home_of)
        elif op is not None and op.record.cheap and not op.regions and not op.record.view:
            if value not in self.mirror.index:
                mapping = {}
                for v in op.inputs:
                    moved = self._outside(v, loop, scratch, home_of)
                    if moved is None:
                        break
                    mapping[v] = moved
                else:
                    copy = clone_op(op, mapping)
                    self.before_loop.setdefault(loop, []).append(copy)
                    result = copy.result
        self._at_body[key] = result
        return result

    def _slice_length(self, dim: Op) -> tuple[Value, set[Value]] | None:
        """The extent of a slice worked out from the extent of its source."""
        cut, axis = dim.inputs[0].op, dim.attrs["axis"]
        if cut is None or cut.name != "slice":
            return None
        source, seen, bounds = 0, 0, iter(cut.inputs[1:])
        home = self.mirror.home[cut.result]
        for item in cut.attrs["spec"]:
            if item == "new":
                seen += 1
                continue
            if item == "index":
                next(bounds)
            else:
                own = [next(bounds) for given in item[1:3] if given]
                if seen == axis:
                    extent = shape_of(cut.inputs[0].type)[source]
                    with self.builder.inside(Region()) as made:
                        whole = self._outer_extent(extent, home)
                        _, length = memory.slice_range(self.builder, item, own, whole)
                    return length, {v for op in made.ops for v in op.outputs}
                seen += 1
            source += 1
        return None


def index_counts(start: Value, stop: Value, step: Value) -> bool:
    """Whether the loop index itself can index a tape: it never is negative."""
    by = step.constant
    if by == 1:
        return isinstance(start.constant, int) and start.constant >= 0
    return by == -1 and isinstance(stop.constant, int) and stop.constant >= -1
