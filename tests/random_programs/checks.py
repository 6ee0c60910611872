"""Everything that must hold of one program, whatever it computes.

Enters: a program and which checks to make. Leaves: an `Outcome`: what was done, what was refused and
why, or the first thing that went wrong.

The plain program under NumPy is the reference: differences of it for the first derivative, of the
gradient for the second. The modes are held against each other by duality, and one graph is run in
every way there is: interpreted, as readable source, as the source for the compiler under plain
NumPy, compiled.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import adcompile as ad
from adcompile import pipeline
from adcompile.errors import AdcompileError, InternalError
from adcompile.graph.clone import clone_graph
from adcompile.graph.interpret import interpret
from adcompile.graph.ir import Graph
from adcompile.graph.trees import as_tuples, is_container, leaves, mapped
from adcompile.graph.types import is_float, type_of
from adcompile.graph.verify import verify
from tests.random_programs.program import Program

REASONS = (
    "is handed through a `",
    "this may be a view of",
    "was made outside the branch or loop that changes it",
    "a checkpointed loop that writes an array through two names",
    "a checkpointed loop that may be left early",
    "needs contiguous memory",
    "with a size that is not known outside",
    "gives values of different kinds",
    "is once a",
)
ALL = frozenset({"second", "mixed", "batch", "scheduled"})
LONGEST = 120  # seconds of one processor for one program
_numbers = itertools.count()
_folder = tempfile.TemporaryDirectory(prefix="adcompile-random-")


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
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


class Wrong(AssertionError):
    """Two ways to compute one thing that differ."""


@dataclass
class Outcome:
    """What came of one program."""

    kind: str  # "clean", "kink", "refused", "failed", "invalid"
    reason: str = ""
    stage: str = ""
    done: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The stage and what came of it."""
        return f"{self.stage}: {self.reason}"

    @property
    def needs(self) -> frozenset[str]:
        """The optional checks that a failure comes from."""
        return {
            "hvp": frozenset({"second"}), "reverse over forward": frozenset({"second", "mixed"}),
            "vmap": frozenset({"batch"}), "scheduled": frozenset({"scheduled"}),
        }.get(self.stage, frozenset())  # fmt: skip

    def same(self, other: Outcome) -> bool:
        """Whether two failures are of one kind."""
        return (self.kind, self.stage, self.reason) == (other.kind, other.stage, other.reason)


def extras(seed: int) -> frozenset[str]:
    """The optional checks of one program: the dear ones are made of a part."""
    turns = {"scheduled": seed % 2 == 0, "second": seed % 4 in (1, 2), "mixed": seed % 8 == 1,
             "batch": seed % 12 == 3}  # fmt: skip
    return frozenset(name for name, now in turns.items() if now)


def check(program: Program, extra: frozenset[str] = ALL, compiled: bool = False) -> Outcome:
    """Run the checks; of those in `ALL`, the ones in `extra`."""
    try:
        run = _Run(program)
    except Exception as error:  # it fails under plain Python, too
        return Outcome("invalid", f"{type(error).__name__}: {error}")
    try:
        with _limited(LONGEST):
            run.all(extra, compiled)
    except AdcompileError as error:
        known = not isinstance(error, InternalError) and [r for r in REASONS if r in error.message]
        if known:
            return Outcome("refused", known[0], run.stage, run.done)
        text = type(error).__name__ + ": " + error.message.split("\n")[0]
        return Outcome("failed", text, run.stage, run.done)
    except Wrong as error:
        return Outcome("failed", str(error), run.stage, run.done)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.name}"
        text = f"{type(error).__name__} in {where}: {str(error)[:300]}"
        return Outcome("failed", text, run.stage, run.done)
    return Outcome("kink" if run.kink else "clean", "", "", run.done)


