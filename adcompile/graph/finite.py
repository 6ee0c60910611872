"""Finds where a NaN or an infinity that reaches a result arises first.

Enters: a graph and NumPy arguments. Leaves: its result, or a NonFinite error. While the graph is
interpreted, every element that is not finite has an origin: the operation that gave it although
what that operation read was finite. Operations hand origins on: by element where they compute or
move element by element, else the earliest one. An origin that no result has is never reported, so
the side of `where` that is not taken, or an infinity that a minimum starts with, is no error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.errors import Location, NonFinite
from adcompile.graph.interpret import Interpreter, bind
from adcompile.graph.ir import Graph, Op, Value
from adcompile.graph.trees import restored
from adcompile.graph.types import is_continuous

_MOVING = (
    "slice transpose reshape broadcast_to concatenate gather load copy identity tril triu pack full"
)
_MOVES = frozenset([*_MOVING.split(), "stop_gradient"])
_LATE = np.iinfo(np.int64).max
Index = tuple[int, ...]


@dataclass(frozen=True)
class Origin:
    """Where an element that is not finite comes from."""

    operation: str
    location: Location | None
    text: str
    index: Index
    operands: tuple[Any, ...]
    rounds: tuple[tuple[str, int], ...]
    value: complex


class _Tracer(Interpreter):
    """An interpreter that knows the origin of every element that is not finite.

    Elements of arrays are known by their address, so that views need no care; 0 is no origin.
    """

    def __init__(self) -> None:
        super().__init__()
        self.origins: list[Origin] = []
        self._at: dict[int, int] = {}
        self._of: dict[Value, int] = {}
        self._stacked: dict[int, list[int]] = {}
        self._rounds: dict[Op, tuple[str, int]] = {}

    # -- origins of what a value stands for -------------------------------------------------------

    def known(self, value: Value) -> Any:
        """The origins of the elements of a value, 0 where they are finite."""
        item = self.frame[value]
        if isinstance(item, list) or item is None or not is_continuous(value.type):
            return 0
        if not isinstance(item, np.ndarray):
            return 0 if np.isfinite(item) else self._of.get(value, 0)
        bad = ~np.isfinite(item)
        if not bad.any():
            return 0
        found = np.zeros(item.shape, np.int64)
        found[bad] = [self._at.get(a, 0) for a in _addresses(item, bad).tolist()]
        return found

    def mark(self, value: Value, found: Any) -> None:
        """Note the origins of the elements of a value."""
        item = self.frame[value]
        if not isinstance(item, np.ndarray):
            self._of[value] = int(np.min(found))
            return
        bad = ~np.isfinite(item)
        numbers = np.broadcast_to(found, item.shape)[bad]
        self._at.update(zip(_addresses(item, bad).tolist(), numbers.tolist(), strict=True))

    def begin(self, origin: Origin) -> int:
        """Enter a new origin; gives its number."""
        self.origins.append(origin)
        return len(self.origins)

    # -- execution --------------------------------------------------------------------------------

    def hand_on(self, sources: Sequence[Value], targets: Sequence[Value]) -> None:
        """Let `targets` stand for what `sources` stand for, with the same origins."""
        numbers = [self._of.get(v, 0) for v in sources]
        super().hand_on(sources, targets)
        self._of.update(zip(targets, numbers, strict=True))

    def round(self, op: Op, number: int) -> None:
        """Remember the counters of the loops that run."""
        name = op.regions[0].params[0].hint if op.name == "for" else "round"
        self._rounds[op] = (name or "i", number)

    def leave(self, op: Op) -> None:
        """Forget a counter."""
        self._rounds.pop(op, None)

    def apply(self, op: Op) -> None:
        """Execute an operation, and find the origin of what is not finite in its outcome."""
        if op.name in ("push", "pop"):
            self._stack(op)
            return
        before = self._element(op)
        read = [before if before is not None and k == 0 else self.known(v)
                for k, v in enumerate(op.inputs)]  # fmt: skip
        operands = [self._operand(op, k, v) for k, v in enumerate(op.inputs)]
        super().apply(op)
        if op.record.writes:
            self._written(op, read, operands)
            return
        for value in op.outputs:
            item = self.frame[value]
            if not is_continuous(value.type) or item is None or isinstance(item, list):
                continue
            if not np.isfinite(item).all():
                self._arrived(op, value, self._handed_on(op, read, operands), operands)

    def _arrived(self, op: Op, value: Value, found: Any, operands: Sequence[Any]) -> None:
        """Enter what is not finite in a value; where no operand brings it, it is new."""
        item = np.asarray(self.frame[value])
        found = np.array(np.broadcast_to(found, item.shape))
        new = ~np.isfinite(item) & (found == 0)
        if new.any():
            index = tuple(int(k) for k in np.argwhere(new)[0])
            found[new] = self.begin(self._origin(op, item, index, operands))
        self.mark(value, found)

    def _handed_on(self, op: Op, read: Sequence[Any], operands: Sequence[Any]) -> Any:
        """The origins that an operation's result has from its operands."""
        if not any(np.any(r) for r in read):
            return 0
        if op.name == "where":
            return np.where(operands[0], read[1], read[2])
        if op.record.scalar is not None:
            return _earliest(np.broadcast_arrays(*read))
        if op.name in _MOVES:
            assert op.record.evaluate is not None
            attrs = {k: v for k, v in op.attrs.items() if k not in ("strong", "dtype")}
            if "dtype" in op.attrs:
                attrs["dtype"] = "float64"
            numbers = [
                np.broadcast_to(np.asarray(r, float), np.shape(o)) if is_continuous(v.type) else o
                for r, o, v in zip(read, operands, op.inputs, strict=True)
            ]
            return np.asarray(op.record.evaluate(*numbers, **attrs)).astype(np.int64)
        if "axes" in op.attrs and len(read) == 1:
            late = np.where(read[0] == 0, _LATE, read[0])
            first = np.min(late, axis=op.attrs["axes"], keepdims=op.attrs.get("keepdims", False))
            return np.where(first == _LATE, 0, first)
        return _earliest([_first(r) for r in read])

    # -- writes -----------------------------------------------------------------------------------

    def _element(self, op: Op) -> Any:
        """The origin of the one element that an operation writes, before it does."""
        if op.name not in ("store", "accumulate_at"):
            return None
        target, index = self._place(op)
        element = target[index]
        return 0 if np.isfinite(element) else self._at.get(_address(target, index), 0)

    def _place(self, op: Op) -> tuple[Any, Index]:
        target = self.frame[op.inputs[0]]
        index = tuple(int(self.frame[v]) for v in op.inputs[2:])
        return target, tuple(k % n for k, n in zip(index, target.shape, strict=True))

    def _operand(self, op: Op, number: int, value: Value) -> Any:
        """What an operation reads, as it is before the operation writes it."""
        item = self.frame[value]
        if op.record.writes and number == 0 and isinstance(item, np.ndarray):
            if op.name in ("store", "accumulate_at"):
                target, index = self._place(op)
                return target[index]
            return item.copy()
        return item

    def _written(self, op: Op, read: Sequence[Any], operands: Sequence[Any]) -> None:
        target = op.inputs[0]
        if not is_continuous(target.type):
            return
        adds = op.name != "store" and op.name != "assign"
        if op.name in ("store", "accumulate_at"):
            array, index = self._place(op)
            if not np.isfinite(array[index]):
                number = int(read[1] or (adds and read[0]))
                if not number:
                    origin = self._origin(op, np.asarray(array[index]), (), operands[:2])
                    number = self.begin(origin)
                self._at[_address(array, index)] = number
        elif not np.isfinite(self.frame[target]).all():
            if op.name == "scatter_add":
                added = _first(read[1])
                found = np.where(read[0] == 0, added, read[0])
            else:
                found = _earliest(np.broadcast_arrays(*(read[:2] if adds else read[1:2])))
            self._arrived(op, target, found, operands)

    def _stack(self, op: Op) -> None:
        stack = self.frame[op.inputs[0]]
        numbers = self._stacked.setdefault(id(stack), [])
        if op.name == "push":
            value = op.inputs[1]
            numbers.append(0 if isinstance(self.frame[value], np.ndarray) else self.known(value))
        super().apply(op)
        if op.name == "pop":
            self._of[op.result] = numbers.pop()

    # -- reports ----------------------------------------------------------------------------------

    def _origin(self, op: Op, item: Any, index: Index, operands: Sequence[Any]) -> Origin:
        rounds = tuple(self._rounds.values())
        if op.name in ("constant", "array_constant", "full"):
            return Origin("constant", op.location, "", index, (), rounds, item[index].item())
        by_element = op.record.scalar is not None or op.record.writes
        if by_element:
            operands = [_at(o, index, item.ndim) for o in operands]
        text = _shown(op, operands) if by_element else f"{op.name}({_listed(operands)})"
        return Origin(
            op.name, op.location, text, index, tuple(operands), rounds, item[index].item()
        )


