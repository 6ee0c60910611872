"""What the checks run programs with: modules made of text, graphs caught on their way, a time limit.

Enters: the text of a program, or a function to run. Leaves: its module; every graph that was
optimised meanwhile, verified after each pass.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from adcompile import pass_order
from adcompile.graph.ir import Graph
from adcompile.graph.verify import verify
from tests.random_programs.program import Program

LONGEST = 120  # seconds of one processor for one program
_numbers = itertools.count()
_folder = tempfile.TemporaryDirectory(prefix="adcompile-random-")


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in what computes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError("it takes too long")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def with_wrappers(program: Program) -> str:
    """The text with `tangent`: the derivative along a direction as a function of its own."""
    names = program.names
    dots = tuple(f"{name}_dot" for name in names)
    head = f"def tangent({', '.join((*names, *dots))}):"
    call = f"    return ad.jvp(program, ({', '.join(names)}), ({', '.join(dots)}))[1]"
    return f"{program.text}\n\n{head}\n{call}\n"


def loaded(text: str) -> Any:
    """The module in a text, written to a file so that its source can be read."""
    name = f"random_program_{next(_numbers)}"
    path = Path(_folder.name) / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


@contextlib.contextmanager
def recorded() -> Iterator[list[Graph]]:
    """The graphs optimised meanwhile; each is verified after every pass."""
    graphs: list[Graph] = []
    kept = pass_order.optimise

    def verified(run: Callable[[Graph], None]) -> Callable[[Graph], None]:
        def both(graph: Graph) -> None:
            run(graph)
            verify(graph)

        return both

    def optimise(graph: Graph, passes: Any = pass_order.PASSES) -> Graph:
        verify(graph)
        kept(graph, [(verified(run), text) for run, text in passes])
        if passes is pass_order.PASSES:
            pass_order.separate_results(graph)
            verify(graph)
            graphs.append(graph)
        return graph

    pass_order.optimise = optimise  # type: ignore[assignment]  # the same, with a check
    try:
        yield graphs
    finally:
        pass_order.optimise = kept
