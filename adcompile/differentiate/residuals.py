"""What the reverse sweep reads of the forward sweep: saved or computed again.

Enters: a graph whose reverse regions still read values of forward regions. Leaves: the same graph
with every such value made available. Index arithmetic and reads of memory that stays as it is are
computed again; values inside branches are handed out of them; values inside loops go to a tape
indexed by iteration, or to a growing stack where the number of iterations is not known before.
"""

from __future__ import annotations

from adcompile.differentiate.extrema import Extremum, search
from adcompile.differentiate.obstacles import Obstacles, at_line
from adcompile.differentiate.tapes import TapeSizes, index_counts
from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import index_of
from adcompile.graph.ir import RECORDS, Graph, Note, Op, Region, Value
from adcompile.graph.prune import prune
from adcompile.graph.types import Array, Scalar, StackOf, is_single_precision, shape_of
from adcompile.ops import memory

_OVERWRITTEN = "it is overwritten, and the reverse sweep reads what it was"


class Mirror:
    """Pairs every forward region with its reverse, and remembers snapshots of written arrays.

    `run` is the region of one run of a procedure: what its reverse reads of it goes to `stacks`,
    which all runs share.
    """

    def __init__(self, graph: Graph, aliases: Aliases, run: Region | None = None) -> None:
        self.graph = graph
        self.run = run
        self.stacks: list[Value] = []
        self.aliases = aliases
        self.home = dict(aliases.home)
        self.reverse: dict[Region, Region] = {}
        self.index: dict[Value, Value] = {}
        self.parents: dict[Region, tuple[Op, Region]] = {}
        self.extrema: dict[Value, tuple[Extremum, Value]] = {}
        self.snapshots: dict[Value, tuple[Op, Op, bool]] = {}
        self.forward = set(graph.body.ops)
        self._snapshot_of: dict[tuple[Op, Value], Value] = {}
        self._find_parents(graph.body)

    def _find_parents(self, region: Region) -> None:
        for op in region.ops:
            for inner in op.regions:
                self.parents[inner] = (op, region)
                self._find_parents(inner)

    def reverse_of(self, region: Region) -> Region:
        """The reverse region that runs once for every run of `region`."""
        return region if region is self.graph.body else self.reverse[region]

    def forget_pruned(self) -> None:
        """Forget the reverse regions that no result needs; they read nothing."""
        left = {region for op in self.graph.body.walk() for region in op.regions}
        self.reverse = {region: r for region, r in self.reverse.items() if r in left}

    def loops(self, region: Region) -> list[tuple[Op, Region]]:
        """The loops around a region from the outside, each with its body."""
        found: list[tuple[Op, Region]] = []
        while region is not self.graph.body:
            owner, outer = self.parents[region]
            if owner.name in ("for", "while"):
                found.insert(0, (owner, region))
            region = outer
        return found

    def pair(
        self,
        region: Region,
        reverse: Region,
        index: Value | None = None,
        reverse_index: Value | None = None,
    ) -> None:
        """Declare a reverse region, and for loops the value that repeats the index."""
        self.reverse[region] = reverse
        reverse.same, reverse.extents = dict(region.same), dict(region.extents)
        if index is not None and reverse_index is not None:
            self.index[index] = reverse_index

    def contents(self, op: Op) -> tuple[list[Value], list[Value]]:
        """Inputs and outputs as they were when `op` ran: snapshots where they are overwritten."""
        inputs = [self._content(op, v, before=True) for v in op.inputs]
        return inputs, [self._content(op, v, before=False) for v in op.outputs]

    def _content(self, op: Op, value: Value, before: bool) -> Value:
        if not isinstance(value.type, Array) or not self.aliases.may_be_written_after(op, value):
            return value
        key = (op, value)
        if key not in self._snapshot_of:
            snapshot = Value(Array(value.type.dtype, value.type.shape), value.hint)
            copy = Op(RECORDS["copy"], [value], {}, [snapshot], location=op.location)
            self.snapshots[snapshot] = (copy, op, before)
            self.home[snapshot] = self._region_of(op)
            self._snapshot_of[key] = snapshot
        return self._snapshot_of[key]

    def _region_of(self, op: Op) -> Region:
        if op.outputs:
            return self.aliases.home[op.outputs[0]]
        for region in [self.graph.body, *self.parents]:
            if op in region.ops:
                return region
        raise AssertionError(op)

    def trip_count(self, op: Op, builder: Builder) -> Value:
        """How often a `for` runs."""
        start, stop, step = op.inputs[:3]
        return self.count(start, stop, step, builder)

    def count(self, start: Value, stop: Value, step: Value, builder: Builder) -> Value:
        """The number of items of a range."""
        by = step.constant
        assert isinstance(by, int)
        span = stop - start + (by - 1 if by > 0 else by + 1)
        count: Value = builder.op("maximum", builder.op("floordiv", span, by), 0)
        return count

    def count_iterations(self, op: Op, builder: Builder) -> Value:
        """Make a `while` count its iterations; gives the count."""
        body, test = op.regions
        place = self._region_of(op)
        zero = builder.constant(0)
        zero_op = builder.region.ops.pop()
        place.ops.insert(place.ops.index(op), zero_op)
        count, again, result = (
            Value(Scalar("int64", weak=True), "count", named=True) for _ in range(3)
        )
        with builder.inside(body):
            following = count + 1
        following.hint, following.named = "count", True
        op.inputs.append(zero)
        body.params.append(count)
        test.params.append(again)
        body.yields.append(following)
        op.outputs.append(result)
        result.op = op
        self.home.update({zero: place, count: body, result: place})
        return result

    def find_extremum(self, extremum: Extremum, builder: Builder) -> tuple[Value, Value]:
        """Make a loop find the first and the last iteration that read what it looked for."""
        loop = extremum.loop
        place = self._region_of(loop)
        with builder.inside(Region()) as made, builder.at(loop.location):
            first, last = search(extremum, builder)
        position = place.ops.index(loop) + 1
        place.ops[position:position] = made.ops
        self.home.update({v: place for op in made.ops for v in op.outputs})
        if place is self.graph.body:
            self.forward.update(made.ops)
        self.extrema[extremum.param] = extremum, first
        return first, last


