"""Draws loops between neighbours: steps in time, recurrences in place, pairs within a cutoff, planes.

Enters: a scope and draws. Leaves: statements whose reverse gathers, hands arrays on and back, and
skips what a branch leaves out.
"""

from __future__ import annotations

from tests.random_programs.scope import Variable
from tests.random_programs.statements import Statements


class Steps(Statements):
    """Adds `do_steps`, `do_chain`, `do_pairs` and `do_plane`."""

    def _vector_of(self) -> Variable | None:
        """An array of one axis that has elements."""
        found = [v for v in self.scope.arrays(rank=1) if v.shape[0] in self.scope.lengths()]
        return self.draw.pick(*found) if found else None

    def _into_s(self, text: str) -> None:
        self.add(f"s = np.tanh(s + 0.3 * {text})")

    def do_steps(self) -> None:
        """A state that each step makes anew from neighbours; the last one may be needed, too."""
        array = self._vector_of()
        if array is None:
            return
        now, old, new = self.name("now"), self.name("old"), self.name("new")
        two, draw = self.draw.chance(0.4), self.draw
        self.add(f"{now} = {draw.constant()} * {array.text}")
        if two:
            self.add(f"{old} = {draw.constant()} * {array.text}")
        self.add(f"for step in range({draw.integer(1, 3)}):")
        made = draw.pick("empty_like", "zeros_like", "copy")
        self.add(f"    {new} = np.{made}({now})")
        first = draw.pick("0", "0", "1") if made != "empty_like" else "0"
        self.add(f"    for i in range({first}, len({now})):")
        left, right = f"{now}[i - 1]", f"{now}[(i + {draw.pick(1, 2)}) % len({now})]"
        if draw.chance(0.4):
            left = f"{now}[max(i - 1, 0)]"
            right = f"{now}[min(i + 1, len({now}) - 1)]"
        last = f" - {draw.constant()} * {old}[i]" if two else ""
        change = f"{draw.constant()} * {left} * {right} + {draw.constant()} * {now}[i]{last}"
        if draw.chance(0.4):
            condition = draw.pick("i > 0", f"i < len({now}) - 1", f"0 < i < len({now}) - 1")
            self.add(f"        if {condition}:")
            self.add(f"            {new}[i] = np.tanh({change})")
            self.add("        else:")
            self.add(f"            {new}[i] = {draw.constant()} * {now}[i]")
        else:
            self.add(f"        {new}[i] {draw.pick('=', '=', '+=')} np.tanh({change})")
            if made == "empty_like":
                self.lines[-1] = self.lines[-1].replace("+=", "=")
        if draw.chance(0.2):
            self.add(f"    {now}[0] = {draw.constant()}")
        if two:
            self.add(f"    {old} = {now}")
        self.add(f"    {now} = {new}")
        self._into_s(f"np.sum({now})" + (f" * {old}[0]" if two else ""))

    def do_chain(self) -> None:
        """A recurrence in place, up or down, whose adjoint adds to what it has just stored."""
        array = self._vector_of()
        if array is None:
            return
        name, draw = self.name("v"), self.draw
        self.add(f"{name} = {draw.constant()} * {array.text}")
        shift = draw.pick(1, 1, 2)
        span = draw.pick(
            f"range(len({name}) - {shift})", f"range(len({name}) - {shift} - 1, -1, -1)"
        )
        self.add(f"for i in {span}:")
        one, other = draw.pick((f"i + {shift}", "i"), ("i", f"i + {shift}"))
        text = f"{draw.constant()} * {name}[{one}] + {draw.constant()} * {name}[{other}]"
        self.add(f"    {name}[{other}] = {draw.pick(text, f'np.tanh({text})')}")
        self._into_s(f"np.sum({name} * {name})")

    def do_pairs(self) -> None:
        """Pairs of elements that add something if they are close."""
        array = self._vector_of()
        if array is None or self.runs > 6:
            return
        total, draw, a = self.name("total"), self.draw, array.text
        self.add(f"{total} = 0.0")
        self.add(f"for i in range(len({a})):")
        self.add("    for j in range(i):")
        if draw.chance(0.5):
            self.add("        gap = 0.1")
            self.add("        for axis in range(2):")
            self.add(f"            gap += (1.0 + axis) * ({a}[i] - {a}[j]) ** 2")
        else:
            self.add(f"        gap = 0.1 + ({a}[i] - {a}[j]) ** 2 * {draw.constant(0.1)}")
        side = draw.pick("<", ">")
        if draw.chance(0.3):
            self.add(f"        if gap {draw.pick('<', '>')} {draw.constant(0.1)}:")
            self.add("            continue")
        self.add(f"        if gap {side} {draw.constant(0.1)}:")
        self.add(f"            {total} += np.exp(-gap) * {draw.constant()}")
        if draw.chance(0.3):
            self.add("        else:")
            self.add(f"            {total} += {draw.constant()}")
        self._into_s(f"np.tanh({total})")

    def do_plane(self) -> None:
        """A stencil in a plane, whose adjoint adds to several rows; or the rows themselves."""
        found = self.scope.arrays(rank=2)
        if not found:
            return
        a, draw = self.draw.pick(*found).text, self.draw
        total, out = self.name("total"), self.name("out")
        scatters, wide = draw.chance(0.4), draw.pick(1, 1, 2)
        self.add(f"{out} = {draw.pick('np.zeros_like', 'np.copy')}({a})")
        self.add(f"{total} = 0.0")
        rows = draw.pick(
            f"range({wide}, len({a}) - {wide})", f"range(len({a}) - {wide} - 1, {wide} - 1, -1)"
        )
        self.add(f"for i in {rows}:")
        self.add(f"    for j in range(1, {a}.shape[1] - {draw.pick(1, 2)}):")
        self.add(f"        r = {draw.constant()} * np.tanh({a}[i, j])")
        for _ in range(draw.integer(2, 5)):
            row, column = draw.integer(-wide, wide), draw.integer(-1, 1)
            place = f"[i + {row}, j + {column}]".replace("+ -", "- ")
            factor = draw.pick(draw.constant(), f"{a}[i, j]", f"{a}{place}", f"{a}[0, 0]")
            if scatters:
                self.add(f"        {out}{place} += {factor} * r")
            else:
                self.add(f"        r += {factor} * {a}{place}")
        self.add(f"        {total} += {draw.pick('r * r', 'np.sin(r)', f'r * {a}[i, j]')}")
        self._into_s(f"np.tanh({total} + np.sum({out} * {draw.constant()}))")