def _addresses(item: Any, bad: Any) -> Any:
    start = item.__array_interface__["data"][0]
    return start + np.argwhere(bad) @ np.array(item.strides, np.int64)


def _address(array: Any, index: Index) -> int:
    offset = sum(k * s for k, s in zip(index, array.strides, strict=True))
    return int(array.__array_interface__["data"][0] + offset)


def _earliest(found: Sequence[Any]) -> Any:
    """The smallest origin of several arrays, element by element; 0 where there is none."""
    stacked = np.stack([np.asarray(f) for f in found])
    first = np.min(np.where(stacked == 0, _LATE, stacked), axis=0)
    return np.where(first == _LATE, 0, first)


def _first(found: Any) -> int:
    """The smallest origin in an array; 0 if there is none."""
    first = int(np.min(np.where(np.equal(found, 0), _LATE, found), initial=_LATE))
    return 0 if first == _LATE else first


def _at(item: Any, index: Index, ndim: int) -> Any:
    """The element of an operand that an element of the result is computed from."""
    if not isinstance(item, np.ndarray):
        return item
    own = index[ndim - item.ndim :]
    return item[tuple(0 if n == 1 else k for k, n in zip(own, item.shape, strict=True))]


def _shown(op: Op, operands: Sequence[Any]) -> str:
    """An operation on numbers, as a user writes it: `np.log(-1.0)`."""
    symbol = {"accumulate": "+=", "accumulate_at": "+=", "scatter_add": "+="}.get(op.name)
    if op.record.writes:
        return f"{_number(operands[0])} {symbol or '='} {_number(operands[1])}"
    template = op.record.show if isinstance(op.record.show, str) else op.record.scalar
    numbers = [_number(o) for o in operands]
    if op.name == "cast" or template is None:
        return f"{op.name}({', '.join(numbers)})"
    return template.format(*(f"({n})" if n.startswith("-") and " " in template else n
                             for n in numbers))  # fmt: skip


