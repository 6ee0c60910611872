"""Draws assignments and writes: names, elements, slices, masks, views, containers.

Enters: a scope and draws. Leaves: lines of a function's body, and a scope that knows what they
bound.
"""

from __future__ import annotations

from tests.random_programs.expressions import Expressions
from tests.random_programs.scope import BOUND, Draw, Scope, Variable

_CUTS = ("1:", ":-1", "::2", "::-1", "1:-1", ":", "-2:", "::-2", "-1:0:-1", "1::2")


class Statements(Expressions):
    """Straight-line statements of one function."""

    def __init__(self, draw: Draw, scope: Scope) -> None:
        super().__init__(draw, scope)
        self.lines: list[str] = []
        self.indent = "    "
        self.level = 0  # branches and loops around
        self.loops = 0
        self.runs = 1  # of a statement here, about
        self.fresh = 0

    def add(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def name(self, stem: str) -> str:
        self.fresh += 1
        return f"{stem}{self.fresh}"

    def _writable(self, rank: int | None = None) -> Variable | None:
        known = [v for v in self.scope.arrays(rank=rank) if v.writes]
        return self.draw.pick(*known) if known else None

    # -- numbers --------------------------------------------------------------------------------

    def do_scalar(self) -> None:
        targets = [v for v in self.scope.floats() if self._binds(v)]
        if not targets or self.draw.chance(0.15):
            name = self.name("e")
            self.add(f"{name} = {self.fitted(self.scalar())}")
            self.scope.add(Variable(name, "float"))
            return
        target = self.draw.pick(*targets).text
        form = self.draw.weighted({"set": 5, "add": 4, "multiply": 2, "two": 2})
        if form == "set":
            self.add(f"{target} = {self.fitted(self.scalar(3))}")
        elif form == "add":
            sign = self.draw.pick("+=", "-=")
            self.add(f"{target} {sign} {0.2 if self.loops else 0.5} * {self.small()}")
        elif form == "multiply":
            self.add(f"{target} *= {self.small()}")
        else:
            other = self.draw.pick(*targets).text
            first, second = self.fitted(self.scalar(1)), self.fitted(self.scalar(1))
            if other == target:
                other = self.name("e")
                self.scope.add(Variable(other, "float"))
            self.add(f"{target}, {other} = {first}, {second}")

    def _binds(self, variable: Variable) -> bool:
        """Whether it may be assigned here: containers only in the block that made them."""
        return variable.binds and variable.level in (None, self.level)

    def do_integer(self) -> None:
        name = self.draw.pick("j", "count")
        if name == "count":
            self.add(f"count = (count + {self.draw.integer(1, 3)}) % 5")
        else:
            self.add(f"j = {self.integer()}")
            self.scope.add(Variable("j", "int"))

    def do_flag(self) -> None:
        name = self.name("test") if self.draw.chance(0.5) else "on"
        self.add(f"{name} = {self.condition()}")
        self.scope.add(Variable(name, "bool"))

    # -- arrays ---------------------------------------------------------------------------------

    def do_array(self) -> None:
        """An array is made; now and then a name becomes another name of one."""
        targets = [v for v in self.scope.arrays() if self._binds(v) and v.shape != ("places",)]
        if not targets:
            return
        target = self.draw.pick(*targets)
        form = self.draw.weighted({"fresh": 8, "copy": 2, "name": 1, "new": 2})
        same = [v.text for v in self.scope.arrays(target.shape)]
        if form == "copy":
            self.add(f"{target.text} = {self.draw.pick(*same)}.copy()")
        elif form == "name" and self.draw.chance(0.4):
            self.add(f"{target.text} = {self.draw.pick(*same)}")
        elif form == "new":
            name = self.name("r")
            self.add(f"{name} = 1.0 * {self.fitted(self.array(target.shape))}")
            self.scope.add(Variable(name, "array", target.shape))
        else:
            inner = self.fitted(self.array(target.shape, 3))
            self.add(f"{target.text} = {self._made(inner)}")

    def _made(self, text: str) -> str:
        """The array in memory of its own."""
        fresh = text.startswith(("np.t", "np.s", "0", "np.o", "np.e"))
        return text if fresh else self.draw.pick("1.0 * {}", "{} + 0.0", "({}).copy()").format(text)

    def do_view(self) -> None:
        """A name for a view of a writable array."""
        source = self._writable()
        if source is None:
            return
        name, shape = self.name("view"), source.shape
        if len(shape) == 1:
            form = self.draw.pick("[::-1]", "[:]", "[::-1][::-1]")
        else:
            form = self.draw.pick(
                ".T", "[0]", "[:, -1]", "[::-1]", "[:, ::-1]", ".T[::-1]", "[row]", ".T[0]"
            )
            index = self.index(shape[0])
            if form == "[row]":
                form = f"[{index}]" if index else "[::-1]"
            if not self._nonzero(shape):
                form = "[::-1]"
            shape = {
                ".T": shape[::-1], ".T[::-1]": shape[::-1], "[:, -1]": shape[:1],
                "[::-1]": shape, "[:, ::-1]": shape, ".T[0]": shape[:1],
            }.get(form, shape[1:])  # fmt: skip
        self.add(f"{name} = {source.text}{form}")
        self.scope.add(Variable(name, "array", shape))

    def do_swap(self) -> None:
        known = [v for v in self.scope.arrays() if self._binds(v) and v.writes]
        pairs = [
            (a.text, b.text) for a in known for b in known if a is not b and a.shape == b.shape
        ]
        if pairs:
            first, second = self.draw.pick(*pairs)
            self.add(f"{first}, {second} = {second}, {first}")

    def do_store(self) -> None:
        array = self._writable()
        if array is None:
            return
        indices = [self.index(e) for e in array.shape]
        if None in indices:
            return
        target = f"{array.text}[{', '.join(map(str, indices))}]"
        self._assign_number(target)

    def _assign_number(self, target: str) -> None:
        form = self.draw.weighted({"=": 5, "+=": 3, "-=": 1, "*=": 2})
        if form in ("+=", "-="):
            self.add(f"{target} {form} {0.2 if self.loops else 1.0} * {self.small()}")
        else:
            self.add(f"{target} {form} {self.small(BOUND if form == '=' else 1.0)}")

    def do_whole(self) -> None:
        """`a += ...`, `a[:] = ...`: the memory of a whole array is written."""
        array = self._writable()
        if array is None:
            return
        full = array.text if array.level is None and array.binds else f"{array.text}[:]"
        form = self.draw.weighted({"+=": 3, "*=": 3, "-=": 1, "[:] =": 3})
        scalar = self.draw.chance(0.3)
        value = self.small() if scalar else self.fitted(self.array(array.shape), 1.0)
        if form == "[:] =":
            self.add(f"{array.text}[{self.draw.pick(':', '...')}] = {value}")
        elif form == "*=":
            self.add(f"{full} *= {value}")
        else:
            self.add(f"{full} {form} 0.3 * {value}")

    def do_slice(self) -> None:
        """Writes to a part, with bounds that are known or that the run knows."""
        array = self._writable(1)
        if array is None:
            return
        cut = self.draw.pick(*_CUTS)
        if self.draw.chance(0.4):
            low, high = self.integer(), self.integer()
            cut = self.draw.pick(f"{low}:{high}", f"{low}:", f":{high}", f"{low}:{high}:2")
        value = self.small()
        if self.draw.chance(0.6):
            value = f"({self.fitted(self.array(array.shape, 1), 1.0)})[{cut}]"
        form = self.draw.pick("=", "+=", "*=", "-=")
        self.add(f"{array.text}[{cut}] {form} {'0.3 * ' if form in ('+=', '-=') else ''}{value}")

    def do_row(self) -> None:
        """Writes to a row or a column, or to a block with bounds that the run knows."""
        array = self._writable(2)
        if array is None:
            return
        axis = self.draw.pick(0, 1)
        index = self.index(array.shape[axis])
        if index is None:
            return
        if self.draw.chance(0.25):
            low = self.integer()
            index = self.draw.pick(f"{low}:", f":{low}", f"{index}:")
        target = f"{array.text}[{index}]" if axis == 0 else f"{array.text}[:, {index}]"
        if ":" in index:
            value = self.small()
        else:
            value = self.fitted(self.array((array.shape[1 - axis],), 1), 1.0)
        form = self.draw.pick("=", "+=", "*=")
        self.add(f"{target} {form} {'0.3 * ' if form == '+=' else ''}{value}")

    def do_mask(self) -> None:
        array = self._writable()
        if array is None:
            return
        test = self.fitted(self.array(array.shape, 1))
        mask = f"{test} {self.draw.pick('<', '>')} {self.draw.constant()}"
        if self.draw.chance(0.3):
            name = self.name("mask")
            self.add(f"{name} = {mask}")
            mask = name
        form = self.draw.pick("=", "*=", "+=", "self")
        if form == "self":
            self.add(f"{array.text}[{mask}] = np.sin({array.text}[{mask}])")
        else:
            self.add(
                f"{array.text}[{mask}] {form} {'0.3 * ' if form == '+=' else ''}{self.small()}"
            )

    def do_scatter(self) -> None:
        """Writes through the index array, where elements repeat."""
        known = [v for v in self.scope.arrays(("n",)) if v.writes]
        if not known or not self.scope.arrays(("places",)):
            return
        array = self.draw.pick(*known).text
        value = self.small() if self.draw.chance(0.3) else self.fitted(self.array(("n",), 1), 1.0)
        form = self.draw.pick("set", "add", "at", "multiply")
        if form == "at":
            self.add(f"np.add.at({array}, idx, 0.2 * {value})")
        elif form == "multiply":
            self.add(f"np.multiply.at({array}, idx, {value})")
        else:
            self.add(f"{array}[idx] {'=' if form == 'set' else '+='} 0.5 * {value}")

    # -- calls and containers -------------------------------------------------------------------

    def do_call(self) -> None:
        """A function that writes into an array, or gives one."""
        known = [f for f in self.scope.functions if f.writes or f.result in ("array", "pair")]
        if not known:
            return
        function = self.draw.pick(*known)
        arrays = [
            v for v in self.scope.arrays(rank=1) if v.writes and v.shape[0] in self.scope.lengths()
        ]
        if not arrays:
            return
        array = self.draw.pick(*arrays)
        call = self.called(function, array.text if function.writes else "")
        if function.result == "nothing":
            self.add(call)
        elif function.result == "float":
            targets = [v.text for v in self.scope.floats() if self._binds(v)]
            self.add(f"{self.draw.pick(*targets)} = {call}")
        elif function.result == "pair":
            self.add(f"s, t = {self.called(function)}")
        else:
            name = self.name("r")
            call = self.called(function, array.text)
            self.add(f"{name} = {call}")
            self.scope.add(Variable(name, "array", array.shape))

    def do_container(self) -> None:
        """A tuple, list, dict, named tuple or dataclass of an array and a number."""
        name, kind = self.name("box"), self.draw.pick("dict", "list", "tuple", "Pair", "State")
        if not self.scope.lengths():
            return
        shape = (self.draw.pick(*self.scope.lengths()),)
        array, number = f"1.0 * {self.fitted(self.array(shape))}", self.small(BOUND)
        spelled, first, second = {
            "dict": (f'{{"u": {array}, "t": {number}}}', f'{name}["u"]', f'{name}["t"]'),
            "list": (f"[{array}, {number}]", f"{name}[0]", f"{name}[1]"),
            "tuple": (f"({array}, {number})", f"{name}[0]", f"{name}[1]"),
            "Pair": (f"Pair({array}, {number})", f"{name}.u", f"{name}.t"),
            "State": (f"State({array}, {number})", f"{name}.u", f"{name}.t"),
        }[kind]
        self.add(f"{name} = {spelled}")
        binds = kind in ("dict", "list", "State")
        self.scope.add(Variable(first, "array", shape, binds=binds, level=self.level))
        self.scope.add(Variable(second, "float", binds=binds, level=self.level))
        self.scope.add(Variable(name, kind, shape, level=self.level))

    def do_list(self) -> None:
        """A list that grows, summed."""
        name = self.name("items")
        self.add(f"{name} = [{self.small()}, {self.small()}]")
        if self.draw.chance(0.6):
            self.add(f"{name}.append({self.small()})")
        if self.draw.chance(0.4):
            self.add(f"{name}[{self.draw.pick('0', '-1', '1')}] *= {self.small()}")
        self.add(f"t = np.sin(sum({name}) + {name}[0] * {name}[-1])")

    def do_renewed(self) -> None:
        """A container takes the place of the one of its name, also inside loops and branches."""
        boxes = [v for v in self.scope.variables.values() if v.kind in ("Pair", "State", "tuple")]
        if not boxes:
            return
        box = self.draw.pick(*boxes)
        array = f"1.0 * {self.fitted(self.array(box.shape))}"
        number = self.fitted(self.scalar(1))
        if box.kind == "State" and self.draw.chance(0.6):
            self.add(f"{box.text} = {box.text}.moved({self.small()})")
        elif box.kind == "Pair" and self.draw.chance(0.4):
            self.add(f"{box.text} = {box.text}._replace(t={number})")
        elif box.kind == "tuple":
            self.add(f"{box.text} = ({array}, {number})")
        else:
            self.add(f"{box.text} = {box.kind}({box.text}.u * 0.5, {number})")
        if box.kind == "State" and self.draw.chance(0.5):
            targets = [v.text for v in self.scope.floats() if self._binds(v)]
            self.add(f"{self.draw.pick(*targets)} = np.tanh({box.text}.energy({self.small()}))")
