"""What a loop hands to its next iteration is computed before what it got of the last one is used.

Enters: a graph of loops. Leaves: the same graph where innermost loops whose iterations wait for
the last one, but for no earlier one, as in `b[i] = last + p * a[i]; last = q * a[i]`, compute the
number that they hand on first. LLVM (22) computes several iterations at once in this order only,
where the loop adds to a sum as well.
"""

from __future__ import annotations

from adcompile.graph.aliases import Aliases
from adcompile.graph.ir import Graph, Op, Region, Value
from adcompile.graph.types import Scalar
from adcompile.optimize.distribute import is_innermost

# what a load may come before, beside arithmetic
_PASSED = frozenset({"load", "store", "accumulate_at", "constant", "dim", "if"})


def order_recurrences(graph: Graph) -> None:
    """Move operations in place."""
    loops = [op for op in graph.body.walk() if op.name == "for" and is_innermost(op)]
    if any(op.outputs for op in loops):
        aliases = Aliases(graph)
        for loop in loops:
            body = loop.regions[0]
            for param, end in zip(body.params[1:], body.yields, strict=True):
                if isinstance(end.type, Scalar) and end.op in body.ops:
                    _order(body, param, end, aliases)


def _order(body: Region, param: Value, end: Value, aliases: Aliases) -> None:
    """Compute what is handed on before its last value is used, if it does not depend on that."""
    uses = [k for k, op in enumerate(body.ops) if any(param in o.used for o in op.walk())]
    makers = _makers(body, end)
    if not uses or any(param in op.inputs for op in makers):
        return
    before, after = body.ops[: uses[0]], body.ops[uses[0] :]
    late = [op for op in makers if op in after]
    if all(_may_be_earlier(op, after, aliases) for op in late):
        body.ops = [*before, *late, *(op for op in after if op not in late)]
        if not end.named:
            end.hint, end.named = param.hint, True  # an expression of its own, in its place


def _makers(body: Region, end: Value) -> list[Op]:
    """The operations of a region that a value is computed by, in their order."""
    needed, found = {end}, []
    for op in reversed(body.ops):
        if not needed.isdisjoint(op.outputs):
            found.append(op)
            needed.update(v for inner in op.walk() for v in inner.used)
    return found[::-1]


def _may_be_earlier(op: Op, after: list[Op], aliases: Aliases) -> bool:
    """Whether an operation has the same result before others."""
    if op.name != "load":
        return op.record.scalar is not None or op.name in ("constant", "dim")
    before = [inner for other in after[: after.index(op)] for inner in other.walk()]
    if not all(o.record.scalar is not None or o.name in _PASSED for o in before):
        return False  # an error that is raised before keeps the index in its bounds
    written = [v for o in before for v in o.written]
    return not any(aliases.shared_at_once(v, op.inputs[0]) for v in written)
