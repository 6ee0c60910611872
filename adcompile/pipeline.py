"""The one place that knows the order of the stages.

Enters: a Python function, argument types, and what to derive. Leaves: a graph of the derivative,
its readable source, or its source for the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import adcompile.ops  # noqa: F401  (fills the registry of operations)
from adcompile.emit.cpu import emit_cpu
from adcompile.emit.cuda import emit_cuda, emit_thread
from adcompile.emit.python import emit_python
from adcompile.errors import AdcompileError, Location, NotDifferentiable, TypeMismatch
from adcompile.graph.aliases import Aliases
from adcompile.graph.builder import Builder
from adcompile.graph.calls import inline_calls
from adcompile.graph.clone import clone_graph
from adcompile.graph.ir import Graph, Note, Op, Value
from adcompile.graph.part_views import refuse_stale_parts
from adcompile.graph.procedures import (
    Procedure,
    drop_unused_parameters,
    invocations,
    note_effects,
    procedures_of,
    separate_results,
)
from adcompile.graph.prune import prune
from adcompile.graph.rewrite import replace
from adcompile.graph.segments import cut_segments
from adcompile.graph.trees import leaves
from adcompile.graph.types import Structure
from adcompile.ops.effects import drop_prints
from adcompile.optimize.accumulate import merge_accumulations
from adcompile.optimize.borders import may_peel, peel_borders, peel_for_sums
from adcompile.optimize.both import compute_both_sides
from adcompile.optimize.branches import share_branches
from adcompile.optimize.buffers import reuse_buffers
from adcompile.optimize.carried import write_carried
from adcompile.optimize.carry import carry_stored
from adcompile.optimize.chains import mark_chains
from adcompile.optimize.checks import hoist_checks
from adcompile.optimize.chosen import may_choose_rows, read_chosen_rows
from adcompile.optimize.columns import may_part, part_columns
from adcompile.optimize.common import share_common, share_indices
from adcompile.optimize.copies import drop_copies
from adcompile.optimize.distribute import distribute_loops
from adcompile.optimize.divisions import hoist_divisions
from adcompile.optimize.factor import factor_carried
from adcompile.optimize.first import store_first
from adcompile.optimize.fold import fold_rows
from adcompile.optimize.gather import gather_but_pairs, gather_sums, hand_on_sums
from adcompile.optimize.interleave import interleave_iterations, may_interleave
from adcompile.optimize.late import zero_late
from adcompile.optimize.loads import hoist_loads, share_loads
from adcompile.optimize.mapped import map_sums, may_map
from adcompile.optimize.merge import merge_kernels, merge_loops, merge_sums
from adcompile.optimize.ordered import order_products
from adcompile.optimize.overwritten import drop_overwritten
from adcompile.optimize.powers import multiply_powers
from adcompile.optimize.precompute import precompute
from adcompile.optimize.reciprocals import share_reciprocals
from adcompile.optimize.rows import keep_rows
from adcompile.optimize.signs import decide_signs
from adcompile.optimize.simplify import simplify
from adcompile.optimize.sink import sink_into_branches
from adcompile.optimize.skip import skip_zeros
from adcompile.optimize.solutions import may_share_factors, share_factors
from adcompile.optimize.squares import square_sizes
from adcompile.optimize.stored import add_to_stored
from adcompile.optimize.sums import add_once, carry_sums
from adcompile.optimize.takeover import take_over
from adcompile.optimize.tapes import save_factors
from adcompile.optimize.threads import spread_loops
from adcompile.optimize.turns import take_turns
from adcompile.optimize.unread import drop_unread
from adcompile.optimize.unroll import unroll_columns
from adcompile.optimize.unsigned import unsigned_indices
from adcompile.optimize.ways import OTHER_WAYS, choose_ways
from adcompile.parse.lower import lower_function
from adcompile.parse.source import read_source
from adcompile.schedule.depth import limit_depth
from adcompile.schedule.kernel_loops import schedule_kernel_loops
from adcompile.schedule.launches import launch_kernels
from adcompile.schedule.loops import schedule_loops
from adcompile.schedule.one_thread import for_one_thread

PASSES: tuple[tuple[Callable[[Graph], None], str], ...] = (
    (inline_calls, "put the operations of functions with a derivative of their own in place"),
    (prune, "remove what rules compute for numbers that have no derivative"),
    (simplify, "fold constants, drop neutral elements and needless broadcasts"),
    (prune, "remove what no result needs"),
    (share_common, "compute equal expressions once"),
    (drop_copies, "use an array instead of its copy where it is not used again"),
    (merge_accumulations, "start buffers with their first contribution"),
    (drop_unread, "store nothing that nobody reads"),
    (hoist_checks, "check shapes once, at the start"),
)
SCALAR_PASSES: tuple[tuple[Callable[[Graph], None], str], ...] = (
    (simplify, "fold constants that conversions exposed"),
    (multiply_powers, "compute powers as products and roots"),
    (decide_signs, "count no index from the end that is never negative"),
    (prune, "remove extents and conversions that no loop needs"),
    (share_indices, "compute equal extents and indices once"),
    (unroll_columns, "write out short loops over the columns of an array"),
    (add_to_stored, "store what is added to an element that has just been stored"),
    (share_loads, "read an element once, until its memory may have changed"),
    (hoist_loads, "read what a loop does not change before it"),
    (share_branches, "compute once what two branches on one condition compute"),
    (share_reciprocals, "divide by a number once"),
    (merge_sums, "join loops that only add to elements"),
    (gather_sums, "let each element gather what neighbouring iterations add to it"),
    (merge_loops, "join loops over the same range that share arrays"),
    (keep_rows, "keep of an array that iterations share only the row of each"),
    (carry_sums, "carry an element that a loop adds to in a variable"),
    (add_once, "carry what a loop adds to an element, and add it once"),
    (store_first, "store into an array of zeros what is added to it first"),
    (zero_late, "store what is added first to rows of zeros, and to what loops hand on as zeros"),
    (fold_rows, "keep of a table of which a loop uses few rows at a time only these"),
    (take_over, "write a new array into one that is not read again"),
    (write_carried, "write what a loop carries into the array that it started with"),
    (reuse_buffers, "make arrays that last one iteration once, before the loop"),
)
# they save the memory of one core by an order of the iterations that kernels do not keep
_FOR_ONE_CORE = frozenset(
    {
        "unroll_columns", "merge_sums", "gather_sums", "keep_rows", "zero_late", "fold_rows",
        "reuse_buffers",
    }
)  # fmt: skip
_Pass = Callable[[Graph], None]
_FOR_KERNELS: dict[_Pass, _Pass] = {merge_loops: merge_kernels}
_ONLY_KERNELS = frozenset({"merge_kernels", "drop_overwritten"})
# with a test whether there is anything to do
_Asking = tuple[tuple[_Pass, Callable[[Graph], bool]], ...]
# on arrays, for the compiler alone
_ON_ARRAYS: _Asking = ((read_chosen_rows, may_choose_rows), (share_factors, may_share_factors))
# before memory that iterations can share is
_EARLY: _Asking = (
    (peel_borders, may_peel),
    (map_sums, may_map),
    (part_columns, may_part),
    (interleave_iterations, may_interleave),
)
_TIDYING = (simplify, decide_signs, prune, share_indices, share_loads)

Passes = Sequence[tuple[Callable[[Graph], None], str]]
Options = Mapping[str, bool]
_NEEDED = frozenset({"inline_calls", "prune"})
_REORDERING = frozenset(
    {
        "read_chosen_rows",
        "share_factors",
        "multiply_powers",
        "merge_sums",
        "gather_sums",
        "share_reciprocals",
        "add_once",
        "map_sums",
        "interleave_iterations",
        "hand_on_sums",
        "skip_zeros",
        "factor_carried",
        "order_products",
        "distribute_loops",
        "sink_into_branches",
        "compute_both_sides",
        "mark_chains",
    }
)  # they round otherwise, or leave out what may be no number
_THREADS = frozenset({"spread_loops"})
_skipped: ContextVar[frozenset[str]] = ContextVar("skipped", default=_THREADS | _ONLY_KERNELS)


def pass_names() -> list[str]:
    """The passes that can be switched off, in the order in which they first run."""
    named: list[Callable[..., None]] = [share_loads, hoist_loads, precompute]
    named += [run for run, _ in (*PASSES, *SCALAR_PASSES, *_ON_ARRAYS)]
    named += [
        spread_loops, *(run for run, _ in _EARLY), choose_ways, take_turns, hand_on_sums,
        carry_stored, skip_zeros, factor_carried, order_products, save_factors, distribute_loops,
        sink_into_branches, compute_both_sides, mark_chains, unsigned_indices, merge_kernels,
        drop_overwritten,
    ]  # fmt: skip
    names = dict.fromkeys(run.__name__ for run in named)
    return [name for name in names if name not in _NEEDED]


def skipped_passes(
    passes: Any, options: Options, target: str, place: Location | None
) -> frozenset[str]:
    """The passes that do not run: those that `passes={name: False}`, `fastmath=False` and others
    switch off, and those that are for another target.

    An error cannot leave a thread, so with `boundscheck` there is one. Raises TypeMismatch for what
    is no such choice.
    """
    known = pass_names()
    if not isinstance(passes, Mapping) or not all(isinstance(on, bool) for on in passes.values()):
        hint = 'switch passes off by their names: passes={"merge_loops": False}'
        raise TypeMismatch(f"passes={passes!r}", place, hint)
    for name in passes:
        if name not in known:
            hint = f"one of {', '.join(known)}"
            raise TypeMismatch(f"there is no pass {name!r} to switch off", place, hint)
    off = frozenset(name for name, on in passes.items() if not on)
    off |= frozenset() if options["fastmath"] else _REORDERING
    if target == "cuda":
        others = (_FOR_ONE_CORE - {"reuse_buffers"}) | {
            "merge_loops", "unsigned_indices", "map_sums", "part_columns", "interleave_iterations",
            "hand_on_sums", "skip_zeros", "factor_carried", "order_products", "save_factors",
            "read_chosen_rows", "choose_ways", "distribute_loops", "mark_chains", "share_factors",
            "compute_both_sides", "peel_borders", "sink_into_branches", "carry_stored",
            "take_turns",
        }  # fmt: skip
        return off | others | _THREADS
    off |= _ONLY_KERNELS
    if options["boundscheck"]:
        # copies have all rows and columns that the text names, rings those of all tables
        off |= {"part_columns", "fold_rows", "distribute_loops"}
    return off if options["parallel"] and not options["boundscheck"] else off | _THREADS


@contextmanager
def skipping(names: frozenset[str]) -> Iterator[None]:
    """Leave passes out for a while."""
    token = _skipped.set(names)
    try:
        yield
    finally:
        _skipped.reset(token)


def passes_run() -> list[str]:
    """The passes that run now and could be switched off."""
    return [name for name in pass_names() if name not in _skipped.get()]


def _is_on(run: Callable[..., None]) -> bool:
    return run.__name__ not in _skipped.get()


def _run(graph: Graph, *passes: Callable[[Graph], None]) -> None:
    for run in passes:
        if _is_on(run):
            run(graph)


def optimise(graph: Graph, passes: Passes = PASSES) -> Graph:
    """Run passes over a graph and the procedures it reaches."""
    _optimise_one(graph, passes)
    done: set[Procedure] = set()
    while todo := [p for p in procedures_of(graph) if p not in done]:
        for procedure in todo:
            _optimise_one(procedure.graph, passes)
            done.add(procedure)
    if passes is PASSES:
        note_effects(procedures_of(graph))
        drop_unused_parameters(graph)
        prune(graph)
    return graph


def _replaced(passes: Passes, others: Mapping[_Pass, _Pass]) -> Passes:
    """The passes, with others in the place of some."""
    return [(others.get(run, run), why) for run, why in passes]


def _optimise_one(graph: Graph, passes: Passes) -> None:
    """Run passes until the graph stops shrinking, at most five times."""
    size = -1
    for _ in range(5):
        _run(graph, *(run for run, _ in passes))
        new = sum(1 + len(op.inputs) for op in graph.body.walk())
        if new == size:
            break
        size = new
    if passes is PASSES:
        separate_results(graph)


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
        _run(body, share_loads, hoist_loads, precompute)
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
    _optimise_one(loops, SCALAR_PASSES)
    for_one_thread(loops)
    return emit_thread(loops)


def in_kernels(graph: Graph) -> Graph:
    """The graph of the function that starts the kernels."""
    loops = schedule_kernel_loops(graph)
    passes = [p for p in SCALAR_PASSES if p[0].__name__ not in _FOR_ONE_CORE]
    # first arrays that take the place of others, while each loop makes one
    _optimise_one(loops, [p for p in passes if p[0] not in _FOR_KERNELS])
    _optimise_one(loops, _replaced(passes, _FOR_KERNELS))
    _run(loops, drop_overwritten)
    launch_kernels(loops)
    tidying = [p for p in SCALAR_PASSES if p[0] in _TIDYING]
    for body in [loops, *(p.graph for p in procedures_of(loops))]:
        _optimise_one(body, tidying)
    if _is_on(reuse_buffers):
        reuse_buffers(loops, whole=True)
    return loops


def in_loops(graph: Graph) -> Graph:
    """A copy as loops over single numbers, for derivatives that follow these."""
    copy, _ = clone_graph(graph)
    loops = schedule_loops(optimise(copy))
    _optimise_one(loops, [p for p in SCALAR_PASSES if p[0] in _TIDYING])
    return loops


def scheduled(graph: Graph, shapes: Sequence[tuple[int, ...]] = ()) -> Graph:
    """The graph of loops that the compiler sees.

    With the shapes of all arguments of a call, only the ways that these choose.
    """
    on_arrays = [run for run, may in _ON_ARRAYS if _is_on(run) and may(graph)]
    if on_arrays:
        graph, _ = clone_graph(graph)
        _run(graph, *on_arrays, prune)
    loops = schedule_loops(graph)
    known: dict[Value, tuple[int, ...]] = {}
    if shapes and _is_on(choose_ways):
        known.update(zip(loops.params, shapes, strict=True))
    choose_ways(loops, known)
    graphs = [loops]
    # while arrays of one iteration are still made inside it, and iterations add to zeros
    late = (reuse_buffers, zero_late, fold_rows)
    first = [p for p in SCALAR_PASSES if p[0] not in late]
    if _is_on(spread_loops):
        _optimise_one(loops, first)
        before = procedures_of(loops)
        spread_loops(loops)
        graphs += [p.graph for p in procedures_of(loops) if p not in before]
    for body in graphs:
        early = [run for run, may in _EARLY if _is_on(run) and may(body)]
        if early:
            _optimise_one(body, first)
            gathered: dict[_Pass, _Pass] = {peel_borders: peel_for_sums}
            _run(body, *(gathered.get(run, run) if _is_on(gather_sums) else run for run in early))
        if body is loops:
            choose_ways(loops, known)
        handed_on = _is_on(gather_sums) and _is_on(hand_on_sums)
        others: dict[_Pass, _Pass] = {gather_sums: gather_but_pairs} if handed_on else {}
        _optimise_one(body, _replaced(SCALAR_PASSES, others))
        _run(body, take_turns, hand_on_sums, carry_stored, simplify, skip_zeros, factor_carried)
        _run(body, prune, order_products, save_factors, prune, distribute_loops)
        if body is loops:
            choose_ways(loops, known)
        _run(body, sink_into_branches, compute_both_sides, prune, mark_chains)
        hoist_divisions(body)  # always: LLVM would take them wrongly
        _run(body, unsigned_indices)
    for body in graphs[1:]:
        loops.notes += body.notes
    return loops
