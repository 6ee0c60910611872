"""Jacobians: one forward or reverse sweep per element of an input or output.

Enters: a graph and, for each input (or output), the graph of the sweep with a seed as its last
argument. Leaves: a function of the same parameters that gives, for each output, its derivative with
respect to each input: an array of the output's axes followed by the input's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from adcompile.compose.host import Host
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Value
from adcompile.graph.types import Array, Dim, Scalar, shape_of

Sweeps = Callable[[], Sequence[Graph]]


def forward_jacobian(graph: Graph, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> Graph:
    """By columns: `sweeps[k](*arguments, tangent of inputs[k])` gives each output's tangent."""
    host = Host(graph)
    with host.builder:
        host.graph.body.yields = _by_columns(host, inputs, sweeps)
    return host.graph


def reverse_jacobian(graph: Graph, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> Graph:
    """By rows: `sweeps[k](*arguments, cotangent of output k)` gives each input's cotangent."""
    host = Host(graph)
    with host.builder:
        host.graph.body.yields = _by_rows(host, inputs, sweeps)
    return host.graph


def shorter_jacobian(graph: Graph, inputs: Sequence[Value], columns: Sweeps, rows: Sweeps) -> Graph:
    """By columns or by rows, whichever are fewer; by columns where they are equally many.

    Where the types do not tell, both are there and the extents of the run decide.
    """
    host = Host(graph)
    builder = host.builder

    def by_columns() -> list[Value]:
        return _by_columns(host, inputs, columns())

    def by_rows() -> list[Value]:
        return _converted(host, inputs, _by_rows(host, inputs, rows()))

    fewer = _columns_are_fewer(Builder(graph), inputs)
    with builder:
        if fewer is None:
            own = dict(zip(graph.params, host.arguments, strict=True))
            results = host.call(graph, host.arguments)  # only its extents are used
            counts = [builder.count(items) for items in ([own[v] for v in inputs], results)]
            fewer = builder.op("le", *counts)
            found = builder.branch(fewer, by_columns, by_rows, chosen=[True, False])
        else:
            found = by_columns() if fewer else by_rows()
    host.graph.body.yields = found
    return host.graph


def _columns_are_fewer(builder: Builder, inputs: Sequence[Value]) -> bool | None:
    """Whether the inputs have no more elements than the outputs; None where it depends."""
    outputs = builder.graph.outputs
    arrays = [[v for v in values if shape_of(v.type)] for values in (inputs, outputs)]
    if not arrays[0] or not arrays[1]:
        return not arrays[0]
    if len(inputs) != 1 or len(outputs) != 1:
        return None
    have, want = ([builder.resolve(d) for d in shape_of(v[0].type)] for v in (inputs, outputs))
    for dim in list(have):
        if dim in want:
            have.remove(dim)
            want.remove(dim)
    if all(isinstance(dim, int) for dim in have + want):
        return prod(map(_number, have)) <= prod(map(_number, want))
    return None if have and want else not have


def _number(dim: Dim) -> int:
    assert isinstance(dim, int)
    return dim


def _by_columns(host: Host, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> list[Value]:
    columns = [
        _Sweep(host, host.inner.outputs, value, sweep, last=True).run(host.arguments)
        for value, sweep in zip(inputs, sweeps, strict=True)
    ]
    return [column[k] for k in range(len(host.inner.outputs)) for column in columns]


def _by_rows(host: Host, inputs: Sequence[Value], sweeps: Sequence[Graph]) -> list[Value]:
    return [
        block
        for output, sweep in zip(host.inner.outputs, sweeps, strict=True)
        for block in _Sweep(host, list(inputs), output, sweep, last=False).run(host.arguments)
    ]


def _converted(host: Host, inputs: Sequence[Value], blocks: Sequence[Value]) -> list[Value]:
    """Blocks in the dtype of the result, as forward sweeps give them."""
    return [
        block
        if block.type.dtype == output.type.dtype
        else host.builder.op("cast", block, dtype=output.type.dtype)
        for output, block in zip(
            (output for output in host.inner.outputs for _ in inputs), blocks, strict=True
        )
    ]


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
