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
    """Whether a region, or a side of a branch in it, only adds to a carried float."""
    return is_continuous(param.type) and _folds(region, param, end, _SUM, branches=True)


def is_fold(region: Region, param: Value, end: Value) -> bool:
    """Whether a region only folds into a carried number by one operation that has no order."""
    return any(
        _folds(region, param, end, _FOLDS[name]) for name in ("sum", "maximum", "minimum")
    )  # fmt: skip


def fold_of(region: Region, param: Value, end: Value) -> str | None:
    """The name of the operation by which a region only folds into a carried number.

    A side of a branch may fold, too, and the other leave the number as it is.
    """
    found = (n for n, kind in _FOLDS.items() if _folds(region, param, end, kind, branches=True))
    return next(found, None)


def _folds(
    region: Region, param: Value, end: Value, kind: frozenset[str], branches: bool = False
) -> bool:  # fmt: skip
    if not isinstance(param.type, Scalar):
        return False
    readers = [op for op in region.ops if param in op.inputs]
    holders = [op for op in region.ops if op.regions and _is_inside(param, op)]
    if holders:
        return (
            branches and not readers and len(holders) == 1 and holders[0].name == "if"
            and param not in region.yields and _in_branches(region, holders[0], param, end, kind)
        )  # fmt: skip
    if end is param:
        return not readers and region.yields.count(param) == 1
    if len(readers) != 1 or param in region.yields:
        return False
    (op,) = readers
    if op.inputs.count(param) != 1:
        return False
    if op.name in kind and not (op.name == "sub" and op.inputs[1] is param):
        return _folds(region, op.result, end, kind, branches)
    return op.name == "for" and param in op.inputs[3:] and _inside(
        region, op, param, end, kind, branches
    )  # fmt: skip


def _is_inside(value: Value, op: Op) -> bool:
    """Whether a value is used in the regions of an operation."""
    regions = [r for o in op.walk() for r in o.regions]
    return any(value in r.yields or any(value in o.inputs for o in r.ops) for r in regions)


def _in_branches(
    region: Region, branch: Op, param: Value, end: Value, kind: frozenset[str]
) -> bool:  # fmt: skip
    """Whether each side goes on with the fold."""
    return any(
        all(_folds(side, param, side.yields[k], kind, branches=True) for side in branch.regions)
        and _folds(region, output, end, kind, branches=True)
        for k, output in enumerate(branch.outputs)
    )


def _inside(
    region: Region, loop: Op, param: Value, end: Value, kind: frozenset[str], branches: bool
) -> bool:  # fmt: skip
    """Whether an inner loop goes on with the fold."""
    k = loop.inputs[3:].index(param)
    body = loop.regions[0]
    return _folds(body, body.params[1 + k], body.yields[k], kind, branches) and _folds(
        region, loop.outputs[k], end, kind, branches
    )
