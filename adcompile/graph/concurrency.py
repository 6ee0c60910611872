"""Which loops can run their iterations at the same time.

Enters: a `for` of a graph of loops. Leaves: what each of several workers needs for itself, or the
reason why the iterations need their order. Iterations may share what they only read, and arrays of
which each of them touches elements of its own; they may add to common elements and numbers, each
worker to its own, if these are added up afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from adcompile.graph.aliases import Aliases
from adcompile.graph.bounds import Atom, Bounds, Sum
from adcompile.graph.folds import fold_of, is_sum
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.scratch import Scratch
from adcompile.graph.types import Array, StackOf

# what a worker cannot do, and why
ORDERED = {
    "draw": "random numbers are drawn one after the other",
    "seed": "the random numbers are seeded",
    "print": "it prints",
    "call": "it calls a function with a derivative of its own",
    "invoke": "it calls a function that calls itself",
    "scope": "it calls a function that calls itself",
    "require": "it may raise an error",
    "check_equal": "it may raise an error",
}


@dataclass
class Plan:
    """What a worker needs for itself.

    sums      arrays to which all iterations only add
    near      those of them where only near iterations meet: how far these are from each other
    scratch   arrays that every iteration fills for itself
    """

    sums: list[Value] = field(default_factory=list)
    near: dict[Value, int] = field(default_factory=dict)
    scratch: list[Value] = field(default_factory=list)


class Concurrency:
    """The answer for the loops of one graph; build it anew after a change.

    For a device workers may also fold by other operations than sums, and share an array in which
    each has elements of its own rather than have one each.
    """

    def __init__(self, graph: Graph, device: bool = False) -> None:
        self._device = device
        self.aliases = Aliases(graph)
        self.bounds = Bounds(graph)
        self._scratch = Scratch(graph, self.aliases, self.bounds)
        self._kept = set(graph.kept)
        self._home: dict[Op, Region] = {}
        self._order: dict[Value, int] = {}
        self._find_homes(graph.body)

    def _find_homes(self, region: Region) -> None:
        for value in region.params:
            self._order[value] = len(self._order)
        for op in region.ops:
            self._home[op] = region
            for value in op.outputs:
                self._order[value] = len(self._order)
            for inner in op.regions:
                self._find_homes(inner)

    def plan(self, loop: Op) -> Plan | str:
        """What workers need, or why the loop cannot be shared among them."""
        body = loop.regions[0]
        inner = list(body.walk())
        for op in inner:
            if op.name in ORDERED:
                return ORDERED[op.name]
            if op.record.library and op.name not in ("matmul", "matmul_into", "trsm"):
                return f"`{op.name}` may raise an error"
        for param, end in zip(body.params[1:], body.yields, strict=True):
            folds = fold_of(body, param, end) is not None
            if not (folds if self._device else is_sum(body, param, end)):
                return f"each iteration needs `{param.hint or 'a value'}` of the one before"
        own = {v for op in inner for v in op.outputs}
        own |= {v for op in inner for r in op.regions for v in r.params}
        plan = Plan()
        for array in sorted(self._written(inner, own), key=self._order.__getitem__):
            touching = [op for op in inner if op.name != "dim" and self._touches(op, array, own)]
            if isinstance(array.type, StackOf):
                return "it keeps values on a stack"
            if all(_only_adds(op, array) for op in touching):
                if not self._apart(touching, array, loop, own):
                    plan.sums.append(array)
                    distance = self._distance(touching, array, loop, own)
                    if distance is not None:
                        plan.near[array] = distance
            elif self._device and self._apart(touching, array, loop, own):
                continue
            elif self._scratch.is_scratch(array, loop):
                plan.scratch.append(array)
            elif self._device or not self._apart(touching, array, loop, own):
                name = array.hint or "an array"
                return f"an element of `{name}` may be used by several iterations"
        return plan

    def _written(self, inner: list[Op], own: set[Value]) -> set[Value]:
        """The arrays of the surroundings that are written, as the loop knows them."""
        found: set[Value] = set()
        for value in (v for op in inner for v in op.written):
            array = self._known_as(value, own)
            found |= {array} if array not in own else self.aliases.roots[value] - own
        return found

    def _known_as(self, value: Value, own: set[Value]) -> Value:
        """The array outside the loop of which a value inside is a view."""
        while value in own and value.op is not None and value.op.record.view:
            value = value.op.inputs[0]
        return value

    def _touches(self, op: Op, array: Value, own: set[Value]) -> bool:
        return any(self._meet(self._known_as(v, own), array) for v in op.used)

    def _meet(self, value: Value, array: Value) -> bool:
        """Whether two names may be one memory in an iteration of the loops around both."""
        return value is array or bool(self.aliases.shared_at_once(value, array))

    # -- elements of one iteration --------------------------------------------------------------

    def _apart(self, touching: list[Op], root: Value, loop: Op, own: set[Value]) -> bool:
        """Whether along one axis all indices tell one iteration from all others."""
        places = [self._places(op, root, touching) for op in touching]
        if not isinstance(root.type, Array) or None in places:
            return False
        counter = loop.regions[0].params[0]
        return any(
            self._tells(counter, [(p[axis], self._home[op]) for op, p in used], own)
            for used in [[(op, p) for op, p in zip(touching, places, strict=True) if p]]
            for axis in range(root.type.ndim)
        )

    def _distance(self, adding: list[Op], root: Value, loop: Op, own: set[Value]) -> int | None:
        """How many iterations lie between two that add to one element, at most, if that is known.

        Along one axis the indices are the counter and a number, as in a stencil.
        """
        counter = loop.regions[0].params[0]
        assert isinstance(root.type, Array)
        for axis in range(root.type.ndim):
            indices = [(op.inputs[2 + axis], self._home[op]) for op in adding]
            sums = [self.bounds.sum_of(value, region) for value, region in indices]
            gaps = [one.plus(sums[0], -1) for one in sums]
            if (
                all(self.bounds.never_negative(value, region) for value, region in indices)
                and sums[0].factors.get(counter) == 1
                and not any(_varies(a, own) for a in sums[0].factors if a is not counter)
                and not any(gap.factors for gap in gaps)
            ):
                return max(g.constant for g in gaps) - min(g.constant for g in gaps)
        return None

    def _places(self, op: Op, root: Value, touching: list[Op]) -> list[Value | None] | None:
        """The indices along the axes of an array; none for what goes through a view of it.

        None where they are not known.
        """
        rest = op.inputs[1:]
        if op.name in ("store", "accumulate_at"):
            rest = op.inputs[2:]
            if root in self.aliases.roots.get(op.inputs[1], ()):
                return None
        elif op.name == "slice":
            if op.inputs[0] is not root or any(isinstance(v.type, Array) for v in rest):
                return None
            return _pinned(op)
        elif op.name != "load":
            return self._through_view(op, root, touching)
        if op.inputs[0] is root:
            return [*rest]
        return self._through_view(op, root, touching)

    def _through_view(self, op: Op, root: Value, touching: list[Op]) -> list[Value | None] | None:
        """Nothing more to ask where each array that an operation reads is a known view."""
        for value in op.used:
            if self._meet(value, root):
                view = value.op
                if view not in touching or view is None or view.name != "slice":
                    return None
        return None if op.regions or op.name == "slice" else []

    def _tells(
        self, counter: Value, indices: list[tuple[Value | None, Region]], own: set[Value]
    ) -> bool:
        """Whether equal indices mean equal iterations."""
        sums: list[Sum] = []
        for value, region in indices:
            if value is None or not self.bounds.never_negative(value, region):
                return False  # -1 and n - 1 are one element
            sums.append(self.bounds.sum_of(value, region))
        if not sums:
            return False
        factor = sums[0].factors.get(counter, 0)
        return bool(factor) and all(
            self._same_but_for_multiples(one, other, factor, own)
            for one, other in combinations_with_replacement(sums, 2)
        )

    def _same_but_for_multiples(
        self, one: Sum, other: Sum, factor: int, own: set[Value]
    ) -> bool:  # fmt: skip
        """Whether two indices meet in no other iteration: `i` and `i`, `2 * i` and `2 * i + 1`."""
        gap = one.plus(other, -1)
        fixed = not any(_varies(atom, own) for atom in one.factors)
        return fixed and not gap.factors and (not gap.constant or gap.constant % factor != 0)


def _varies(atom: Atom, own: set[Value]) -> bool:
    return isinstance(atom, Value) and atom in own


def _only_adds(op: Op, root: Value) -> bool:
    return op.name == "accumulate_at" and op.inputs[0] is root and root not in op.inputs[1:]


def _pinned(op: Op) -> list[Value | None]:
    """For each axis of the sliced array the one index that is taken, None where there are more."""
    given = iter(op.inputs[1:])
    found: list[Value | None] = []
    for item in op.attrs["spec"]:
        if item == "index":
            found.append(next(given))
        elif item != "new":
            for _ in range(item[1] + item[2]):
                next(given)
            found.append(None)
    ndim = len(op.inputs[0].type.shape)  # type: ignore[union-attr]
    return found + [None] * (ndim - len(found))
