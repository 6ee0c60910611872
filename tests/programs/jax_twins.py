"""The programs of the corpus for JAX: `np` and `math` are `jax.numpy`, writes make new arrays.

`a[i] = v` becomes `a = a.at[i].set(v)`. That says the same where the array has one name; programs
that write through views, and what they call, have a twin written by hand.
"""

import ast
import inspect
import textwrap
import types

import pytest

jax = pytest.importorskip("jax")
jnp = jax.numpy

WRITTEN = {}
_NO_ARRAYS = {"lists_and_comprehensions", "changed_in_place"}  # what they write is a list or dict
_METHODS = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "maximum": "max", "minimum": "min",
}  # fmt: skip


def twin(function, seen=None):
    """The program that JAX can differentiate."""
    seen = {} if seen is None else seen
    if function.__name__ in WRITTEN and function.__module__.startswith("tests."):
        return WRITTEN[function.__name__]
    if function not in seen:
        seen[function] = _rewritten(function, seen)
    return seen[function]


def _rewritten(function, seen):
    code = function.__code__
    if function.__name__ in _NO_ARRAYS or not _writes(function):
        space = dict(function.__globals__)
        made = types.FunctionType(
            code, space, function.__name__, function.__defaults__, function.__closure__
        )
        made.__kwdefaults__ = function.__kwdefaults__
    else:
        assert not code.co_freevars
        tree = _Writes().visit(_tree(function))
        tree.body[0].decorator_list = []
        space = dict(function.__globals__)
        exec(compile(ast.fix_missing_locations(tree), function.__name__, "exec"), space)
        made = space[function.__name__]
    seen[function] = made
    space["np"] = space["math"] = jnp
    space["special"] = jax.scipy.special
    for name in code.co_names:
        item = space.get(name)
        if isinstance(item, types.FunctionType) and item.__module__.startswith("tests."):
            space[name] = twin(item, seen)
    return made


def _tree(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _writes(function):
    if function.__name__ == "<lambda>":
        return False
    tree = _tree(function)
    return ast.dump(tree) != ast.dump(_Writes().visit(_tree(function)))


class _Writes(ast.NodeTransformer):
    def visit_Assign(self, node):
        (target,) = node.targets
        return _updated(target, "set", node.value) if _is_element(target) else node

    def visit_AugAssign(self, node):
        if not _is_element(node.target):
            return node
        text = ast.unparse(node.target)
        value = ast.BinOp(ast.parse(text, mode="eval").body, node.op, node.value)
        return _updated(node.target, "set", value)

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".at"):
            kind = call.func.value.attr
            array, index, value = call.args
            target = ast.Subscript(array, index, ast.Store())
            return _updated(target, _METHODS[kind], value)
        return node


def _is_element(target):
    return isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name)


def _updated(target, method, value):
    array = target.value
    place = ast.Subscript(ast.Attribute(array, "at", ast.Load()), target.slice, ast.Load())
    call = ast.Call(ast.Attribute(place, method, ast.Load()), [value], [])
    return ast.Assign([ast.Name(array.id, ast.Store())], call, lineno=0)


def _written(function):
    WRITTEN[function.__name__] = function
    return function


@_written
def calls(x, y):
    return x * x + y**3 * 2 * (x * y)


@_written
def view_is_written(x, v):
    a = v.at[1].set(x * 2)
    return jnp.sum(a * a)


@_written
def transpose_sees_writes(a, x):
    c = a.at[1, 2].set(x * x).T
    return c[2, 1] * jnp.sum(c * c)


@_written
def views_of_views(a):
    a = a.at[2, 1].set(a[0, 0] * a[3, 3])  # b is a[1:].T[1:], and b[0, 1] this element
    a = a.at[1:, 3].multiply(2.0)  # the last row of b
    return jnp.sum(a * a)


@_written
def swapped_buffers(v):
    a, b = v, v
    for _ in range(3):
        a, b = b, a
        b = b.at[0].multiply(a[1])
    return jnp.sum(a.at[0].set(1.0) * b)


@_written
def rounded_positions(x, table):
    low, high = int(x), int(x) + 1
    return table[low] * (high - x) + table[high] * (x - low) + jnp.floor(x) * x


@_written
def gaussian_process(x, y, scale, noise):
    k = jnp.exp(-0.5 * ((x[:, None] - x[None, :]) / scale) ** 2) + noise * jnp.eye(len(x))
    factor = jnp.linalg.cholesky(k)
    alpha = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * alpha @ alpha + jnp.sum(jnp.log(jnp.diag(factor)))


@_written
def functions_as_arguments(x, f, mode):
    return jnp.sum(2.0 * x * x)
