"""The structure of each operation: of which elements of its inputs its elements are made.

Enters: an operation whose derivative does not vanish, its inputs as arrays of sets (or as what is
known of them) and the shape of its result. Leaves: the result as an array of sets. What only moves
elements is run by NumPy on sets as it runs on numbers, so views and writes need no rule of their
own. An operation that has no rule makes every element of all elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.graph.interpret import static_attributes
from adcompile.graph.ir import Op
from adcompile.sparsity.sets import EMPTY, Elements, Sets, filled


@dataclass(frozen=True)
class Step:
    """One operation at work.

    `inputs` are sets, or arrays of sets, of what depends on the seed (`tracked` says which), and
    what is known of the others: integers and their arrays, the shape of arrays of floats.
    `shapes` are those of the outputs.
    """

    op: Op
    sets: Sets
    inputs: Sequence[Any]
    tracked: Sequence[bool]
    shapes: Sequence[tuple[int, ...]]

    @property
    def found(self) -> list[Any]:
        """The inputs that depend on the seed."""
        return [x for x, known in zip(self.inputs, self.tracked, strict=True) if known]

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the operation, for its evaluation."""
        return static_attributes(self.op)

    def elements(self, number: int) -> Any:
        """An input as sets: empty ones for what does not depend on the seed."""
        item = self.inputs[number]
        if self.tracked[number]:
            return item
        return filled(np.shape(item)) if np.ndim(item) else EMPTY


Rule = Callable[[Step], Any]
_RULES: dict[str, Rule] = {}


def structure(step: Step) -> list[Any]:
    """The outputs of an operation as arrays of sets."""
    op = step.op
    rule = _elementwise if op.record.scalar is not None else _RULES.get(op.name, _dense)
    result = rule(step)
    return list(result) if isinstance(result, tuple) else [result]


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return enter


def _stretched(item: Any, shape: tuple[int, ...]) -> Any:
    """A fresh array of the elements, broadcast."""
    return np.array(np.broadcast_to(item, shape), object) if shape else item


def _elementwise(step: Step) -> Any:
    first, *others = step.found or [EMPTY]
    for other in others:
        first = step.sets.unions(first, other)
    return _stretched(first, step.shapes[0])


def _dense(step: Step) -> tuple[Any, ...]:
    everything = step.sets.union_all(
        item for x in step.found for item in (x.flat if isinstance(x, np.ndarray) else [x])
    )
    return tuple(filled(shape, everything) if shape else everything for shape in step.shapes)


@_rule("load", "slice", "gather", "transpose", "reshape", "identity", "copy", "broadcast_to")
def _moved(step: Step) -> Any:
    evaluate = step.op.record.evaluate
    assert evaluate is not None
    result = evaluate(step.elements(0), *step.inputs[1:], **step.attributes)
    if step.op.name == "copy" or not isinstance(result, np.ndarray):
        return result
    return result if step.op.record.view else np.array(result, object)


@_rule("concatenate")
def _joined(step: Step) -> Any:
    parts = [step.elements(k) for k in range(len(step.inputs))]
    return np.concatenate(parts, step.attributes["axis"])


@_rule("pack")
def _packed(step: Step) -> Any:
    result = filled(len(step.inputs))
    for k in range(len(step.inputs)):
        result[k] = step.elements(k)
    return result


@_rule("full")
def _full(step: Step) -> Any:
    return filled(step.shapes[0], step.elements(0))


@_rule("empty", "eye", "iota", "array_constant")
def _empty(step: Step) -> Any:
    return filled(step.shapes[0])


@_rule("constant", "stop_gradient")
def _nothing(step: Step) -> Any:
    return filled(step.shapes[0]) if step.shapes[0] else EMPTY


@_rule("tril", "triu")
def _triangle(step: Step) -> Any:
    x = step.inputs[0]
    inside = np.ones(x.shape, bool)
    evaluate = step.op.record.evaluate
    assert evaluate is not None
    return np.where(evaluate(inside, **step.attributes), x, filled(x.shape))


@_rule("sum", "mean", "max", "min")
def _folded(step: Step) -> Any:
    return step.sets.along(step.inputs[0], **step.attributes)


@_rule("cumsum")
def _running(step: Step) -> Any:
    axis = step.attributes["axis"]
    if step.attributes.get("backwards"):
        return np.flip(step.sets.running(np.flip(step.inputs[0], axis), axis), axis)
    return step.sets.running(step.inputs[0], axis)


@_rule("outer")
def _outer(step: Step) -> Any:
    a, b = step.elements(0), step.elements(1)
    return step.sets.unions(a[:, None], b[None, :])


@_rule("matmul")
def _product(step: Step) -> Any:
    """Every element of a row with every element of a column."""
    a, b = step.elements(0), step.elements(1)
    rows = step.sets.along(a, (a.ndim - 1,))
    columns = step.sets.along(b, (max(b.ndim - 2, 0),))
    if b.ndim > 1 and a.ndim > 1:
        rows, columns = rows[..., None], columns[..., None, :]
    elif a.ndim > 2 or b.ndim > 2:  # a stack of matrices with a vector
        rows = rows if a.ndim > 1 else np.asarray(rows, object)
    return _stretched(step.sets.unions(rows, columns), step.shapes[0])


# -- writes --------------------------------------------------------------------------------------


@_rule("store", "assign")
def _written(step: Step) -> Any:
    target, *index = step.inputs[0], *step.inputs[2:]
    target[tuple(index) if index else ...] = step.elements(1)
    return ()


@_rule("accumulate_at")
def _added_at(step: Step) -> Any:
    index = tuple(step.inputs[2:])
    target = step.inputs[0]
    target[index] = step.sets.union(target[index], step.elements(1))
    return ()


@_rule("accumulate")
def _added(step: Step) -> Any:
    target = step.inputs[0]
    target[...] = step.sets.unions(target, step.elements(1))
    return ()


@_rule("scatter_add")
def _scattered(step: Step) -> Any:
    target: Elements = step.inputs[0]
    index = (slice(None),) * step.attributes["axis"] + tuple(step.inputs[2:])
    places = np.arange(target.size).reshape(target.shape)[index]
    values = np.broadcast_to(np.asarray(step.elements(1), object), places.shape)
    for place, value in zip(places.flat, values.flat, strict=True):
        target.flat[place] = step.sets.union(target.flat[place], value)
    return ()
