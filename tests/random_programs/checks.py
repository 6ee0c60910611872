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
import re
import traceback
from collections.abc import Iterator
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
from adcompile.graph.trees import as_tuples, leaves, mapped
from adcompile.graph.types import is_continuous, type_of
from tests.random_programs.columns import parted_everywhere
from tests.random_programs.lanes import (
    distributed_everywhere,
    interleaved_everywhere,
    mapped_everywhere,
)
from tests.random_programs.program import Program
from tests.random_programs.running import LONGEST, limited, loaded, recorded, with_wrappers
from tests.random_programs.threads import in_any_order, spread_everywhere
from tests.random_programs.values import (
    Wrong,
    all_close,
    close,
    copied,
    moved,
    narrowed,
    numbers_in,
    product,
    random_like,
    rounded,
)  # fmt: skip

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
NO_FLOAT = "a gradient needs a float"  # right where plain Python gives an int
ALL = frozenset({"second", "mixed", "batch", "scheduled"})


@dataclass
class Outcome:
    """What came of one program."""

    kind: str  # "clean", "kink", "refused", "failed", "invalid"
    reason: str = ""
    stage: str = ""
    done: list[str] = field(default_factory=list)
    detail: str = ""  # of an exception: what differs while the failure stays the same

    @property
    def text(self) -> str:
        """The stage and what came of it."""
        return f"{self.stage}: {self.reason} {self.detail}".strip()

    @property
    def needs(self) -> frozenset[str]:
        """The optional checks that a failure comes from."""
        return {
            "hvp": frozenset({"second"}), "reverse over forward": frozenset({"second", "mixed"}),
            "vmap": frozenset({"batch"}), "scheduled": frozenset({"scheduled"}),
            **dict.fromkeys(("lanes", "threads", "lanes and threads"), frozenset({"scheduled"})),
        }.get(self.stage, frozenset())  # fmt: skip

    def same(self, other: Outcome) -> bool:
        """Whether two failures are of one kind."""
        return (self.kind, self.stage, self.reason) == (other.kind, other.stage, other.reason)


def extras(seed: int) -> frozenset[str]:
    """The optional checks of one program: the dear ones are made of a part."""
    turns = {
        "scheduled": seed % 3 == 0,
        "second": seed % 6 == 1,
        "mixed": seed % 12 == 1,
        "batch": seed % 24 == 2,
    }
    return frozenset(name for name, now in turns.items() if now)


def check(program: Program, extra: frozenset[str] = ALL, compiled: bool = False) -> Outcome:
    """Run the checks; of those in `ALL`, the ones in `extra`."""
    try:
        run = _Run(program)
    except Exception as error:  # it fails under plain Python, too
        return Outcome("invalid", f"{type(error).__name__}: {error}")
    try:
        with limited(LONGEST):
            run.all(extra, compiled)
    except AdcompileError as error:
        reasons = (*REASONS, NO_FLOAT) if run.gives_int else REASONS
        known = not isinstance(error, InternalError) and [r for r in reasons if r in error.message]
        if known:
            return Outcome("refused", known[0], run.stage, run.done)
        text = type(error).__name__ + ": " + error.message.split("\n")[0]
        return Outcome("failed", text, run.stage, run.done)
    except Wrong as error:
        return Outcome("failed", str(error), run.stage, run.done)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        made = place.filename.startswith("<adcompile")
        where = "generated code" if made else f"{Path(place.filename).name}:{place.name}"
        text = f"{type(error).__name__} in {where}"
        return Outcome("failed", text, run.stage, run.done, str(error)[:300])
    return Outcome("kink" if run.kink else "clean", "", "", run.done)


