"""Integers that a branch divides, though they are known before the loop, are divided before it.

Enters: a graph of loops, all else done. Leaves: the same graph where a rest or quotient of integers
in a branch, such as `if c: s += w[(i + 1) % n, j]`, is computed before the loop if nothing in the
loop changes it. LLVM (up to 22 at least) computes it once for a vector of iterations, but only if
the first of them goes into the branch: the others then read anywhere. Compiled code divides by zero
without an error.
"""

from __future__ import annotations

from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.rewrite import remove
from adcompile.graph.types import Scalar, is_integer
from adcompile.optimize.loads import defined

_DIVIDING = frozenset({"mod", "floordiv"})


def hoist_divisions(graph: Graph) -> None:
    """Move divisions in place, out of the inner loops first."""
    for region in reversed(graph.regions):
        for loop in [op for op in region.ops if op.name in ("for", "while")]:
            own = {v for inner in loop.regions for v in defined(inner)}
            moved: list[Op] = []
            for inner in loop.regions:
                for branch in [op for op in inner.ops if op.name == "if"]:
                    _take_out(branch, own, moved)
            place = region.ops.index(loop)
            region.ops[place:place] = moved
            for inner in loop.regions:
                remove(inner, moved)


def _take_out(branch: Op, own: set[Value], moved: list[Op]) -> None:
    """Collect the divisions of a branch, and what they divide."""
    for op in branch.walk():
        if op.name in _DIVIDING and op not in moved:
            found = _makers(op, own)
            if found is not None:
                moved += [o for o in found if o not in moved]


def _makers(op: Op, own: set[Value]) -> list[Op] | None:
    """The operations of a loop that compute an integer of others from before it."""
    if op.record.scalar is None and op.name != "constant":
        return None
    numbers = all(isinstance(v.type, Scalar) for v in (*op.inputs, op.result))
    if not numbers or not is_integer(op.result.type):
        return None
    found: list[Op] = []
    for value in op.inputs:
        if value in own:
            inner = None if value.op is None else _makers(value.op, own)
            if inner is None:
                return None
            found += [o for o in inner if o not in found]
    return [*found, op]
