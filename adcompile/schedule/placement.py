"""What of a graph of loops runs where: on the host, or on the device.

Enters: a graph of loops. Leaves: for each operation outside kernels one of "host" (sizes, memory,
loops that start kernels), "kernel" (a loop whose iterations stand alone), "serial" (numbers that
depend on elements of arrays: one block computes them) and "product" (a matrix product); and the
numbers that are on the device. What is none of these is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from adcompile.errors import Location, UnsupportedOperation
from adcompile.graph.concurrency import Concurrency, Plan
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Array, Scalar

_MEMORY = frozenset(
    {"empty", "full", "dim", "slice", "reshape", "transpose", "array_constant", "undefined"}
)
_ELEMENTS = frozenset({"load", "store", "accumulate_at"})
_KNOWN = _MEMORY | _ELEMENTS | {
    "constant", "cast", "for", "while", "if", "require", "check_equal", "matmul_into", "where",
    "complex", "real", "imag",
}  # fmt: skip
_UNKNOWN = frozenset({"spacing", "nextafter"})  # they have no function on the device
_REFUSED = {
    "nonzero": "the size of its result depends on the elements",
    "draw": "random numbers are drawn on the host",
    "seed": "random numbers are drawn on the host",
    "print": "the device does not print",
    "invoke": "it calls itself",
    "stack": "values are kept on a stack that grows while the loop runs",
}
_NO_KERNEL = 'target="cuda" has no kernel for this'


class Placement:
    """The answer for one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.known = graph, Concurrency(graph, device=True)
        self.kinds: dict[Op, str] = {}
        self.plans: dict[Op, Plan] = {}
        self.on_device: set[Value] = set()
        while True:
            count = len(self.on_device)
            self.kinds.clear()
            self._region(graph.body)
            if len(self.on_device) == count:
                break

    def _region(self, region: Region) -> None:
        for op in region.ops:
            kind = self._kind(op)
            self.kinds[op] = kind
            if kind in ("kernel", "serial"):
                self.on_device |= {v for v in op.outputs if isinstance(v.type, Scalar)}

    def _kind(self, op: Op) -> str:
        self._refuse(op)
        if op.name == "matmul_into":
            return "product"
        if op.name == "for":
            return self._for(op)
        if op.name == "while":
            return self._while(op)
        if op.name == "if":
            return self._if(op)
        if op.name in _ELEMENTS:
            return "serial"
        filled = op.name == "full" and op.inputs[0] in self.on_device
        if (op.name in _MEMORY and not filled) or not self._any_on_device(op.inputs):
            return "host"
        if op.name in ("require", "check_equal") or any(
            isinstance(v.type, Array) for v in [*op.inputs, *op.outputs]
        ):
            raise _refusal(op, "it depends on numbers that only the device knows")
        return "serial"

    def _refuse(self, op: Op) -> None:
        """Raise UnsupportedOperation for what neither a kernel nor the function around it does."""
        if op.name in _REFUSED:
            place = op.location or self._first_use(op)
            raise _refusal(op, _REFUSED[op.name], place=place)
        computes = op.record.scalar is not None or op.record.kernel is not None
        if op.record.library or op.name in _UNKNOWN or not (computes or op.name in _KNOWN):
            raise _refusal(op, f"`{op.name}` is a library routine")

    def _first_use(self, op: Op) -> Location | None:
        """Where the user wrote what needs the result of an operation."""
        found = (o.location for o in self.graph.body.walk() if set(op.outputs) & set(o.inputs))
        return next((place for place in found if place is not None), None)

    def _any_on_device(self, values: Iterable[Value]) -> bool:
        return any(v in self.on_device for v in values)

    # -- loops and branches ---------------------------------------------------------------------

    def _for(self, op: Op) -> str:
        if self._any_on_device(op.inputs[:3]):
            raise _refusal(op, "the device would have to tell the host how often it runs")
        plan = self.plans.get(op) or self.known.plan(op)
        inner = list(op.regions[0].walk())
        if isinstance(plan, Plan) and not any(o.name == "matmul_into" for o in inner):
            for other in inner:
                self._refuse(other)
            self.plans[op] = plan
            return "kernel"
        self._carried(op, 3)
        self._region(op.regions[0])
        self._carried(op, 3)
        kinds = {self.kinds.get(o) for o in inner}
        if "serial" in kinds and not kinds & {"kernel", "product"}:
            raise _refusal(op, str(plan), "nothing inside it is done for many elements at once")
        return "host"

    def _while(self, op: Op) -> str:
        self._carried(op, 0)
        for region in op.regions:
            self._region(region)
        self._carried(op, 0)
        if self._any_on_device(op.regions[1].yields):
            raise _refusal(op, "the device would have to tell the host when to stop")
        return "host"

    def _carried(self, op: Op, skip: int) -> None:
        """What a loop of the host carries is on the device if any of it is."""
        first = 1 if op.name == "for" else 0
        for k, output in enumerate(op.outputs):
            params = [r.params[k + (first if r is op.regions[0] else 0)] for r in op.regions]
            same = [op.inputs[skip + k], op.regions[0].yields[k], output, *params]
            if isinstance(output.type, Scalar) and self._any_on_device(same):
                self.on_device |= {output, *params}

    def _if(self, op: Op) -> str:
        if op.inputs[0] in self.on_device:
            for inner in op.walk():
                if inner.name in ("for", "while", "empty", "full") or inner.record.library:
                    raise _refusal(op, "the device would have to tell the host what to do next")
            return "serial"
        for region in op.regions:
            self._region(region)
        inside = [o for r in op.regions for o in r.walk()]
        if any(self.kinds.get(o) == "serial" for o in inside) and all(map(_is_of_numbers, inside)):
            return "serial"
        for k, output in enumerate(op.outputs):
            if isinstance(output.type, Scalar):
                if self._any_on_device(r.yields[k] for r in op.regions):
                    self.on_device.add(output)
        return "host"


def _is_of_numbers(op: Op) -> bool:
    loop = op.name in ("for", "while")
    return not loop and not any(isinstance(v.type, Array) for v in op.outputs)


def _refusal(op: Op, *why: str, place: Location | None = None) -> UnsupportedOperation:
    return UnsupportedOperation(
        f"{_NO_KERNEL}: {', and '.join(why)}", place or op.location,
        'use target="cpu", or write it with whole arrays or a loop whose iterations stand alone',
    )  # fmt: skip
