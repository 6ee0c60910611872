"""Which passes there are, in which order they run, and which do not.

Enters: a graph, and what the caller switches off. Leaves: the graph after its passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from adcompile.errors import Location, TypeMismatch
from adcompile.graph.calls import inline_calls
from adcompile.graph.ir import Graph
from adcompile.graph.procedures import (
    Procedure,
    drop_unused_parameters,
    note_effects,
    procedures_of,
    separate_results,
)
from adcompile.graph.prune import prune
from adcompile.optimize.accumulate import merge_accumulations
from adcompile.optimize.borders import may_peel, peel_borders
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
from adcompile.optimize.derived import derive_elements
from adcompile.optimize.distribute import distribute_loops
from adcompile.optimize.divisions import hoist_divisions
from adcompile.optimize.factor import factor_carried
from adcompile.optimize.first import store_first
from adcompile.optimize.fold import fold_rows
from adcompile.optimize.gather import gather_sums, hand_on_sums
from adcompile.optimize.interleave import interleave_iterations, may_interleave
from adcompile.optimize.joined import join_tapes
from adcompile.optimize.late import zero_late
from adcompile.optimize.loads import hoist_loads, share_loads
from adcompile.optimize.mapped import map_sums, may_map
from adcompile.optimize.merge import merge_kernels, merge_loops, merge_sums
from adcompile.optimize.ordered import order_products
from adcompile.optimize.overwritten import drop_overwritten
from adcompile.optimize.powers import multiply_powers
from adcompile.optimize.precompute import precompute
from adcompile.optimize.reciprocals import share_reciprocals
from adcompile.optimize.recurrences import order_recurrences
from adcompile.optimize.rows import keep_rows
from adcompile.optimize.signs import decide_signs
from adcompile.optimize.simplify import simplify
from adcompile.optimize.sink import sink_into_branches
from adcompile.optimize.skip import skip_zeros
from adcompile.optimize.solutions import may_share_factors, share_factors
from adcompile.optimize.states import keep_states
from adcompile.optimize.stencils import gather_stencils, may_gather_stencils
from adcompile.optimize.stored import add_to_stored
from adcompile.optimize.sums import add_once, carry_sums
from adcompile.optimize.takeover import take_over
from adcompile.optimize.tapes import save_factors
from adcompile.optimize.threads import spread_loops
from adcompile.optimize.turns import take_turns
from adcompile.optimize.unread import drop_unread
from adcompile.optimize.unroll import unroll_columns
from adcompile.optimize.unsigned import unsigned_indices
from adcompile.optimize.ways import choose_ways

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
FOR_ONE_CORE = frozenset(
    {
        "unroll_columns", "merge_sums", "gather_sums", "keep_rows", "zero_late", "fold_rows",
        "reuse_buffers",
    }
)  # fmt: skip
Pass = Callable[[Graph], None]
FOR_KERNELS: dict[Pass, Pass] = {merge_loops: merge_kernels}
_ONLY_KERNELS = frozenset({"merge_kernels"})
# with a test whether there is anything to do
_Asking = tuple[tuple[Pass, Callable[[Graph], bool]], ...]
# on arrays, for the compiler alone
ON_ARRAYS: _Asking = ((read_chosen_rows, may_choose_rows), (share_factors, may_share_factors))
# before memory that iterations can share is
EARLY: _Asking = (
    (gather_stencils, may_gather_stencils),
    (peel_borders, may_peel),
    (map_sums, may_map),
    (part_columns, may_part),
    (interleave_iterations, may_interleave),
)
# after memory that iterations share
LATE: tuple[Pass, ...] = (
    hand_on_sums, carry_stored, simplify, skip_zeros, factor_carried, prune, join_tapes,
    order_products, save_factors, derive_elements, prune, distribute_loops,
)  # fmt: skip
# when nobody asks any more which arrays are different ones
LAST: tuple[Pass, ...] = (
    drop_overwritten, sink_into_branches, compute_both_sides, prune, order_recurrences, mark_chains,
    keep_states, prune, take_turns, hoist_divisions, unsigned_indices,
)  # fmt: skip
TIDYING = (simplify, decide_signs, prune, share_indices, share_loads)

Passes = Sequence[tuple[Callable[[Graph], None], str]]
Options = Mapping[str, bool]
_NEEDED = frozenset({"inline_calls", "prune", "hoist_divisions"})
_REORDERING = frozenset(
    {
        "read_chosen_rows",
        "share_factors",
        "multiply_powers",
        "merge_sums",
        "gather_sums",
        "gather_stencils",
        "share_reciprocals",
        "add_once",
        "map_sums",
        "interleave_iterations",
        "hand_on_sums",
        "skip_zeros",
        "factor_carried",
        "join_tapes",
        "order_products",
        "distribute_loops",
        "sink_into_branches",
        "compute_both_sides",
        "mark_chains",
    }
)  # they round otherwise, or leave out what may be no number
_THREADS = frozenset({"spread_loops"})
_NO_KERNELS = frozenset(
    run.__name__
    for run in (
        *(run for run, _ in (*EARLY, *ON_ARRAYS)), *LATE, *LAST, choose_ways, merge_loops
    )
) - {"simplify", "prune", "drop_overwritten"}  # fmt: skip
_skipped: ContextVar[frozenset[str]] = ContextVar("skipped", default=_THREADS | _ONLY_KERNELS)


def pass_names() -> list[str]:
    """The passes that can be switched off, in the order in which they first run."""
    named: list[Callable[..., None]] = [share_loads, hoist_loads, precompute]
    named += [run for run, _ in (*PASSES, *SCALAR_PASSES, *ON_ARRAYS)]
    named += [
        spread_loops, *(run for run, _ in EARLY), choose_ways, *LATE, *LAST, merge_kernels,
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
        return off | (FOR_ONE_CORE - {"reuse_buffers"}) | _NO_KERNELS | _THREADS
    off |= _ONLY_KERNELS
    if options["boundscheck"]:
        # copies have all rows and columns that the text names, rings those of all tables, and what
        # stores an element that is there already checks that there is one
        off |= {
            "part_columns", "fold_rows", "distribute_loops", "drop_overwritten", "gather_stencils",
        }  # fmt: skip
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


def is_on(run: Callable[..., None]) -> bool:
    """Whether a pass runs now."""
    return run.__name__ not in _skipped.get()


def run_passes(graph: Graph, *passes: Pass) -> None:
    """Run passes over one graph, without those that are switched off."""
    for run in passes:
        if is_on(run):
            run(graph)


def optimise(graph: Graph, passes: Passes = PASSES) -> Graph:
    """Run passes over a graph and the procedures it reaches."""
    optimise_one(graph, passes)
    done: set[Procedure] = set()
    while todo := [p for p in procedures_of(graph) if p not in done]:
        for procedure in todo:
            optimise_one(procedure.graph, passes)
            done.add(procedure)
    if passes is PASSES:
        note_effects(procedures_of(graph))
        drop_unused_parameters(graph)
        prune(graph)
    return graph


def replaced(passes: Passes, others: Mapping[Pass, Pass]) -> Passes:
    """The passes, with others in the place of some."""
    return [(others.get(run, run), why) for run, why in passes]


def optimise_one(graph: Graph, passes: Passes) -> None:
    """Run passes until the graph stops shrinking, at most five times."""
    size = -1
    for _ in range(5):
        run_passes(graph, *(run for run, _ in passes))
        new = sum(1 + len(op.inputs) for op in graph.body.walk())
        if new == size:
            break
        size = new
    if passes is PASSES:
        separate_results(graph)
