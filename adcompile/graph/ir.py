"""The graph: values, operations with regions, and functions.

Enters: what `builder` appends. Leaves: single-assignment values in regions; structured control flow
(`for`, `while`, `if`) carries its values explicitly, and regions may read values of the regions
around them. Arrays are references: the order of reads and writes is the order of operations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from adcompile.errors import Location
from adcompile.graph.types import Dim, Structure, Symbol, Type


class Value:
    """One SSA value. `hint` names it in emitted code; `named` if the user (or a rule) insists."""

    __slots__ = ("hint", "location", "named", "op", "type")

    apply: ClassVar[Callable[..., Any]]  # installed by `builder`: operators append operations

    def __init__(self, type_: Type, hint: str = "", named: bool = False) -> None:
        self.type = type_
        self.hint = hint
        self.named = named
        self.op: Op | None = None
        self.location: Location | None = None

    def __repr__(self) -> str:
        return f"<{self.hint or 'value'}: {self.type}>"

    @property
    def origin(self) -> str:
        """What the user calls it: a variable, or the expression as written."""
        if self.named and self.hint:
            return self.hint
        place = self.location
        written = place.text[place.column : place.end_column].strip() if place else ""
        return written or self.hint or "a value"

    @property
    def constant(self) -> Any:
        """The number behind a constant, None for every other value."""
        if self.op is not None and self.op.record.name == "constant":
            return self.op.attrs["value"]
        return None

    def __add__(self, other: Any) -> Value:
        return Value.apply("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return Value.apply("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return Value.apply("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return Value.apply("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return Value.apply("mul", self, other)

    def __rmul__(self, other: Any) -> Value:
        return Value.apply("mul", other, self)

    def __truediv__(self, other: Any) -> Value:
        return Value.apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return Value.apply("div", other, self)

    def __pow__(self, other: Any) -> Value:
        return Value.apply("pow", self, other)

    def __matmul__(self, other: Any) -> Value:
        return Value.apply("matmul", self, other)

    def __neg__(self) -> Value:
        return Value.apply("neg", self)

    def __lt__(self, other: Any) -> Value:
        return Value.apply("lt", self, other)

    def __gt__(self, other: Any) -> Value:
        return Value.apply("gt", self, other)


@dataclass(frozen=True, eq=False)
class Record:
    """All that is known of one kind of operation; the instances live in `adcompile.ops`.

    infer      (context, input types, attrs) -> output types; raises TypeMismatch or ShapeError
    evaluate   (*NumPy inputs, **attrs) -> NumPy output (a tuple for several): the oracle
    show       template or function that gives the NumPy spelling, for emitted source
    jvp        (tangents, outputs, inputs, attrs) -> output tangents; None entries are zero
    vjp        (cotangents, outputs, inputs, attrs) -> input cotangents; None entries are zero
    partials   for elementwise operations: (output, *inputs) -> one partial per input
    scalar     template of the elementwise operation on scalars, for compiled loops
    kernel     a function on float64 numbers whose source the compiled module takes in, in place of
               `scalar`
    element    for index maps: (read, index, op) -> the output's element at that index
    expand     (inputs, attrs) -> the same value in simpler operations, for scheduling
    fit        (context, inputs, attrs) -> the inputs, as they are broadcast
    view       the output is a view of the first input's memory
    writes     the first input's memory is written
    reads      memory is read (the result depends on when it runs)
    takes_complex   complex inputs have a meaning here; else they are refused
    instead    what to write in place of it, for that refusal
    """

    name: str
    infer: Callable[..., list[Type]]
    evaluate: Callable[..., Any] | None = None
    show: Any = None
    jvp: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None
    partials: Callable[..., Any] | None = None
    scalar: str | None = None
    kernel: Callable[..., float] | None = None
    element: Callable[..., Any] | None = None
    expand: Callable[..., Any] | None = None
    fit: Callable[..., list[Value]] | None = None
    view: bool = False
    writes: bool = False
    keeps: bool = False  # must not be removed though its result is not used
    reads: bool = True
    inactive: bool = False  # the derivative is zero by definition
    library: bool = False  # a routine that wants contiguous arrays
    takes_complex: bool = False
    instead: str = ""
    cheap: bool = False  # recomputing costs less than storing
    domain: tuple[float, float] = (-2.0, 2.0)
    numpy: tuple[Any, ...] = ()
    notes: str = ""

    def __repr__(self) -> str:
        return f"<record {self.name}>"


@dataclass(frozen=True)
class Note:
    """A decision, kept with the operation that it led to; `explain` reads them.

    kind       "saved", "kept", "recomputed", "winner", "adjoint", "copied", "in place", "segments",
               "fused", "parallel", "sequential", "mapped", "interleaved", "distributed", "columns",
               "folded", "factored", "kernel", "product", "transfer", "temporary"
    what       the user's variable or expression
    because    why, in words
    location   where the user wrote it
    loops      the loops around a saved value, from the outside: one axis of its tape for each
    """

    kind: str
    what: str
    because: str
    location: Location | None = None
    loops: tuple[Location | None, ...] = ()


class Op:
    """One operation: a record applied to inputs, with attributes and regions.

    `note` is the decision that made it, if one did; copies of the operation carry it.
    """

    __slots__ = ("attrs", "inputs", "location", "note", "outputs", "record", "regions")

    def __init__(
        self,
        record: Record,
        inputs: Sequence[Value],
        attrs: dict[str, Any],
        outputs: Sequence[Value],
        regions: Sequence[Region] = (),
        location: Location | None = None,
    ) -> None:
        self.record = record
        self.inputs = list(inputs)
        self.attrs = attrs
        self.outputs = list(outputs)
        self.regions = list(regions)
        self.location = location
        self.note: Note | None = None
        for value in self.outputs:
            value.op = self
            if value.location is None:
                value.location = location

    @property
    def name(self) -> str:
        """The record's name."""
        return self.record.name

    @property
    def result(self) -> Value:
        """The only output."""
        (value,) = self.outputs
        return value

    def walk(self) -> Iterator[Op]:
        """This operation, and all inside its regions."""
        return _walk([self])

    @property
    def used(self) -> list[Value]:
        """The inputs, and what the regions yield."""
        return [*self.inputs, *(v for region in self.regions for v in region.yields)]

    @property
    def written(self) -> list[Value]:
        """The inputs whose memory is written."""
        if self.record.writes:
            return self.inputs[:1]
        procedure = self.attrs.get("procedure")
        return [] if procedure is None else [self.inputs[k] for k in procedure.written]

    @property
    def keeps(self) -> bool:
        """Whether it must not be removed though its result is not used."""
        procedure = self.attrs.get("procedure")
        return self.record.keeps or (procedure is not None and procedure.keeps)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


