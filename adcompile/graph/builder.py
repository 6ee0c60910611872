"""Appends operations to a graph, with types, shapes and run-time checks worked out.

Enters: record names and input values (Python numbers become weak constants). Leaves: typed output
values. Extents that must agree are unified; where that cannot be known at compile time a check is
appended that names the user's variables. Rules use the operators of `Value`, which append to the
builder in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from adcompile.errors import (
    AdcompileError,
    InternalError,
    Location,
    ShapeError,
    TypeMismatch,
    UnsupportedOperation,
)
from adcompile.graph.ir import RECORDS, Graph, Op, Record, Region, Value, joined, resolved
from adcompile.graph.types import (
    Array,
    Dim,
    Scalar,
    Symbol,
    Type,
    check_dtype,
    is_complex,
    is_integer,
    is_of_one,
    shape_of,
)

_local = threading.local()


def current() -> Builder:
    """The builder in force."""
    stack = getattr(_local, "stack", None)
    if not stack:
        raise InternalError("an operation was built outside any builder")
    builder: Builder = stack[-1]
    return builder


class Builder:
    """Appends to `graph`; use it as a context manager so that value operators find it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.region = graph.body
        self.location: Location | None = None
        self.operands: Sequence[Value] = ()
        self._same: dict[Symbol, Dim] = dict(graph.body.same)
        self._extents: dict[Symbol, Value] = dict(graph.body.extents)
        self._known = {graph.body: (self._same, self._extents)}
        self._arrays: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def __enter__(self) -> Builder:
        if not hasattr(_local, "stack"):
            _local.stack = []
        _local.stack.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _local.stack.pop()

    @contextmanager
    def before(self, op: Op) -> Iterator[None]:
        """Know no extent that this operation of the region, or a later one, makes."""
        ops = self.region.ops
        made = {value for late in ops[ops.index(op) :] for value in late.outputs}
        hidden = {symbol: v for symbol, v in self._extents.items() if v in made}
        for symbol in hidden:
            del self._extents[symbol]
        try:
            yield
        finally:
            for symbol, value in hidden.items():
                self._extents.setdefault(symbol, value)

    @contextmanager
    def in_place_of(self, op: Op) -> Iterator[None]:
        """Append where an operation of this region stands; the last one gives its results."""
        with self.before(op):
            ops, outputs = self.region.ops, list(op.outputs)
            position = ops.index(op)
            later = ops[position:]
            del ops[position:]
            yield
            ops[-1].outputs = outputs
            for value in outputs:
                value.op = ops[-1]
            ops += later[1:]

    @contextmanager
    def inside(self, region: Region) -> Iterator[Region]:
        """Append to `region` for a while; what is learned there of extents holds only there."""
        outer, self.region = self.region, region
        same, extents = self._same, self._extents
        if region not in self._known:
            self._known[region] = joined(same, region.same), {**extents, **region.extents}
        self._same, self._extents = self._known[region]
        try:
            yield region
        finally:
            self.region, self._same, self._extents = outer, same, extents

    @contextmanager
    def at(self, location: Location | None) -> Iterator[None]:
        """Give new operations this location."""
        outer = self.location
        self.location = location or outer
        try:
            yield
        finally:
            self.location = outer

    # -- values ---------------------------------------------------------------------------------

    def constant(self, value: Any, type_: Scalar | None = None) -> Value:
        """A scalar constant: weak for Python numbers, or of the given type."""
        if type_ is None:
            weak = (np.float64, np.complex128)
            strong = isinstance(value, np.generic) and not isinstance(value, weak)
            if isinstance(value, int) and not -(2**63) <= value < 2**64:
                raise TypeMismatch(
                    "this integer does not fit into 64 bits", hint="write a float: 1e30"
                )
            dtype = np.asarray(value).dtype
            check_dtype(dtype)
            type_ = Scalar(dtype.name, weak=not strong)
        value = np.dtype(type_.dtype).type(value).item()
        return self.op("constant", value=value, type=type_)

    def array(self, item: np.ndarray[Any, Any], name: str) -> Value:
        """A constant array, which nobody may write: made once, at the start of the function."""
        key = item.dtype.str, item.shape, item.tobytes()
        if key in self._arrays:
            return self._arrays[key]
        with self.inside(Region()) as made:
            value: Value = self.op("array_constant", data=item.copy())
        value.hint = name
        self.graph.body.ops[:0] = made.ops
        self._arrays[key] = value
        return value

    def value(self, item: Any) -> Value:
        """`item` itself, or a constant made of a Python number."""
        return item if isinstance(item, Value) else self.constant(item)

    def parameter(self, type_: Type, name: str) -> Value:
        """Append a parameter to the function, with its extents."""
        value = Value(type_, name, named=True)
        self.graph.body.params.append(value)
        self.record_extents(value)
        return value

    def op(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        """Append an operation; gives its output, a tuple for several, None for none."""
        record = RECORDS[name]
        values = [self.value(item) for item in inputs]
        try:
            _refuse_complex(record, values)
            if record.fit is not None:
                values = record.fit(self, values, attrs)
            self.operands = values
            types = record.infer(self, [v.type for v in values], attrs)
        except AdcompileError as error:
            raise error.at(self.location) from None
        op = Op(record, values, attrs, [Value(t) for t in types], location=self.location)
        self.region.ops.append(op)
        for value in op.outputs:
            self.record_extents(value)
        if not op.outputs:
            return None
        return op.outputs[0] if len(op.outputs) == 1 else tuple(op.outputs)

    def borrow(self, other: Builder) -> None:
        """Know of extents what `other` knows: for a graph inside the one that it builds."""
        self._same = joined(self._same, other._same)
        self._known[self.graph.body] = self._same, self._extents
        self.graph.body.same = dict(self._same)
        for symbol, extent in other._extents.items():
            self._extents.setdefault(symbol, extent)

    def known_extents(self) -> dict[Symbol, Value]:
        """The values that hold extents here."""
        return dict(self._extents)

    # -- extents --------------------------------------------------------------------------------

    def record_extents(self, value: Value) -> None:
        """Append the extents of a value that are not known yet."""
        for axis, dim in enumerate(map(self.resolve, shape_of(value.type))):
            if isinstance(dim, Symbol) and dim not in self._extents:
                maker = value.op
                if maker is not None and maker.name == "iota":
                    extent = maker.inputs[0]
                else:
                    extent = self.op("dim", value, axis=axis)
                self.learn(dim, extent)

    def learn(self, symbol: Symbol, extent: Value) -> None:
        """Note the value that holds an extent in this region."""
        self._extents[symbol] = self.region.extents[symbol] = extent

    def resolve(self, dim: Dim) -> Dim:
        """The representative of all extents known to equal `dim`."""
        return resolved(self._same, dim)

    def knows(self, symbol: Symbol) -> bool:
        """Whether a value holds this extent here."""
        return self.resolve(symbol) in self._extents

    def extent(self, dim: Dim) -> Value:
        """The value that holds an extent."""
        dim = self.resolve(dim)
        return self.constant(dim) if isinstance(dim, int) else self._extents[dim]

    def shape(self, value: Value) -> list[Value]:
        """The values that hold all extents of an array."""
        self.record_extents(value)  # a region may have arrays whose extents it did not need
        return [self.extent(dim) for dim in shape_of(value.type)]

    def product(self, extents: Sequence[Value]) -> Value:
        """The number of elements of an array with these extents."""
        total = self.constant(1)
        for extent in extents:
            total = total * extent
        return total

    def count(self, values: Sequence[Value]) -> Value:
        """How many elements all of the values have."""
        total = self.constant(0)
        for value in values:
            total = total + self.product(self.shape(value))
        return total

    def dim_of(self, extent: Value) -> Dim:
        """The dimension a scalar value stands for: known, shared, or new.

        Raises TypeMismatch for what is no integer, ShapeError for a negative number.
        """
        if not isinstance(extent.type, Scalar) or not is_integer(extent.type):
            what = "an array" if isinstance(extent.type, Array) else f"a {extent.type.dtype}"
            raise TypeMismatch(
                f"an extent must be an integer, not {what}", hint="convert it: int(n)"
            )
        if isinstance(extent.constant, int):
            if extent.constant < 0:
                raise ShapeError(f"an extent cannot be negative: {extent.constant}")
            return int(extent.constant)
        for symbol, value in self._extents.items():
            if value is extent:
                return self.resolve(symbol)
        symbol = Symbol(extent.hint or "n")
        self.learn(symbol, extent)
        return symbol

    def unify(self, first: Dim, second: Dim, what: str) -> Dim:
        """The extent both must have; raises ShapeError, or appends a check for the run.

        `what` says which operation wants them equal.
        """
        first, second = self.resolve(first), self.resolve(second)
        if first == second:
            return first
        if isinstance(first, int) and isinstance(second, int):
            raise ShapeError(f"{what}: {first} and {second} must be equal")
        if isinstance(first, int):
            first, second = second, first
        assert isinstance(first, Symbol)
        if isinstance(second, Symbol):
            first, second = second, first  # keep the earlier one
            if first.number < second.number:
                first, second = second, first
        self.check_equal(first, second, what)
        self.assume(first, second)
        return second

    def assume(self, first: Dim, second: Dim) -> None:
        """Take two extents as equal from here on: everywhere, or in the region at hand only.

        Nothing is known of two numbers: checks of one extent in two loops, of which one must fail.
        """
        first, second = self.resolve(first), self.resolve(second)
        if first == second or (isinstance(first, int) and isinstance(second, int)):
            return
        if isinstance(first, int):
            first, second = second, first
        assert isinstance(first, Symbol)
        self._same[first] = self.region.same[first] = second

    def check_equal(self, first: Dim, second: Dim, what: str) -> None:
        """Append a check that two extents are equal, without taking them as one from here on."""
        one, other = self.extent(first), self.extent(second)
        place = f" (line {self.location.line})" if self.location else ""
        names = f"{describe_extent(other)} and {describe_extent(one)} must be equal"
        if other.constant == 1:
            names = f"{describe_extent(one)} must be 1"
        message = f"{names}: {what}{place}"
        self.graph.checks[message] = self.location
        self.op("check_equal", other, one, message=message, dims=(first, second))

    def broadcast(self, shapes: Sequence[tuple[Dim, ...]], what: str) -> tuple[Dim, ...]:
        """The common shape of `shapes`; extents of 1 known at compile time stretch."""
        ndim = max((len(shape) for shape in shapes), default=0)
        result: list[Dim] = []
        for axis in range(ndim):
            dims = [s[axis - ndim + len(s)] for s in shapes if axis - ndim + len(s) >= 0]
            dims = [self.resolve(dim) for dim in dims]
            common: Dim = 1
            for dim in dims:
                if dim == 1:
                    continue
                common = dim if common == 1 else self.unify(common, dim, what)
            result.append(common)
        return tuple(result)

    # -- control flow ---------------------------------------------------------------------------

    def branch(
        self,
        condition: Value,
        then: Callable[[], Sequence[Value]],
        otherwise: Callable[[], Sequence[Value]],
        chosen: Collection[bool] = (),
    ) -> list[Value]:
        """`if`: both sides give the same number of values of equal types.

        chosen     where shapes alone decide between two ways to do the same: the conditions under
                   which code for one call need not have the other way
        """
        regions = []
        for side in (then, otherwise):
            with self.inside(Region()) as region:
                region.yields = list(side())
            regions.append(region)
        outputs = self.structured("if", [condition], regions, regions[0].yields)
        if chosen:
            self.region.ops[-1].attrs["chosen"] = tuple(chosen)
        return outputs

    def structured(
        self, name: str, inputs: Sequence[Value], regions: Sequence[Region], like: Sequence[Value]
    ) -> list[Value]:
        """Append a control-flow operation whose outputs are typed as `like`.

        Sides of a branch may give arrays of different extents; what a loop carries keeps its shape.
        """
        outputs = []
        for position, value in enumerate(like):
            type_ = value.type
            if isinstance(type_, Array) and name == "if":
                others = [r.yields[position].type for r in regions if len(r.yields) == len(like)]
                type_ = _common_array(type_, others)
            output = Value(type_, value.hint, value.named)
            outputs.append(output)
        op = Op(RECORDS[name], inputs, {}, outputs, regions, self.location)
        self.region.ops.append(op)
        for value in outputs:
            self.record_extents(value)
        return outputs

    def loop(
        self,
        start: Any,
        stop: Any,
        step: Any,
        initial: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value]],
        hint: str = "i",
    ) -> list[Value]:
        """`for` over a range: `body(index, carried)` gives the values of the next iteration."""
        region = Region()
        index = Value(Scalar("int64", weak=True), hint, named=True)
        region.params = [index, *(Value(v.type, v.hint, v.named) for v in initial)]
        with self.inside(region):
            region.yields = list(body(index, region.params[1:]))
        bounds = [self.value(start), self.value(stop), self.value(step)]
        return self.structured("for", [*bounds, *initial], [region], region.params[1:])

    def nest(
        self,
        ranges: Sequence[Value | tuple[Value, Value]],
        body: Callable[[list[Value], list[Value]], Sequence[Value]],
        initial: Sequence[Value] = (),
        depth: int = 0,
    ) -> list[Value]:
        """Loops inside one another, over extents or from `start` to `stop`; none for one number.

        `body(index, carried)` gives the values of the next iteration; `depth` loops are around.
        """

        def level(index: list[Value], carried: list[Value]) -> list[Value]:
            if len(index) == len(ranges):
                return list(body(index, carried))
            over = ranges[len(index)]
            start, stop = over if isinstance(over, tuple) else (self.constant(0), over)
            if start.constant is not None and stop.constant == start.constant + 1:
                return level([*index, start], carried)
            name = "ijklmn"[(depth + len(index)) % 6]
            return self.loop(start, stop, 1, carried, lambda i, c: level([*index, i], c), name)

        return level([], list(initial))

    def each(
        self,
        ranges: Sequence[Value | tuple[Value, Value]],
        body: Callable[[list[Value]], Any],
        depth: int = 0,
    ) -> None:
        """A nest that carries nothing: `body(index)` appends what is done for one element."""

        def once(index: list[Value], _: list[Value]) -> list[Value]:
            body(index)
            return []

        self.nest(ranges, once, depth=depth)