def settle(mirror: Mirror) -> None:
    """Make every forward value that the reverse sweep reads available to it."""
    for copy, op, before in mirror.snapshots.values():
        region = mirror.home[copy.result]
        region.ops.insert(region.ops.index(op) + (0 if before else 1), copy)
        if region is mirror.graph.body:
            copy.note = Note("saved", copy.inputs[0].origin, _OVERWRITTEN, op.location)
    prune(mirror.graph)  # also of the snapshots that nobody reads
    mirror.forget_pruned()
    builder = Builder(mirror.graph)
    with builder:
        _Settlement(mirror, builder).run()


class _Settlement(TapeSizes):
    """The save-or-recompute decisions of one reverse sweep."""

    def __init__(self, mirror: Mirror, builder: Builder) -> None:
        self.mirror = mirror
        self.builder = builder
        self.body = mirror.graph.body
        self.available: dict[Value, Value] = {}
        self.front: dict[Region, list[Op]] = {}
        self.before_loop: dict[Op, list[Op]] = {}
        self._at_body: dict[tuple[Op, Value], Value | None] = {}
        self.bounds = Bounds(mirror.graph)
        self.obstacles = Obstacles(mirror, self._counter)
        self.mixes_precision = any(
            is_single_precision(v.type)
            for v in [*self.body.params, *(v for op in self.body.walk() for v in op.outputs)]
        )

    def run(self) -> None:
        """Rewrite all reverse regions, then insert what they need."""
        left = {inner for op in self.body.walk() for inner in op.regions}
        for reverse in self.mirror.reverse.values():
            if reverse in left:  # what a region wants that was pruned is pruned, too
                self._rewrite(reverse)
        self._rewrite_body()
        for region, reverse in self.mirror.reverse.items():
            reverse.extents = {
                s: self.available.get(v, v)
                for s, v in reverse.extents.items()
                if self.mirror.home.get(v) is not region or v in self.available
            }
        for region, ops in self.front.items():
            region.ops[:0] = ops
        for loop, ops in self.before_loop.items():
            position = self.body.ops.index(loop)
            self.body.ops[position:position] = ops

    def _rewrite(self, region: Region) -> None:
        for op in region.ops:
            self._note_kept(op)
            op.inputs = [self._resolve(v) for v in op.inputs]
            for inner in op.regions:
                if inner not in self.mirror.reverse.values():
                    self._rewrite(inner)
        region.yields = [self._resolve(v) for v in region.yields]

    def _rewrite_body(self) -> None:
        for op in list(self.body.ops):
            if op not in self.mirror.forward:
                self._note_kept(op)
            op.inputs = [self._resolve(v) for v in op.inputs]
        self.body.yields = [self._resolve(v) for v in self.body.yields]

    def _note_kept(self, reader: Op) -> None:
        for value in reader.inputs if reader.name != "dim" else ():
            while value.op is not None and value.op.record.view:
                value = value.op.inputs[0]
            made = value.op
            if made in self.mirror.forward and isinstance(value.type, Array) and not made.note:
                because = f"the reverse sweep reads it {at_line(reader)}"
                made.note = Note("kept", value.origin, because, value.location)

    def _resolve(self, value: Value) -> Value:
        home = self.mirror.home.get(value)
        if home is None or home is self.body:
            return value
        if value not in self.available:
            self.available[value] = self._make_available(value, home)
        return self.available[value]

    def _make_available(self, value: Value, home: Region) -> Value:
        if value in self.mirror.index:
            return self.mirror.index[value]
        if value in self.mirror.extrema:
            return self._best_so_far(value, home)
        if self.obstacles.of(value) is None:
            return self._again(value, home)
        if self.mirror.run is not None:
            return self._push(value, home)
        owner, outer = self.mirror.parents[home]
        if owner.name == "if" and not self.mirror.loops(home):
            return self._resolve(self._hand_out(value, owner, home, outer))
        return self._tape(value, home)

    # -- computing again ------------------------------------------------------------------------

    def _saved(self, value: Value, home: Region) -> Note:
        """Why and for which loops a value is saved."""
        what = value
        culprit, reason = self.obstacles.of(value) or (value, "is read by the reverse sweep")
        if value in self.mirror.snapshots:
            what, because = self.mirror.snapshots[value][0].inputs[0], _OVERWRITTEN
        elif culprit is value:
            because = f"it {reason}"
        else:
            because = f"it depends on `{culprit.origin}`, which {reason}"
        loops = self.mirror.loops(home)
        place = value.location or loops[-1][0].location
        return Note("saved", what.origin, because, place, tuple(op.location for op, _ in loops))

    def _counter(self, value: Value) -> tuple[Op, Region, int, int] | None:
        """The loop that counts with an integer, its home, which carried value, and the step.

        The value is what it was before the loop, and one step for each iteration since.
        """
        found = self.bounds.carried(value)
        if found is None:
            return None
        op, k = found
        step = self.bounds.step(op, k)
        if step is None:
            return None
        home = next(outer for owner, outer in self.mirror.parents.values() if owner is op)
        return op, home, k, step

    def _count(self, value: Value, home: Region) -> Value:
        """What a counting integer is in the iteration at hand."""
        counter = self._counter(value)
        assert counter is not None
        op, _, k, step = counter
        first = self._resolve(op.inputs[3 + k])
        with self.builder.inside(Region()) as made:
            index = op.regions[0].params[0]
            if value in op.outputs:
                start, stop, by = (self._resolve(v) for v in op.inputs[:3])
                done = self.mirror.count(start, stop, by, self.builder)
            else:
                start, by = self._resolve(op.inputs[0]), op.inputs[2]
                done = self.mirror.index[index] - start
                if by.constant != 1:
                    done = self.builder.op("floordiv", done, by.constant)
            result: Value = first + (done if step == 1 else done * step)
        result.hint, result.named = value.hint, value.named
        self.front.setdefault(self.mirror.reverse_of(home), []).extend(made.ops)
        return result

    def _again(self, value: Value, home: Region) -> Value:
        if self._counter(value) is not None:
            return self._count(value, home)
        if value in self.obstacles.stored:
            return self._read_back(value, home)
        assert value.op is not None
        mapping = {v: self._resolve(v) for v in value.op.inputs}
        copy = clone_op(value.op, mapping)
        if isinstance(value.type, Scalar) and value.constant is None and value.op.name != "dim":
            because = "indices, and memory that stays as it is, suffice"
            copy.note = Note("recomputed", value.origin, because, value.location)
        self.front.setdefault(self.mirror.reverse_of(home), []).append(copy)
        return copy.result

    def _read_back(self, value: Value, home: Region) -> Value:
        """The value from where the program itself stored it."""
        store = self.obstacles.stored[value]
        array, place = self._resolve(store.inputs[0]), [self._resolve(v) for v in index_of(store)]
        with self.builder.inside(Region()) as made, self.builder.at(value.location):
            found = self._read_tape(array, place, value)
        because = f"`{store.inputs[0].origin}` has it"
        made.ops[0].note = Note("recomputed", value.origin, because, value.location)
        self.front.setdefault(self.mirror.reverse_of(home), []).extend(made.ops)
        return found

    def _best_so_far(self, value: Value, home: Region) -> Value:
        """What compares to an element as the best of the elements before it does."""
        extremum, found = self.mirror.extrema[value]
        loop = extremum.loop
        index = self.mirror.index[loop.regions[0].params[0]]
        first, best, initial = (
            self._resolve(v)
            for v in (found, loop.outputs[extremum.position], loop.inputs[3 + extremum.position])
        )
        with self.builder.inside(Region()) as made:
            result: Value = self.builder.op(
                "where", self.builder.op("gt", index, first), best, initial
            )
        result.hint, result.named = value.hint, value.named
        self.front.setdefault(self.mirror.reverse_of(home), []).extend(made.ops)
        return result

    # -- saving ---------------------------------------------------------------------------------

    def _hand_out(self, value: Value, owner: Op, home: Region, outer: Region) -> Value:
        """A further output of an `if`: the value where its side ran, undefined elsewhere."""
        for region in owner.regions:
            if region is home:
                region.yields.append(value)
            else:
                with self.builder.inside(region):
                    region.yields.append(self.builder.op("undefined", type=value.type))
        output = Value(value.type, value.hint, value.named)
        output.op, output.location = owner, value.location
        owner.outputs.append(output)
        self.mirror.home[output] = outer
        return output

    def _outermost(self, home: Region) -> Op:
        region = home
        while True:
            owner, region = self.mirror.parents[region]
            if region is self.body:
                return owner

    def _tape(self, value: Value, home: Region) -> Value:
        outermost = self._outermost(home)
        sizes = self._tape_sizes(value, home, outermost)
        if sizes is None:
            return self._stack(value, home, outermost)
        with self.builder.inside(Region()) as made:
            own = shape_of(value.type)
            loops_only = sizes[: len(sizes) - len(own)]
            shape = (*(self.builder.dim_of(size) for size in loops_only), *own)
            tape = self.builder.op("empty", *sizes, dtype=value.type.dtype, shape=shape)
        tape.op.note = self._saved(value, home)
        self.before_loop.setdefault(outermost, []).extend(made.ops)
        self.body.extents = {**made.extents, **self.body.extents}
        tape.hint, tape.named = f"{value.hint or 't'}_tape", True
        loops = self.mirror.loops(home)
        with self.builder.inside(Region()) as saving:
            place = [self._position(op, region.params[0]) for op, region in loops]
            self._write_tape(tape, place, value)
        self._insert_after(value, home, saving.ops)
        home.extents = {**saving.extents, **home.extents}
        reverse = self.mirror.reverse_of(home)
        with self.builder.inside(Region()) as loading:
            place = [
                self._position(op, self.mirror.index[region.params[0]], again=True)
                for op, region in loops
            ]
            saved = self._read_tape(tape, place, value)
        self.front.setdefault(reverse, []).extend(loading.ops)
        reverse.extents = {**loading.extents, **reverse.extents}
        return saved

    def _write_tape(self, tape: Value, place: list[Value], value: Value) -> None:
        if isinstance(value.type, Scalar):
            self.builder.op("store", tape, value, *place)
        else:
            self.builder.op("assign", self._row(tape, place), value)

    def _read_tape(self, tape: Value, place: list[Value], value: Value) -> Value:
        if isinstance(value.type, Scalar):
            saved: Value = self.builder.op("load", tape, *place)
            if value.type.weak and self.mixes_precision:
                saved = self.builder.op("cast", saved, dtype=value.type.dtype, weak=True)
        else:
            saved = self._row(tape, place)
        saved.hint, saved.named = value.hint, value.named
        return saved

    def _row(self, tape: Value, place: list[Value]) -> Value:
        rest = len(shape_of(tape.type)) - len(place)
        spec = ("index",) * len(place) + (memory.FULL,) * rest
        row: Value = self.builder.op("slice", tape, *place, spec=spec)
        return row

    def _position(self, loop: Op, index: Value, again: bool = False) -> Value:
        start, stop, step = (self._resolve(v) if again else v for v in loop.inputs[:3])
        if index_counts(start, stop, step):
            return index
        offset = index - start
        by = step.constant
        return offset if by == 1 else self.builder.op("floordiv", offset, by)  # type: ignore[no-any-return]

    def _stack(self, value: Value, home: Region, outermost: Op) -> Value:
        with self.builder.inside(Region()) as made:
            stack = self.builder.op("stack", type=StackOf(value.type))  # type: ignore[arg-type]
        stack.hint, stack.named = f"{value.hint or 't'}_stack", True
        stack.op.note = self._saved(value, home)
        self.before_loop.setdefault(outermost, []).extend(made.ops)
        with self.builder.inside(Region()) as saving:
            self.builder.op("push", stack, value)
        self._insert_after(value, home, saving.ops)
        with self.builder.inside(Region()) as loading:
            saved: Value = self.builder.op("pop", stack, type=value.type)
        saved.hint, saved.named = value.hint, True
        reverse = self.mirror.reverse_of(home)
        self.front.setdefault(reverse, []).extend(loading.ops)
        reverse.extents = {**loading.extents, **reverse.extents}
        return saved

    def _push(self, value: Value, home: Region) -> Value:
        """Save on a stack that the runs of a procedure share.

        Runs inside this one use the stack, too: so it is the last that a region does, and the first
        that its reverse undoes.
        """
        stack = Value(StackOf(value.type), f"{value.hint or 't'}_stack", True)  # type: ignore[arg-type]
        stack.location = value.location
        self.mirror.stacks.append(stack)
        with self.builder.inside(home), self.builder.at(value.location):
            self.builder.op("push", stack, value)
        with self.builder.inside(Region()) as loading:
            saved: Value = self.builder.op("pop", stack, type=value.type)
        saved.hint, saved.named = value.hint, True
        reverse = self.mirror.reverse_of(home)
        self.front.setdefault(reverse, []).extend(loading.ops)
        reverse.extents = {**loading.extents, **reverse.extents}
        return saved

    def _insert_after(self, value: Value, home: Region, ops: list[Op]) -> None:
        aliases = self.mirror.aliases
        if aliases.roots.get(value, frozenset()) & aliases.written:
            position = len(home.ops)  # what is read of it is what its last write left
        else:
            position = 0 if value.op is None else home.ops.index(value.op) + 1
        for op in ops:
            if op.location is None and value.op is not None:
                op.location = value.op.location
        home.ops[position:position] = ops
