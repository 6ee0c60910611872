"""A matrix is factored once for all that is solved with it.

Enters: a graph of arrays, before loops are made of it. Leaves: the same graph where systems of
equations, determinants and inverses of one matrix share its LU factors, made before the loops in
which the matrix stays as it is. Systems with a Cholesky factor are triangular, and triangular
systems of matrices go to BLAS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Note, Op, Region, Value
from adcompile.graph.rewrite import replace
from adcompile.graph.types import Array, shape_of

_OF_FACTORS = frozenset({"solve", "inv", "det", "slogdet"})


@dataclass
class _Use:
    """What is computed of a matrix, of its transpose if `turned`.

    around     the regions that it is in, from the outside, each with what it belongs to
    """

    op: Op
    turned: bool
    around: list[tuple[Op | None, Region]]


def may_share_factors(graph: Graph) -> bool:
    """Whether there are systems to ask about."""
    return any(op.name == "solve" or _is_for_blas(op) for op in graph.body.walk())


def share_factors(graph: Graph) -> None:
    """Rewrite in place what is computed of matrices that are factored more than once."""
    aliases = Aliases(graph)
    home = dict.fromkeys(graph.params, graph.body)
    uses: dict[Value, list[_Use]] = {}
    for op, around in _operations([(None, graph.body)]):
        home.update(dict.fromkeys(op.outputs, around[-1][1]))
        home.update({v: inner for inner in op.regions for v in inner.params})
        if op.name in _OF_FACTORS or _is_for_blas(op):
            matrix, turned = _turned_back(op.inputs[0])
            if not aliases.roots.get(matrix, frozenset()) & aliases.written:
                uses.setdefault(matrix, []).append(_Use(op, turned, around))
    mapping: dict[Value, Value] = {}
    with Builder(graph) as builder:
        for matrix, found in uses.items():
            systems = [use for use in found if use.op.name == "solve"]
            if matrix.op is not None and matrix.op.name == "cholesky":
                for use in systems:
                    attrs = {"lower": True, "transposed": use.turned, "unit": False}
                    name = "trsm" if len(shape_of(use.op.result.type)) == 2 else "solve_triangular"
                    _instead(use, builder, mapping, name, matrix, use.op.inputs[1], **attrs)
            elif systems:
                factors = [use for use in found if use.op.name in _OF_FACTORS]
                factors = [u for u in factors if not (u.turned and u.op.name == "inv")]
                _share(matrix, factors, home[matrix], builder, mapping)
            for use in found:
                if _is_for_blas(use.op):
                    _instead(use, builder, mapping, "trsm", *use.op.inputs, **use.op.attrs)
    replace(graph, mapping)


def _operations(
    around: list[tuple[Op | None, Region]],
) -> Iterator[tuple[Op, list[tuple[Op | None, Region]]]]:
    """The operations of a region and of those inside, each with the regions around it."""
    for op in list(around[-1][1].ops):
        yield op, around
        for inner in op.regions:
            yield from _operations([*around, (op, inner)])


def _is_for_blas(op: Op) -> bool:
    return op.name == "solve_triangular" and len(shape_of(op.result.type)) == 2


def _turned_back(value: Value) -> tuple[Value, bool]:
    """The matrix that was transposed, once or several times, and whether it still is."""
    turned = False
    while value.op is not None and value.op.name == "transpose":
        value, turned = value.op.inputs[0], not turned
    return value, turned


def _share(
    matrix: Value, uses: list[_Use], home: Region, builder: Builder, mapping: dict[Value, Value]
) -> None:
    """Factor a matrix where that is done once, if this saves work and happens in any case."""
    depth = min(len(use.around) for use in uses)
    while len({use.around[depth - 1][1] for use in uses}) > 1:
        depth -= 1
    if not any(all(_is_loop(*each) for each in use.around[depth:]) for use in uses):
        for branch in dict.fromkeys(use.around[depth][1] for use in uses):
            inner = [use for use in uses if use.around[depth][1] is branch]
            _share(matrix, inner, home, builder, mapping)
        return
    around = uses[0].around[:depth]
    while around[-1][1] is not home and _is_loop(*around[-1]):
        around.pop()
    place, inside = around[-1][1], len(around)
    if len(uses) == 1 and uses[0].around[-1][1] is place:
        return
    first = next(op for op in place.ops if any(_is_in(use, op, inside) for use in uses))
    with builder.inside(Region(same=dict(place.same))) as made, builder.at(uses[0].op.location):
        packed, pivots = builder.op("lu", matrix)
    packed.hint = f"{matrix.hint or 'a'}_lu"
    pivots.hint = f"{matrix.hint or 'a'}_rows"
    why = f"factored once for {len(uses)} operations"
    if any(len(use.around) > inside for use in uses):
        why += ", before the loop"
    builder.graph.notes.append(Note("factored", matrix.origin, why, uses[0].op.location))
    position = place.ops.index(first)
    place.ops[position:position] = made.ops
    for use in uses:
        attrs = {"transposed": use.turned} if use.op.name == "solve" else {}
        name = f"lu_{use.op.name}"
        _instead(use, builder, mapping, name, packed, pivots, *use.op.inputs[1:], **attrs)


def _is_loop(owner: Op | None, region: Region) -> bool:
    return owner is not None and owner.name in ("for", "while") and owner.regions[0] is region


def _is_in(use: _Use, op: Op, inside: int) -> bool:
    """Whether a use is an operation of the place, or inside it."""
    return use.op is op if len(use.around) == inside else use.around[inside][0] is op


def _instead(
    use: _Use, builder: Builder, mapping: dict[Value, Value], name: str, *inputs: Value,
    **attrs: bool,
) -> None:  # fmt: skip
    """Compute results another way, in the same place."""
    region = use.around[-1][1]
    with builder.inside(Region(same=dict(region.same))) as made, builder.at(use.op.location):
        results = builder.op(name, *inputs, **attrs)
    for old, new in zip(
        use.op.outputs, results if isinstance(results, tuple) else (results,), strict=True
    ):
        if isinstance(new.type, Array):
            new.type = Array(new.type.dtype, shape_of(old.type), new.type.layout)
        new.hint, new.named = old.hint, old.named
        mapping[old] = new
    position = region.ops.index(use.op)
    region.ops[position : position + 1] = made.ops
