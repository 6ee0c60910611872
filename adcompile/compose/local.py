"""Jacobians of loops that write each element from a few elements of the argument.

Enters: a graph of loops in which an array is only read element by element, the result is only
written element by element, and what is written depends on elements that the same iteration reads.
Leaves: a function of the same parameters that runs these loops once and adds the partials of each
write to where they belong: in a dense array, or among the entries of a sparse one. Raises NotLocal
for graphs of another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from adcompile.compose.host import first_parameters
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_graph, clone_op, clone_value, inline
from adcompile.graph.closures import closed, free_values
from adcompile.graph.dependence import Dependence
from adcompile.graph.filling import given_extents
from adcompile.graph.flow import dependencies
from adcompile.graph.ir import RECORDS, Graph, Op, Parameter, Region, Value
from adcompile.graph.trees import is_container
from adcompile.graph.types import (
    Array,
    Scalar,
    Structure,
    Symbol,
    Type,
    is_complex,
    is_continuous,
)
from adcompile.ops.memory import empty, wrapped, zeros

Partials = Callable[[Graph], None]


class NotLocal(Exception):
    """The graph is not of the kind that this module treats."""


@dataclass
class _Segment:
    """Writes of one region with no other write between them.

    reads      the elements of the argument that the written values depend on
    of         for each write the numbers of these reads that it depends on
    """

    region: Region
    writes: list[Op]
    reads: list[Op]
    of: list[list[int]]

    @property
    def size(self) -> int:
        """How many partials there are."""
        return sum(map(len, self.of))


def dense_jacobian(graph: Graph, argument: int, partials: Partials) -> Graph:
    """An array of the result's axes followed by those of the argument.

    `partials` replaces the results of a graph by their derivatives by its parameters, result by
    result.
    """
    local = _Local(graph, argument)
    with local.builder as builder:
        shape = [*local.extents, *builder.shape(local.argument)]
        jacobian = local.made("jacobian", shape, local.result.type.dtype)
        stored_first = local.stored_first()

        def put(segment: _Segment) -> None:
            for write, row in zip(
                segment.writes, local.derivatives(segment, partials), strict=True
            ):
                if write.name == "store" and not stored_first:
                    local.clear(jacobian, write.inputs[2:])
                for number, slope in row:
                    place = [*write.inputs[2:], *segment.reads[number].inputs[1:]]
                    builder.op("accumulate_at", jacobian, slope, *place)

        local.at_writes(put)
    return local.finished([jacobian], 0)


def entries(
    graph: Graph, argument: int, names: Sequence[str], partials: Partials, once: bool
) -> Graph:
    """The entries of a sparse Jacobian; the partials are added up at the places of a table.

    The table, in the order in which they are computed, and the number of entries come first;
    `names` are theirs. With `once` the table has each entry once.
    """
    local = _Local(graph, argument)
    with local.builder as builder:
        places = local.parameter(Array("int64", (Symbol("n"),)), names[0])
        size = local.parameter(Scalar("int64", weak=True), names[1])
        found = local.made("entries", [size], local.result.type.dtype, empty if once else zeros)
        counter = local.made("counter", [builder.constant(1)], "int64")

        def put(segment: _Segment) -> None:
            position = builder.op("load", counter, 0)
            count = 0
            for row in local.derivatives(segment, partials):
                for _, slope in row:
                    place = builder.op("load", places, position + count)
                    builder.op("store" if once else "accumulate_at", found, slope, place)
                    count += 1
            builder.op("accumulate_at", counter, count, 0)

        local.at_writes(put)
    return local.finished([found], 0, 2)


def places(graph: Graph, argument: int, name: str) -> Graph:
    """Where the partials belong: how many there are, and the row and column of each.

    The parameter `name`, which comes first, is how many are asked for: none of them if it is less
    than there are. The first result is an array of the number, of how many elements were stored
    that had partials, and of how many elements the result has.
    """
    local = _Local(graph, argument)
    with local.builder as builder:
        size = local.parameter(Scalar("int64", weak=True), name)
        rows, columns = (local.made(hint, [size], "int64") for hint in ("rows", "columns"))
        counter = local.made("counter", [builder.constant(3)], "int64")
        elements = prod(local.extents, start=builder.constant(1))
        builder.op("store", counter, elements, 2)
        touched = local.made("touched", [elements], "int64")

        def put(segment: _Segment) -> None:
            position = builder.op("load", counter, 0)
            found = []
            for write, of in zip(segment.writes, segment.of, strict=True):
                row = local.flat(write.inputs[2:], local.extents)
                if write.name == "store":
                    builder.op("accumulate_at", counter, builder.op("load", touched, row), 1)
                if of:
                    builder.op("store", touched, 1, row)
                for number in of:
                    read = segment.reads[number]
                    column = local.flat(read.inputs[1:], builder.shape(local.argument))
                    found.append((row, column))

            def keep() -> list[Value]:
                for k, (row, column) in enumerate(found):
                    builder.op("store", rows, row, position + k)
                    builder.op("store", columns, column, position + k)
                return []

            builder.branch(builder.op("le", position + len(found), size), keep, list)
            builder.op("accumulate_at", counter, len(found), 0)

        local.at_writes(put)
    return local.finished([counter, rows, columns], (0, 1, 2), 1)


class _Local:
    """A copy of a graph whose writes to the result are replaced."""

    def __init__(self, graph: Graph, argument: int) -> None:
        self.graph, _ = clone_graph(graph)
        self.builder = Builder(self.graph)
        self.count = len(self.graph.body.ops)
        read = self.graph.parameters[argument].structure
        outputs = self.graph.outputs
        if not isinstance(read, Value) or len(outputs) != 1 or is_container(self.graph.result):
            raise NotLocal
        self.argument, self.result = read, outputs[0]
        kinds = (read.type, self.result.type)
        if not all(isinstance(t, Array) and is_continuous(t) for t in kinds):
            raise NotLocal
        if kinds[0].dtype != kinds[1].dtype or any(map(is_complex, kinds)):
            raise NotLocal
        self.aliases = Aliases(self.graph)
        self.order = {op: k for k, op in enumerate(self.graph.body.walk())}
        self.varied = self._varied()
        self._check()
        self._known: dict[Value, frozenset[Op]] = {}
        self.segments = list(self._segments(self.graph.body))
        if not any(segment.reads for segment in self.segments):
            raise NotLocal

    # -- what the graph is like -----------------------------------------------------------------

    def _varied(self) -> set[Value]:
        """Floats that depend on the argument."""
        varied, before = {self.argument}, 0
        while before != len(varied):
            before = len(varied)
            for op in self.order:
                if not op.record.inactive and op.name != "dim":
                    varied.update(
                        target for target, source in dependencies(op)
                        if source in varied and is_continuous(target.type)
                    )  # fmt: skip
        return varied

    def _check(self) -> None:
        made = self.result.op
        if made is None or made not in self.graph.body.ops or made.name not in ("full", "empty"):
            raise NotLocal
        if self.argument in self.aliases.written or any(v in self.varied for v in made.inputs):
            raise NotLocal
        self.extents = given_extents(made)
        for op in self.order:
            uses = {self.argument, self.result} & set(op.inputs)
            if uses and op.name != "dim" and not (self._is_read(op) or self._is_write(op)):
                raise NotLocal
            touched = [v for v in [*op.outputs, *op.inputs] if v in self.varied]
            if touched and op is not made and not self._is_simple(op):
                raise NotLocal
            for region in op.regions:
                if {self.argument, self.result} & set(region.yields):
                    raise NotLocal
                if op.name != "if" and any(v in self.varied for v in region.params):
                    raise NotLocal

    def _is_read(self, op: Op) -> bool:
        return op.name == "load" and op.inputs[0] is self.argument

    def _is_write(self, op: Op) -> bool:
        return op.name in ("store", "accumulate_at") and op.inputs[0] is self.result

    def _writes(self, op: Op) -> bool:
        inner = (o for region in op.regions for o in region.walk())
        return self._is_write(op) or any(map(self._is_write, inner))

    def _is_simple(self, op: Op) -> bool:
        """Whether what an operation does with floats that depend on the argument is local."""
        if self._is_read(op) or self._is_write(op) or op.name == "dim":
            return True
        if not all(isinstance(v.type, Scalar) for v in [*op.inputs, *op.outputs]):
            return False
        if op.name != "if":
            return not (op.regions or op.written or op.keeps or op.name == "call")
        return all(map(self._is_movable, (o for region in op.regions for o in region.walk())))

    def _is_movable(self, op: Op) -> bool:
        """Whether an operation in a branch may run later."""
        if op.name == "load":
            roots = self.aliases.roots[op.inputs[0]]
            return self.argument not in roots and not roots & self.aliases.written
        scalars = all(isinstance(v.type, Scalar) for v in [*op.inputs, *op.outputs])
        if op.name in ("for", "while", "call") or not scalars:
            return False
        return not (op.written or op.keeps)

    def _segments(self, region: Region) -> Iterator[_Segment]:
        writes: list[Op] = []
        for op in region.ops:
            if self._is_write(op):
                writes.append(op)
            elif self._writes(op):
                yield from self._segment(region, writes)
                writes = []
                for inner in op.regions:
                    yield from self._segments(inner)
        yield from self._segment(region, writes)

    def _segment(self, region: Region, writes: list[Op]) -> Iterator[_Segment]:
        if writes:
            sources = [self._sources(write.inputs[1]) for write in writes]
            reads = sorted(frozenset().union(*sources), key=self.order.__getitem__)
            of = [sorted(map(reads.index, found)) for found in sources]
            yield _Segment(region, writes, reads, of)

    def _sources(self, value: Value) -> frozenset[Op]:
        """The reads that a number depends on."""
        if value not in self.varied:
            return frozenset()
        if value not in self._known:
            op = value.op
            assert op is not None
            inputs = op.inputs
            if op.name == "if":
                inputs = [region.yields[op.outputs.index(value)] for region in op.regions]
            found = [frozenset([op])] if self._is_read(op) else map(self._sources, inputs)
            self._known[value] = frozenset().union(*found)
        return self._known[value]

    def stored_first(self) -> bool:
        """Whether an element is surely never stored once a partial belongs to it."""
        marks = []
        for segment in self.segments:
            for write, of in zip(segment.writes, segment.of, strict=True):
                if of:
                    mark = Op(RECORDS["load"], [self.result, *write.inputs[2:]], {}, [])
                    segment.region.ops.insert(segment.region.ops.index(write) + 1, mark)
                    marks.append((segment.region, mark))
        dependence = Dependence(self.graph, Aliases(self.graph))
        stay = [dependence.stays(mark, added=True) for _, mark in marks]
        for region, mark in marks:
            region.ops.remove(mark)
        return all(stay)

    # -- the new graph --------------------------------------------------------------------------

    def parameter(self, type_: Type, name: str) -> Value:
        """One more parameter."""
        value = self.builder.parameter(type_, name)
        self.graph.parameters.append(Parameter(name, value))
        return value

    def made(
        self, hint: str, shape: Sequence[Value], dtype: str, make: Callable[..., Value] = zeros
    ) -> Value:
        """An array that is made before all loops."""
        array = make(self.builder, shape, dtype)
        array.hint, array.named = hint, True
        return array

    def flat(self, index: Sequence[Value], extents: Sequence[Value]) -> Value:
        """The number of an element, row by row."""
        number = self.builder.constant(0)
        for place, extent in zip(index, extents, strict=True):
            number = number * extent + wrapped(self.builder, place, extent)
        return number

    def clear(self, jacobian: Value, index: Sequence[Value]) -> None:
        """Forget what was added for one element of the result."""
        shape, builder = self.builder.shape(self.argument), self.builder

        def deeper(inner: list[Value]) -> list[Value]:
            if len(inner) == len(shape):
                builder.op("store", jacobian, 0.0, *index, *inner)
            else:
                builder.loop(0, shape[len(inner)], 1, [], lambda k, _: deeper([*inner, k]))
            return []

        deeper([])

    def derivatives(self, segment: _Segment, partials: Partials) -> list[list[tuple[int, Value]]]:
        """For each write the numbers of the reads it depends on, with its slope."""
        writes = [w for w, of in zip(segment.writes, segment.of, strict=True) if of]
        piece = closed(self._piece(segment.reads, [w.inputs[1] for w in writes]), self.builder)
        partials(piece)
        slopes = iter(inline(self.builder, piece, [read.result for read in segment.reads]))
        rows = [[next(slopes) for _ in segment.reads] if of else [] for of in segment.of]
        return [[(k, row[k]) for k in of] for of, row in zip(segment.of, rows, strict=True)]

    def _piece(self, reads: Sequence[Op], results: Sequence[Value]) -> Graph:
        """The numbers as a function of what is read."""
        piece, mapping = Graph("piece", [], Region()), dict[Value, Value]()
        for read in reads:
            number = clone_value(read.result, mapping)
            piece.body.params.append(number)
            piece.parameters.append(Parameter(number.hint, number))
        needed: set[Op] = set()
        todo = list(results)
        while todo:
            op = (value := todo.pop()).op
            if value in self.varied and value not in mapping and op is not None:
                if op not in needed:
                    needed.add(op)
                    todo += [*op.inputs, *(v for r in op.regions for v in free_values(r))]
        for op in sorted(needed, key=self.order.__getitem__):
            piece.body.ops.append(clone_op(op, mapping))
        piece.body.yields = [mapping[v] for v in results]
        return piece

    def at_writes(self, put: Callable[[_Segment], None]) -> None:
        """Replace the writes of each segment by what `put` appends.

        What was appended before goes before the first of them.
        """
        body, own = self.graph.body, len(self.graph.body.ops) - self.count
        first = next(k for k, op in enumerate(body.ops) if self._writes(op))
        body.ops = [*body.ops[:first], *body.ops[-own:], *body.ops[first:-own]]
        for segment in self.segments:
            region = segment.region
            last = region.ops.index(segment.writes[-1]) + 1
            rest = region.ops[last:]
            region.ops = [op for op in region.ops[:last] if op not in segment.writes]
            if segment.region is not self.graph.body:
                with self.builder.inside(region):
                    put(segment)
            else:
                put(segment)
            region.ops += rest

    def finished(self, results: list[Value], result: Structure, first: int = 0) -> Graph:
        """The graph; its last parameters come first."""
        if first:
            first_parameters(self.graph, first)
        self.graph.body.yields = results
        self.graph.result = result
        return self.graph
