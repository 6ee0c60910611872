"""What each transformation makes of the graph of a function.

Enters: a graph and what to derive. Leaves: the graph of the gradient, of a forward or reverse
sweep, of a Hessian times a vector, or of the function along an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adcompile.compose.batch import batched
from adcompile.compose.holomorphic import check_complex, check_result
from adcompile.differentiate.forward import append_forward
from adcompile.differentiate.reverse import append_reverse
from adcompile.errors import Location, NotDifferentiable, TypeMismatch
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.calls import refuse_draws
from adcompile.graph.ir import Graph, Op, Parameter, Region, Value, free_name
from adcompile.graph.rewrite import replace
from adcompile.graph.trees import (
    Static,
    is_container,
    is_nothing,
    leaves,
    mapped,
    parts,
    rebuild,
    with_parts,
)
from adcompile.graph.types import (
    Array,
    Scalar,
    Structure,
    is_continuous,
    shape_of,
    type_text,
)

Wrt = tuple[int | str, ...]


def gradient_graph(
    graph: Graph, wrt: Wrt, single: bool, location: Location | None,
    with_value: bool = False, has_aux: bool = False, holomorphic: bool = False,
) -> Graph:  # fmt: skip
    """Reverse mode for a scalar result: the gradient, or (value, gradient).

    Of a real function of z = x + iy it is df/dx - i df/dy; `holomorphic` allows complex results.

    With `has_aux` the function gives (scalar, anything); the result is (gradient, anything) or
    ((scalar, anything), gradient).
    """
    loss, rest = _loss(graph, has_aux, location)
    check_result(graph, loss, "a gradient", holomorphic, location)
    structures = [wanted_values(graph, item, location) for item in wrt]
    values = [v for s in structures for v in leaves(s)]
    if holomorphic:
        check_complex(graph, values, location)
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
    if not is_continuous(value.type):
        raise NotDifferentiable(
            f"`{graph.name}` returns {value.type.dtype}; a gradient needs a float", location,
            "return a float: integers and truth values have no derivative",
        )  # fmt: skip
    return value, list(graph.outputs[1:])


def wanted_values(graph: Graph, item: int | str, location: Location | None) -> Structure:
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
    if isinstance(structure, Static) or is_nothing(structure):
        raise NotDifferentiable(
            f"`{name}` is known at compile time and has no derivative", location,
            f"pass `{name}` as a float",
        )  # fmt: skip
    if any(is_continuous(value.type) for value in leaves(structure)):
        return mapped(
            lambda v: v if is_continuous(v.type) else Static(None), _without_static(structure)
        )
    for value in leaves(structure):
        if not is_continuous(value.type):
            raise NotDifferentiable(
                f"`{name}` {_without_derivative(structure, value)} and has no derivative", location,
                f"pass `{name}` as a float, or leave it out of argnums",
            )  # fmt: skip
    return structure


def _without_derivative(structure: Structure, value: Value) -> str:
    return "holds no float" if is_container(structure) else f"is {article(value)}"


def _without_static(structure: Structure) -> Structure:
    """The structure with None for what has no gradient because it is no number."""
    inner = parts(structure)
    if inner is None:
        return Static(None) if isinstance(structure, Static) else structure
    return with_parts(structure, [_without_static(part) for part in inner])


def article(value: Value) -> str:
    """What kind of value has no derivative, for messages."""
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
    aliases = Aliases(graph)
    if aliases.roots.get(value, frozenset()) & aliases.written:
        raise NotDifferentiable(
            f"`{name}` is written in place, so it has no single gradient", location
        )
    if aliases.roots.get(value, {value}) == {value} or value.op not in graph.body.ops:
        return value
    return _apart(graph, value, value.op)


def _apart(graph: Graph, view: Value, op: Op) -> Value:
    """A copy that is used in place of a view: what reaches the viewed array is no part of it."""
    builder = Builder(graph)
    with builder, builder.at(op.location), builder.inside(Region()) as made:
        copied: Value = builder.op("copy", view)
    copied.hint, copied.named = view.hint, view.named
    replace(graph, {view: copied})
    place = graph.body.ops.index(op) + 1
    graph.body.ops[place:place] = made.ops
    return copied


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
            if is_continuous(value.type):
                tangents[value] = tangent
    taken = [p.name for p in graph.parameters]
    graph.parameters = [
        Parameter(free_name("primals", taken), primals),
        Parameter(free_name("tangents", taken), rebuild(primals, iter(items))),
    ]
    results = append_forward(graph, tangents)
    graph.body.yields = [*graph.outputs, *results]
    graph.result = (graph.result, graph.result)
    graph.name = f"jvp_{graph.name}"
    return graph


def pushforward_graph(graph: Graph, types: Sequence[Structure]) -> Graph:
    """Forward mode at a point where the function has been run before."""
    refuse_draws(graph, "linearize")
    return jvp_graph(graph, types)


def _companion(
    builder: Builder, value: Value, type_: Any, name: str, kind: str
) -> tuple[Value, Value]:
    """A further parameter, the tangent or cotangent of a value, and what stands for it inside.

    Its shape is checked; a scalar is converted, for compiled code gives float32 back as a float.
    """
    scalars = isinstance(type_, Scalar) and isinstance(value.type, Scalar)
    converts = scalars and is_continuous(value.type) and type_.dtype != value.type.dtype
    with builder.inside(Region()) as first:
        companion = inside = builder.parameter(type_, name)
        if converts:
            inside = builder.op("cast", companion, dtype=value.type.dtype)
    for symbol, extent in first.extents.items():
        builder.learn(symbol, extent)
    builder.graph.body.ops[:0] = first.ops
    if scalars or not is_continuous(value.type):
        return companion, inside
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
    refuse_draws(graph, "vjp")
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
            seeds.append(cotangent if is_continuous(value.type) else None)
    name = free_name("cotangent", [p.name for p in graph.parameters])
    graph.parameters.append(Parameter(name, rebuild(graph.result, iter(items))))
    wanted = [
        v for p in graph.parameters[:-1] for v in leaves(p.structure) if is_continuous(v.type)
    ]
    append_reverse(graph, wanted, seeds)
    graph.result = tuple(range(len(wanted)))
    graph.name = f"vjp_{graph.name}"
    return graph


def hvp_graph(
    graph: Graph, types: Sequence[Structure], item: int, location: Location | None
) -> Graph:
    """The Hessian times a vector: a function of the arguments and a tangent of one of them."""
    name = graph.name
    graph = gradient_graph(graph, (item,), True, location)
    primal = wanted_values(graph, item, location)
    own, given = list(leaves(primal)), list(leaves(types[-1]))
    if len(own) != len(given):
        raise TypeMismatch(f"{len(own)} numbers or arrays but {len(given)} tangents")
    tangents, items = {}, []
    with Builder(graph) as builder:
        for value, type_ in zip(own, given, strict=True):
            parameter, tangent = _companion(builder, value, type_, f"{value.hint}_dot", "tangent")
            items.append(parameter)
            tangents[value] = tangent
    further = free_name("tangent", [p.name for p in graph.parameters])
    graph.parameters.append(Parameter(further, rebuild(types[-1], iter(items))))
    graph.body.yields = append_forward(graph, tangents)
    graph.name = f"hvp_{name}"
    return graph


def batched_graph(graph: Graph, axes: Sequence[int | None], out_axis: int) -> Graph:
    """The function applied to each element along an axis of its arguments."""
    result = batched(graph, axes, out_axis)
    result.name = f"vmap_{graph.name}"
    return result


def element_types(
    types: Sequence[Structure], names: Sequence[str], axes: Sequence[int | None]
) -> list[Structure]:
    """The types of single elements; raises TypeMismatch for arguments without the axis."""

    def reduced(name: str, axis: int) -> Callable[[Any], Any]:
        def reduce(leaf: Any) -> Any:
            if not isinstance(leaf, Array) or not -leaf.ndim <= axis < leaf.ndim:
                raise TypeMismatch(
                    f"vmap: `{name}` has no axis {axis}",
                    hint="in_axes=None for an argument that all elements share",
                )
            shape = tuple(d for k, d in enumerate(leaf.shape) if k != axis % leaf.ndim)
            return Array(leaf.dtype, shape, "A") if shape else Scalar(leaf.dtype)

        return reduce

    return [
        type_ if axis is None or isinstance(type_, Static) else mapped(reduced(name, axis), type_)
        for type_, name, axis in zip(types, names, axes, strict=True)
    ]