class _Run:
    """The checks of one program, in order; `stage` says which is at work."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.stage, self.done, self.kink = "plain", [], False  # type: ignore[var-annotated]
        self.module = _loaded(_with_wrappers(program))
        self.function = self.module.program
        self.args = self._precise(0)
        self.wrt = tuple(
            k for k, a in enumerate(self.args) if any(map(_is_float, leaves(type_of(a))))
        )
        rng = np.random.default_rng(program.seed + 1)
        self.direction = _random_like(self.args, rng)
        self.stops: list[Any] = []
        with np.errstate(all="ignore"), self._stops(record=True):
            self.value = float(self.function(*_copied(self.args)))
        if not abs(self.value) < 1e4:
            raise ValueError(f"the value is {self.value}")

    def _precise(self, number: int) -> tuple[Any, ...]:
        args = self.program.arguments(self.module, number)
        return mapped(_rounded, args) if self.program.single else args

    def all(self, extra: frozenset[str], compiled: bool) -> None:
        with np.errstate(all="ignore"):
            self._gradient("scheduled" in extra)
            self._forward()
            self._differences()
            if "second" in extra:
                self._second()
            if "mixed" in extra:
                self._mixed()
            if "batch" in extra:
                self._batch()
            if self.program.single:
                self._single()
            if compiled:
                self._compiled()

    # -- first order ----------------------------------------------------------------------------

    def _gradient(self, scheduled: bool) -> None:
        self.stage = "value_and_grad"
        given = _copied(self.args)
        with _recorded() as graphs:
            got, self.gradient = ad.value_and_grad(self.function, self.wrt, target="python")(*given)
        for before, after in zip(_numbers_in(self.args), _numbers_in(given), strict=True):
            if not np.array_equal(before, after):
                raise Wrong("an argument was written")
        _close(got, self.value, 1e-9, 1e-9, "the value differs from plain Python")
        self.stage = "interpreted"
        wanted = _numbers_in((got, self.gradient))
        _all_close(
            _numbers_in(interpret(graphs[-1], *as_tuples(_copied(self.args)))), wanted, 1e-9,
            "the interpreter and the readable source differ",
        )  # fmt: skip
        if scheduled:
            self.stage = "scheduled"
            self._scheduled(graphs[-1], wanted)
        self.done.append("gradient")

    def _scheduled(self, graph: Graph, wanted: list[Any]) -> None:
        source = pipeline.compiler_source(clone_graph(graph)[0])
        space: dict[str, Any] = {}
        exec(compile(source, "<scheduled>", "exec"), space)
        found = space[graph.name](*as_tuples(_copied(self.args)))
        _all_close(_numbers_in(found), wanted, 1e-8, "the scheduled source differs")
        self.done.append("scheduled")

    def _forward(self) -> None:
        self.stage = "jvp"
        got, self.tangent = ad.jvp(
            self.function, _copied(self.args), self.direction, target="python"
        )
        _close(got, self.value, 1e-9, 1e-9, "the value of jvp differs")
        slope = self._along(self.gradient)
        _close(slope, self.tangent, 1e-7, 1e-8, "reverse and forward mode differ")
        self.done.append("jvp")

    def _along(self, gradient: Any) -> float:
        products = [0.0]
        chosen = tuple(self.direction[k] for k in self.wrt)
        mapped(lambda d, g: products.append(_product(g, d)), chosen, gradient)
        return sum(products)

    def _differences(self) -> None:
        """Central differences; where sides or step sizes differ there is a kink."""
        self.stage = "differences"
        steps = (1e-5, 3e-6)
        values = {s: self._plain(s) for h in steps for s in (h, -h)}
        coarse, fine = ((values[h] - values[-h]) / (2 * h) for h in steps)
        sides = [(values[s] - self.value) / s for s in (steps[1], -steps[1])]
        scale = 1 + abs(fine)
        if abs(coarse - fine) > 1e-4 * scale or abs(sides[0] - sides[1]) > 1e-2 * scale:
            self.kink = True
            return
        _close(self.tangent, fine, 1e-4, 2e-5, "the derivative differs from differences")
        self.done.append("differences")

    def _plain(self, step: float) -> float:
        moved = _moved(self.args, self.direction, step)
        with self._stops(record=False):
            return float(self.function(*moved))

    @contextlib.contextmanager
    def _stops(self, record: bool) -> Iterator[None]:
        """`stop_gradient` gives what it gave in the recorded run: it does not move."""
        place = iter(list(self.stops))
        kept = ad.stop_gradient

        def stop(value: Any) -> Any:
            if record:
                self.stops.append(np.copy(value)[()])
                return value
            return next(place, value)

        ad.stop_gradient = stop
        try:
            yield
        finally:
            ad.stop_gradient = kept

    # -- second order ---------------------------------------------------------------------------

    def _second(self) -> None:
        """Forward over reverse against differences of the gradient."""
        self.stage = "hvp"
        gradient = ad.grad(self.function, self.wrt, target="python")
        _, self.second = ad.jvp(gradient, _copied(self.args), self.direction, target="python")
        found = _numbers_in(self.second)
        self.done.append("hvp")
        if self.kink:
            return
        sides = {
            s: _numbers_in(gradient(*_moved(self.args, self.direction, s)))
            for s in (1e-5, -1e-5, 3e-6, -3e-6)
        }
        here = _numbers_in(self.gradient)
        rows = zip(found, here, *sides.values(), strict=True)
        for f, g, a, b, c, d in rows:
            coarse, fine = ((np.asarray(s) - t) / h for s, t, h in ((a, b, 2e-5), (c, d, 6e-6)))
            ahead, behind = (np.asarray(c) - g) / 3e-6, (np.asarray(g) - d) / 3e-6
            scale = 1 + np.abs(fine)
            smooth = (np.abs(coarse - fine) < 1e-3 * scale) & (
                np.abs(ahead - behind) < 0.02 * scale
            )
            wrong = smooth & (np.abs(f - fine) > 1e-3 * scale)
            if np.any(wrong):
                raise Wrong("the second derivative differs from differences of the gradient")
        self.done.append("hvp differences")

    def _mixed(self) -> None:
        """Reverse over forward against forward over reverse."""
        self.stage = "reverse over forward"
        if "hvp" not in self.done:
            return
        made = ad.grad(self.module.tangent, self.wrt, target="python")
        found = made(*_copied(self.args), *self.direction)
        _all_close(
            _numbers_in(found), _numbers_in(self.second), 1e-7,
            "reverse over forward and forward over reverse differ",
        )  # fmt: skip
        self.done.append("mixed")

    def _batch(self) -> None:
        self.stage = "vmap"
        gradient = ad.grad(self.function, self.wrt, target="python")
        both = [_copied(self.args), self._precise(1)]
        shared = tuple(None if k in (5, 6, 7) else 0 for k in range(len(self.args)))
        stacked = tuple(
            a if s is None else mapped(lambda x, y: np.stack([x, y]), a, b)
            for a, b, s in zip(*both, shared, strict=True)
        )
        found = ad.vmap(gradient, in_axes=shared, target="python")(*stacked)
        for k, args in enumerate(both):
            wanted = _numbers_in(gradient(*args))
            got = [np.asarray(f)[k] for f in _numbers_in(found)]
            _all_close(got, wanted, 1e-7, "vmap differs from single gradients")
        self.done.append("batch")

    # -- precision and the compiler -------------------------------------------------------------

    def _single(self) -> None:
        """Single precision against double."""
        self.stage = "float32"
        args = mapped(_narrow, self.args)
        gradient = ad.grad(self.function, self.wrt, target="python")(*args)
        for found, wanted, given in zip(
            _numbers_in(gradient), _numbers_in(self.gradient),
            _numbers_in(tuple(args[k] for k in self.wrt)), strict=True,
        ):  # fmt: skip
            if isinstance(given, np.ndarray) and found.dtype != given.dtype:
                raise Wrong("a gradient has another dtype than its argument")
            if not self.kink:
                size = 1 + max(1.0, float(np.max(np.abs(wanted), initial=0)))
                _all_close([found], [wanted], 2e-2, "single precision differs", 2e-3 * size)
        self.done.append("float32")

    def _compiled(self) -> None:
        """Value and gradient by machine code: one function, its compilation takes long."""
        self.stage = "compiled"
        made = ad.value_and_grad(self.function, self.wrt, cache=False)
        given = _copied(self.args)
        found, wanted = _numbers_in(made(*given)), _numbers_in((self.value, self.gradient))
        _all_close(found, wanted, 1e-7, "the compiled function differs")
        for before, after in zip(_numbers_in(self.args), _numbers_in(given), strict=True):
            if not np.array_equal(before, after):
                raise Wrong("an argument was written")
        self.done.append("compiled")


# -- modules ---------------------------------------------------------------------------------------


def _with_wrappers(program: Program) -> str:
    """The text with `tangent`: the derivative along a direction as a function of its own."""
    names = program.names
    dots = tuple(f"{name}_dot" for name in names)
    head = f"def tangent({', '.join((*names, *dots))}):"
    call = f"    return ad.jvp(program, ({', '.join(names)}), ({', '.join(dots)}))[1]"
    return f"{program.text}\n\n{head}\n{call}\n"


def _loaded(text: str) -> Any:
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
def _recorded() -> Iterator[list[Graph]]:
    """The graphs optimised meanwhile; each is verified after every pass."""
    graphs: list[Graph] = []
    kept = pipeline.optimise

    def verified(run: Callable[[Graph], None]) -> Callable[[Graph], None]:
        def both(graph: Graph) -> None:
            run(graph)
            verify(graph)

        return both

    def optimise(graph: Graph, passes: Any = pipeline.PASSES) -> Graph:
        verify(graph)
        kept(graph, [(verified(run), text) for run, text in passes])
        if passes is pipeline.PASSES:
            pipeline.separate_results(graph)
            verify(graph)
            graphs.append(graph)
        return graph

    pipeline.optimise = optimise  # type: ignore[assignment]
    try:
        yield graphs
    finally:
        pipeline.optimise = kept


# -- numbers ---------------------------------------------------------------------------------------


def _is_float(leaf: Any) -> bool:
    return is_float(leaf)


def _copied(item: Any) -> Any:
    return mapped(lambda leaf: leaf.copy(order="K") if isinstance(leaf, np.ndarray) else leaf, item)


def _random_like(item: Any, rng: np.random.Generator) -> Any:
    if is_container(item):
        return mapped(lambda leaf: _random_like(leaf, rng), item)
    if np.asarray(item).dtype.kind != "f":
        return item
    drawn = rng.standard_normal(np.shape(item))
    return drawn if isinstance(item, np.ndarray) else float(drawn)


def _moved(args: Any, direction: Any, step: float) -> Any:
    if is_container(args):
        return mapped(lambda a, d: _moved(a, d, step), args, direction)
    if np.asarray(args).dtype.kind != "f":
        return np.copy(args) if isinstance(args, np.ndarray) else args
    return args + step * direction


def _rounded(leaf: Any) -> Any:
    """A number that single precision holds exactly."""
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
        return leaf.astype(np.float32).astype(np.float64, order="K")
    return float(np.float32(leaf)) if isinstance(leaf, float) else leaf


def _narrow(leaf: Any) -> Any:
    return (
        leaf.astype(np.float32) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf
    )


def _numbers_in(tree: Any) -> list[Any]:
    return [leaf for leaf in leaves(as_tuples(tree)) if leaf is not None]


def _product(cotangent: Any, direction: Any) -> float:
    return 0.0 if cotangent is None else float(np.sum(np.asarray(cotangent) * direction))


def _close(found: Any, wanted: Any, rtol: float, atol: float, what: str) -> None:
    if not np.allclose(found, wanted, rtol, atol, equal_nan=True):
        raise Wrong(what)


def _all_close(
    found: list[Any], wanted: list[Any], rtol: float, what: str, atol: float = 0.0
) -> None:
    if len(found) != len(wanted):
        raise Wrong(f"{what}: {len(found)} results, not {len(wanted)}")
    for f, w in zip(found, wanted, strict=True):
        if np.shape(f) != np.shape(w):
            raise Wrong(f"{what}: a shape")
        _close(f, w, rtol, atol or rtol * (1 + float(np.max(np.abs(w), initial=0))), what)