def _refuse_complex(record: Record, values: Sequence[Value]) -> None:
    if not record.takes_complex and any(is_complex(v.type) for v in values):
        raise UnsupportedOperation(
            f"`{record.name}` of complex numbers", hint=record.instead or "take z.real or abs(z)"
        )


def _common_array(type_: Array, others: Sequence[Type]) -> Array:
    shape, layout = list(type_.shape), type_.layout
    for other in others:
        assert isinstance(other, Array)
        layout = layout if layout == other.layout else "A"
        for axis, dim in enumerate(other.shape):
            if dim != shape[axis]:
                shape[axis] = Symbol(of_one=is_of_one(dim) and is_of_one(shape[axis]))
    return Array(type_.dtype, tuple(shape), layout)


def describe_extent(value: Value) -> str:
    """How a user would write an extent: `x.shape[0]`, or its name or number."""
    if value.constant is not None:
        return str(value.constant)
    if value.op is not None and value.op.name == "dim":
        array = value.op.inputs[0]
        name = array.hint or _written_as(array.location) or "an array"
        return f"{name}.shape[{value.op.attrs['axis']}]"
    return value.hint or "an extent"


def _written_as(location: Location | None) -> str:
    """The user's expression at a place, if it is short."""
    if location is None:
        return ""
    text = location.text[location.column : location.end_column].strip()
    simple = text.replace("_", "a").replace(".", "a").isalnum() or text.endswith(("]", ")"))
    return text if len(text) <= 40 and simple else f"({text})" if len(text) <= 40 else ""


def _apply(name: str, *inputs: Any) -> Any:
    return current().op(name, *inputs)


Value.apply = _apply
