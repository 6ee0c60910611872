"""Arrays that take turns stand for those that a loop makes anew in every iteration.

Enters: a graph of loops. Leaves: the same graph where a loop that hands on an array of its own in
each iteration, as in `new = np.empty(n); ...; u = new`, writes it into the one that was handed to
the iteration before: both are made once, and stay in the cache. Where an array is handed on twice,
as in `old, u = u, new`, three take turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.graph.filling import copy_elements, fill_as_made, given_extents
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import carry_too, replace
from adcompile.graph.types import shape_of
from adcompile.optimize.carried import Carried, first_carried, only_elements
from adcompile.optimize.zeros import are_equal, ends_of

MADE = frozenset({"empty", "full"})


def take_turns(graph: Graph) -> None:
    """Rewrite in place, one carried array after the other."""
    while (found := first_carried(graph, _fits)) is not None:
        replace(graph, _turned(found))


def _fits(carried: Carried) -> bool:
    """Whether no iteration reaches the array that leaves the turn, nor what the turn began with."""
    made = carried.new.op
    if made is None or made.name not in MADE or made not in carried.body.ops:
        return False
    turn = turn_of(carried)
    return (
        all(_is_own(other, carried.new) or _may_be_copied(other, carried.new) for other in turn)
        and carried.body.yields.count(carried.new) == 1
        and turn[-1].is_left()
        and only_elements(turn[-1].old, carried.body.ops)
    )


def _is_own(carried: Carried, new: Value) -> bool:
    """Whether a loop starts with an array like the new one that nothing else uses."""
    made = carried.start.op
    if made is None or made.name not in MADE:
        return False
    return carried.starts_like(new) and _is_alone(carried)


def _may_be_copied(carried: Carried, new: Value) -> bool:
    """Whether a loop may as well start with a copy, such as that of an argument."""
    return carried.is_like(new) and carried.has_one_name() and carried.start_stays()


def _is_alone(carried: Carried) -> bool:
    """Whether an array is the loop's alone: what is made further out is filled anew each time."""
    made, region = carried.start.op, carried.region
    assert made is not None
    if not carried.is_alone():
        return False
    if made in region.ops:
        return True
    before = region.ops[: region.ops.index(carried.loop)]
    own = sum(op.used.count(carried.start) for outer in before for op in outer.walk())
    graph = carried.builder.graph
    everywhere = [v for op in graph.body.walk() for v in op.used] + graph.body.yields
    return everywhere.count(carried.start) == own + 1 and _is_filled(carried, before)


def _is_filled(carried: Carried, before: Sequence[Op]) -> bool:
    """Whether the first thing that is done to an array is to store all of its elements."""
    start, bounds, region = carried.start, carried.bounds, carried.region
    assert start.op is not None
    nest = next((op for op in before if any(start in o.used for o in op.walk())), None)
    if nest is None or nest.name != "for":
        return False
    (access, *others) = (op for op in nest.walk() if start in op.used)
    if others or access.name != "store" or access.inputs[0] is not start:
        return False
    ends = ends_of(access, nest, bounds, region)
    extents = [bounds.sum_of(extent, region) for extent in given_extents(start.op)]
    return ends is not None and are_equal(ends, extents)


def turn_of(carried: Carried) -> list[Carried]:
    """The places through which a new array goes, from iteration to iteration."""
    turn, yields = [carried], carried.body.yields
    while turn[-1].old in yields and yields.count(turn[-1].old) == 1:
        k = yields.index(turn[-1].old)
        if any(k == other.k for other in turn):  # an old array comes back
            break
        turn.append(carried.beside(k))
    return turn


def _turned(carried: Carried) -> dict[Value, Value]:
    """Carry the array that is free, too; gives what stands for the one that was made."""
    builder, region, loop = carried.builder, carried.region, carried.loop
    new, body, turn = carried.new, carried.body, turn_of(carried)
    assert new.op is not None
    with (
        builder.inside(region),
        builder.before(loop),
        builder.inside(Region()) as before,
        builder.at(new.location),
    ):
        extents, shape = builder.shape(carried.start), shape_of(carried.start.type)
        dtype = new.type.dtype

        def made() -> Value:
            array: Value = builder.op("empty", *extents, dtype=dtype, shape=shape)
            return array

        spare = made()
        for other in turn:
            if not _is_own(other, new):
                loop.inputs[3 + other.k] = copy = made()
                copy.hint, copy.named = other.old.hint, other.old.named
                copy_elements(builder, (other.start, []), (copy, []), extents)
    free, rest = Value(spare.type, new.hint, new.named), Value(spare.type, new.hint)
    with builder.inside(Region()) as filling, builder.at(new.location):
        fill_as_made(builder, new.op, free)
    place = region.ops.index(loop)
    region.ops[place:place] = before.ops
    place = body.ops.index(new.op)
    body.ops[place : place + 1] = filling.ops
    carry_too(loop, spare, free, turn[-1].old, rest)
    return {new: free}
