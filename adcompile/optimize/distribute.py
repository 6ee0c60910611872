"""Loops compute for several iterations first, and do what needs their order afterwards.

Enters: a graph of loops, all else done. Leaves: the same graph, where a loop that LLVM cannot
vectorise, but most of whose work needs no order, goes on by blocks of iterations: one loop computes
for each of a block, another does the rest for one after the other (loop distribution). An order is
needed by writes to elements that data chooses (of a mesh, a table, a sparse matrix), of which two
iterations may mean one, and by what an iteration gets of the last. What the second loop reads of
the first lies in rows of one array, in the near cache. Of a branch between numbers both sides are
computed, as LLVM does in loops that it vectorises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import INDEX_STARTS, index_of
from adcompile.graph.folds import is_fold
from adcompile.graph.ir import Graph, Note, Op, Region, Value, is_undefined
from adcompile.graph.types import Scalar, is_complex, is_continuous, is_integer
from adcompile.optimize.interleave import rows_for, run_when
from adcompile.optimize.nests import iterations, steps_by_one

BLOCK = 32  # iterations; their numbers stay in the near cache
MOST_ROWS = 64  # numbers of one iteration that the second loop reads
FEWEST = 16  # iterations for which it pays
# what one iteration takes, in half cycles
_FUNCTION, _DIVISION, _OTHER = 20, 10, 1
_ROW, _GATHER, _STRIDE, _LOOPS = 4, 8, 3, 8
_SELDOM = 3  # where a side of a branch is not taken, there is nothing to gain
_DIVISIONS = frozenset({"div", "reciprocal", "sqrt"})
# with versions for several elements (`execute/vector_math.py`)
_FUNCTIONS = frozenset(
    {
        "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh",
        "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "arctan2", "hypot",
        "erf", "erfc", "pow",
    }
)  # fmt: skip
_PLAIN = _FUNCTIONS | _DIVISIONS | frozenset(
    {
        "add", "sub", "mul", "neg", "square", "abs", "sign", "scale", "maximum", "minimum", "floor",
        "ceil", "rint", "trunc", "lt", "le", "gt", "ge", "eq", "ne", "logical_and", "logical_or",
        "logical_not", "logical_xor", "isnan", "isinf", "isfinite", "where", "cast", "floordiv",
        "mod", "bitwise_and", "bitwise_or", "bitwise_xor", "constant", "undefined",
    }
)  # fmt: skip
TRAPS = frozenset({"floordiv", "mod"})  # of integers
_MOST_AGAIN = 6  # operations on integers that both loops do
_Known = tuple[Aliases, Bounds]


def distribute_loops(graph: Graph) -> None:
    """Rewrite in place the innermost loops that gain by it."""
    if not any(map(may_gain, graph.body.walk())):
        return
    known, start = (Aliases(graph), Bounds(graph)), Region()
    with Builder(graph) as builder:
        _region(graph.body, known, start, builder)
    graph.body.ops[:0] = start.ops


def may_gain(op: Op) -> bool:
    """Whether it is an innermost loop with something to compute."""
    if op.name != "for" or not steps_by_one(op):
        return False
    return is_innermost(op) and work(op.regions[0].walk()) > _LOOPS


def is_innermost(loop: Op) -> bool:
    """Whether there are no loops inside."""
    inside = (op for region in loop.regions for op in region.walk())
    return all(op.name == "if" or not op.regions for op in inside)


def _region(region: Region, known: _Known, start: Region, builder: Builder) -> None:
    for op in list(region.ops):
        for inner in op.regions:
            with builder.before(op), builder.inside(inner):
                _region(inner, known, start, builder)
        if may_gain(op) and iterations(op, FEWEST) >= FEWEST:
            parts = Parts(op, *known)
            if parts.possible() and parts.worth():
                with builder.at(op.location):
                    _rewrite(parts, start, builder)


def _rewrite(parts: Parts, start: Region, builder: Builder) -> None:
    low, high = parts.loop.inputs[:2]
    with builder.in_place_of(parts.loop):
        low, high = (low, high) if parts.step == 1 else (high, low)
        known = low.constant
        trips = high - low if known is None else high + -known if known else high
        emission = _Emission(parts, start, builder)
        run_when(builder.op("ge", trips, FEWEST), lambda: emission.run(trips), parts.loop, builder)
    what = f"the loop over `{parts.body.params[0].hint}`"
    why = f"{parts.why()}: {BLOCK} iterations compute what needs no order before"
    builder.graph.notes.append(Note("distributed", what, why, parts.loop.location))


def work(ops: Iterable[Op]) -> int:
    """What the arithmetic takes."""
    return sum(map(_time, ops))


def _time(op: Op) -> int:
    if op.record.scalar is None or len(op.outputs) != 1 or not is_continuous(op.result.type):
        return 0
    return _FUNCTION if op.name in _FUNCTIONS else _DIVISION if op.name in _DIVISIONS else _OTHER


class Parts:
    """What of a loop's body needs no order, and what does.

    early     pure operations on numbers, reads of what the loop does not write, and writes to
              elements of each iteration's own
    late      all others
    handed    numbers of the early part that the late one reads, but for those it computes again
    again     early operations that the late part does again
    """

    def __init__(self, loop: Op, aliases: Aliases, bounds: Bounds) -> None:
        self.loop, self.body = loop, loop.regions[0]
        self.step = loop.inputs[2].constant
        self._aliases = aliases
        # or an index from the end may mean the element of another iteration
        self._has_own = bounds.never_negative(self.body.params[0], self.body)
        self._written = aliases.written_in(self.body.walk())
        self._inside = {v for op in self.body.ops for v in op.outputs}
        used = (v for op in self.body.walk() for v in op.used)
        self._uses = Counter(r for v in used for r in aliases.roots.get(v, ()))
        self._late_values = set(self.body.params[1:])
        self.early: list[Op] = []
        self.late: list[Op] = []
        for op in self.body.ops:
            if self._is_early(op):
                self.early.append(op)
            else:
                self.late.append(op)
                self._late_values.update(op.outputs)
        self._hand_on()

    def possible(self) -> bool:
        """Whether the loop can be split."""
        return 0 < len(self.handed) <= MOST_ROWS and not self.stays()

    def stays(self) -> bool:
        """Whether it has effects: an iteration that raises keeps later ones from reading."""
        effects = ("require", "check_equal", "print", "invoke")
        return any(op.name in effects for op in self.body.walk())

    def worth(self) -> bool:
        """Whether the early part is vectorised only then, and has enough work."""
        gain = sum(
            work(op.walk()) // (_SELDOM if op.regions else 1)
            for op in self.early if op not in self.again
        )  # fmt: skip
        more = _LOOPS + _ROW * len(self.handed) + sum(map(self._read, self.early))
        return 3 * gain > 4 * more and bool(self.why())

    def _read(self, op: Op) -> int:
        """What more a read of several elements takes than that of one after the other."""
        if op.name != "load" or op in self.again:
            return 0
        index = index_of(op)
        if any(map(self._is_chosen, index)):
            return _GATHER
        return _STRIDE if any(map(self._varies, index[:-1])) else 0

    def _varies(self, value: Value) -> bool:
        return value is self.body.params[0] or (value in self._inside and value.constant is None)

    def why(self) -> str:
        """What needs an order; empty if LLVM vectorises the loop as it is."""
        if any(self._is_scattered(op) for op in self.late):
            return "elements that data chooses are written"
        ends = zip(self.body.params[1:], self.body.yields, strict=True)
        if any(not is_fold(self.body, param, end) for param, end in ends):
            return "an iteration reads what the last one computed"
        return ""

    def _is_early(self, op: Op) -> bool:
        if any(v in self._late_values for v in _taken(op)):
            return False
        if op.name == "load":
            roots = self._aliases.roots.get(op.inputs[0], frozenset())
            return bool(roots) and not roots & self._written
        return op.name == "dim" or is_pure(op) or (op.name == "store" and self._is_apart(op))

    def _is_apart(self, store: Op) -> bool:
        """Whether each iteration stores in an element of its own, and nothing else is done to them.

        As in tapes.
        """
        roots = self._aliases.roots.get(store.inputs[0], frozenset())
        alone = len(roots) == 1 and all(self._uses[root] == 1 for root in roots)
        return alone and self._has_own and self.body.params[0] in index_of(store)

    def _is_scattered(self, op: Op) -> bool:
        """Whether it writes an element that is not a sum of counters."""
        if op.name == "if":
            return any(inner.written for inner in op.walk())
        if not op.written:
            return False
        return op.name not in INDEX_STARTS or any(map(self._is_chosen, index_of(op)))

    def _is_chosen(self, value: Value) -> bool:
        op = value.op
        if value in self.body.params[1:]:
            return True
        if op is None or value not in self._inside:
            return False
        return bool(op.regions) or op.name == "load" or any(map(self._is_chosen, op.inputs))

    def _hand_on(self) -> None:
        wanted = [v for op in self.late for v in _taken(op)] + self.body.yields
        made = {v for op in self.early for v in op.outputs}
        self.handed: list[Value] = []
        again: dict[Op, None] = {}
        for value in dict.fromkeys(v for v in wanted if v in made):
            tree = self._index_tree(value, made)
            if tree is None:
                self.handed.append(value)
            else:
                again.update(dict.fromkeys(tree))
        self.again = [op for op in self.early if op in again]

    def _index_tree(self, value: Value, made: set[Value]) -> list[Op] | None:
        """The operations behind a number that is cheap to compute again, None if it is not."""
        op = value.op
        assert op is not None
        if op.name in ("constant", "dim"):
            return [op]
        cheap = op.name == "load" or (op.record.scalar is not None and is_integer(value.type))
        if not cheap or op.regions:
            return None
        tree = [op]
        for v in op.inputs:
            if v in made:
                below = self._index_tree(v, made)
                if below is None or (op.name == "load" and any(o.name == "load" for o in below)):
                    return None
                tree += below
        return tree if len(tree) <= _MOST_AGAIN else None


def _taken(op: Op) -> list[Value]:
    """The values from outside that an operation reads."""
    made = {v for inner in op.walk() for v in inner.outputs}
    made.update(v for inner in op.walk() for region in inner.regions for v in region.params)
    return [v for inner in op.walk() for v in inner.used if v not in made]


def is_pure(op: Op) -> bool:
    """Whether it is arithmetic that several elements can go through at once."""
    if not all(isinstance(v.type, Scalar) and not is_complex(v.type) for v in op.outputs):
        return False
    if op.name != "if":
        of_numbers = all(isinstance(v.type, Scalar) for v in op.inputs)
        return (
            op.name in _PLAIN
            and of_numbers
            and (op.name not in ("mod", "floordiv", "pow") or _is_for_several(op))
        )
    inside = [inner for region in op.regions for inner in region.ops]
    return all(is_pure(inner) and inner.name not in TRAPS for inner in inside)


def _is_for_several(op: Op) -> bool:
    """Whether an operation that is a call for one kind of number has another kind."""
    return is_continuous(op.result.type) == (op.name == "pow")


class _Emission:
    """Appends the two loops, in a loop over blocks."""

    def __init__(self, parts: Parts, start: Region, builder: Builder) -> None:
        self.parts, self.builder = parts, builder
        with builder.inside(start):
            self.rows = rows_for(parts.handed, BLOCK, "block", builder)

    def run(self, trips: Value) -> list[Value]:
        """All iterations; gives what the loop carries."""
        loop, builder, backwards = self.parts.loop, self.builder, self.parts.step == -1

        def block(first: Value, carried: list[Value]) -> list[Value]:
            count = builder.op("minimum", BLOCK, trips - first)
            count.hint = "count"
            low = self._lowest(first, count)
            builder.loop(0, count, 1, [], lambda k, _: self._early(low + k, k), "lane")

            def late(place: Value, carried: list[Value]) -> list[Value]:
                return self._late(low + place, place, carried)

            start, stop, step = (count - 1, -1, -1) if backwards else (0, count, 1)
            return builder.loop(start, stop, step, carried, late, "turn")

        hint = f"{self.parts.body.params[0].hint}_first"
        return builder.loop(0, trips, BLOCK, loop.inputs[3:], block, hint)

    def _lowest(self, first: Value, count: Value) -> Value:
        """The lowest of the numbers that the loop counts in a block."""
        start, stop = self.parts.loop.inputs[:2]
        if self.parts.step == 1:
            return first if start.constant == 0 else start + first
        low = start - first - (count - 1)
        if stop.constant == -1:  # no more than it is, but for whoever asks about the sign
            low = self.builder.op("maximum", low, 0)
        low.hint = "low"
        return low

    def _early(self, number: Value, place: Value) -> list[Value]:
        mapping = {self.parts.body.params[0]: number}
        for op in self.parts.early:
            compute(op, mapping, self.builder)
        for value, (array, row) in self.rows.items():
            self.builder.op("store", array, mapping[value], row, place)
        return []

    def _late(self, number: Value, place: Value, carried: list[Value]) -> list[Value]:
        body, region = self.parts.body, self.builder.region
        mapping = dict(zip(body.params, [number, *carried], strict=True))
        for value, (array, row) in self.rows.items():
            mapping[value] = self.builder.op("load", array, row, place)
            mapping[value].hint = value.hint
        for op in [*self.parts.again, *self.parts.late]:
            region.ops.append(clone_op(op, mapping))
        known = ((symbol, mapping[v]) for symbol, v in body.extents.items() if v in mapping)
        region.extents = {**dict(known), **region.extents}
        return [mapping.get(v, v) for v in body.yields]


def compute(op: Op, mapping: dict[Value, Value], builder: Builder) -> None:
    """Append a copy of an operation on several elements at once; of a branch both sides."""
    if op.name == "undefined":
        mapping[op.result] = builder.constant(0, Scalar(op.result.type.dtype))
    elif op.name != "if":
        builder.region.ops.append(clone_op(op, mapping))
    else:
        for inner in (o for region in op.regions for o in region.ops):
            compute(inner, mapping, builder)
        condition = mapping.get(op.inputs[0], op.inputs[0])
        for output, *sides in zip(op.outputs, *(r.yields for r in op.regions), strict=True):
            yes, no = (mapping.get(v, v) for v in sides)
            known = no if is_undefined(sides[0]) else yes if is_undefined(sides[1]) else None
            with builder.at(op.location):
                mapping[output] = known or builder.op("where", condition, yes, no)
            mapping[output].hint = mapping[output].hint or output.hint