def _number(item: Any) -> str:
    return f"{item:.6g}" if isinstance(item, (float, complex, np.inexact)) else str(item)


def _listed(operands: Sequence[Any]) -> str:
    texts = []
    for item in operands:
        if isinstance(item, np.ndarray) and item.size > 9:
            texts.append(f"an array of shape {item.shape}")
        elif isinstance(item, np.ndarray):
            texts.append(np.array2string(item, precision=6, separator=", ").replace("\n", ""))
        else:
            texts.append(_number(item))
    return ", ".join(texts)


def checked(graph: Graph, items: Sequence[Any], place: Location | None) -> Any:
    """The result of `graph`; raises NonFinite where a result is NaN or infinite."""
    tracer = _Tracer()
    bind(tracer, graph, items)
    for value in graph.params:
        item = tracer.frame[value]
        if is_continuous(value.type) and not np.isfinite(item).all():
            array = np.asarray(item)
            index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            text = f"the argument `{value.hint}`"
            origin = Origin("argument", place, text, index, (), (), array[index].item())
            tracer.mark(value, tracer.begin(origin))
    results = tracer.run(graph.body)
    for value in graph.outputs:
        number = _first(tracer.known(value))
        if number:
            raise _error(tracer.origins[number - 1])
        assert not is_continuous(value.type) or np.isfinite(tracer.frame[value]).all()
    return restored(graph.result, iter(results))


def _error(origin: Origin) -> NonFinite:
    at = f" at [{', '.join(map(str, origin.index))}]" if origin.index else ""
    if origin.operation == "argument":
        message, hint = f"{origin.text} is {origin.value:g}{at}", ""
    else:
        role = origin.location.role if origin.location is not None else ""
        line = f" of line {origin.location.line}" if origin.location is not None else ""
        where = f", in the {role}{line}" if role else ""
        what = origin.text or "a constant"
        message = f"{origin.value:g} arises here{where}: {what} is {origin.value:g}{at}"
        hint = ", ".join(f"{name} = {number}" for name, number in origin.rounds)
    error = NonFinite(message, origin.location)
    if hint:
        error = NonFinite(f"{message} ({hint})", origin.location)
    error.operation, error.index, error.operands = origin.operation, origin.index, origin.operands
    error.role = origin.location.role if origin.location is not None else ""
    error.rounds, error.value = origin.rounds, origin.value
    return error
