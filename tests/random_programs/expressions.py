"""Draws expressions of a wanted type from the names at hand.

Enters: a scope and draws. Leaves: texts with a bound of their value, so that a program's numbers
stay moderate however often a loop runs.
"""

from __future__ import annotations

from tests.random_programs.scope import BOUND, Draw, Expr, Function, Scope, Variable

_SMOOTH = {
    "np.sin({})": 1.0, "np.tanh({})": 1.0, "math.cos({})": 1.0, "np.arctan({})": 1.6,
    "math.tanh({})": 1.0, "np.cos({})": 1.0,
}  # fmt: skip


class Expressions:
    """Expressions in the current scope."""

    def __init__(self, draw: Draw, scope: Scope) -> None:
        self.draw = draw
        self.scope = scope

    # -- integers and conditions ----------------------------------------------------------------

    def extent(self, name: str) -> str:
        return self.draw.pick(*self.scope.extents[name].texts)

    def index(self, extent: str) -> str | None:
        """A valid index for an extent, if there is one."""
        known = [v.text for v in self.scope.of("int") if extent in v.indexes]
        choices = 3 * known
        if self.scope.extents[extent].nonzero:
            choices += ["0", "-1", f"{self.extent(extent)} - 1"]
            for v in self.scope.of("int"):
                choices.append(f"({v.text} + {self.draw.integer(0, 2)}) % {self.extent(extent)}")
            places = self.scope.arrays(("places",))
            if places and extent == "n":
                choices.append(f"idx[{self.draw.pick('0', '-1', *(3 * known))}]")
        choices += [f"-1 - {text}" for text in known]
        return self.draw.pick(*choices) if choices else None

    def integer(self) -> str:
        """A small integer, possibly negative."""
        ints = [v.text for v in self.scope.of("int")]
        forms = ["0", "1", "2", "-1", "3"]
        for text in ints:
            forms += [text, f"{text} - 1", f"{text} % 3", f"2 - {text}", f"min({text}, 4)"]
        forms += [self.extent(e) for e in self.scope.extents] * 2
        forms += [f"int({v.text})" for v in self.scope.of("bool")]
        return self.draw.pick(*forms)

    def condition(self, depth: int = 1) -> str:
        form = self.draw.weighted(
            {"float": 6, "int": 3, "bool": 2, "between": 1, "array": 1, "and": depth,
             "or": depth, "not": depth}
        )  # fmt: skip
        if form == "int":
            ints = [v.text for v in self.scope.of("int")]
            if ints:
                test = self.draw.pick("> 0", "== 1", "% 2 == 0", "< 2", "!= 0", ">= 2")
                return f"{self.draw.pick(*ints)} {test}"
        bools = self.scope.of("bool")
        if form == "bool" and bools:
            return self.draw.pick(*bools).text
        if form == "between":
            return f"{self.draw.constant(-1, 0)} < {self.scalar(1).text} <= {self.draw.constant(0)}"
        if form == "array":
            arrays = [v for v in self.scope.arrays(rank=1) if self._nonzero(v.shape)]
            if arrays:
                array, by = self.draw.pick(*arrays).text, self.draw.constant()
                return f"np.{self.draw.pick('sum', 'max')}({array}) > {by}"
        if form in ("and", "or"):
            return f"({self.condition(depth - 1)} {form} {self.condition(depth - 1)})"
        if form == "not":
            return f"not ({self.condition(depth - 1)})"
        sign = self.draw.pick("<", ">", "<=", ">=")
        return f"{self.scalar(1).text} {sign} {self.draw.constant()}"

    # -- numbers --------------------------------------------------------------------------------

    def fitted(self, item: Expr, bound: float = BOUND) -> str:
        """The expression, made small enough."""
        if item.bound <= bound:
            return item.text
        if item.bound <= 4 * bound and self.draw.chance(0.5):
            return f"{bound / item.bound * 0.99:.3f} * ({item.text})"
        return f"{self.draw.pick('np.tanh', 'np.sin')}({item.text})"

    def small(self, bound: float = 1.0, depth: int = 2) -> str:
        return self.fitted(self.scalar(depth), bound)

    def scalar(self, depth: int = 2) -> Expr:
        forms = {"name": 4, "constant": 1, "element": 4}
        if depth:
            forms |= {
                "binary": 6, "smooth": 4, "reduce": 3, "choice": 2, "call": 3, "safe": 3,
                "extreme": 1, "power": 1, "product": 1, "integer": 1, "whole": 1, "stopped": 1,
                "comprehension": 1,
            }  # fmt: skip
        form = self.draw.weighted(forms)
        made = getattr(self, f"_scalar_{form}")(depth)
        return made or self._scalar_name(depth)

    def _scalar_name(self, depth: int) -> Expr:
        return Expr(self.draw.pick(*self.scope.floats()).text, BOUND)

    def _scalar_constant(self, depth: int) -> Expr:
        return Expr(self.draw.pick("0.5", "-1.5", "2", "1", "0.25", "-1", "3.0"), 3.0)

    def _scalar_element(self, depth: int) -> Expr | None:
        known = [v for v in self.scope.arrays() if v.shape != ("places",)]
        if not known:
            return None
        array = self.draw.pick(*known)
        indices = [self.index(e) for e in array.shape]
        if None in indices:
            return None
        if len(indices) == 2 and self.draw.chance(0.2):
            return Expr(f"{array.text}[{indices[0]}][{indices[1]}]", BOUND)
        return Expr(f"{array.text}[{', '.join(map(str, indices))}]", BOUND)

    def _scalar_binary(self, depth: int) -> Expr:
        left, right = self.scalar(depth - 1), self.scalar(depth - 1)
        sign = self.draw.pick("+", "-", "*", "*")
        bound = left.bound * right.bound if sign == "*" else left.bound + right.bound
        return Expr(f"({left.text} {sign} {right.text})", bound)

    def _scalar_smooth(self, depth: int) -> Expr:
        form = self.draw.pick(*_SMOOTH)
        return Expr(form.format(self.scalar(depth - 1).text), _SMOOTH[form])

    def _scalar_safe(self, depth: int) -> Expr:
        """Functions with a singularity, kept away from it."""
        inner = self.scalar(depth - 1)
        tame = self.fitted(inner, 3.0)
        square = f"({tame}) ** 2"
        return self.draw.pick(
            Expr(f"np.sqrt(0.3 + {square})", 3.1),
            Expr(f"({self.scalar(depth - 1).text}) / (1.5 + {square})", 3.0 ** (depth + 1)),
            Expr(f"np.log(0.7 + {square})", 2.3),
            Expr(f"np.exp(-{square})", 1.0),
            Expr(f"math.exp(0.3 * ({tame}))", 2.5),
            Expr(f"abs({inner.text})", inner.bound),
        )

    def _scalar_extreme(self, depth: int) -> Expr:
        left, right = self.scalar(depth - 1), self.scalar(depth - 1)
        name = self.draw.pick("max", "min", "np.maximum", "np.minimum")
        return Expr(f"{name}({left.text}, {right.text})", max(left.bound, right.bound))

    def _scalar_power(self, depth: int) -> Expr:
        inner = self.scalar(depth - 1)
        return Expr(f"({inner.text}) ** {self.draw.pick('2', '3')}", inner.bound**3)

    def _scalar_integer(self, depth: int) -> Expr:
        return Expr(f"({self.integer()}) * 0.25", 3.0)

    def _scalar_whole(self, depth: int) -> Expr:
        """Piecewise constant, or with jumps."""
        inner = self.fitted(self.scalar(depth - 1))
        form = self.draw.pick("math.floor({})", "({}) % 1.7", "np.sign({})", "({}) // 0.9")
        return Expr(form.format(inner), 4.0)

    def _scalar_stopped(self, depth: int) -> Expr:
        inner = self.scalar(depth - 1)
        return Expr(f"ad.stop_gradient({inner.text})", inner.bound)

    def _scalar_comprehension(self, depth: int) -> Expr:
        outer, self.scope = self.scope, self.scope.inner()
        self.scope.add(Variable("g", "float"))
        inner = self.small(1.0, depth - 1)
        self.scope = outer
        items = (
            self.draw.pick("0.5, -1.0", "x, 0.7, 1", "0.3,") if "x" in outer.variables else "1, 2"
        )
        return Expr(f"sum([{inner} * g for g in ({items})])", 3.0)

    def _scalar_choice(self, depth: int) -> Expr:
        yes, no = self.scalar(depth - 1), self.scalar(depth - 1)
        bound = max(yes.bound, no.bound)
        if self.draw.chance(0.3):
            return Expr(f"np.where({self.condition(0)}, {yes.text}, {no.text})", bound)
        return Expr(f"({yes.text} if {self.condition()} else {no.text})", bound)

    def _scalar_reduce(self, depth: int) -> Expr | None:
        if not self.scope.shapes():
            return None
        shape = self.draw.pick(*self.scope.shapes())
        inner = self.array(shape, depth - 1)
        rank = len(shape)
        if not self._nonzero(shape) or self.draw.chance(0.5):
            form = self.draw.pick("np.sum({})", "({}).sum()")
            return Expr(form.format(inner.text), inner.bound * 6.0**rank)
        form = self.draw.pick(
            "np.mean({})", "np.max({})", "np.min({})", "({}).mean()", "({}).max()", "np.var({})",
            "np.prod(np.tanh({}))",
        )  # fmt: skip
        if form == "np.var({})":
            return Expr(form.format(inner.text), inner.bound**2)
        return Expr(form.format(inner.text), inner.bound)

    def _scalar_product(self, depth: int) -> Expr | None:
        if not self.scope.shapes(1):
            return None
        shape = self.draw.pick(*self.scope.shapes(1))
        left, right = self.array(shape, depth - 1), self.array(shape, depth - 1)
        form = self.draw.pick("({} @ {})", "np.dot({}, {})")
        return Expr(form.format(left.text, right.text), left.bound * right.bound * 6)

    def _scalar_call(self, depth: int) -> Expr | None:
        known = [f for f in self.scope.functions if f.result == "float" and not f.writes]
        return Expr(self.called(self.draw.pick(*known)), BOUND) if known else None

    def called(self, function: Function, first: str = "") -> str:
        """A call with drawn arguments, the first as given."""
        arguments = [first] if first else []
        for kind in function.takes[len(arguments) :]:
            if kind == "float":
                arguments.append(self.small(BOUND, 1))
            else:
                arguments.append(
                    self.fitted(self.array((self.draw.pick(*self.scope.lengths()),), 1))
                )
        return f"{function.name}({', '.join(arguments)})"

    # -- arrays ---------------------------------------------------------------------------------

    def _nonzero(self, shape: tuple[str, ...]) -> bool:
        return all(e in self.scope.extents and self.scope.extents[e].nonzero for e in shape)

    def array(self, shape: tuple[str, ...], depth: int = 2) -> Expr:
        """An array of a shape; possibly a bare name or a view."""
        forms = {"name": 5}
        if len(shape) == 2:
            forms |= {"transposed": 1}
        if depth:
            forms |= {
                "binary": 5, "scaled": 3, "smooth": 4, "where": 2, "flipped": 2, "extreme": 1,
                "safe": 2, "filled": 1, "from_one": 1,
            }  # fmt: skip
            if len(shape) == 1:
                forms |= {"row": 2, "gathered": 2, "reduced": 2, "product": 1, "moved": 1}
                forms |= {"pairwise": 1}
            else:
                forms |= {"broadcast": 4, "outer": 1, "matmul": 1, "centred": 1, "rows": 1}
        form = self.draw.weighted(forms)
        made = getattr(self, f"_array_{form}")(shape, depth)
        return made or self._array_name(shape, depth)

    def _array_name(self, shape: tuple[str, ...], depth: int) -> Expr:
        known = self.scope.arrays(shape)
        if known:
            return Expr(self.draw.pick(*known).text, BOUND)
        if len(shape) == 2 and self.scope.arrays(shape[::-1]):
            return Expr(f"{self.draw.pick(*self.scope.arrays(shape[::-1])).text}.T", BOUND)
        return self._array_filled(shape, depth)

    def _array_filled(self, shape: tuple[str, ...], depth: int) -> Expr:
        extents = [self.extent(e) for e in shape]
        size = extents[0] if len(extents) == 1 else f"({', '.join(extents)})"
        scalar = self.small(BOUND, 0)
        ones = f"np.ones({size}, {self.scope.dtype})"
        return Expr(f"({scalar} * {ones})" if depth else ones, BOUND)

    def _array_binary(self, shape: tuple[str, ...], depth: int) -> Expr:
        left, right = self.array(shape, depth - 1), self.array(shape, depth - 1)
        sign = self.draw.pick("+", "-", "*")
        bound = left.bound * right.bound if sign == "*" else left.bound + right.bound
        return Expr(f"({left.text} {sign} {right.text})", bound)

    def _array_scaled(self, shape: tuple[str, ...], depth: int) -> Expr:
        scalar, inner = self.scalar(1), self.array(shape, depth - 1)
        sign = self.draw.pick("*", "+", "-")
        bound = scalar.bound * inner.bound if sign == "*" else scalar.bound + inner.bound
        if self.draw.chance(0.3):
            return Expr(f"({inner.text} {sign} {scalar.text})", bound)
        return Expr(f"({scalar.text} {sign} {inner.text})", bound)

    def _array_smooth(self, shape: tuple[str, ...], depth: int) -> Expr:
        name = self.draw.pick("sin", "tanh", "arctan", "cos")
        return Expr(f"np.{name}({self.array(shape, depth - 1).text})", 1.6)

    def _array_safe(self, shape: tuple[str, ...], depth: int) -> Expr:
        inner = self.array(shape, depth - 1)
        tame = self.fitted(inner)
        return self.draw.pick(
            Expr(f"np.exp(-({tame}) ** 2)", 1.0),
            Expr(f"np.sqrt(0.4 + ({tame}) ** 2)", 3.1),
            Expr(f"({inner.text} / (1.5 + ({tame}) ** 2))", inner.bound),
            Expr(f"np.abs({inner.text})", inner.bound),
            Expr(f"np.clip({inner.text}, -0.8037, 0.9047)", 1.0),
        )

    def _array_where(self, shape: tuple[str, ...], depth: int) -> Expr:
        test, yes = self.array(shape, depth - 1), self.array(shape, depth - 1)
        no = self.scalar(1) if self.draw.chance(0.4) else self.array(shape, depth - 1)
        text = f"np.where({test.text} > {self.draw.constant()}, {yes.text}, {no.text})"
        return Expr(text, max(yes.bound, no.bound))

    def _array_extreme(self, shape: tuple[str, ...], depth: int) -> Expr:
        left = self.array(shape, depth - 1)
        right = self.scalar(0) if self.draw.chance(0.5) else self.array(shape, depth - 1)
        name = self.draw.pick("maximum", "minimum")
        return Expr(f"np.{name}({left.text}, {right.text})", max(left.bound, right.bound))

    def _array_flipped(self, shape: tuple[str, ...], depth: int) -> Expr:
        inner = self.array(shape, depth - 1)
        cut = "::-1" if len(shape) == 1 else self.draw.pick("::-1", ":, ::-1", "::-1, ::-1")
        return Expr(f"({inner.text})[{cut}]", inner.bound)

    def _array_row(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        matrices = [v for v in self.scope.arrays(rank=2) if shape[0] in v.shape]
        if not matrices:
            return None
        matrix = self.draw.pick(*matrices)
        axis = matrix.shape.index(shape[0])
        index = self.index(matrix.shape[1 - axis])
        if index is None:
            return None
        text = f"{matrix.text}[:, {index}]" if axis == 0 else f"{matrix.text}[{index}]"
        return Expr(text, BOUND)

    def _array_gathered(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        if shape != ("n",) or not self.scope.arrays(("places",)):
            return None
        return Expr(f"{self.draw.pick(*self.scope.arrays(('n',))).text}[idx]", BOUND)

    def _array_rows(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        if shape[0] != "n" or not self.scope.arrays(("places",)) or not self.scope.arrays(shape):
            return None
        return Expr(f"{self.draw.pick(*self.scope.arrays(shape)).text}[idx]", BOUND)

    def _array_reduced(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        shapes = [v.shape for v in self.scope.arrays(rank=2) if shape[0] in v.shape]
        if not shapes:
            return None
        whole = self.draw.pick(*shapes)
        axis = 1 - whole.index(shape[0])
        if self.draw.chance(0.3):
            axis -= 2
        inner = self.array(whole, depth - 1)
        if self.draw.chance(0.4) and self._nonzero(whole):
            name = self.draw.pick("mean", "max", "min")
            return Expr(f"np.{name}({inner.text}, axis={axis})", inner.bound)
        return Expr(f"({inner.text}).sum(axis={axis})", inner.bound * 5)

    def _array_pairwise(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        """Three axes: every row beside every row."""
        shapes = [v.shape for v in self.scope.arrays(rank=2) if v.shape[0] == shape[0]]
        if not shapes:
            return None
        whole = self.draw.pick(*shapes)
        one, other = self.array(whole, depth - 1).text, self.array(whole, depth - 1).text
        axes = self.draw.pick("(1, 2)", "(0, 2)", "(-1, 0)")
        text = f"(({one})[:, None, :] - ({other})[None, :, :])"
        return Expr(f"np.tanh({text}).sum(axis={axes})", 20.0)

    def _array_product(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        shapes = [v.shape for v in self.scope.arrays(rank=2) if v.shape[0] == shape[0]]
        if not shapes:
            return None
        whole = self.draw.pick(*shapes)
        left, right = self.array(whole, depth - 1), self.array(whole[1:], depth - 1)
        return Expr(f"({left.text} @ {right.text})", left.bound * right.bound * 5)

    def _array_moved(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        inner = self.array(shape, depth - 1)
        if not self._nonzero(shape):
            return None
        forms = ["np.roll({}, 1)", "np.cumsum({})", "np.concatenate((({0})[1:], ({0})[:1]))"]
        return Expr(self.draw.pick(*forms).format(inner.text), inner.bound * 5)

    def _array_broadcast(self, shape: tuple[str, ...], depth: int) -> Expr:
        inner, sign = self.array(shape, depth - 1), self.draw.pick("+", "*", "-")
        if self.draw.chance(0.5):
            other = self.array(shape[1:], depth - 1)
            text = other.text
        else:
            other = self.array(shape[:1], depth - 1)
            text = f"({other.text}){self.draw.pick('[:, None]', '.reshape(-1, 1)')}"
            if text.endswith("1)") and not self._nonzero(shape):
                text = f"({other.text})[:, None]"
        bound = inner.bound * other.bound if sign == "*" else inner.bound + other.bound
        pair = (inner.text, text) if self.draw.chance(0.6) else (text, inner.text)
        return Expr(f"({pair[0]} {sign} {pair[1]})", bound)

    def _array_from_one(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        """An array beside one element, or one row or column, of another: as a slice."""
        axis = self.draw.integer(0, len(shape) - 1)
        counters = [
            v.text for v in self.scope.of("int") if not v.binds and shape[axis] in v.indexes
        ]
        cuts = [f"{i} : {i} + 1" for i in counters]
        if self._nonzero(shape):
            cuts += [":1", "-1:"]
        if not cuts:
            return None
        left, right = self.array(shape, depth - 1), self.array(shape, depth - 1)
        cut = ":, " * axis + self.draw.pick(*cuts)
        sign = self.draw.pick("+", "*", "-")
        bound = left.bound * right.bound if sign == "*" else left.bound + right.bound
        return Expr(f"({left.text} {sign} ({right.text})[{cut}])", bound)

    def _array_outer(self, shape: tuple[str, ...], depth: int) -> Expr:
        left, right = self.array(shape[:1], depth - 1), self.array(shape[1:], depth - 1)
        return Expr(f"np.outer({left.text}, {right.text})", left.bound * right.bound)

    def _array_matmul(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        middle = [v.shape[1] for v in self.scope.arrays(rank=2) if v.shape[0] == shape[0]]
        if not middle:
            return None
        between = self.draw.pick(*middle)
        left = self.array((shape[0], between), depth - 1)
        right = self.array((between, shape[1]), depth - 1)
        return Expr(f"({left.text} @ {right.text})", left.bound * right.bound * 5)

    def _array_centred(self, shape: tuple[str, ...], depth: int) -> Expr | None:
        if not self._nonzero(shape):
            return None
        inner, axis = self.array(shape, depth - 1), self.draw.pick(0, 1)
        name = self.draw.pick("mean", "sum", "max")
        text = f"({inner.text} - np.{name}({inner.text}, axis={axis}, keepdims=True))"
        return Expr(text, inner.bound * 6)

    def _array_transposed(self, shape: tuple[str, ...], depth: int) -> Expr:
        inner = self.array(shape[::-1], max(depth - 1, 0))
        return Expr(f"({inner.text}).T", inner.bound)
