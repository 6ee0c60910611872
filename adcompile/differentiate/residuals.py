"""What the reverse sweep reads of the forward sweep: saved or computed again.

Enters: a graph whose reverse regions still read values of forward regions. Leaves: the same graph
with every such value made available. Index arithmetic and reads of memory that stays as it is are
computed again, and so is what takes only these and what is saved; values inside branches are handed
out of them; values inside loops go to a tape indexed by iteration, or to a growing stack where the
number of iterations is not known before.
"""

from __future__ import annotations

from adcompile.differentiate.handing import HandingOut
from adcompile.differentiate.mirror import Mirror
from adcompile.differentiate.obstacles import Obstacles, at_line
from adcompile.differentiate.snapshots import Snapshot, Snapshots, spec_of
from adcompile.differentiate.tapes import TapeSizes, index_counts
from adcompile.graph.aliases import is_view
from adcompile.graph.bounds import Bounds
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_op
from adcompile.graph.dependence import index_of
from adcompile.graph.equal import equal_values
from adcompile.graph.ir import RECORDS, Note, Op, Region, Value
from adcompile.graph.magnitude import DEAR
from adcompile.graph.prune import prune
from adcompile.graph.rewrite import replace
from adcompile.graph.types import (
    Array,
    Scalar,
    StackOf,
    is_continuous,
    is_single_precision,
    shape_of,
)
from adcompile.ops import memory

_DEAR = DEAR.keys() - {"pow"}
_OVERWRITTEN = "it is overwritten, and the reverse sweep reads what it was"


def settle(mirror: Mirror) -> None:
    """Make every forward value that the reverse sweep reads available to it."""
    for copy, op, before in mirror.snapshots.values():
        region = mirror.home[copy.result]
        region.ops.insert(region.ops.index(op) + (0 if before else 1), copy)
        if region is mirror.graph.body:
            copy.note = Note("saved", copy.inputs[0].origin, _OVERWRITTEN, op.location)
    _share_equal(mirror)
    prune(mirror.graph)  # also of the snapshots that nobody reads
    mirror.forget_pruned()
    builder = Builder(mirror.graph)
    with builder:
        _Settlement(mirror, builder).run()


def _share_equal(mirror: Mirror) -> None:
    """Let the reverse sweep read equal forward values from the first, so that one is saved."""
    forward = [op for op in mirror.graph.body.ops if op in mirror.forward]
    equal = equal_values(forward, mirror.aliases, is_continuous)
    replace(mirror.graph, {v: first for v, first in equal.items() if not is_view(v)})
    for region, reverse in mirror.reverse.items():  # an inverse, a sine is dearer than its memory
        dear = [op for op in (*region.ops, *reverse.ops) if op.record.library or op.name in _DEAR]
        replace(mirror.graph, equal_values(dear, mirror.aliases, is_continuous))


