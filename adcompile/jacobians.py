"""What a Jacobian makes of the graph of a function.

Enters: a graph and what to differentiate. Leaves: the graph of the dense Jacobian, of one sweep, or
of the entries of a sparse Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adcompile.compose import local
from adcompile.compose.coloured import coloured_jacobian
from adcompile.compose.holomorphic import check_complex, check_result, refuse_complex
from adcompile.compose.host import first_parameters
from adcompile.compose.jacobian import forward_jacobian, reverse_jacobian, shorter_jacobian
from adcompile.differentiate.extrema import fixed_ranges as fixed_ranges
from adcompile.differentiate.forward import append_forward
from adcompile.differentiate.reverse import append_reverse
from adcompile.errors import Location, NotDifferentiable
from adcompile.graph.builder import Builder
from adcompile.graph.calls import refuse_draws
from adcompile.graph.clone import clone_graph
from adcompile.graph.ir import Graph, Parameter, Value
from adcompile.graph.procedures import procedures_of
from adcompile.graph.trees import is_container, leaves, mapped
from adcompile.graph.types import Array, Scalar, is_complex, is_continuous
from adcompile.transforms import Wrt, article, wanted_values

Loops = Callable[[Graph], Graph]
NAME_OF_MODE = {"fwd": "jacfwd", "rev": "jacrev", "auto": "jacobian"}


def jacobian_graph(
    graph: Graph, wrt: Wrt, single: bool, mode: str, location: Location | None,
    holomorphic: bool = False, loops: Loops | None = None,
) -> Graph:  # fmt: skip
    """All derivatives of all results: by columns ("fwd"), by rows ("rev"), or by what is less.

    A real number has one column, or row; `holomorphic` says that a complex one has no more.
    With `loops`, which gives the graph in loops, functions that are local there need one pass.
    The structure is that of the result, each leaf replaced by the structure of the arguments.
    """
    refuse_draws(graph, "a Jacobian")
    structures = tuple(wanted_values(graph, item, location) for item in wrt)
    inputs = [v for s in structures for v in leaves(s)]
    name = NAME_OF_MODE[mode]
    mode = _checked_mode(graph, inputs, mode, holomorphic, location)
    old = graph.result
    found = loops and _local_jacobian(graph, wrt, inputs, loops)
    if found:
        found.name = f"{name}_{graph.name}"
        return found

    def columns() -> list[Graph]:
        return [_forward_sweep(graph, value) for value in inputs]

    def rows() -> list[Graph]:
        return [_reverse_sweep(graph, k, inputs) for k in range(len(graph.outputs))]

    if mode == "fwd":
        result = forward_jacobian(graph, inputs, columns())
    elif mode == "rev":
        result = reverse_jacobian(graph, inputs, rows())
    else:
        result = shorter_jacobian(graph, inputs, columns, rows)
    numbers = iter(range(len(result.outputs)))
    wanted = structures[0] if single else structures
    result.result = mapped(lambda _: mapped(lambda _: next(numbers), wanted), old)
    result.name = f"{name}_{graph.name}"
    return result


def _local_jacobian(graph: Graph, wrt: Wrt, inputs: Sequence[Value], loops: Loops) -> Graph | None:
    """The Jacobian in one pass over the function's loops; None where they do not allow that."""
    if len(wrt) != 1 or len(inputs) != 1 or not isinstance(wrt[0], int):
        return None
    if procedures_of(graph):  # which a copy as loops would share with the graph
        return None
    try:
        return local.dense_jacobian(loops(graph), wrt[0], _partials)
    except local.NotLocal:
        return None


def _checked_mode(
    graph: Graph, inputs: Sequence[Value], mode: str, holomorphic: bool, location: Location | None
) -> str:
    """The mode; of "auto" the only one there is where either side is complex.

    Raises NotDifferentiable for what has no Jacobian in it.
    """
    for value in graph.outputs:
        if not is_continuous(value.type):
            raise NotDifferentiable(
                f"`{graph.name}` returns {article(value)}; a Jacobian needs floats",
                value.location or location,
            )
    if mode == "auto" and not holomorphic:
        if any(is_complex(v.type) for v in inputs):
            mode = "rev"
        elif any(is_complex(v.type) for v in graph.outputs):
            mode = "fwd"
    if holomorphic or mode == "rev":
        for value in graph.outputs:
            check_result(graph, value, "a Jacobian by rows", holomorphic, location)
    if holomorphic:
        check_complex(graph, inputs, location)
    elif mode == "fwd":
        refuse_complex(graph, inputs, location)
    return mode


