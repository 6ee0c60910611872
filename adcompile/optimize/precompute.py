"""Functions that every iteration of a loop would compute anew are computed before it.

Enters: a graph. Leaves: the same graph where `exp(q[c, j])` in loops over `c` and `j` inside a loop
over `i`, which leaves `q` alone, is read from an array that loops over `c` and `j` fill before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds, Sum
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Scalar, is_complex, is_continuous
from adcompile.ops import memory
from adcompile.optimize.loads import changed, defined
from adcompile.optimize.nests import home_of

_CHEAP = frozenset({"add", "sub", "mul", "neg", "load", "constant", "cast", "dim"})
_MOST = 8  # operations besides the function


def precompute(graph: Graph) -> None:
    """Rewrite in place, the outer loops first."""
    tried: set[Op] = set()
    while _one(graph, tried):
        pass


def _one(graph: Graph, tried: set[Op]) -> bool:
    """Whether one function has been taken out of a loop."""
    aliases, bounds = Aliases(graph), Bounds(graph)
    for region, loop in _loops(graph.body):
        own = {v for r in loop.regions for v in defined(r)}
        written = changed(loop, aliases)
        for op, inside in _nested(loop.regions[0], ()):
            if op in tried or not inside or not _is_function(op):
                continue
            slice_ = _slice(op, inside, own, aliases, written)
            if slice_ is None:
                continue
            around = _around(slice_, inside, own)
            sure = _surely_there(slice_, bounds, inside[-1].regions[0], around)
            if around and (sure or _reads_all(loop, inside, around, bounds)):
                tried.add(op)
                _take_out(graph, region, loop, op, slice_, around, sure)
                return True
    return False


def _loops(region: Region) -> Iterator[tuple[Region, Op]]:
    """Loops and the regions they stand in, the outer ones first."""
    for op in region.ops:
        if op.name in ("for", "while"):
            yield region, op
        for inner in op.regions:
            yield from _loops(inner)


def _nested(region: Region, inside: tuple[Op, ...]) -> Iterator[tuple[Op, tuple[Op, ...]]]:
    """Operations, and the loops around each, none of them beside a branch."""
    for op in region.ops:
        yield op, inside
        if op.name == "for":
            yield from _nested(op.regions[0], (*inside, op))


def _is_function(op: Op) -> bool:
    """Whether an operation costs more than to read a number from memory."""
    if len(op.outputs) != 1 or op.regions or not isinstance(op.result.type, Scalar):
        return False
    spelling = op.record.scalar or ""
    long = spelling.startswith("math.") or (op.name == "pow" and op.inputs[1].constant is None)
    plain = is_continuous(op.result.type) and not is_complex(op.result.type)
    return long and plain and op.name not in ("sqrt", "copysign", "ldexp")


def _slice(
    op: Op, inside: Sequence[Op], own: set[Value], aliases: Aliases, written: frozenset[Value]
) -> list[Op] | None:
    """What computes an operation of counters and of what the outer loop leaves alone."""
    counters = {loop.regions[0].params[0] for loop in inside}
    needed = {v for v in op.inputs if v in own}
    found = [op]
    for region in [loop.regions[0] for loop in reversed(inside)]:
        for maker in reversed(region.ops):
            if needed.isdisjoint(maker.outputs):
                continue
            if maker.name not in _CHEAP:
                return None
            if maker.name == "load":
                array = maker.inputs[0]
                if array in own or aliases.roots[array] & written:
                    return None
            found.append(maker)
            needed.difference_update(maker.outputs)
            needed.update(v for v in maker.inputs if v in own)
    return found[::-1] if needed <= counters and len(found) <= _MOST else None


def _around(slice_: Sequence[Op], inside: Sequence[Op], own: set[Value]) -> list[Op]:
    """The loops whose counters are read; none unless they count from 0 to what is known outside."""
    read = {v for op in slice_ for v in op.inputs}
    loops = [loop for loop in inside if loop.regions[0].params[0] in read]
    for loop in loops:
        start, stop, step = loop.inputs[:3]
        if start.constant != 0 or step.constant != 1:
            return []
        if stop in own and stop.constant is None:
            return []
    return loops


def _surely_there(slice_: Sequence[Op], bounds: Bounds, body: Region, around: Sequence[Op]) -> bool:
    """Whether all that is read exists, even if only the loops around the table ever run."""
    loads = [op for op in slice_ if op.name == "load"]
    return bool(loads) and all(
        bounds.within(op.inputs[0], op.inputs[1:], body, around) for op in loads
    )


def _reads_all(loop: Op, inside: Sequence[Op], around: Sequence[Op], bounds: Bounds) -> bool:
    """Whether an iteration of the outer loop is never left half-way, nor a loop inside left out."""
    if loop.name != "for" or not loop.inputs[2].constant:
        return False
    homes = [loop.regions[0], *(o.regions[0] for o in inside)]
    between = [(o, home) for o, home in zip(inside, homes, strict=False) if o not in around]
    if not all(_runs(o, home, bounds) for o, home in between):
        return False
    return not any(o.keeps and not o.written for o in _all(loop))


def _runs(loop: Op, home: Region, bounds: Bounds) -> bool:
    """Whether a loop runs at least once."""
    step = loop.inputs[2].constant
    if step not in (1, -1):
        return False
    start, stop = (bounds.sum_of(v, home) for v in loop.inputs[:2])
    gap = stop.plus(start, -1) if step == 1 else start.plus(stop, -1)
    return bounds.sum_never_negative(gap.plus(Sum(-1)), home)


def _take_out(
    graph: Graph, region: Region, loop: Op, op: Op, slice_: Sequence[Op], around: Sequence[Op],
    sure: bool,
) -> None:  # fmt: skip
    """Put a table before the outer loop; it stays empty if the loop never runs, unless `sure`."""
    with Builder(graph) as builder, builder.at(op.location):
        with builder.inside(region), builder.inside(Region()) as made:
            stops = [_outside(builder, o.inputs[1]) for o in around]
            if not sure:
                start, stop, step = loop.inputs[:3]
                order = "lt" if (step.constant or 0) > 0 else "gt"
                runs = builder.op(order, start, stop)
                stops = [builder.op("where", runs, v, 0) for v in stops]
            sizes = [builder.op("maximum", v, 0) for v in stops]
            table = memory.empty(builder, sizes, op.result.type.dtype)
            subject = next((o.inputs[0].hint for o in slice_ if o.name == "load"), "")
            table.hint, table.named = f"{op.name}_{subject or 't'}", True
            _fill(builder, table, slice_, list(zip(around, stops, strict=True)), {})
        _insert(region, loop, made.ops)
        home = home_of(loop.regions[0], op)
        assert home is not None
        with builder.inside(home), builder.inside(Region()) as reading:
            value = builder.op("load", table, *(o.regions[0].params[0] for o in around))
        value.hint, value.named = op.result.hint, op.result.named
        _insert(home, op, reading.ops)
        home.ops.remove(op)
    replace(graph, {op.result: value})


def _insert(region: Region, before: Op, ops: Sequence[Op]) -> None:
    place = region.ops.index(before)
    region.ops[place:place] = ops


def _all(op: Op) -> Iterator[Op]:
    yield op
    for region in op.regions:
        yield from region.walk()


def _outside(builder: Builder, value: Value) -> Value:
    return value if value.constant is None else builder.constant(value.constant)


def _fill(
    builder: Builder, table: Value, slice_: Sequence[Op], loops: Sequence[tuple[Op, Value]],
    counters: dict[Value, Value],
) -> None:  # fmt: skip
    """Loops that compute the function, the last of `slice_`, for every element of the table."""
    if not loops:
        mapping = dict(counters)
        builder.region.ops += [clone_op(op, mapping) for op in slice_]
        builder.op("store", table, mapping[slice_[-1].result], *counters.values())
        return
    (loop, stop), *rest = loops
    counter = loop.regions[0].params[0]

    def body(index: Value, _: list[Value]) -> list[Value]:
        _fill(builder, table, slice_, rest, {**counters, counter: index})
        return []

    builder.loop(0, stop, 1, [], body, counter.hint or "i")
