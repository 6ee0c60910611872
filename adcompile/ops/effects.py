"""Operations for what they do, not for a derivative: printing, and drawing random numbers.

Enters: calls of `print` and of `np.random`. Leaves: records that stay in their order and run once.
Draws are saved for the reverse sweep, and the derivative with respect to them is zero; location and
scale are ordinary arithmetic around standard draws, and have derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcompile.errors import TypeMismatch
from adcompile.graph.builder import Builder, current
from adcompile.graph.ir import Graph, Op, Record, Value, register
from adcompile.graph.trees import Leaf
from adcompile.graph.types import Array, Scalar, Type
from adcompile.ops.spellings import CALLS, as_value, spelled

Attrs = dict[str, Any]


# -- printing ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Formatted(Leaf):
    """An f-string: texts, and (value, conversion, format) for what the run inserts."""

    parts: tuple[Any, ...]


def formatted(item: Any, conversion: str, spec: str) -> str:
    """What an f-string inserts for an item: `{item!conversion:spec}`."""
    conversions: dict[str, Callable[[Any], Any]] = {"r": repr, "s": str, "a": ascii}
    return format(conversions[conversion](item) if conversion else item, spec)


def _print(*inputs: Any, items: Any, options: Any) -> tuple[()]:
    print(*(_text(item, inputs) for item in items), **dict(options))
    return ()


def _text(item: Any, inputs: Sequence[Any]) -> Any:
    """The object printed for an item: an input's number, ("text", object), or f-string parts."""
    if isinstance(item, int):
        return inputs[item]
    if item[0] == "text":
        return item[1]
    pieces = []
    for part in item[1]:
        if isinstance(part, str):
            pieces.append(part)
        else:
            number, conversion, spec = part
            pieces.append(formatted(inputs[number], conversion, spec))
    return "".join(pieces)


register(
    Record("print", lambda builder, types, attrs: [], _print, keeps=True, inactive=True,
           takes_complex=True)
)  # fmt: skip


@spelled(print)
def printed(*arguments: Any, sep: str = " ", end: str = "\n") -> None:
    """`print` of numbers, arrays, texts and f-strings."""
    values: list[Value] = []

    def number(value: Value) -> int:
        values.append(value)
        return len(values) - 1

    items: list[Any] = []
    for argument in arguments:
        if isinstance(argument, Formatted):
            parts = [p if isinstance(p, str) else (number(p[0]), *p[1:]) for p in argument.parts]
            items.append(("format", tuple(parts)))
        elif isinstance(argument, Value):
            items.append(number(argument))
        elif argument is None or isinstance(argument, (str, bool, int, float, complex)):
            items.append(("text", argument))
        else:
            raise TypeMismatch(
                f"print of {type(argument).__name__}", hint="print its numbers and arrays"
            )
    options = {"sep": sep, "end": end}
    given = tuple((k, v) for k, v in options.items() if v != {"sep": " ", "end": "\n"}[k])
    current().op("print", *values, items=tuple(items), options=given)


def drop_prints(graph: Graph) -> None:
    """Remove what only prints, in place."""
    for body in graph.regions:
        body.ops = [op for op in body.ops if op.name != "print"]
        for op in body.ops:
            if op.name == "call":
                drop_prints(op.attrs["graph"])


# -- random numbers ------------------------------------------------------------------------------


def _draw_infer(builder: Builder, types: Sequence[Type], attrs: Attrs) -> list[Type]:
    shape = attrs["shape"]
    dtype = "int64" if attrs["kind"] == "randint" else "float64"
    return [Array(dtype, shape) if shape else Scalar(dtype, weak=True)]


def _draw(*inputs: Any, kind: str, shape: Any) -> Any:
    first = len(inputs) - len(shape)
    return getattr(np.random, kind)(*inputs[:first], size=inputs[first:] or None)


