"""Run-time shape checks: once each, and as early as their extents are known.

Enters: a graph. Leaves: the same graph with the checks on arguments at its start and none twice;
checks inside branches stay there, for the branch may not be taken. Those inside loops move, too, so
that arguments which do not fit are refused even if a loop does not run.
"""

from __future__ import annotations

from collections.abc import Collection

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.ops.lengths import FULL


def hoist_checks(graph: Graph) -> None:
    """Move checks of arguments to the start; drop repeated ones."""
    params = set(graph.params)
    for region in graph.regions:
        region.ops = [op for op in region.ops if op.name != "check_equal" or len(_extents(op)) > 1]
    early: list[Op] = []
    _collect(graph.body, params, early, set())
    if not early:
        return
    for op in graph.body.walk():
        for region in op.regions:
            region.ops = [inner for inner in region.ops if inner not in early]
    rest = [op for op in graph.body.ops if op not in early]
    graph.body.ops = []
    with Builder(graph) as builder:
        for check in early:
            check.inputs = [_at_start(builder, v) for v in check.inputs]
            graph.body.ops.append(check)
            builder.assume(*check.attrs["dims"])
    graph.body.ops += rest


def _at_start(builder: Builder, value: Value) -> Value:
    key = _extent_key(value)
    if isinstance(key, tuple):
        array, axis = key
        extent: Value = builder.op("dim", array, axis=axis)
        return extent
    return builder.constant(value.constant)


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
    """An array and its axis, a number, or the value itself; of a slice it is the array's."""
    if value.constant is not None:
        return value.constant
    if value.op is None or value.op.name != "dim":
        return value
    array, axis = value.op.inputs[0], value.op.attrs["axis"]
    while array.op is not None and array.op.name == "slice":
        spec = array.op.attrs["spec"]
        kept = [k for k, item in enumerate(spec) if item != "index"]
        if spec[kept[axis]] != FULL or "new" in spec:
            break
        array, axis = array.op.inputs[0], kept[axis]
    return (array, axis)


def _of_argument(value: Value, params: set[Value]) -> bool:
    key = _extent_key(value)
    return key[0] in params if isinstance(key, tuple) else value.constant is not None
