"""Which values are computed inside the loops of their readers.

Enters: operations in order, with their uses. Leaves: the decision to fuse a value into its only
reader, and to compute what waits before memory it reads is written.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Array, Dim, shape_of


class Fusion:
    """The part of the scheduler that decides what waits for its reader."""

    builder: Builder
    aliases: Aliases
    uses: dict[Value, int]
    readers: dict[Value, tuple[Op, Region]]
    waiting: dict[Value, Op]

    def _materialise(self, old: Value, op: Op) -> None:
        raise AssertionError

    def _fuses(self, op: Op) -> bool:
        """Whether the value is computed inside the loops of its only reader."""
        value = op.result
        if self.uses.get(value, 0) != 1 or value not in self.readers:
            return False
        if (
            op.record.scalar is None
            and op.record.element is None
            and op.name not in ("full", "gather")
        ):
            return False
        reader, region = self.readers[value]
        if op not in region.ops:
            return False
        if reader.name in ("assign", "accumulate") and value is reader.inputs[0]:
            return False
        if op.name == "full" and reader.record.writes:
            return value is reader.inputs[1]
        shape = self._loop_shape(reader)
        return shape is not None and self._resolved(value) == shape

    def _why_stored(self, op: Op) -> str:
        """Why a value that is not fused has memory of its own."""
        if op.result not in self.readers:
            return "it leaves its loop or branch, or is a result"
        count = self.uses.get(op.result, 0)
        if count != 1:
            return f"it is read {count} times"
        reader, region = self.readers[op.result]
        if op not in region.ops:
            return "it is read in another loop or branch"
        if reader.regions:
            return "it is handed to a loop or branch"
        return f"`{reader.name}`, which reads it, does not read it in this order"

    def _loop_shape(self, reader: Op) -> list[Dim] | None:
        if reader.record.scalar is not None or reader.name == "copy":
            return self._resolved(reader.result)
        if reader.name in ("sum", "max", "min", "assign", "accumulate"):
            return self._resolved(reader.inputs[0])
        if reader.name == "scatter_add":
            return self._resolved(reader.inputs[1])
        if reader.name == "matmul" and all(len(shape_of(v.type)) == 1 for v in reader.inputs):
            return self._resolved(reader.inputs[0])
        return None

    def _resolved(self, value: Value) -> list[Dim]:
        return [self.builder.resolve(d) for d in shape_of(value.type)]

    def _settle_memory(self, op: Op) -> None:
        """Compute what waits before memory it reads is written."""
        fused = [v for v in op.inputs if v in self.waiting and self._same_place(v, op)]
        inside: set[Value] = set()
        while fused:
            value = fused.pop()
            inside.add(value)
            fused += [v for v in self.waiting[value].inputs if v in self.waiting]
        for value, waiting in list(self.waiting.items()):
            if value not in self.waiting or value in inside:
                continue
            if op.regions or self._reads_written(waiting):
                self._materialise(value, waiting)

    def _reads_written(self, op: Op) -> bool:
        for value in op.inputs:
            if value in self.waiting and self._reads_written(self.waiting[value]):
                return True
            if self.aliases.roots.get(value, frozenset()) & self.aliases.written:
                return True
        return False

    def _same_place(self, value: Value, write: Op) -> bool:
        """Whether each element is read from where the write puts it, or from elsewhere memory."""
        target = write.inputs[0]
        if write.name not in ("assign", "accumulate"):
            return not self._shares(value, target)
        return self._reads_in_place(value, target)

    def _reads_in_place(self, value: Value, target: Value) -> bool:
        if value is target or not isinstance(value.type, Array):
            return True
        if value in self.waiting:
            op = self.waiting[value]
            if op.record.scalar is not None and self._resolved(value) == self._resolved(target):
                return all(self._reads_in_place(v, target) for v in op.inputs)
            return not self._shares(value, target)
        return not self.aliases.shared_at_once(value, target)

    def _shares(self, value: Value, target: Value) -> bool:
        if value in self.waiting:
            return any(self._shares(v, target) for v in self.waiting[value].inputs)
        roots = self.aliases.roots.get(value, frozenset())
        return bool(roots & self.aliases.roots.get(target, frozenset()))


def last_readers(region: Region) -> dict[Value, tuple[Op, Region]]:
    """The last reader of each value and the region it is in."""
    found: dict[Value, tuple[Op, Region]] = {}
    for op in region.ops:
        for value in op.inputs if op.name != "dim" else ():
            found[value] = (op, region)
        for inner in op.regions:
            found.update(last_readers(inner))
    for value in region.yields:
        found.pop(value, None)
    return found
