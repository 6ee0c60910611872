"""Random programs as source text: loops, branches, mutation, views, broadcasting, calls.

A program takes a scalar `x`, vectors `v` (n) and `w` (n) and a matrix `m` (n, 3), and gives a
number. All values stay moderate: every new value goes through a bounded function.
"""

from hypothesis import strategies as st

SCALARS = ("x", "s", "t")
VECTORS = ("v", "w", "a", "b")
MATRICES = ("m", "c")


class _Writer:
    """Draws statements; `defined` are the names that have a value on every path."""

    def __init__(self, draw, max_statements):
        self.draw = draw
        self.left = max_statements
        self.lines = []
        self.loops = 0

    def pick(self, *items):
        return self.draw(st.sampled_from(items))

    def scalar(self, depth=2):
        forms = ["name", "name", "constant"]
        if depth:
            forms += ["binary", "binary", "unary", "element", "reduce", "choice", "matrix", "call"]
        form = self.pick(*forms)
        if form == "name":
            return self.pick(*SCALARS)
        if form == "constant":
            return self.pick("0.5", "-1.5", "2.0", "1", "0.25")
        if form == "binary":
            return f"({self.scalar(depth - 1)} {self.pick('+', '-', '*')} {self.scalar(depth - 1)})"
        if form == "unary":
            return f"{self.pick('np.sin', 'np.tanh', 'math.cos', 'np.arctan')}({self.scalar(depth - 1)})"
        if form == "element":
            return f"{self.pick(*VECTORS)}[{self.index()}]"
        if form == "matrix":
            return f"{self.pick(*MATRICES)}[{self.index()}, {self.pick('0', '1', '-1', '2')}]"
        if form == "reduce":
            return f"np.{self.pick('sum', 'mean', 'max', 'min')}({self.vector(depth - 1)}) * 0.5"
        if form == "call":
            return f"helper({self.scalar(depth - 1)}, {self.scalar(depth - 1)})"
        return f"({self.scalar(depth - 1)} if {self.condition()} else {self.scalar(depth - 1)})"

    def index(self):
        choices = ["0", "1", "-1", "n - 1", "k % n"]
        choices += [f"i{level}" for level in range(self.loops)]
        return self.pick(*choices)

    def condition(self):
        left, right = self.scalar(1), self.scalar(1)
        simple = f"{left} {self.pick('<', '>', '<=', '>=')} {right}"
        return self.pick(simple, f"{simple} and k > 1", f"not ({simple})", f"{simple} or n == 2")

    def vector(self, depth=2):
        forms = ["name", "name"]
        if depth:
            forms += [
                "binary",
                "scaled",
                "unary",
                "column",
                "product",
                "where",
                "flip",
                "gather",
                "sum",
            ]
        form = self.pick(*forms)
        if form == "name":
            return self.pick(*VECTORS)
        if form == "binary":
            return f"({self.vector(depth - 1)} {self.pick('+', '-', '*')} {self.vector(depth - 1)})"
        if form == "scaled":
            return f"{self.scalar(1)} * {self.vector(depth - 1)}"
        if form == "unary":
            return f"np.{self.pick('sin', 'tanh', 'arctan', 'cos')}({self.vector(depth - 1)})"
        if form == "column":
            return f"{self.pick(*MATRICES)}[:, {self.pick('0', '1', '2')}]"
        if form == "product":
            return f"np.tanh({self.pick(*MATRICES)} @ np.array([{self.scalar(0)}, 0.5, {self.scalar(0)}]))"
        if form == "where":
            a, b = self.vector(depth - 1), self.vector(depth - 1)
            return f"np.where({a} > {b}, {a}, {self.scalar(1)} * {b})"
        if form == "flip":
            return f"{self.pick(*VECTORS)}[::-1]"
        if form == "gather":
            return f"{self.pick(*VECTORS)}[order]"
        return f"{self.pick(*MATRICES)}.sum(axis=1)"

    def matrix(self):
        form = self.pick("scaled", "broadcast", "unary", "outer", "name")
        name = self.pick(*MATRICES)
        if form == "scaled":
            return f"{name} * {self.scalar(1)}"
        if form == "broadcast":
            return f"np.tanh({name} * {self.vector(1)}[:, None] + {self.pick(*MATRICES)}[0])"
        if form == "unary":
            return f"np.sin({name} - {name}.mean(axis=0))"
        if form == "outer":
            return f"np.tanh(np.outer({self.vector(1)}, {name}[1]))"
        return f"{name}.copy()"

    def block(self, indent, depth):
        before = len(self.lines)
        for _ in range(self.draw(st.integers(1, 4))):
            if self.left <= 0:
                break
            self.left -= 1
            self.statement(indent, depth)
        if len(self.lines) == before:
            self.lines.append(f"{indent}s = s + 0.1")

    def statement(self, indent, depth):
        forms = [
            "scalar",
            "scalar",
            "vector",
            "matrix",
            "store",
            "store",
            "augment",
            "slice",
            "row",
        ]
        if depth:
            forms += ["if", "if", "for", "for", "while", "view"]
        form = self.pick(*forms)
        add = lambda text: self.lines.append(indent + text)
        if form == "scalar":
            add(f"{self.pick('s', 't')} = {self.scalar()}")
        elif form == "vector":
            add(f"{self.pick('a', 'b')} = 1.0 * ({self.vector()})")
        elif form == "matrix":
            add(f"c = {self.matrix()}")
        elif form == "store":
            target = self.pick(f"a[{self.index()}]", f"b[{self.index()}]", f"c[{self.index()}, 1]")
            add(f"{target} {self.pick('=', '+=', '-=', '*=', '=')} np.tanh({self.scalar()})")
        elif form == "augment":
            name = self.pick("a", "b")
            add(
                f"{name} {self.pick('+=', '-=', '*=')} {self.pick(self.scalar(1), f'np.tanh({self.vector(1)})')}"
            )
        elif form == "slice":
            name = self.pick("a", "b")
            cut = self.pick("1:", ":-1", "::2", "::-1", "1:-1", ":")
            value = self.pick(self.scalar(1), f"np.tanh({self.vector(1)})[{cut}]")
            add(f"{name}[{cut}] {self.pick('=', '+=', '*=')} {value}")
        elif form == "row":
            add(
                f"c[{self.index()}] {self.pick('=', '+=')} np.tanh({self.pick(*MATRICES)}[{self.index()}] * {self.scalar(1)})"
            )
        elif form == "view":
            add(f"u = a[{self.pick('1:', '::-1', ':-1')}]")
            add(f"u[0] = np.tanh({self.scalar()})")
            add("s = s + u[-1]")
        elif form == "if":
            add(f"if {self.condition()}:")
            self.block(indent + "    ", depth - 1)
            if self.draw(st.booleans()):
                add("else:")
                self.block(indent + "    ", depth - 1)
        elif form == "for":
            level = self.loops
            bounds = self.pick("n", "1, n", "n - 1, -1, -1", "0, n, 2", "k", "3")
            if level and bounds == "k":
                bounds = "n"
            safe = bounds not in ("k", "3")
            add(f"for i{level} in range({bounds}):")
            if safe:
                self.loops += 1
            self.block(indent + "    ", depth - 1)
            add("    s = np.tanh(s)")
            if safe:
                self.loops -= 1
        else:
            add(f"q = abs(np.tanh({self.scalar(1)})) + 0.3")
            add("while q < 1.0:")
            self.block(indent + "    ", depth - 1)
            add("    q = q * 1.7")
            add("    s = np.tanh(s + q)")


@st.composite
def programs(draw, max_statements=9):
    """The text of a module with a function `program(x, v, w, m, order, k)`."""
    writer = _Writer(draw, max_statements)
    writer.block("    ", 2)
    lines = [
        "import math",
        "",
        "import numpy as np",
        "",
        "",
        "def helper(p, q):",
        "    if p > q:",
        "        return p * q",
        "    return np.sin(p) - q",
        "",
        "",
        "def program(x, v, w, m, order, k):",
        "    n = len(v)",
        "    s = x * 0.5",
        "    t = np.sin(x)",
        "    a = v * 1.0",
        "    b = w * x",
        "    c = m + 0.0",
        *writer.lines,
        "    total = s * t + np.sum(a * b) + np.sum(c * c) * 0.1",
        "    return total + np.sum(v * a) + x * b[0]",
    ]
    return "\n".join(lines) + "\n"
