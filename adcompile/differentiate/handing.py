"""Values that a branch or a loop hands out, for the reverse sweep to read.

Enters: a value that one side of a branch computes, or one iteration of a loop that is the only one
to be reversed. Leaves: a further output of the branch or the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.rewrite import carry_too
from adcompile.graph.types import Scalar

if TYPE_CHECKING:
    from adcompile.differentiate.mirror import Mirror


class HandingOut:
    """The part of the settlement that adds outputs."""

    mirror: Mirror
    builder: Builder

    def _hand_out(self, value: Value, owner: Op, home: Region, outer: Region) -> Value:
        """A further output of an `if`: the value where its side ran, undefined elsewhere.

        A loop that carries it on reads it elsewhere, too.
        """
        carried = self.mirror.is_single(home)
        for region in owner.regions:
            if region is home:
                region.yields.append(value)
                continue
            with self.builder.inside(region):
                other = (
                    self.builder.constant(0, value.type)
                    if carried and isinstance(value.type, Scalar)
                    else self.builder.op("undefined", type=value.type)
                )
                region.yields.append(other)
        output = Value(value.type, value.hint, value.named)
        output.op, output.location = owner, value.location
        owner.outputs.append(output)
        self.mirror.home[output] = outer
        return output

    def _carry_out(self, value: Value, loop: Op, body: Region, outer: Region) -> Value:
        """A further value that a loop carries: what it was in the iteration that is reversed."""
        assert isinstance(value.type, Scalar)
        marked = self.mirror.winners[loop]
        position = outer.ops.index(loop)
        with self.builder.inside(outer), self.builder.inside(Region()) as made:
            nothing = self.builder.constant(0, value.type)
        outer.ops[position:position] = made.ops
        param, output = (Value(value.type, value.hint, value.named) for _ in range(2))
        with self.builder.inside(body):
            wins = self.builder.op("eq", marked.end, body.params[0])
            end = self.builder.op("where", wins, value, param)
        carry_too(loop, nothing, param, end, output)
        output.location = value.location
        homes = {nothing: outer, output: outer, wins: body, param: body, end: body}
        self.mirror.home.update(homes)
        if outer is self.mirror.graph.body:
            self.mirror.forward.update(made.ops)
        return output
