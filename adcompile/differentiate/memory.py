"""The reverse of reads and writes of memory, by way of shadows.

Enters: one operation of the forward sweep. Leaves: the reads and writes of shadows that belong to
it: the reverse of `b[i] = v` adds the shadow's element to the adjoint of `v`, and clears it.
"""

from __future__ import annotations

from adcompile.differentiate.activity import Activity
from adcompile.differentiate.mirror import Mirror
from adcompile.differentiate.shadows import Shadows, invertible
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Value
from adcompile.graph.types import Array
from adcompile.ops.elementwise import match
from adcompile.ops.memory import zeros_like


class MemoryReverse:
    """The part of a reverse sweep that treats memory."""

    builder: Builder
    activity: Activity
    shadows: Shadows
    mirror: Mirror
    adjoints: dict[Value, Value]

    def adjoint(self, value: Value) -> Value | None:
        """The adjoint collected so far."""
        raise AssertionError

    def accumulate(self, value: Value, contribution: Value) -> None:
        """Add to the adjoint of an active value."""
        raise AssertionError

    def shadow(self, value: Value) -> Value:
        """The shadow of an array."""
        raise AssertionError

    def _reverse_slice(self, op: Op) -> None:
        if self.shadows.has_shadow(op.result) or not self.activity.active(op.result):
            return
        cotangent = self.adjoint(op.result)
        if cotangent is None:
            return
        assert invertible(op)
        items = op.attrs["spec"]
        spec = tuple("index" if item == "new" else item for item in items)
        zeros = [self.builder.constant(0)] * items.count("new")
        source = op.inputs[0]
        self.accumulate(source, self.builder.op("slice", cotangent, *zeros, spec=spec))

    def _reverse_load(self, op: Op) -> None:
        cotangent = self.adjoints.get(op.result)
        array = op.inputs[0]
        if cotangent is not None and self.activity.active(array):
            self.builder.op("accumulate_at", self.shadow(array), cotangent, *op.inputs[1:])

    def _reverse_gather(self, op: Op) -> None:
        cotangent = self.adjoint(op.result)
        array = op.inputs[0]
        if cotangent is not None and self.activity.active(array):
            indices = self.mirror.contents(op)[0][1:]
            axis = op.attrs["axis"]
            self.builder.op("scatter_add", self.shadow(array), cotangent, *indices, axis=axis)

    def _reverse_store(self, op: Op) -> None:
        array, value, *index = op.inputs
        if not self.activity.active(array):
            return
        shadow = self.shadow(array)
        if self.activity.active(value):
            cotangent = self.builder.op("load", shadow, *index)
            self.accumulate(value, match(cotangent, value))
        self.builder.op("store", shadow, 0.0, *index)

    def _reverse_accumulate_at(self, op: Op) -> None:
        array, value, *index = op.inputs
        if self.activity.active(array) and self.activity.active(value):
            cotangent = self.builder.op("load", self.shadow(array), *index)
            self.accumulate(value, match(cotangent, value))

    def _reverse_assign(self, op: Op) -> None:
        target, value = op.inputs
        if not self.activity.active(target):
            return
        shadow = self.shadow(target)
        if not self.activity.active(value):
            self.builder.op("assign", shadow, 0.0)
            return
        cotangent = self.builder.op("copy", shadow)
        shares = bool(self._memory(target) & self._memory(value))
        if shares:  # what comes to elements that were both written and read stays
            self.builder.op("assign", shadow, 0.0)
        self.accumulate(value, match(cotangent, value))
        if not shares:
            self.builder.op("assign", shadow, 0.0)

    def _memory(self, value: Value) -> frozenset[Value]:
        """The arrays that a value may be a view of."""
        return self.shadows.aliases.roots.get(value, frozenset())

    def _reverse_accumulate(self, op: Op) -> None:
        target, value = op.inputs
        if self.activity.active(target) and self.activity.active(value):
            shadow = self.builder.op("copy", self.shadow(target))
            self.accumulate(value, match(shadow, value))

    def _reverse_scatter_add(self, op: Op) -> None:
        array, value, *_ = op.inputs
        if self.activity.active(array) and self.activity.active(value):
            indices = self.mirror.contents(op)[0][2:]
            part = self.builder.op("gather", self.shadow(array), *indices, **op.attrs)
            self.accumulate(value, match(part, value))

    def _reverse_pop(self, op: Op) -> None:
        stack = op.inputs[0]
        if not self.activity.active(stack):
            return
        cotangent = self.adjoint(op.result)
        if cotangent is None:
            cotangent = zeros_like(self.builder, op.result)
        elif isinstance(cotangent.type, Array):
            cotangent = self.builder.op("copy", cotangent)
        self.builder.op("push", self.shadow(stack), cotangent)

    def _reverse_push(self, op: Op) -> None:
        stack, value = op.inputs
        if self.activity.active(stack):
            cotangent = self.builder.op("pop", self.shadow(stack), type=value.type)
            self.accumulate(value, cotangent)