def _draw_show(op: Op) -> str:
    count, rank = len(op.inputs), len(op.attrs["shape"])
    items = [f"{{{k}}}" for k in range(count - rank)]
    sizes = [f"{{{k}}}" for k in range(count - rank, count)]
    if sizes:
        items.append(sizes[0] if rank == 1 else f"({', '.join(sizes)})")
    return f"np.random.{op.attrs['kind']}({', '.join(items)})"


register(
    Record(
        "draw", _draw_infer, _draw, show=_draw_show, reads=False, keeps=True, inactive=True,
        notes="each run of it gives another result, so it is neither repeated nor removed",
    )
)  # fmt: skip


def _seed(number: int) -> tuple[()]:
    np.random.seed(number)
    return ()


register(
    Record(
        "seed", lambda builder, types, attrs: [], _seed, show="np.random.seed({0})", reads=False,
        keeps=True, inactive=True,
    )
)  # fmt: skip


@spelled(np.random.seed)
def seed(number: Any) -> None:
    """Start the global generator anew: NumPy's with `target="python"`, else the compiler's."""
    current().op("seed", as_value(number))


def _drawn(kind: str, size: Any, *bounds: Any) -> Value:
    builder = current()
    sizes = () if size is None else size if isinstance(size, (tuple, list)) else (size,)
    extents = [builder.value(s) for s in sizes]
    shape = tuple(builder.dim_of(e) for e in extents)
    result: Value = builder.op("draw", *bounds, *extents, kind=kind, shape=shape)
    return result


def _standard(kind: str) -> Callable[..., Value]:
    return lambda size=None: _drawn(kind, size)


for _kind in ("random", "standard_normal", "standard_exponential"):
    CALLS[getattr(np.random, _kind)] = _standard(_kind)
CALLS[np.random.random_sample] = CALLS[np.random.ranf] = _standard("random")
CALLS[np.random.rand] = lambda *shape: _drawn("random", shape or None)
CALLS[np.random.randn] = lambda *shape: _drawn("standard_normal", shape or None)


def _moved(draw: Value, loc: Any, scale: Any) -> Value:
    if not isinstance(scale, Value) and scale == 1.0:
        return draw if not isinstance(loc, Value) and loc == 0.0 else draw + as_value(loc)
    moved = draw * as_value(scale)
    return moved if not isinstance(loc, Value) and loc == 0.0 else moved + as_value(loc)


def _size_of(size: Any, *parameters: Any) -> Any:
    """The shape of the draws: given, or that of the parameters."""
    shapes = [tuple(getattr(as_value(p).type, "shape", ())) for p in parameters]
    if size is not None or not any(shapes):
        return size
    builder = current()
    return tuple(builder.extent(d) for d in builder.broadcast(shapes, "the parameters of a draw"))


@spelled(np.random.uniform)
def uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Value:
    """Uniform on [low, high), differentiable with respect to both."""
    draw = _drawn("random", _size_of(size, low, high))
    return _moved(draw, low, as_value(high) - low if isinstance(high, Value) else high - low)


@spelled(np.random.normal)
def normal(loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Value:
    """Normal, differentiable with respect to mean and standard deviation."""
    return _moved(_drawn("standard_normal", _size_of(size, loc, scale)), loc, scale)


@spelled(np.random.exponential)
def exponential(scale: Any = 1.0, size: Any = None) -> Value:
    """Exponential, differentiable with respect to the scale."""
    return _moved(_drawn("standard_exponential", _size_of(size, scale)), 0.0, scale)


@spelled(np.random.lognormal)
def lognormal(mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Value:
    """The exponential of a normal number."""
    result: Value = current().op("exp", normal(mean, sigma, size))
    return result


@spelled(np.random.randint)
def randint(low: Any, high: Any = None, size: Any = None) -> Value:
    """Integers from `low` to before `high`."""
    first, stop = (0, low) if high is None else (low, high)
    return _drawn("randint", size, as_value(first), as_value(stop))