class _Run:
    """The checks of one program, in order; `stage` says which is at work."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.stage, self.done, self.kink = "plain", [], False  # type: ignore[var-annotated]
        self.module = loaded(with_wrappers(program))
        self.function = self.module.program
        self.args = self._precise(0)
        self.wrt = tuple(
            k for k, a in enumerate(self.args) if any(map(is_continuous, leaves(type_of(a))))
        )
        rng = np.random.default_rng(program.seed + 1)
        self.direction = random_like(self.args, rng)
        self.stops: list[Any] = []
        self.both = ad.value_and_grad(self.function, self.wrt, target="python")
        with np.errstate(all="ignore"), self._stops(record=True):
            result = self.function(*copied(self.args))
        self.gives_int, self.value = isinstance(result, int), float(result)
        if not abs(self.value) < 1e4:
            raise ValueError(f"the value is {self.value}")

    def _precise(self, number: int) -> tuple[Any, ...]:
        args = self.program.arguments(self.module, number)
        return mapped(rounded, args) if self.program.single else args

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
        given = copied(self.args)
        with recorded() as graphs:
            got, self.gradient = self.both(*given)
        for before, after in zip(numbers_in(self.args), numbers_in(given), strict=True):
            if not np.array_equal(before, after):
                raise Wrong("an argument was written")
        close(got, self.value, 1e-9, 1e-9, "the value differs from plain Python")
        self.stage = "interpreted"
        wanted = numbers_in((got, self.gradient))
        all_close(
            numbers_in(interpret(graphs[-1], *as_tuples(copied(self.args)))), wanted, 1e-9,
            "the interpreter and the readable source differ",
        )  # fmt: skip
        if scheduled:
            self.stage = "scheduled"
            self._scheduled(graphs[-1], wanted)
        self.done.append("gradient")

    def _scheduled(self, graph: Graph, wanted: list[Any]) -> None:
        plain = pipeline.compiler_source(clone_graph(graph)[0])
        all_close(
            numbers_in(self._run(plain, graph.name)), wanted, 1e-8, "the scheduled source differs"
        )
        turn = self.program.seed // 3 % 3
        self.stage = ("lanes", "threads", "lanes and threads")[turn]
        with contextlib.ExitStack() as ways:
            ways.enter_context(parted_everywhere())
            ways.enter_context(mapped_everywhere())
            ways.enter_context(distributed_everywhere())
            if "lanes" in self.stage:
                ways.enter_context(interleaved_everywhere(2, outer=self.program.seed % 2 == 1))
            if "threads" in self.stage:
                ways.enter_context(spread_everywhere())
            source = pipeline.compiler_source(clone_graph(graph)[0])
        parted = re.search(r"\w+_\d\[(\w+)\] = \w+\[\1, \d\]", source)
        if source != plain:
            found = self._run(in_any_order(source), graph.name)
            all_close(numbers_in(found), wanted, 1e-8, f"the source for {self.stage} differs")
            self.done += [self.stage, *(["columns"] if parted else [])]
        self.done.append("scheduled")

    def _run(self, source: str, name: str) -> Any:
        space: dict[str, Any] = {}
        exec(compile(source, "<scheduled>", "exec"), space)
        return space[name](*as_tuples(copied(self.args)))

    def _forward(self) -> None:
        self.stage = "jvp"
        got, self.tangent = ad.jvp(
            self.function, copied(self.args), self.direction, target="python"
        )
        close(got, self.value, 1e-9, 1e-9, "the value of jvp differs")
        slope = self._along(self.gradient)
        close(slope, self.tangent, 1e-7, 1e-8, "reverse and forward mode differ")
        self.done.append("jvp")

    def _along(self, gradient: Any) -> float:
        products = [0.0]
        chosen = tuple(self.direction[k] for k in self.wrt)
        mapped(lambda d, g: products.append(product(g, d)), chosen, gradient)
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
        close(self.tangent, fine, 1e-4, 2e-5, "the derivative differs from differences")
        self.done.append("differences")

    def _plain(self, step: float) -> float:
        with self._stops(record=False):
            return float(self.function(*moved(self.args, self.direction, step)))

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
        _, self.second = ad.jvp(gradient, copied(self.args), self.direction, target="python")
        found = numbers_in(self.second)
        self.done.append("hvp")
        if self.kink or "stop_gradient" in self.program.text:  # it moves in differences
            return
        sides = {
            s: numbers_in(self.both(*moved(self.args, self.direction, s))[1])
            for s in (1e-5, -1e-5, 3e-6, -3e-6)
        }
        here = numbers_in(self.gradient)
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
        found = made(*copied(self.args), *self.direction)
        all_close(
            numbers_in(found), numbers_in(self.second), 1e-7,
            "reverse over forward and forward over reverse differ",
        )  # fmt: skip
        self.done.append("mixed")

    def _batch(self) -> None:
        self.stage = "vmap"
        gradient = ad.grad(self.function, self.wrt, target="python")
        both = [copied(self.args), self._precise(1)]
        shared = tuple(None if k in (5, 6, 7) else 0 for k in range(len(self.args)))
        stacked = tuple(
            a if s is None else mapped(lambda x, y: np.stack([x, y]), a, b)
            for a, b, s in zip(*both, shared, strict=True)
        )
        found = ad.vmap(gradient, in_axes=shared, target="python")(*stacked)
        for k, args in enumerate(both):
            wanted = numbers_in(self.both(*args)[1])
            got = [np.asarray(f)[k] for f in numbers_in(found)]
            all_close(got, wanted, 1e-7, "vmap differs from single gradients")
        self.done.append("batch")

    # -- precision and the compiler -------------------------------------------------------------

    def _single(self) -> None:
        """Single precision against double."""
        self.stage = "float32"
        args = mapped(narrowed, self.args)
        gradient = self.both(*args)[1]
        for found, wanted, given in zip(
            numbers_in(gradient), numbers_in(self.gradient),
            numbers_in(tuple(args[k] for k in self.wrt)), strict=True,
        ):  # fmt: skip
            if isinstance(given, np.ndarray) and found.dtype != given.dtype:
                raise Wrong("a gradient has another dtype than its argument")
            if not self.kink:
                size = 1 + max(1.0, float(np.max(np.abs(wanted), initial=0)))
                all_close([found], [wanted], 2e-2, "single precision differs", 2e-3 * size)
        self.done.append("float32")

    def _compiled(self) -> None:
        """Value and gradient by machine code: one function, its compilation takes long."""
        self.stage = "compiled"
        made = ad.value_and_grad(self.function, self.wrt, cache=False)
        given = copied(self.args)
        found, wanted = numbers_in(made(*given)), numbers_in((self.value, self.gradient))
        all_close(found, wanted, 1e-7, "the compiled function differs")
        for before, after in zip(numbers_in(self.args), numbers_in(given), strict=True):
            if not np.array_equal(before, after):
                raise Wrong("an argument was written")
        self.done.append("compiled")