class _Settlement(TapeSizes, HandingOut):
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
        self.copies: dict[Op, Snapshot] = {}
        self._of_saved: set[Value] = set()
        self._taken: dict[Snapshot, Value] = {}
        self._views: dict[tuple[Snapshot, Value], Value] = {}
        self.mixes_precision = any(
            is_single_precision(v.type)
            for v in [*self.body.params, *(v for op in self.body.walk() for v in op.outputs)]
        )

    def run(self) -> None:
        """Rewrite all reverse regions, then insert what they need."""
        left = {inner for op in self.body.walk() for inner in op.regions}
        requested = self._requested(left)
        if self.mirror.run is None:
            known = self._known_before
            found = Snapshots(self.mirror, self.obstacles, self.bounds, known)
            self.copies = found.choose(requested)
        else:
            self.obstacles.plan(requested, ())
        self._of_saved.update(self.obstacles.saved)
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

    def _requested(self, left: set[Region]) -> list[Value]:
        """The values in loops that the reverse regions read, in the order of the forward sweep."""
        home = self.mirror.home
        read: set[Value] = set()
        for reverse in left.intersection(self.mirror.reverse.values()):
            read.update(reverse.yields)
            for op in reverse.walk():
                read.update(op.used)
        forward = (o for op in self.body.ops if op in self.mirror.forward for o in op.walk())
        known: dict[Value, None] = {}
        for op in forward:
            known.update(dict.fromkeys([v for region in op.regions for v in region.params]))
            known.update(dict.fromkeys(op.outputs))
        return [v for v in known if v in read and v in home and self.mirror.loops(home[v])]

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
            return self._resolve(self.mirror.index[value])
        if value in self.mirror.extrema:
            return self._best_so_far(value, home)
        if value in self.mirror.found:
            return self._resolve(self.mirror.found[value])
        if value in self.mirror.known:
            return self._known_condition(value, home)
        if self.obstacles.of(value) is None:
            return self._again(value, home)
        if self.mirror.run is not None:
            return self._push(value, home)
        owner, outer = self.mirror.parents[home]
        once = self.mirror.is_single(home)
        number = isinstance(value.type, Scalar)
        if owner.name == "if" and ((once and number) or not self.mirror.loops(home)):
            return self._resolve(self._hand_out(value, owner, home, outer))
        if once and number:
            return self._resolve(self._carry_out(value, owner, home, outer))
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
                done = self._resolve(index) - start
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
        if value.op in self.copies:
            mapping = self._of_copy(value.op)
        else:
            mapping = {v: self._resolve(v) for v in value.op.inputs}
        copy = clone_op(value.op, mapping)
        if isinstance(value.type, Scalar) and value.constant is None and value.op.name != "dim":
            copy.note = Note("recomputed", value.origin, self._suffices(value.op), value.location)
        self.front.setdefault(self.mirror.reverse_of(home), []).append(copy)
        return copy.result

    def _suffices(self, op: Op) -> str:
        """What it takes to compute a value again."""
        if op in self.copies or any(v in self._of_saved for v in op.inputs):
            self._of_saved.update(op.outputs)
            return "indices, memory that stays as it is, and what is saved suffice"
        return "indices, and memory that stays as it is, suffice"

    def _of_copy(self, load: Op) -> dict[Value, Value]:
        """What a read of an element becomes one of a copy of its array with."""
        snapshot = self.copies[load]
        array = load.inputs[0]
        mapping = {v: self._resolve(v) for v in load.inputs[1:]}
        views = [array]
        while views[-1] is not snapshot.array:
            assert views[-1].op is not None
            views.append(views[-1].op.inputs[0])
        copied = self._resolve(self._copy(snapshot))
        for view in reversed(views[:-1]):
            key = (snapshot, view)
            if key not in self._views:
                assert view.op is not None
                places = {v: self._resolve(v) for v in view.op.inputs[1:]}
                again = clone_op(view.op, {snapshot.array: copied, **places})
                again.inputs[0] = copied
                reverse = self.mirror.reverse_of(self.mirror.home[view])
                self.front.setdefault(reverse, []).append(again)
                self._views[key] = again.result
            copied = self._views[key]
        return {**mapping, array: copied}

    def _copy(self, snapshot: Snapshot) -> Value:
        """The copy, taken before the loops that read the array."""
        if snapshot not in self._taken:
            region, array = snapshot.region, snapshot.array
            builder, place = self.builder, snapshot.before.location
            with builder.inside(region), builder.inside(Region()) as made, builder.at(place):
                part = self._part(array, snapshot)
                self._taken[snapshot] = copy = builder.op("copy", part)
            for value in {part, copy} - {array}:
                value.hint, value.named = array.hint, array.named
            assert copy.op is not None
            self.mirror.snapshots[copy] = (copy.op, snapshot.before, True)
            position = region.ops.index(snapshot.before)
            region.ops[position:position] = made.ops
            region.extents = {**made.extents, **region.extents}
            self.mirror.home.update({v: region for op in made.ops for v in op.outputs})
            if region is self.body:
                self.mirror.forward.update(made.ops)
                copy.op.note = Note("saved", array.origin, _OVERWRITTEN, place)
        return self._taken[snapshot]

    def _part(self, array: Value, snapshot: Snapshot) -> Value:
        """The first rows and columns of an array; it may have fewer than loops could read."""
        if not any(snapshot.stops):
            return array
        assert isinstance(array.type, Array)
        places, shape = [], list(array.type.shape)
        for axis, stop in enumerate(snapshot.stops):
            if stop is not None:
                place = self._from_sum(stop)
                if not self.bounds.sum_never_negative(stop, self.mirror.graph.body):
                    place = self.builder.op("maximum", place, 0)
                places.append(place)
                whole = self._extent(shape[axis], snapshot.region)
                shape[axis] = self.builder.dim_of(self.builder.op("minimum", place, whole))
        part = Value(Array(array.type.dtype, tuple(shape), "A"))
        attrs = {"spec": spec_of(snapshot.stops)}
        self.builder.region.ops.append(Op(RECORDS["slice"], [array, *places], attrs, [part]))
        return part

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
        loop, position, found = self.mirror.extrema[value]
        index = self._resolve(loop.regions[0].params[0])
        first, best, initial = (
            self._resolve(v) for v in (found, loop.outputs[position], loop.inputs[3 + position])
        )
        with self.builder.inside(Region()) as made:
            behind = self.builder.op("gt", index, first)
            if loop in self.mirror.winners:  # which runs the last iteration alone for a NaN
                behind = self.builder.op("logical_or", behind, self.builder.op("ne", best, best))
            result: Value = self.builder.op("where", behind, best, initial)
        result.hint, result.named = value.hint, value.named
        self.front.setdefault(self.mirror.reverse_of(home), []).extend(made.ops)
        return result

    def _known_condition(self, value: Value, home: Region) -> Value:
        """What decided for the one iteration that is reversed."""
        assert isinstance(value.type, Scalar)
        with self.builder.inside(Region()) as made:
            known = self.builder.constant(self.mirror.known[value], value.type)
        self.front.setdefault(self.mirror.reverse_of(home), []).extend(made.ops)
        return known

    # -- saving ---------------------------------------------------------------------------------

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
        reverse = self.mirror.reverse_of(home)
        with self.builder.inside(Region()) as loading:
            place = [
                self._position(op, self._resolve(region.params[0]), again=True)
                for op, region in loops
            ]
            saved = self._read_tape(tape, place, value)
        self.front.setdefault(reverse, []).extend(loading.ops)
        reverse.extents = {**loading.extents, **reverse.extents}
        return saved

    def _write_tape(self, tape: Value, place: list[Value], value: Value) -> None:
        if value in self.mirror.snapshots:  # what is copied to the tape needs no other copy
            value = self.mirror.snapshots[value][0].inputs[0]
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
            self.builder.op("push", stack, self._unshared(value))
        self._insert_after(value, home, saving.ops)
        with self.builder.inside(Region()) as loading:
            saved: Value = self.builder.op("pop", stack, type=value.type)
        saved.hint, saved.named = value.hint, True
        reverse = self.mirror.reverse_of(home)
        self.front.setdefault(reverse, []).extend(loading.ops)
        reverse.extents = {**loading.extents, **reverse.extents}
        return saved

    def _unshared(self, value: Value) -> Value:
        """A copy of what a later iteration, or the caller, may write."""
        aliases, run = self.mirror.aliases, self.mirror.run
        results = run.yields if run is not None else []
        given = (r for v in results for r in aliases.roots.get(v, ()))
        shown = aliases.roots.get(value, frozenset()) & {*aliases.written, *given}
        copy: Value = self.builder.op("copy", value) if shown else value
        return copy

    def _push(self, value: Value, home: Region) -> Value:
        """Save on a stack that the runs of a procedure share.

        Runs inside this one use the stack, too: so it is the last that a region does, and the first
        that its reverse undoes.
        """
        stack = Value(StackOf(value.type), f"{value.hint or 't'}_stack", True)  # type: ignore[arg-type]
        stack.location = value.location
        self.mirror.stacks.append(stack)
        with self.builder.inside(home), self.builder.at(value.location):
            self.builder.op("push", stack, self._unshared(value))
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
        self.mirror.home.update({v: home for op in ops for v in op.outputs})
