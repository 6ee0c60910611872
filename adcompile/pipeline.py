"""The one place that knows the order of the stages.

Enters: a Python function, argument types, and what to derive. Leaves: a graph of the derivative,
its readable source, or its source for the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import adcompile.ops  # noqa: F401  (fills the registry of operations)
from adcompile.differentiate.forward import append_forward
from adcompile.differentiate.reverse import append_reverse
from adcompile.emit.cpu import emit_cpu
from adcompile.emit.python import emit_python
from adcompile.errors import Location, NotDifferentiable, TypeMismatch
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value
from adcompile.graph.prune import prune
from adcompile.graph.trees import (
    Static,
    is_container,
    leaves,
    mapped,
    parts,
    rebuild,
    with_parts,
)
from adcompile.graph.types import Array, Scalar, Structure, is_float, shape_of, type_text
from adcompile.optimize.accumulate import merge_accumulations
from adcompile.optimize.checks import hoist_checks
from adcompile.optimize.common import share_common
from adcompile.optimize.copies import drop_copies, separate_results
from adcompile.optimize.rewrite import replace
from adcompile.optimize.simplify import simplify
from adcompile.parse.lower import lower_function
from adcompile.parse.source import read_source
from adcompile.schedule.loops import schedule_loops

PASSES: tuple[tuple[Callable[[Graph], None], str], ...] = (
    (simplify, "fold constants, drop neutral elements and needless broadcasts"),
    (prune, "remove what no result needs"),
    (share_common, "compute equal expressions once"),
    (drop_copies, "use an array instead of its copy where it is not used again"),
    (merge_accumulations, "start buffers with their first contribution"),
    (hoist_checks, "check shapes once, at the start"),
)
SCALAR_PASSES: tuple[tuple[Callable[[Graph], None], str], ...] = (
    (simplify, "fold constants that conversions exposed"),
    (prune, "remove extents and conversions that no loop needs"),
)

Wrt = tuple[int | str, ...]


def optimise(graph: Graph, passes: Sequence[tuple[Callable[[Graph], None], str]] = PASSES) -> Graph:
    """Run passes until the graph stops shrinking, at most five times."""
    size = -1
    for _ in range(5):
        for run, _description in passes:
            run(graph)
        new = sum(1 + len(op.inputs) for op in graph.body.walk())
        if new == size:
            break
        size = new
    if passes is PASSES:
        separate_results(graph)
    return graph


def function_graph(
    function: Any, types: Sequence[Structure], inplace: Sequence[str] = (), keep: Sequence[str] = ()
) -> tuple[Graph, list[str]]:
    """The graph of a Python function, or of a function that adcompile made.

    Also gives the names of the arguments that the function writes, be it into copies of them.
    """
    inner = getattr(function, "__adcompile_graph__", None)
    graph = inner(tuple(types)) if inner is not None else lower_function(function, types, keep)
    written = written_arguments(graph)
    protect_arguments(graph, inplace)
    return graph, written


def function_location(function: Any) -> Location | None:
    """Where a function is defined."""
    while hasattr(function, "__adcompile_graph__"):
        function = function.__wrapped__
    source = read_source(function)
    return source.location(source.node)


def written_arguments(graph: Graph) -> list[str]:
    """Names of the parameters whose arrays the function writes."""
    written = Aliases(graph).written
    return [p.name for p in graph.parameters if any(v in written for v in leaves(p.structure))]


def protect_arguments(graph: Graph, inplace: Sequence[str]) -> None:
    """Let a function write into copies of its arguments, except those named in `inplace`."""
    written = Aliases(graph).written
    builder = Builder(graph)
    for parameter in graph.parameters:
        if parameter.name in inplace:
            graph.kept += leaves(parameter.structure)
            continue
        for value in leaves(parameter.structure):
            if value not in written:
                continue
            with builder:
                copy = builder.op("copy", value)
            copy_op = graph.body.ops.pop()
            copy.hint, copy.named = value.hint, True
            replace(graph, {value: copy})
            _read_argument(graph, value, copy)
            copy_op.inputs[0] = value
            position = 1 + max(
                (k for k, op in enumerate(graph.body.ops) if _is_extent(op, graph)), default=-1
            )
            graph.body.ops.insert(position, copy_op)


def _is_extent(op: Op, graph: Graph) -> bool:
    return op.name == "dim" and op.inputs[0] in graph.params


def _read_argument(graph: Graph, value: Value, copy: Value) -> None:
    """Extents of arguments are read of the argument, before its copy."""
    for op in graph.body.ops:
        if op.name == "dim" and op.inputs[0] is copy:
            op.inputs[0] = value


def gradient_graph(
    graph: Graph, wrt: Wrt, single: bool, location: Location | None,
    with_value: bool = False, has_aux: bool = False,
) -> Graph:  # fmt: skip
    """Reverse mode for a scalar result: the gradient, or (value, gradient).

    With `has_aux` the function gives (scalar, anything); the result is (gradient, anything) or
    ((scalar, anything), gradient).
    """
    loss, rest = _loss(graph, has_aux, location)
    structures = [_wanted(graph, item, location) for item in wrt]
    values = [v for s in structures for v in leaves(s)]
    seeds: list[Value | None] = [None] * len(graph.outputs)
    builder = Builder(graph)
    assert isinstance(loss.type, Scalar)
    seeds[0] = builder.constant(1.0)
    kept = [loss] * with_value + rest
    old_result = graph.result
    append_reverse(graph, values, seeds, kept)
    items: Any = tuple(structures)
    gradient = structures[0] if single else items
    if with_value:
        graph.result = (old_result, gradient)
    else:
        graph.result = (gradient, old_result[1]) if has_aux else gradient
        if has_aux:
            graph.body.yields = graph.body.yields[len(rest) :] + graph.body.yields[: len(rest)]
    graph.name = f"{'value_and_' if with_value else ''}grad_{graph.name}"
    return graph


def _loss(graph: Graph, has_aux: bool, location: Location | None) -> tuple[Value, list[Value]]:
    result = graph.result
    if has_aux:
        if not isinstance(result, tuple) or len(result) != 2 or is_container(result[0]):
            raise NotDifferentiable(
                f"with has_aux=True `{graph.name}` must return (scalar, anything)", location
            )
        result = result[0]
    if not graph.outputs:
        raise NotDifferentiable(
            f"`{graph.name}` returns nothing; a gradient needs a scalar", location
        )
    value = graph.outputs[0]
    if is_container(result) or isinstance(value.type, Array):
        what = f"a {type(result).__name__}"
        if isinstance(value.type, Array) and not is_container(result):
            what = f"a {value.type.ndim}-d array"
        raise NotDifferentiable(
            f"`{graph.name}` returns {what}; a gradient needs a scalar",
            value.location or location,
            "return np.sum(...) or np.mean(...), or use vjp or jvp",
        )
    if not is_float(value.type):
        raise NotDifferentiable(
            f"`{graph.name}` returns {value.type.dtype}; a gradient needs a float", location
        )
    return value, list(graph.outputs[1:])


def _wanted(graph: Graph, item: int | str, location: Location | None) -> Structure:
    """The values a gradient is taken with respect to: of an argument, or of a variable by name."""
    names = [p.name for p in graph.parameters]
    if isinstance(item, int):
        if not -len(names) <= item < len(names):
            raise NotDifferentiable(
                f"argnums={item}, but `{graph.name}` has {len(names)} arguments", location
            )
        structure = graph.parameters[item].structure
        name = graph.parameters[item].name
    elif item in names:
        structure, name = graph.parameters[names.index(item)].structure, item
    else:
        structure, name = _variable(graph, item, location), item
    if structure == () or isinstance(structure, Static):
        raise NotDifferentiable(
            f"`{name}` is known at compile time and has no derivative", location,
            f"pass `{name}` as a float",
        )  # fmt: skip
    if any(is_float(value.type) for value in leaves(structure)):
        return mapped(lambda v: v if is_float(v.type) else Static(None), _without_static(structure))
    for value in leaves(structure):
        if not is_float(value.type):
            raise NotDifferentiable(
                f"`{name}` is {_article(value)} and has no derivative", location,
                f"pass `{name}` as a float, or leave it out of argnums",
            )  # fmt: skip
    return structure


def _without_static(structure: Structure) -> Structure:
    """The structure with None for what has no gradient because it is no number."""
    inner = parts(structure)
    if inner is None:
        return Static(None) if isinstance(structure, Static) else structure
    return with_parts(structure, [_without_static(part) for part in inner])


def _article(value: Value) -> str:
    kind = "a boolean" if value.type.dtype == "bool" else "an integer"
    return f"{kind} array" if isinstance(value.type, Array) else kind


def _variable(graph: Graph, name: str, location: Location | None) -> Structure:
    bound = graph.bindings.get(name)
    if not bound:
        known = ", ".join(sorted(n for n in graph.bindings if graph.bindings[n]))
        raise NotDifferentiable(
            f"`{graph.name}` has no variable `{name}` outside its loops and branches",
            location,
            f"differentiable names: {known}",
        )
    if len(bound) > 1:
        raise NotDifferentiable(
            f"`{name}` is assigned {len(bound)} times, so its gradient is ambiguous",
            location,
            "give each value a name of its own",
        )
    (value,) = bound
    if not isinstance(value, Value):
        raise NotDifferentiable(
            f"`{name}` is no single number or array", location, "name its parts"
        )
    if Aliases(graph).roots.get(value, frozenset()) & Aliases(graph).written:
        raise NotDifferentiable(
            f"`{name}` is written in place, so it has no single gradient", location
        )
    return value


def jvp_graph(graph: Graph, types: Sequence[Structure]) -> Graph:
    """Forward mode: a function of (primals, tangents) that gives (result, its tangent)."""
    tangents: dict[Value, Value] = {}
    primals = tuple(p.structure for p in graph.parameters)
    given = list(leaves(types[1]))
    own = list(leaves(primals))
    if len(given) != len(own):
        raise TypeMismatch(f"{len(own)} primals but {len(given)} tangents")
    items = []
    with Builder(graph) as builder:
        for value, type_ in zip(own, given, strict=True):
            name = f"{value.hint}_dot"
            parameter, tangent = _companion(builder, value, type_, name, "tangent")
            items.append(parameter)
            if is_float(value.type):
                tangents[value] = tangent
    graph.parameters = [
        Parameter("primals", primals),
        Parameter("tangents", rebuild(primals, iter(items))),
    ]
    results = append_forward(graph, tangents)
    graph.body.yields = [*graph.outputs, *results]
    graph.result = (graph.result, graph.result)
    graph.name = f"jvp_{graph.name}"
    return graph


def _companion(
    builder: Builder, value: Value, type_: Any, name: str, kind: str
) -> tuple[Value, Value]:
    """A further parameter, the tangent or cotangent of a value, and what stands for it inside.

    Its shape is checked; a scalar is converted, for compiled code gives float32 back as a float.
    """
    with builder.inside(Region()) as first:
        companion = builder.parameter(type_, name)
    for symbol, extent in first.extents.items():
        builder.learn(symbol, extent)
    builder.graph.body.ops[:0] = first.ops
    if not is_float(value.type):
        return companion, companion
    if isinstance(type_, Scalar) and isinstance(value.type, Scalar):
        same = type_.dtype == value.type.dtype
        cast = companion if same else builder.op("cast", companion, dtype=value.type.dtype)
        return companion, cast
    have, want = shape_of(type_), shape_of(value.type)
    if type_.dtype != value.type.dtype or len(have) != len(want):
        raise TypeMismatch(
            f"the {kind} `{name}` is {type_text(type_)}, but `{value.hint or 'the result'}` is "
            f"{type_text(value.type)}",
            hint=f"give the {kind} the same dtype and shape",
        )
    for own, wanted in zip(have, want, strict=True):
        builder.unify(own, wanted, f"the {kind} has the shape of its value")
    return companion, companion


def vjp_graph(graph: Graph, types: Sequence[Structure]) -> Graph:
    """Reverse mode for any result: a function of the arguments and a cotangent.

    The result is one cotangent per float leaf of the arguments.
    """
    seeds: list[Value | None] = []
    items = []
    given = list(leaves(types[-1]))
    if len(given) != len(graph.outputs):
        raise TypeMismatch(f"{len(graph.outputs)} results but {len(given)} cotangents")
    with Builder(graph) as builder:
        for number, (value, type_) in enumerate(zip(graph.outputs, given, strict=True)):
            name = f"{value.hint or f'y{number}'}_bar"
            parameter, cotangent = _companion(builder, value, type_, name, "cotangent")
            items.append(parameter)
            seeds.append(cotangent if is_float(value.type) else None)
    graph.parameters.append(Parameter("cotangent", rebuild(graph.result, iter(items))))
    wanted = [v for p in graph.parameters[:-1] for v in leaves(p.structure) if is_float(v.type)]
    append_reverse(graph, wanted, seeds)
    graph.result = tuple(range(len(wanted)))
    graph.name = f"vjp_{graph.name}"
    return graph


def readable_source(graph: Graph) -> str:
    """The derivative as Python for people, which NumPy runs."""
    return emit_python(graph)


def compiler_source(graph: Graph) -> str:
    """The derivative as loops for the compiler."""
    scheduled = schedule_loops(graph)
    optimise(scheduled, SCALAR_PASSES)
    return emit_cpu(scheduled)
