"""What changes with what.

Enters: an operation. Leaves: pairs of values, for the analyses that follow values through a graph.
"""

from __future__ import annotations

from collections.abc import Iterator

from adcompile.graph.ir import Op, Value


def dependencies(op: Op) -> Iterator[tuple[Value, Value]]:
    """Pairs (what changes, what it changes with) of one operation, without its inner ones."""
    if op.name == "if":
        for region in op.regions:
            yield from zip(op.outputs, region.yields, strict=True)
    elif op.name in ("for", "while"):
        skip = 3 if op.name == "for" else 0
        for region in op.regions:
            params = region.params[1:] if op.name == "for" else region.params
            yield from zip(params, op.inputs[skip:], strict=True)
            yield from zip(params, op.regions[0].yields, strict=True)
        yield from zip(op.outputs, op.regions[0].yields, strict=True)
        yield from zip(op.outputs, op.inputs[skip:], strict=True)
    elif op.record.writes:
        for source in op.inputs[1:]:
            yield op.inputs[0], source
        for target in op.outputs:  # pop
            yield target, op.inputs[0]
    else:
        for target in [*op.outputs, *op.written]:
            for source in op.inputs:
                yield target, source
