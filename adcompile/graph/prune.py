"""Removes what no result needs.

Enters: a graph. Leaves: the same graph without operations whose results are not read, without
writes into memory that nobody reads afterwards, and without values carried around loops in vain.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value


def prune(graph: Graph, effects: bool = True) -> None:
    """Remove dead operations and dead carried values in place.

    Without `effects`, what no result needs goes even if it checks, prints or draws.
    """
    live = _Liveness(graph, effects)
    graph.body.ops = _drop_dead(graph.body, live)
    _sweep(Builder(graph), graph.body, live)


class _Liveness:
    """Live values, and the roots whose contents are read by something live."""

    def __init__(self, graph: Graph, effects: bool) -> None:
        self.aliases = Aliases(graph)
        self._effects = effects
        self.values: set[Value] = set()
        self.roots: set[Value] = set()
        self.ops: set[Op] = set()
        self._params = set(graph.params)
        for value in [*graph.outputs, *graph.kept]:
            self._read(value)
        while self._round(graph.body):
            pass

    def _read(self, value: Value) -> None:
        self.values.add(value)
        self.roots |= self.aliases.roots.get(value, frozenset())

    def _round(self, region: Region) -> bool:
        before = len(self.values), len(self.roots), len(self.ops)
        for op in reversed(region.ops):
            self._visit(op)
        return before != (len(self.values), len(self.roots), len(self.ops))

    def _visit(self, op: Op) -> None:
        if op in self.ops and not op.regions:
            return
        for region in op.regions:
            self._round(region)
        if not self._is_live(op):
            return
        self.ops.add(op)
        if op.regions:
            self._visit_structured(op)
        else:
            reads_memory = op.record.reads and not op.record.view
            for k, value in enumerate(op.inputs):
                if reads_memory or (op.record.writes and k > 0):
                    self._read(value)
                else:
                    self._need(op, value)

    def _need(self, op: Op, value: Value) -> None:
        """Need a value, but of an array only its extents or its place, unless it is computed on."""
        if op.record.view or op.record.writes or op.name == "dim":
            self.values.add(value)
        else:
            self._read(value)

    def _is_live(self, op: Op) -> bool:
        if any(v in self.values for v in op.outputs):
            return True
        if any(self.aliases.roots[v] & self.roots for v in op.written):
            return True
        if self._effects and op.keeps and not op.record.writes:
            return True
        if op.name == "dim":  # costs nothing, and later stages may ask for the extent
            array = op.inputs[0]
            return array in self.values or array in self._params
        if any(p in self.values for region in op.regions for p in region.params):
            return True
        inside = (inner for region in op.regions for inner in region.ops)
        return any(inner in self.ops and inner.name != "dim" for inner in inside)

    def _visit_structured(self, op: Op) -> None:
        if op.name == "scope":
            for value in op.regions[0].yields:
                self._read(value)
            return
        if op.name == "if":
            self._read(op.inputs[0])
            for k, output in enumerate(op.outputs):
                if output in self.values:
                    for region in op.regions:
                        self._read(region.yields[k])
            return
        skip = 3 if op.name == "for" else 0
        for value in op.inputs[:skip]:
            self._read(value)
        if op.name == "while":
            self._read(op.regions[1].yields[0])
        for k, output in enumerate(op.outputs):
            params = [r.params[k + (1 if op.name == "for" else 0)] for r in op.regions]
            if output in self.values or any(p in self.values for p in params):
                self.values.update([output, *params])
                self._read(op.inputs[skip + k])
                self._read(op.regions[0].yields[k])


def _sweep(builder: Builder, region: Region, live: _Liveness) -> None:
    """Keep what is live; where the array that an extent was read from is gone, ask another."""
    ops = _drop_dead(region, live)
    with builder.inside(region):
        for value in region.params:
            builder.record_extents(value)
        for op in ops:
            region.ops.append(op)
            keep = [v in live.values for v in op.outputs]
            if op.regions and not all(keep):
                _drop_carried(op, keep)
            for inner in op.regions:
                _sweep(builder, inner, live)
            for value in op.outputs:
                builder.record_extents(value)


def _drop_dead(region: Region, live: _Liveness) -> list[Op]:
    """Empty the region; gives its live operations."""
    dropped = {v for op in region.ops if op not in live.ops for v in op.outputs}
    ops = [op for op in region.ops if op in live.ops]
    region.extents = {s: v for s, v in region.extents.items() if v not in dropped}
    region.ops = []
    return ops


def _drop_carried(op: Op, keep: list[bool]) -> None:
    def kept(items: list[Value], skip: int = 0) -> list[Value]:
        chosen = [v for v, wanted in zip(items[skip:], keep, strict=True) if wanted]
        return items[:skip] + chosen

    op.outputs = kept(op.outputs)
    if op.name != "if":
        op.inputs = kept(op.inputs, 3 if op.name == "for" else 0)
        for region in op.regions:
            region.params = kept(region.params, 1 if op.name == "for" else 0)
    for region in op.regions if op.name == "if" else op.regions[:1]:
        region.yields = kept(region.yields)
