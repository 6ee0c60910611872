"""The entries of a sparse Jacobian: one sweep per colour serves many of its columns or rows.

Enters: a graph, the graph of the sweep with a seed as its last argument, and the value that is
seeded. Leaves: a function of tables (what each colour seeds, and where its entries are found in the
result of its sweep; see `sparsity/recovery.py`) and of the parameters, which gives the entries.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.compose.host import Host, first_parameters
from adcompile.errors import Location
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Parameter, Value
from adcompile.graph.types import Array, Scalar, Symbol
from adcompile.ops.shape_spellings import ravel, reshape


def coloured_jacobian(
    graph: Graph, sweep: Graph, seeded: Value, names: Sequence[str], location: Location | None
) -> Graph:
    """`sweep(*arguments, seed of seeded)` for each colour; `names` are those of the tables."""
    host = Host(graph)
    builder = host.builder
    arguments = host.arguments
    seeds, seed_starts, sources, source_starts, places = (
        builder.parameter(Array("int64", (Symbol("n"),)), name) for name in names[:-1]
    )
    size = builder.parameter(Scalar("int64", weak=True), names[-1])
    tables = [seeds, seed_starts, sources, source_starts, places, size]
    host.graph.parameters += [Parameter(n, v) for n, v in zip(names, tables, strict=True)]
    first_parameters(host.graph, len(tables))
    (output,) = graph.outputs
    with builder:
        (result,) = host.call(graph, arguments)  # only its extents are used
        _check_size(builder, result, size, location)
        inside = dict(zip([*graph.outputs, *graph.params], [result, *arguments], strict=True))
        extents = builder.shape(inside[seeded])
        total = builder.product(extents)
        seed = host.buffer([total], seeded.type.dtype)
        seed.hint, seed.named = "seed", True
        entries = host.buffer(builder.shape(places), output.type.dtype)
        entries.hint, entries.named = "entries", True

        def over(starts: Value, colour: Value, body: object) -> None:
            begin = builder.op("load", starts, colour)
            end = builder.op("load", starts, colour + 1)
            builder.loop(begin, end, 1, [], lambda k, _: body(k) or [], "k")  # type: ignore

        def fill(number: float, k: Value) -> None:
            builder.op("store", seed, number, builder.op("load", seeds, k))

        def run(colour: Value, _: list[Value]) -> list[Value]:
            over(seed_starts, colour, lambda k: fill(1.0, k))
            shaped = seed
            if len(extents) > 1:
                shaped = reshape(seed, tuple(extents))
            elif not extents:
                shaped = builder.op("load", seed, 0)
            (swept,) = host.call(sweep, [*arguments, shaped])
            if isinstance(swept.type, Array):
                swept = ravel(swept)

            def keep(k: Value) -> None:
                value = swept
                if isinstance(swept.type, Array):
                    value = builder.op("load", swept, builder.op("load", sources, k))
                builder.op("store", entries, value, builder.op("load", places, k))

            over(source_starts, colour, keep)
            over(seed_starts, colour, lambda k: fill(0.0, k))
            return []

        (count,) = builder.shape(seed_starts)
        builder.loop(0, count - 1, 1, [], run, "colour")
    host.graph.body.yields = [entries]
    host.graph.result = 0
    return host.graph


def _check_size(builder: Builder, result: Value, size: Value, place: Location | None) -> None:
    message = "the pattern has another number of rows than the result has elements"
    builder.graph.checks[message] = place
    same = builder.op("eq", builder.product(builder.shape(result)), size)
    builder.op("require", same, message=message, error="ValueError")
