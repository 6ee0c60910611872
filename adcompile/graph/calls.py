"""Calls: a graph used as one operation, because its derivative is not that of its operations.

Enters: a graph with `call` operations. Leaves: the same graph with calls replaced by the operations
of what they call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from adcompile.errors import UnsupportedOperation
from adcompile.graph.builder import Builder
from adcompile.graph.clone import inline
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.rewrite import replace


class Rule:
    """The derivative of a call.

    kind       "jvp": `forward` takes primals and tangents and gives results and their tangents;
               "vjp": `forward` gives results and residuals, `backward` takes residuals and
               cotangents; "residuals": the same, with `forward` called already;
               "checkpoint": the called graph is run again in the reverse sweep
    make       gives the two graphs; it is asked only when the call is differentiated, for a rule
               may call its own function
    results    of "residuals": how many outputs of the call are results
    """

    def __init__(
        self, kind: str, make: Callable[[], tuple[Graph, Graph | None]] | None = None,
        results: int = 0,
    ) -> None:  # fmt: skip
        self.kind, self.make, self.results = kind, make, results

    @cached_property
    def _graphs(self) -> tuple[Graph, Graph | None]:
        assert self.make is not None
        return self.make()

    @property
    def forward(self) -> Graph:
        """The forward part."""
        return self._graphs[0]

    @property
    def backward(self) -> Graph:
        """The backward part."""
        graph = self._graphs[1]
        assert graph is not None
        return graph


def inline_calls(graph: Graph, chosen: Callable[[Rule | None], bool] = lambda rule: True) -> None:
    """Replace the calls whose rule is `chosen`; those inside what they call, too."""
    while True:
        mapping: dict[Value, Value] = {}
        with Builder(graph) as builder:
            _region(builder, graph.body, chosen, mapping)
        if not mapping:
            return
        replace(graph, mapping)


def _region(
    builder: Builder,
    region: Region,
    chosen: Callable[[Rule | None], bool],
    mapping: dict[Value, Value],
) -> None:
    with builder.inside(region):
        for op in list(region.ops):
            if op.name == "call" and chosen(op.attrs["rule"]):
                with builder.before(op):  # a call of the same function may have come later
                    position = region.ops.index(op)
                    later = region.ops[position + 1 :]
                    del region.ops[position:]
                    _replace_one(builder, op, mapping)
                    region.ops += later
                continue
            for inner in op.regions:
                _region(builder, inner, chosen, mapping)


def _replace_one(builder: Builder, op: Op, mapping: dict[Value, Value]) -> None:
    with builder.at(op.location):
        results = inline(builder, op.attrs["graph"], op.inputs)
        for output, result in zip(op.outputs, results, strict=True):
            if result in op.inputs:  # the result is an array of its own
                result = builder.op("identity" if not _is_array(result) else "copy", result)
            if output.named and not result.named and result.constant is None:
                result.hint, result.named = output.hint, True
            mapping[output] = result


def _is_array(value: Value) -> bool:
    return bool(getattr(value.type, "shape", ()))


def refuse_draws(graph: Graph, what: str) -> None:
    """Raise UnsupportedOperation if a graph that is run more than once draws random numbers."""
    for op in graph.body.walk():
        if op.name in ("draw", "seed"):
            raise UnsupportedOperation(
                f"{what} runs the function more than once, and each run would draw other numbers",
                op.location,
                "draw the numbers before, and pass them as an argument",
            )
        if op.name == "call":
            refuse_draws(op.attrs["graph"], what)
