"""Draws a whole program: helpers, classes, a function, and the arguments to run it with.

Enters: a seed. Leaves: the text of a module that defines `program`, and its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.random_programs.control import Body
from tests.random_programs.scope import Draw, Extent, Function, Scope, Variable

HEADER = """import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np

import adcompile as ad


class Pair(NamedTuple):
    u: Any
    t: Any


@dataclasses.dataclass
class State:
    u: Any
    t: Any

    def energy(self, scale=0.5):
        return scale * np.sum(self.u * self.u) + self.t

    def moved(self, by):
        if self.t > 0.3:
            return State(self.u * 0.8, np.tanh(self.t - by))
        return State(np.sin(self.u + by * self.t), self.t * 0.5 + by)


@ad.custom_jvp
def bent(s):
    return np.sin(s) * 0.9


@bent.defjvp
def _bent_jvp(primals, tangents):
    (s,), (s_dot,) = primals, tangents
    return np.sin(s) * 0.9, np.cos(s) * 0.9 * s_dot


@ad.checkpoint
def again(s, t):
    u = np.sin(s * t)
    for _ in range(2):
        u = np.sin(u + s) * t
    return np.tanh(u)
"""
PARAMETERS = ("x", "v", "w", "m", "z", "idx", "k", "on")
_GIVEN = (Function("bent", ("float",), "float"), Function("again", ("float", "float"), "float"))
_BOXES = ("none", "none", "none", "tuple", "list", "dict", "Pair", "State")


@dataclass(frozen=True)
class Program:
    """One program and how to make its arguments."""

    seed: int
    text: str
    box: str
    single: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return PARAMETERS if self.box == "none" else (*PARAMETERS, "box")

    def arguments(self, module: Any, number: int = 0) -> tuple[Any, ...]:
        """Arguments in single or double precision; `number` varies them, not their shapes."""
        sizes = np.random.default_rng(self.seed)
        n, p = (int(sizes.choice([1, 2, 3, 4, 5], p=[0.15, 0.2, 0.3, 0.2, 0.15])) for _ in "np")
        q = int(sizes.integers(0, 4))
        idx = sizes.integers(-n, n, n)
        k, on = int(sizes.integers(-3, 5)), bool(sizes.integers(2))
        layout = int(sizes.integers(4))
        rng = np.random.default_rng((self.seed, number))
        x = float(rng.uniform(-1, 1))
        v, w, z = (rng.uniform(-1, 1, size) for size in (n, n, q))
        m = rng.uniform(-1, 1, (n, p))
        if layout == 1:
            m = np.asfortranarray(m)
        elif layout == 2:
            v = np.repeat(v, 2)[::2]
        elif layout == 3:
            m, w = np.repeat(m, 2, axis=1)[:, ::2], w[::-1]
        items = [x, v, w, m, z, idx, k, on]
        if self.box != "none":
            array, number_inside = rng.uniform(-1, 1, n), float(rng.uniform(-1, 1))
            items.append(boxed(self.box, module, array, number_inside))
        return tuple(items)


def boxed(kind: str, module: Any, array: Any, number: Any) -> Any:
    """A container of an array and a number."""
    if kind in ("Pair", "State"):
        return getattr(module, kind)(array, number)
    return {"dict": {"u": array, "t": number}, "list": [array, number]}.get(kind, (array, number))


def draw_program(seed: int) -> Program:
    """The program of a seed."""
    draw = Draw(seed)
    single = draw.chance(0.12)
    box = draw.pick(*_BOXES)
    size = draw.pick(3, 4, 5, 6, 8, 12)
    functions, texts = [f for f in _GIVEN if draw.chance(0.25)], []
    for _ in range(draw.integer(0, 2)):
        function, lines = _helper(draw, len(texts))
        functions.append(function)
        texts.append("\n".join(lines))
    scope = _scope(functions, box)
    body = Body(draw, scope, size)
    head = [
        f"def program({', '.join((*PARAMETERS, 'box') if box != 'none' else PARAMETERS)}):",
        "    n, p = m.shape", "    s = x * 0.5", "    t = np.sin(x)", "    count = 0",
        f"    a = {draw.pick('v * 1.0', 'v.copy()', 'np.sin(w + x)')}",
        f"    b = {draw.pick('w * x', 'np.zeros(n, v.dtype)', 'v - w')}",
        f"    c = {draw.pick('m + 0.0', 'm.copy()', 'np.tanh(m * x)', 'np.zeros((n, p), v.dtype)')}",
        f"    d = {draw.pick('m[0] * 1.0', 'np.ones(p, v.dtype)')}",
        f"    y = {draw.pick('z * 1.0', 'np.cos(z)')}",
    ]  # fmt: skip
    while body.left > 0:
        body.statements(1)
    end = "s * t + np.sum(a * b) + 0.3 * np.sum(c * c) + np.sum(d * d) + np.sum(y)"
    names = [v.text for v in body.scope.floats() if v.text not in ("x", "s", "t")][:4]
    arrays = [v.text for v in body.scope.arrays() if v.text not in ("a", "b", "c", "d", "y", "idx")]
    end += "".join(f" + {name}" for name in names)
    end += "".join(f" + 0.5 * np.sum(np.cos({name}))" for name in arrays[:5])
    text = "\n".join([*texts, "", "", *head, *body.lines, f"    return {end}"])
    return Program(seed, f"{HEADER}\n\n{text.strip()}\n", box, single)


def _scope(functions: list[Function], box: str) -> Scope:
    scope = Scope(functions=functions)
    scope.extents = {
        "n": Extent(("n", "len(v)", "v.shape[0]", "m.shape[0]")),
        "p": Extent(("p", "m.shape[1]", "len(d)")),
        "q": Extent(("len(z)", "z.shape[0]"), nonzero=False),
    }
    for name in ("x", "s", "t"):
        scope.add(Variable(name, "float", binds=name != "x"))
    shapes = {"v": "n", "w": "n", "a": "n", "b": "n", "d": "p", "z": "q", "y": "q"}
    for name, extent in shapes.items():
        scope.add(Variable(name, "array", (extent,), binds=name not in "vwz"))
    for name in ("m", "c"):
        scope.add(Variable(name, "array", ("n", "p"), binds=name == "c"))
    scope.add(Variable("idx", "array", ("places",), binds=False, writes=False))
    scope.add(Variable("k", "int", binds=False))
    scope.add(Variable("count", "int"))
    scope.add(Variable("on", "bool"))
    if box != "none":
        first, second = {
            "dict": ('box["u"]', 'box["t"]'), "list": ("box[0]", "box[1]"),
            "tuple": ("box[0]", "box[1]"),
        }.get(box, ("box.u", "box.t"))  # fmt: skip
        scope.add(Variable(first, "array", ("n",), binds=False))
        scope.add(Variable(second, "float", binds=False))
    return scope


def _helper(draw: Draw, number: int) -> tuple[Function, list[str]]:
    """A function that gives a number or an array, or writes into its argument."""
    name = f"helper{number}"
    kind = draw.pick("float", "reads", "writes", "array", "pair")
    scope = Scope(dtype="u.dtype")
    scope.add(Variable("s", "float"))
    if kind == "float":
        scope.add(Variable("t", "float"))
        function = Function(name, ("float", "float"), "float")
        head, end = f"def {name}(s, t):", "s * 0.5 - np.sin(t)"
    else:
        scope.extents = {"h": Extent(("len(u)", "u.shape[0]"))}
        scope.add(Variable("u", "array", ("h",), binds=False, writes=kind != "reads"))
        result, end = {
            "reads": ("float", "np.tanh(s * u[0])"), "writes": ("nothing", ""),
            "array": ("array", "u"), "pair": ("pair", "np.sin(s), np.tanh(s + np.sum(u))"),
        }[kind]  # fmt: skip
        if kind == "writes" and draw.chance(0.4):
            result, end = "float", "np.sin(s + np.sum(u))"
        function = Function(name, (("h",), "float"), result, kind == "writes")
        head = f"def {name}(u, s):"
    body = Body(
        draw,
        scope,
        draw.integer(1, 4),
        result="float"
        if function.result == "float"
        else ("nothing" if function.result == "nothing" else "u"),
    )
    if function.result == "pair":
        body.result = "s, np.tanh(u[0])"
    lines = [head]
    if kind == "array":
        body.add("u = u * 1.0")
    body.add("count = 0")
    body.scope.add(Variable("count", "int"))
    body.statements(body.left)
    if end:
        body.add(f"return {end}")
    return function, [*lines, *body.lines, "", ""]
