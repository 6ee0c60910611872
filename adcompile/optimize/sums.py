"""Sums that a loop adds to one element of an array are carried in a variable.

Enters: a graph. Leaves: the same graph where `a[i] += v` in a loop that leaves `i` alone reads the
element before the loop and writes it back afterwards: the compiler cannot know that nothing else in
the loop is the same memory, and would read and write it in every iteration.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.optimize.loads import defined


def carry_sums(graph: Graph) -> None:
    """Rewrite loops in place, the inner ones first."""
    aliases, bounds = Aliases(graph), Bounds(graph)
    with Builder(graph) as builder:
        _region(graph.body, aliases, bounds, builder)


def _region(region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            _region(inner, aliases, bounds, builder)
        if op.name == "for":
            _loop(op, region, aliases, bounds, builder)


def _loop(loop: Op, region: Region, aliases: Aliases, bounds: Bounds, builder: Builder) -> None:
    body = loop.regions[0]
    own = defined(body)
    for op in [o for o in body.ops if o.name == "accumulate_at"]:
        if op not in body.ops:
            continue  # carried with an earlier one
        array, _, *index = op.inputs
        group = [o for o in body.ops if _same_element(o, op)]
        if array in own or any(v in own and v.constant is None for v in index):
            continue
        if _touched(body, array, group, aliases) or not bounds.within(array, index, region):
            continue
        _carry(loop, region, group, builder)


def _same_element(op: Op, other: Op) -> bool:
    if op.name != "accumulate_at" or op.inputs[0] is not other.inputs[0]:
        return False
    return all(
        a is b or (a.constant is not None and a.constant == b.constant)
        for a, b in zip(op.inputs[2:], other.inputs[2:], strict=True)
    )


def _touched(body: Region, array: Value, group: list[Op], aliases: Aliases) -> bool:
    """Whether anything else in the loop may read or write the array."""
    roots = aliases.roots[array]
    for op in body.walk():
        if op in group or op.name == "dim":
            continue
        if any(aliases.roots.get(v, frozenset()) & roots for v in op.inputs):
            return True
        if any(aliases.roots.get(v, frozenset()) & roots for r in op.regions for v in r.yields):
            return True
    return any(aliases.roots.get(v, frozenset()) & roots for v in body.yields)


def _carry(loop: Op, region: Region, group: list[Op], builder: Builder) -> None:
    array, _, *index = group[0].inputs
    body = loop.regions[0]
    with builder.inside(Region()) as before, builder.at(group[0].location):
        outside = [v if v.constant is None else builder.constant(v.constant) for v in index]
        first = builder.op("load", array, *outside)
    running = Value(first.type, array.hint or "t")
    body.params.append(running)
    for op in group:
        with builder.inside(Region()) as inside, builder.at(op.location):
            total = builder.op("add", running, op.inputs[1])
        total.hint = running.hint
        position = body.ops.index(op)
        body.ops[position : position + 1] = inside.ops
        running = total
    body.yields.append(running)
    loop.inputs.append(first)
    last = Value(first.type, running.hint)
    last.op, last.location = loop, loop.location
    loop.outputs.append(last)
    with builder.inside(Region()) as after, builder.at(group[0].location):
        builder.op("store", array, last, *outside)
    position = region.ops.index(loop)
    region.ops[position : position + 1] = [*before.ops, loop, *after.ops]