def _seeded(graph: Graph, value: Value, name: str) -> tuple[Graph, dict[Value, Value], Value]:
    """A copy of a graph with one more parameter, shaped as `value`."""
    copy, mapping = clone_graph(graph)
    type_ = value.type
    if isinstance(type_, Array):
        type_ = Array(type_.dtype, type_.shape)
    with Builder(copy) as builder:
        seed = builder.parameter(type_, f"{value.hint or 'y'}_{name}")
    copy.parameters.append(Parameter("seed", seed))
    return copy, mapping, seed


def _forward_sweep(graph: Graph, value: Value) -> Graph:
    copy, mapping, seed = _seeded(graph, value, "dot")
    copy.body.yields = append_forward(copy, {mapping[value]: seed})
    copy.result = tuple(range(len(copy.outputs)))
    return copy


def _reverse_sweep(graph: Graph, number: int, inputs: Sequence[Value]) -> Graph:
    copy, mapping, seed = _seeded(graph, graph.outputs[number], "bar")
    seeds: list[Value | None] = [None] * len(copy.outputs)
    seeds[number] = seed
    append_reverse(copy, [mapping[v] for v in inputs], seeds)
    copy.result = tuple(range(len(copy.outputs)))
    return copy


def sweep_graph(graph: Graph, item: int, forward: bool, location: Location | None) -> Graph:
    """The derivative of a single result by one argument times a seed, which comes first.

    A forward sweep takes a tangent of the argument, a reverse sweep a cotangent of the result.
    """
    sweep, _ = _single_sweep(graph, item, forward, location)
    first_parameters(sweep, 1)
    sweep.result = 0
    sweep.name = f"{'pushforward' if forward else 'pullback'}_{graph.name}"
    return sweep


def coloured_graph(
    graph: Graph, item: int, forward: bool, names: Sequence[str], location: Location | None
) -> Graph:
    """The entries of a sparse Jacobian, by columns (forward mode) or by rows (reverse mode).

    `names` are those of the tables of colours, which come first.
    """
    sweep, seeded = _single_sweep(graph, item, forward, location)
    result = coloured_jacobian(graph, sweep, seeded, names, location)
    result.name = f"sparse_{'jacfwd' if forward else 'jacrev'}_{graph.name}"
    return result


def _single_sweep(
    graph: Graph, item: int, forward: bool, location: Location | None
) -> tuple[Graph, Value]:
    """A sweep with the seed as last parameter, and the value of `graph` that it is a seed of."""
    wanted = _single_argument(graph, item, location)
    if forward:
        return _forward_sweep(graph, wanted), wanted
    return _reverse_sweep(graph, 0, [wanted]), graph.outputs[0]


def _single_argument(graph: Graph, item: int, location: Location | None) -> Value:
    """The argument of a sparse derivative; raises NotDifferentiable where there is none."""
    refuse_draws(graph, "a Jacobian")
    wanted = wanted_values(graph, item, location)
    if not isinstance(wanted, Value) or is_container(graph.result) or len(graph.outputs) != 1:
        raise NotDifferentiable(
            f"a sparse derivative of `{graph.name}` is that of one array or number by another",
            location, "put what belongs together into one array",
        )  # fmt: skip
    for mode in ("fwd", "rev"):
        _checked_mode(graph, [wanted], mode, False, location)  # complex numbers have no pattern
    return wanted


def local_places_graph(
    graph: Graph, item: int, name: str, loops: Loops, location: Location | None
) -> Graph:
    """Where the partials of the function's loops belong; see `local.places`."""
    _single_argument(graph, item, location)
    return local.places(loops(graph), item, name)


def local_entries_graph(
    graph: Graph, item: int, names: Sequence[str], loops: Loops, once: bool,
    location: Location | None,
) -> Graph:  # fmt: skip
    """The entries of a sparse Jacobian in one pass over the function's loops."""
    _single_argument(graph, item, location)
    result = local.entries(loops(graph), item, names, _partials, once)
    result.name = f"sparse_jacobian_{graph.name}"
    return result


def _partials(piece: Graph) -> None:
    """Replace the results of a graph by their derivatives by its parameters, result by result."""
    wanted, found = piece.params[: len(piece.parameters)], list[Value]()
    results = list(piece.outputs)
    for k, result in enumerate(results):
        piece.body.yields, rest = [result], results[k + 1 :]
        with Builder(piece) as builder:
            one = builder.constant(1.0, Scalar(result.type.dtype))
        append_reverse(piece, wanted, [one], [*rest, *found])
        found = piece.outputs[len(rest) :]