@dataclass(eq=False)
class Region:
    """A straight list of operations with parameters and the values it yields.

    `extents` gives the value that holds each symbolic extent met first in this region; `same` holds
    the extents that the region's checks make equal. Both hold in the regions inside, too.
    """

    params: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    extents: dict[Symbol, Value] = field(default_factory=dict)
    same: dict[Symbol, Dim] = field(default_factory=dict)

    def walk(self) -> Iterator[Op]:
        """All operations, nested ones after the one that holds them."""
        return _walk(self.ops)


def _walk(ops: Sequence[Op]) -> Iterator[Op]:
    """Without recursion: half of what passes do is to walk."""
    pending = [iter(ops)]
    while pending:
        for op in pending[-1]:
            yield op
            if op.regions:
                pending += [iter(region.ops) for region in reversed(op.regions)]
                break
        else:
            pending.pop()


@dataclass(eq=False)
class Parameter:
    """One parameter of the emitted function: its name, the tree of values, its default."""

    name: str
    structure: Structure
    default: Any = ...


@dataclass(eq=False)
class Graph:
    """A function: parameters (flattened in `body.params`), a body, and the shape of its result.

    `bindings` lists, for every name the user assigned at the top level, the values it was bound to,
    None for what is no single value.
    `checks` maps the message of each run-time check to the place it guards; `lengths` gives equal
    slices of equal extents the same new extent; `kept` are the arguments whose contents the caller
    reads after the call, because they are written in place. `captured` pairs values of the graph
    around a nested function with the parameters that stand for them; callers pass these themselves.
    `notes` are decisions that left no operation behind.
    `overlapping` are groups of parameters that may be one memory, `owned` those that nothing else
    uses while the function runs.
    """

    name: str
    parameters: list[Parameter]
    body: Region
    result: Structure = None
    bindings: dict[str, list[Value | None]] = field(default_factory=dict)
    checks: dict[str, Location | None] = field(default_factory=dict)
    lengths: dict[Any, Symbol] = field(default_factory=dict)
    doc: str = ""
    kept: list[Value] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    captured: list[tuple[Value, Value]] = field(default_factory=list)
    overlapping: list[list[Value]] = field(default_factory=list)
    owned: list[Value] = field(default_factory=list)

    @property
    def params(self) -> list[Value]:
        """The flattened parameters."""
        return self.body.params

    @property
    def outputs(self) -> list[Value]:
        """The flattened results."""
        return self.body.yields

    @property
    def regions(self) -> list[Region]:
        """The body, and all regions inside it."""
        return [self.body, *(region for op in self.body.walk() for region in op.regions)]


