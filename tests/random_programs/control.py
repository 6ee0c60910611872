"""Draws loops, branches, early exits and nested functions around statements.

Enters: a scope, draws and a number of statements. Leaves: the body of a function that always ends.
"""

from __future__ import annotations

from tests.random_programs.scope import BOUND, Draw, Expr, Function, Scope, Variable
from tests.random_programs.steps import Steps

_SIMPLE = {
    "scalar": 8, "array": 4, "store": 6, "whole": 3, "slice": 3, "row": 3, "mask": 2, "scatter": 2,
    "view": 3, "swap": 1, "call": 2, "container": 2, "renewed": 2, "list": 1, "integer": 1, "flag": 1,
}  # fmt: skip
_BLOCKS = {
    "if": 8, "for": 11, "while": 3, "define": 2, "late": 1, "steps": 2, "chain": 2, "pairs": 1,
}  # fmt: skip
_EXITS = {"break": 2, "continue": 2, "return": 1}
MOST_RUNS = 70


class Body(Steps):
    """The statements of one function; `result` is what `return` gives: "float" or an array name."""

    def __init__(self, draw: Draw, scope: Scope, left: int, result: str = "float") -> None:
        super().__init__(draw, scope)
        self.left = left
        self.result = result
        self.may_return = True

    def block(self, most: int = 5) -> None:
        """At least one statement; names bound here stay here."""
        outer, self.scope = self.scope, self.scope.inner()
        indent, self.indent = self.indent, self.indent + "    "
        self.level += 1
        before = len(self.lines)
        self.statements(self.draw.integer(1, most))
        if len(self.lines) == before:
            names = [v.text for v in self.scope.floats() if v.binds and v.level is None]
            self.add(f"{self.draw.pick(*names)} *= 0.9")
        if self.level and self.draw.chance(0.15):
            self.exit()
        self.scope, self.indent = outer, indent
        self.level -= 1

    def statements(self, count: int) -> None:
        for _ in range(count):
            if self.left <= 0:
                return
            self.left -= 1
            forms = dict(_SIMPLE)
            if self.level < 4:
                forms |= _BLOCKS
            if self.loops and self.level < 4:
                forms["exit"] = 4
            getattr(self, f"do_{self.draw.weighted(forms)}")()

    # -- branches and exits ---------------------------------------------------------------------

    def do_if(self) -> None:
        self.add(f"if {self.condition()}:")
        self.block(3)
        if self.draw.chance(0.25):
            self.add(f"elif {self.condition()}:")
            self.block(3)
        if self.draw.chance(0.5):
            self.add("else:")
            self.block(3)

    def do_exit(self) -> None:
        self.add(f"if {self.condition()}:")
        indent, self.indent = self.indent, self.indent + "    "
        if self.draw.chance(0.4):
            self.level += 1
            getattr(self, f"do_{self.draw.pick('store', 'whole', 'slice')}")()
            self.level -= 1
        self.exit()
        self.indent = indent

    def exit(self) -> None:
        """Leave a loop or the function, as the last statement of a block."""
        form = self.draw.weighted(_EXITS if self.loops else {"return": 1})
        if form != "return":
            self.add(form)
        elif not self.may_return:
            self.add("s *= 0.7")
        elif self.result == "float":
            self.add(f"return {self.fitted(self.scalar(2))}")
        elif self.result == "nothing":
            self.add("return")
        else:
            self.add(f"return {self.result}")

    # -- loops ----------------------------------------------------------------------------------

    def do_for(self) -> None:
        forms = {
            "range": 5, "counted": 4, "array": 2, "rows": 1, "zip": 2, "enumerate": 2,
            "reversed": 2, "tuple": 1, "checkpoint": 1, "empty": 1,
        }  # fmt: skip
        if self.runs * 4 > MOST_RUNS:
            self.do_if()
            return
        if not self.scope.shapes():
            forms = {"counted": 4, "tuple": 1, "empty": 1}
        elif not self.scope.shapes(2):
            del forms["rows"]
        form = self.draw.weighted(forms)
        head, variables, runs = getattr(self, f"_over_{form}")()
        can_leave = form != "checkpoint"
        self._loop(head, variables, runs, can_leave)

    def _loop(
        self, head: str, variables: list[Variable], runs: int, can_leave: bool = True,
        first: str = "",
    ) -> None:  # fmt: skip
        self.add(head)
        outer = self.scope
        self.scope = outer.inner()
        for variable in variables:
            self.scope.add(variable)
        loops, self.loops = self.loops, self.loops + 1 if can_leave else 0
        many, self.runs = self.runs, self.runs * runs
        if first:
            self.lines.append(f"{self.indent}    {first}")
        returns, self.may_return = self.may_return, self.may_return and can_leave
        self.block(4)
        self.may_return = returns
        self.scope, self.loops, self.runs = outer, loops, many
        if can_leave and self.draw.chance(0.15):
            self.add("else:")
            self.block(2)

    def _counter(self, *extents: str) -> tuple[str, list[Variable]]:
        name = f"i{self.level}"
        return name, [Variable(name, "int", indexes=frozenset(extents), binds=False)]

    def _over_range(self) -> tuple[str, list[Variable], int]:
        """All or some indices of an extent, forwards or backwards."""
        extent = self.draw.pick(*self.scope.extents)
        name, variables = self._counter(extent)
        size = self.extent(extent)
        span = self.draw.pick(
            f"range({size})", f"range(1, {size})", f"range({size} - 1, -1, -1)",
            f"range(0, {size}, 2)", f"range({size} - 1, -1, -2)", f"reversed(range({size}))",
            f"range({size} - 1, 0, -1)", f"range({size} - 1)",
        )  # fmt: skip
        return f"for {name} in {span}:", variables, 4

    def _over_counted(self) -> tuple[str, list[Variable], int]:
        """Bounds and steps that only the run knows."""
        name, variables = self._counter()
        low, high = self.integer(), self.integer()
        ints = [v.text for v in self.scope.of("int")]
        steps = [f"1 if {self.condition(0)} else -2", "-1", "2", "-3"]
        for text in ints:
            steps += [f"2 * ({text} % 2) - 1", f"-1 - {text} % 2", f"{text} if {text} != 0 else 1"]
        step = self.draw.pick(*steps)
        if "if" in step and self.draw.chance(0.5):
            self.add(f"step = {step}")
            step = "step"
            self.scope.add(Variable("step", "int"))
        span = self.draw.pick(
            f"range({high})", f"range({low}, {high})", f"range({low}, {high}, {step})",
            f"range({low}, {high}, {step})",
        )  # fmt: skip
        return f"for {name} in {span}:", variables, 5

    def _over_empty(self) -> tuple[str, list[Variable], int]:
        name, variables = self._counter()
        return f"for {name} in range({self.draw.pick('0', '2, 2', '1, 0')}):", variables, 1

    def _vector(self) -> Variable:
        return self.draw.pick(*self.scope.arrays(rank=1))

    def _item(self) -> tuple[str, Variable]:
        name = self.name("e")
        return name, Variable(name, "float")

    def _over_array(self) -> tuple[str, list[Variable], int]:
        name, variable = self._item()
        return f"for {name} in {self._vector().text}:", [variable], 4

    def _over_rows(self) -> tuple[str, list[Variable], int]:
        matrix, name = self.draw.pick(*self.scope.arrays(rank=2)), self.name("row")
        return f"for {name} in {matrix.text}:", [Variable(name, "array", matrix.shape[1:])], 4

    def _over_zip(self) -> tuple[str, list[Variable], int]:
        (a, first), (b, second) = self._item(), self._item()
        name, counter = self._counter()
        one, other = self._vector().text, self._vector().text
        if self.draw.chance(0.5):
            return f"for {a}, {b} in zip({one}, {other}):", [first, second], 4
        number = self.draw.pick("range(10)", "range(1, 9)", "range(3, -1, -1)")
        return f"for {a}, {name} in zip({one}, {number}):", [first, *counter], 4

    def _over_enumerate(self) -> tuple[str, list[Variable], int]:
        array = self._vector()
        a, first = self._item()
        name, counter = self._counter(array.shape[0])
        if self.draw.chance(0.3):
            b, second = self._item()
            other = self._vector().text
            head = f"for {name}, ({a}, {b}) in enumerate(zip({array.text}, {other})):"
            return head, [first, second, *counter], 4
        return f"for {name}, {a} in enumerate({array.text}):", [first, *counter], 4

    def _over_reversed(self) -> tuple[str, list[Variable], int]:
        name, variable = self._item()
        return f"for {name} in reversed({self._vector().text}):", [variable], 4

    def _over_tuple(self) -> tuple[str, list[Variable], int]:
        if self.draw.chance(0.5):
            name, variable = self._item()
            items = ", ".join(self.small(BOUND, 1) for _ in range(2))
            return f"for {name} in ({items}, 0.5):", [variable], 3
        name, variables = self._counter()
        a, first = self._item()
        return f"for {name}, {a} in ((0, 1.0), (2, s), (1, -0.5)):", [*variables, first], 3

    def _over_checkpoint(self) -> tuple[str, list[Variable], int]:
        extent = self.draw.pick(*self.scope.extents)
        name, variables = self._counter(extent)
        return f"for {name} in ad.checkpoint(range({self.extent(extent)})):", variables, 4

    def do_while(self) -> None:
        if self.runs * 4 > MOST_RUNS:
            self.do_if()
            return
        name = f"w{self.level}"
        self.add(f"{name} = {self.draw.pick('0', '-1')}")
        counter = Variable(name, "int", binds=False)
        limit = self.draw.integer(1, 5)
        form = self.draw.weighted({"condition": 4, "count": 2, "true": 2})
        head = {
            "condition": f"while {name} < {limit} and {self.condition()}:",
            "count": f"while {name} < {limit}:",
            "true": "while True:",
        }[form]
        first = f"{name} += 1"
        if form == "true":
            first = f"{first}\n{self.indent}    if {name} > {limit}:\n{self.indent}        break"
        self._loop(head, [counter], limit + 1, first=first)
        self.scope.add(counter)

    # -- functions ------------------------------------------------------------------------------

    def do_define(self) -> None:
        """A nested function or lambda that reads the names around it."""
        name = self.name("inner")
        outer, self.scope = self.scope, self.scope.inner()
        self.scope.add(Variable("h", "float"))
        if self.draw.chance(0.4):
            self.add(f"{name} = lambda h: {self.fitted(self.scalar(2))}")
            takes = ("float",)
        else:
            self.add(f"def {name}(h, g={self.draw.constant()}):")
            self.scope.add(Variable("g", "float"))
            self.add(f"    if {self.condition()}:")
            self.add(f"        return {self.fitted(self.scalar(2))}")
            self.add(f"    return {self.fitted(self.scalar(2))}")
            takes = ("float", "float") if self.draw.chance(0.5) else ("float",)
        self.scope = outer
        self.scope.functions.append(Function(name, takes, "float"))
        self.add(f"s = {self.fitted(Expr(self.called(self.scope.functions[-1]), BOUND))}")

    def do_late(self) -> None:
        """A name that only one path binds, read where it is bound."""
        test, name = self.name("test"), self.name("late")
        array = bool(self.scope.lengths()) and self.draw.chance(0.4)
        self.add(f"{test} = {self.condition()}")
        self.add(f"if {test}:")
        value = (
            f"1.0 * {self.fitted(self.array((self.scope.lengths()[0],), 1))}"
            if array
            else self.small(BOUND)
        )
        self.add(f"    {name} = {value}")
        self.statements(1)
        self.add(f"if {test}:")
        self.add(f"    s = np.tanh(s + {f'np.sum({name})' if array else name})")
