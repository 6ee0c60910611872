"""Jacobians: one forward or reverse sweep per element of an input or output.

Enters: a graph and, for each input (or output), the graph of the sweep with a seed as its last
argument. Leaves: a function of the same parameters that gives, for each output, its derivative with
respect to each input: an array of the output's axes followed by the input's.
"""

from __future__ import annotations

from collections.abc import Sequence

from adcompile.compose.host import Host
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import Array, Scalar


def forward_jacobian(graph: Graph, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> Graph:
    """By columns: `sweeps[k](*arguments, tangent of inputs[k])` gives each output's tangent."""
    host = Host(graph)
    with host.builder:
        columns = [
            _Sweep(host, graph.outputs, value, sweep, last=True).run(host.arguments)
            for value, sweep in zip(inputs, sweeps, strict=True)
        ]
    host.graph.body.yields = [column[k] for k in range(len(graph.outputs)) for column in columns]
    return host.graph


def reverse_jacobian(graph: Graph, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> Graph:
    """By rows: `sweeps[k](*arguments, cotangent of output k)` gives each input's cotangent."""
    host = Host(graph)
    with host.builder:
        for output, sweep in zip(graph.outputs, sweeps, strict=True):
            made = _Sweep(host, list(inputs), output, sweep, last=False)
            host.graph.body.yields += made.run(host.arguments)
    return host.graph


class _Sweep:
    """Fills the blocks of a Jacobian that belong to one seed."""

    def __init__(
        self, host: Host, others: Sequence[Value], seeded: Value, sweep: Graph, last: bool
    ) -> None:
        self.host, self.others, self.seeded, self.sweep = host, others, seeded, sweep
        self.last = last

    def run(self, arguments: Sequence[Value]) -> list[Value]:
        """The block of each of `others`."""
        builder, seeded = self.host.builder, self.seeded
        if isinstance(seeded.type, Scalar):
            one = builder.constant(1.0, seeded.type)
            return self.host.call(self.sweep, [*arguments, one])
        assert isinstance(seeded.type, Array)
        probe = dict(
            zip(self.host.inner.outputs, self.host.call(self.host.inner, arguments), strict=True)
        )
        shape = builder.shape(probe.get(seeded, seeded))
        seed = self.host.buffer(shape, seeded.type.dtype)
        seed.hint, seed.named = "seed", True
        blocks = []
        for other in self.others:
            own = builder.shape(probe.get(other, other))
            whole = [*own, *shape] if self.last else [*shape, *own]
            blocks.append(self.host.buffer(whole, other.type.dtype))
            blocks[-1].hint, blocks[-1].named = "jacobian", True

        def fill(index: list[Value]) -> None:
            builder.op("store", seed, 1.0, *index)
            results = self.host.call(self.sweep, [*arguments, seed])
            for block, result in zip(blocks, results, strict=True):
                self.host.put(block, index, result, self.last)
            builder.op("store", seed, 0.0, *index)

        self.host.over_elements(seed, fill)
        return blocks
