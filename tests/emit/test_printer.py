"""What the printer writes parses to the tree it was given."""

import ast
from pathlib import Path

import pytest

from adcompile.emit.printer import expression_text, to_source

_GOLDEN = sorted((Path(__file__).resolve().parents[1] / "golden").glob("*.py"))

EXPRESSIONS = """
a + b + c
a + (b + c)
a - (b - c)
(a - b) * -c ** 2
(-a) ** 2
-a ** -b
(a ** b) ** c
a ** b ** c
a / (b * c) / d
a // b % c
a @ (b @ c)
not (a and b) or c
(a if b else c) if d else e
a if b else (c if d else e)
a < b <= c
(a < b) < c
not a < b
x[1:2, ::-1, None, ...]
x[(a, b), c]
f(a)(b).c[d]
(a + b).sum(axis=(0, 1))
(lambda x: x + 1)(2)
(1).real
-1
(-1) ** 2
1e-300 + 1e300
(a,)
()
[a, (b, c)]
a & b | c ^ d
"text" + 'it''s'
True and None
""".strip().split("\n")


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text):
    tree = ast.parse(text, mode="eval").body
    printed = expression_text(tree)
    assert ast.dump(ast.parse(printed, mode="eval").body) == ast.dump(tree)


@pytest.mark.parametrize(
    "text", ["a + b + c", "(a - b) * c", "-a ** 2", "a if b else c", "x[1:, 0]"]
)
def test_no_needless_parentheses(text):
    assert expression_text(ast.parse(text, mode="eval").body) == text


@pytest.mark.parametrize("path", _GOLDEN, ids=lambda p: p.stem)
def test_generated_modules(path):
    tree = ast.parse(path.read_text())
    assert ast.dump(ast.parse(to_source(tree))) == ast.dump(tree)
