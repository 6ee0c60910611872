"""The one place that knows the order of the stages.

Enters: a Python function, argument types, and what to derive. Leaves: a graph of the derivative,
its readable source, or its source for the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import adcompile.ops  # noqa: F401  (fills the registry of operations)
from adcompile import pass_order
from adcompile.emit.cpu import emit_cpu
from adcompile.emit.cuda import emit_cuda, emit_thread
from adcompile.emit.python import emit_python
from adcompile.errors import AdcompileError, Location, NotDifferentiable
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_graph
from adcompile.graph.ir import Graph, Note, Op, Value
from adcompile.graph.part_views import refuse_stale_parts
from adcompile.graph.procedures import Procedure, invocations, procedures_of
from adcompile.graph.prune import prune
from adcompile.graph.rewrite import replace
from adcompile.graph.segments import cut_segments
from adcompile.graph.trees import leaves
from adcompile.graph.types import Structure
from adcompile.ops.effects import drop_prints
from adcompile.optimize.borders import peel_borders, peel_for_sums
from adcompile.optimize.buffers import reuse_buffers
from adcompile.optimize.fold import fold_rows
from adcompile.optimize.gather import gather_but_pairs, gather_sums, hand_on_sums
from adcompile.optimize.late import zero_late
from adcompile.optimize.loads import hoist_loads, share_loads
from adcompile.optimize.overwritten import drop_overwritten
from adcompile.optimize.precompute import precompute
from adcompile.optimize.squares import square_sizes
from adcompile.optimize.stencils import gather_stencils, may_gather_stencils
from adcompile.optimize.threads import spread_loops
from adcompile.optimize.ways import OTHER_WAYS, choose_ways
from adcompile.parse.lower import lower_function
from adcompile.parse.source import read_source
from adcompile.pass_order import (
    EARLY,
    FOR_KERNELS,
    FOR_ONE_CORE,
    LAST,
    LATE,
    ON_ARRAYS,
    SCALAR_PASSES,
    TIDYING,
    Pass,
    is_on,
    optimise_one,
    replaced,
    run_passes,
)
from adcompile.schedule.depth import limit_depth
from adcompile.schedule.kernel_loops import schedule_kernel_loops
from adcompile.schedule.launches import launch_kernels
from adcompile.schedule.loops import schedule_loops
from adcompile.schedule.one_thread import for_one_thread


def function_graph(
    function: Any, types: Sequence[Structure], inplace: Sequence[str] = (),
    keep: Sequence[str] = (), prints: bool = True,
) -> tuple[Graph, list[str]]:  # fmt: skip
    """The graph of a Python function, or of a function that adcompile made.

    Also gives the names of the arguments that the function writes, be it into copies of them.
    """
    inner = getattr(function, "__adcompile_graph__", None)
    graph = inner(tuple(types)) if inner is not None else lower_function(function, types, keep)
    for body in [graph, *(p.graph for p in procedures_of(graph))]:
        if not prints:
            drop_prints(body)
        cut_segments(body)
        refuse_stale_parts(body)
        square_sizes(body)
        run_passes(body, share_loads, hoist_loads, precompute)
    _refuse_written_captures(graph)
    written = written_arguments(graph)
    protect_arguments(graph, inplace)
    return graph, written


def function_location(function: Any) -> Location | None:
    """Where a function is defined."""
    while hasattr(function, "__adcompile_graph__"):
        if hasattr(function, "location"):  # a nested function
            place: Location = function.location
            return place
        function = function.__wrapped__
    source = read_source(function)
    return source.location(source.node)


def place_of(function: Any) -> Location | None:
    """Where a function is defined, None if its source cannot be found."""
    try:
        return function_location(function)
    except (AdcompileError, AttributeError):
        return None


def _refuse_written_captures(graph: Graph) -> None:
    written = Aliases(graph).written if graph.captured else set()
    for outer, inner in graph.captured:
        if inner in written:
            raise NotDifferentiable(
                f"the nested function `{graph.name}` writes `{outer.hint}` of its surroundings",
                hint="pass the array as an argument",
            )


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
            reason = "the function writes it, and `inplace` names it"
            graph.notes.append(Note("in place", parameter.name, reason))
            continue
        for value in leaves(parameter.structure):
            if value not in written:
                continue
            with builder:
                copy = builder.op("copy", value)
            copy_op = graph.body.ops.pop()
            copy.hint, copy.named = value.hint, True
            copy_op.note = Note("copied", value.hint, "the function writes it")
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


def readable_source(graph: Graph) -> str:
    """The derivative as Python for people, which NumPy runs."""
    return emit_python(graph)


def compiler_source(graph: Graph, shapes: Sequence[tuple[int, ...]] = ()) -> str:
    """The derivative as loops for the compiler; see `scheduled` for the shapes."""
    loops = scheduled(graph, shapes)
    copies = {p: Procedure(p.name) for p in procedures_of(graph)}
    for procedure, copy in copies.items():
        copy.written, copy.keeps = procedure.written, procedure.keeps
        copy.results = procedure.results
        copy.settle(scheduled(procedure.graph))
    for body in [loops, *(p.graph for p in copies.values())]:
        for op in invocations(body):
            procedure = op.attrs["procedure"]
            op.attrs["procedure"] = copies.get(procedure, procedure)
    limit_depth(loops, copies.values())
    return emit_cpu(loops)


def is_for_other_shapes(error: Exception) -> bool:
    """Whether code for the shapes of one call got others, which need all ways."""
    return str(error) == OTHER_WAYS


def kernel_source(graph: Graph) -> str:
    """The derivative as kernels for a GPU, and the function that starts them."""
    return launching_source(in_kernels(graph))


def launching_source(host: Graph) -> str:
    """The source of a graph that starts kernels, and of these."""
    return emit_cuda(host)


def thread_source(graph: Graph) -> str:
    """The derivative as a function that one thread of a kernel calls."""
    loops = schedule_loops(graph)
    optimise_one(loops, SCALAR_PASSES)
    for_one_thread(loops)
    return emit_thread(loops)


def in_kernels(graph: Graph) -> Graph:
    """The graph of the function that starts the kernels."""
    loops = schedule_kernel_loops(graph)
    passes = [p for p in SCALAR_PASSES if p[0].__name__ not in FOR_ONE_CORE]
    # first arrays that take the place of others, while each loop makes one
    optimise_one(loops, [p for p in passes if p[0] not in FOR_KERNELS])
    optimise_one(loops, replaced(passes, FOR_KERNELS))
    run_passes(loops, drop_overwritten)
    launch_kernels(loops)
    tidying = [p for p in SCALAR_PASSES if p[0] in TIDYING]
    for body in [loops, *(p.graph for p in procedures_of(loops))]:
        optimise_one(body, tidying)
    if is_on(reuse_buffers):
        reuse_buffers(loops, whole=True)
    return loops


def in_loops(graph: Graph) -> Graph:
    """A copy as loops over single numbers, for derivatives that follow these."""
    copy, _ = clone_graph(graph)
    loops = schedule_loops(pass_order.optimise(copy))
    optimise_one(loops, [p for p in SCALAR_PASSES if p[0] in TIDYING])
    return loops


def scheduled(graph: Graph, shapes: Sequence[tuple[int, ...]] = ()) -> Graph:
    """The graph of loops that the compiler sees.

    With the shapes of all arguments of a call, only the ways that these choose.
    """
    on_arrays = [run for run, may in ON_ARRAYS if is_on(run) and may(graph)]
    if on_arrays:
        graph, _ = clone_graph(graph)
        run_passes(graph, *on_arrays, prune)
    loops = schedule_loops(graph)
    known: dict[Value, tuple[int, ...]] = {}
    if shapes and is_on(choose_ways):
        known.update(zip(loops.params, shapes, strict=True))
    choose_ways(loops, known)
    graphs = [loops]
    # while arrays of one iteration are still made inside it, and iterations add to zeros
    late = (reuse_buffers, zero_late, fold_rows)
    first = [p for p in SCALAR_PASSES if p[0] not in late]
    apart = [p for p in first if p[0] is not gather_sums]  # each sum where its number is made
    if is_on(spread_loops):
        rows = is_on(gather_stencils) and may_gather_stencils(loops)
        optimise_one(loops, apart if rows else first)
        before = procedures_of(loops)
        spread_loops(loops)
        graphs += [p.graph for p in procedures_of(loops) if p not in before]

    for body in graphs:
        early = [run for run, may in EARLY if is_on(run) and may(body)]
        if gather_stencils in early:
            optimise_one(body, apart)
            gather_stencils(body)
            early.remove(gather_stencils)
        if early:
            optimise_one(body, first)
            gathered: dict[Pass, Pass] = {peel_borders: peel_for_sums}
            run_passes(
                body, *(gathered.get(run, run) if is_on(gather_sums) else run for run in early)
            )
        if body is loops:
            choose_ways(loops, known)
        handed_on = is_on(gather_sums) and is_on(hand_on_sums)
        others: dict[Pass, Pass] = {gather_sums: gather_but_pairs} if handed_on else {}
        optimise_one(body, replaced(SCALAR_PASSES, others))
        run_passes(body, *LATE)
        if body is loops:
            choose_ways(loops, known)
        run_passes(body, *LAST)
    for body in graphs[1:]:
        loops.notes += body.notes
    return loops