def resolved(same: Mapping[Symbol, Dim], dim: Dim) -> Dim:
    """The representative of all extents that are equal to one."""
    while isinstance(dim, Symbol) and dim in same:
        dim = same[dim]
    return dim


def joined(same: Mapping[Symbol, Dim], further: Mapping[Symbol, Dim]) -> dict[Symbol, Dim]:
    """What is equal by either: one may say of two extents what the other says the other way."""
    both = dict(same)
    for one, other in further.items():
        first, second = resolved(both, one), resolved(both, other)
        if first != second and isinstance(first, int):
            first, second = second, first
        if first != second and isinstance(first, Symbol):
            both[first] = second
    return both


def extent_in(dim: Dim, regions: Sequence[Region]) -> int | Value | None:
    """An extent as seen from the last of nested regions: a number, or the value that holds it.

    None where no value does.
    """
    same: dict[Symbol, Dim] = {}
    for region in regions:
        same = joined(same, region.same)
    wanted = resolved(same, dim)
    if isinstance(wanted, int):
        return wanted
    for region in reversed(regions):
        for known, value in region.extents.items():
            if resolved(same, known) is wanted:
                return value
    return None


def free_name(name: str, taken: Collection[str]) -> str:
    """`name`, with underscores behind it until nobody else has it."""
    while name in taken:
        name += "_"
    return name


def is_undefined(value: Value) -> bool:
    """Whether a value stands for a variable that one side of a branch does not assign."""
    return value.op is not None and value.op.name == "undefined"


def count_uses(region: Region) -> dict[Value, int]:
    """How often each value is read, in this region and all inside it.

    An extent that nobody reads is no use of its array.
    """
    uses: dict[Value, int] = {}
    for value in [*region.yields, *(v for o in region.walk() for r in o.regions for v in r.yields)]:
        uses[value] = uses.get(value, 0) + 1
    extents = []
    for op in region.walk():
        if op.name == "dim":
            extents.append(op)
            continue
        for value in op.inputs:
            uses[value] = uses.get(value, 0) + 1
    for op in extents:
        if op.result in uses:
            uses[op.inputs[0]] = uses.get(op.inputs[0], 0) + 1
    return uses


RECORDS: dict[str, Record] = {}


def register(record: Record) -> Record:
    """Enter a record into the registry; a name is taken once."""
    if record.name in RECORDS:
        raise ValueError(f"operation `{record.name}` is recorded twice")
    RECORDS[record.name] = record
    return record
