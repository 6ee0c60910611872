"""Run-time shape checks: once each, and as early as their extents are known.

Enters: a graph. Leaves: the same graph with the checks on arguments at its start and none twice;
checks inside branches stay there, for the branch may not be taken. Those inside loops move, too, so
that arguments which do not fit are refused even if a loop does not run.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value


def hoist_checks(graph: Graph) -> None:
    """Move checks of arguments to the start; drop repeated ones."""
    params = set(graph.params)
    for region in graph.regions:
        region.ops = [op for op in region.ops if op.name != "check_equal" or len(_extents(op)) > 1]
    early: list[Op] = []
    seen: set[frozenset[object]] = set()
    _collect(graph.body, params, early, seen)
    if not early:
        return
    moved: list[Op] = []
    for check in early:
        for value in check.inputs:
            if value.op is not None and value.op not in moved:
                moved.append(value.op)
        moved.append(check)
        Builder(graph).assume(*check.attrs["dims"])
    rest = [op for op in graph.body.ops if op not in moved]
    for op in graph.body.walk():
        for region in op.regions:
            region.ops = [inner for inner in region.ops if inner not in moved]
    graph.body.ops = moved + rest


def _collect(
    region: Region, params: set[Value], early: list[Op], seen: set[frozenset[object]],
    before: Collection[frozenset[object]] = (),
) -> None:  # fmt: skip
    """Take away what is checked `before`, around the region; `seen` are the checks of arguments."""
    before = set(before)
    for op in list(region.ops):
        if op.name in ("for", "while"):
            for inner in op.regions:
                _collect(inner, params, early, seen, before)
        if op.name != "check_equal":
            continue
        key = _extents(op)
        if key in seen or key in before:
            region.ops.remove(op)
        elif all(_of_argument(v, params) for v in op.inputs):
            seen.add(key)
            early.append(op)
        else:
            before.add(key)


def _extents(check: Op) -> frozenset[object]:
    return frozenset(_extent_key(v) for v in check.inputs)


def _extent_key(value: Value) -> object:
    if value.constant is not None:
        return value.constant
    if value.op is not None and value.op.name == "dim":
        return (value.op.inputs[0], value.op.attrs["axis"])
    return value


def _of_argument(value: Value, params: set[Value]) -> bool:
    if value.constant is not None:
        return True
    return value.op is not None and value.op.name == "dim" and value.op.inputs[0] in params
