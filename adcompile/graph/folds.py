"""What a loop carries only to fold into it: sums, largest and smallest elements.

Enters: a region, a number that it carries, and the number at its end. Leaves: whether the region
does nothing with it but add to it, or take the larger or the smaller of it and something else.
"""

from __future__ import annotations

from adcompile.graph.ir import Op, Region, Value
from adcompile.graph.types import Scalar, is_continuous

_SUM = frozenset({"add", "sub"})
_FOLDS = {
    "sum": _SUM,
    "product": frozenset({"mul"}),
    "maximum": frozenset({"maximum"}),
    "minimum": frozenset({"minimum"}),
    "any": frozenset({"logical_or"}),
    "all": frozenset({"logical_and"}),
}


def is_sum(region: Region, param: Value, end: Value) -> bool:
    """Whether a region only adds to a carried float, and reads it for nothing else."""
    return is_continuous(param.type) and _folds(region, param, end, _SUM)


def is_fold(region: Region, param: Value, end: Value) -> bool:
    """Whether a region only folds into a carried number by one operation that has no order."""
    return fold_of(region, param, end) in ("sum", "maximum", "minimum")


def fold_of(region: Region, param: Value, end: Value) -> str | None:
    """The name of the operation by which a region only folds into a carried number."""
    found = (name for name, kind in _FOLDS.items() if _folds(region, param, end, kind))
    return next(found, None)


def _folds(region: Region, param: Value, end: Value, kind: frozenset[str]) -> bool:
    if not isinstance(param.type, Scalar):
        return False
    readers = [op for op in region.ops if param in op.inputs]
    nested = [o for op in region.ops for r in op.regions for o in r.walk()]
    regions = [r for op in region.walk() for r in op.regions]
    if any(param in o.inputs for o in nested) or any(param in r.yields for r in regions):
        return False
    if end is param:
        return not readers and region.yields.count(param) == 1
    if len(readers) != 1 or param in region.yields:
        return False
    (op,) = readers
    if op.inputs.count(param) != 1:
        return False
    if op.name in kind and not (op.name == "sub" and op.inputs[1] is param):
        return _folds(region, op.result, end, kind)
    return op.name == "for" and param in op.inputs[3:] and _inside(region, op, param, end, kind)


def _inside(region: Region, loop: Op, param: Value, end: Value, kind: frozenset[str]) -> bool:
    """Whether an inner loop goes on with the fold."""
    k = loop.inputs[3:].index(param)
    body = loop.regions[0]
    return _folds(body, body.params[1 + k], body.yields[k], kind) and _folds(
        region, loop.outputs[k], end, kind
    )
