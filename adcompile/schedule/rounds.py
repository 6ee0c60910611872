"""Arrays that a loop makes anew in each round and hands on to the next.

Enters: a region that one worker runs, which has one memory for each array that the text makes.
Leaves: the region where a loop hands on memory of its own, into which each round copies what it has
made. Where copies would be seen, the loop is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.errors import UnsupportedOperation
from adcompile.graph.aliases import Aliases, base
from adcompile.graph.builder import Builder
from adcompile.graph.filling import given_extents
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.rewrite import replace_in
from adcompile.graph.types import Array, shape_of


def copy_between_rounds(region: Region, aliases: Aliases, builder: Builder) -> bool:
    """Whether loops inside a region have been rewritten.

    Raises UnsupportedOperation where an array that is handed on has other names, or another size.
    """
    changed = False
    for op in list(region.ops):
        for inner in op.regions:
            changed = copy_between_rounds(inner, aliases, builder) or changed
        if op.name in ("for", "while"):
            handed = _handed_on(op, aliases)
            for k, made in handed:
                _copy(op, k, made, region, aliases, builder)
            changed = changed or bool(handed)
    return changed


def _handed_on(loop: Op, aliases: Aliases) -> list[tuple[int, Op]]:
    """The numbers of what a loop hands on, with the operations that make it inside."""
    body = loop.regions[0]
    made = {op.result: op for op in body.walk() if op.name in ("empty", "full")}
    found = []
    for k, end in enumerate(body.yields):
        own = [op for value, op in made.items() if value in aliases.roots.get(end, ())]
        if own:
            found.append((k, own[0]))
    return found


def _copy(
    loop: Op, k: int, made: Op, region: Region, aliases: Aliases, builder: Builder
) -> None:  # fmt: skip
    first, skip = (1, 3) if loop.name == "for" else (0, 0)
    body, inside = loop.regions[0], list(loop.walk())
    params = [r.params[k + (first if r is body else 0)] for r in loop.regions]
    extents = given_extents(made)
    own = {v for op in inside for v in op.outputs}
    own |= {v for op in inside for r in op.regions for v in r.params}
    if any(v in own and v.constant is None for v in extents) or not (
        _is_only_read(loop, k, params, aliases) or _is_private(loop, k, params, aliases)
    ):
        raise UnsupportedOperation(
            f"`{made.result.hint or 'an array'}` is made anew in each round of a loop, and handed "
            "on to the next", made.location, "make it before the loop, and write into it: y[:] = z",
        )  # fmt: skip
    start, end = loop.inputs[skip + k], body.yields[k]
    with builder.inside(Region()) as before, builder.at(loop.location):
        extents = [v if v.constant is None else builder.constant(v.constant) for v in extents]
        attrs = {"dtype": made.result.type.dtype, "shape": shape_of(made.result.type)}
        kept = builder.op("empty", *extents, **attrs)
        kept.hint = params[0].hint
        _store_all(builder, kept, start, extents)
    place = region.ops.index(loop)
    region.ops[place:place] = before.ops
    with builder.inside(body), builder.at(loop.location):
        _store_all(builder, kept, end, extents)
    loop.inputs[skip + k], body.yields[k] = kept, params[0]
    for inner in loop.regions:
        replace_in(inner, dict.fromkeys(params, kept))


def _is_only_read(loop: Op, k: int, params: Sequence[Value], aliases: Aliases) -> bool:
    """Whether nobody writes what is handed on, neither in the loop nor after it."""
    inside = list(loop.walk())
    written = [v for op in inside for v in op.written]
    later = [
        v
        for op in aliases.writes_after(loop, loop.outputs[k])
        for v in op.written
        if op not in inside and not _is_newer(v, loop, aliases)
    ]
    return _stays(loop, params) and not later and not any(base(v) in params for v in written)


def _is_newer(value: Value, loop: Op, aliases: Aliases) -> bool:
    """Whether an array is made after a loop, so that the loop cannot give it."""
    made = base(value).op
    return made is not None and not made.regions and aliases.follows(loop, made)


def _is_private(loop: Op, k: int, params: Sequence[Value], aliases: Aliases) -> bool:
    """Whether the loop alone uses the array that it starts with, each under one name."""
    start, end = loop.inputs[k - len(loop.outputs)], loop.regions[0].yields[k]
    others = [v for j, v in enumerate(loop.regions[0].yields) if j != k]
    names = {*params, loop.outputs[k]}
    roots = aliases.roots
    return (
        _stays(loop, params)
        and not any(roots.get(v, frozenset()) & roots[end] for v in others)
        and all(
            base(v) in names or _is_newer(v, loop, aliases)
            for v in aliases.names_from(loop, roots[start])
        )
    )


def _stays(loop: Op, params: Sequence[Value]) -> bool:
    """Whether an iteration gives away no array that was handed to it."""
    ends = [v for op in loop.walk() for r in op.regions for v in r.yields]
    starts = [v for op in loop.walk() for v in op.inputs if op.regions and op is not loop]
    return not any(base(v) in params for v in [*ends, *starts] if isinstance(v.type, Array))


def _store_all(builder: Builder, target: Value, source: Value, extents: Sequence[Value]) -> None:
    builder.each(extents, lambda i: builder.op("store", target, builder.op("load", source, *i), *i))
