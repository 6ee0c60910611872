"""One small graph or more for every operation record and every spelling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

import adcompile.pipeline  # noqa: F401  (fills the registry)
from adcompile.graph.builder import Builder
from adcompile.graph.ir import RECORDS, Graph, Parameter, Region
from adcompile.graph.types import Array, StackOf, type_of
from adcompile.ops import memory, shapes
from adcompile.parse.lower import lower_function
from tests.ops.spelling_cases import SPELLED


def typed(item: Any) -> Any:
    """The type of an argument; extents of 1 are known, so that they broadcast."""
    type_ = type_of(item)
    if not isinstance(type_, Array):
        return type_
    shape = tuple(1 if n == 1 else dim for n, dim in zip(item.shape, type_.shape, strict=True))
    return Array(type_.dtype, shape, type_.layout)


@dataclass(frozen=True)
class Case:
    """A record, a function that applies it with a builder, and its arguments.

    `smooth` is false where no derivative exists or all of it is zero. A case of a spelling has
    the function that a user writes, to be lowered, in place of a builder's.
    """

    name: str
    record: str
    build: Callable[..., Any]
    arguments: Callable[[np.random.Generator], list[Any]]
    numpy: Callable[..., Any] | None = None
    smooth: bool = True
    spelling: str = ""

    def graph(self, args: list[Any]) -> Graph:
        """The graph of this case for arguments."""
        if self.spelling:
            graph = lower_function(self.build, [typed(arg) for arg in args])
            graph.name = "case"
            return graph
        graph = Graph("case", [], Region())
        with Builder(graph) as builder:
            values = []
            for k, arg in enumerate(args):
                value = builder.parameter(typed(arg), f"x{k}")
                graph.parameters.append(Parameter(f"x{k}", value))
                values.append(value)
            result = self.build(builder, *values)
        graph.body.yields = [result]
        graph.result = 0
        return graph


CASES: list[Case] = []
_INDICES = np.array([2, 0, 2, -1])


def _case(record, arguments, build, numpy=None, smooth=True, name=""):
    full_name = f"{record}-{name}" if name else record
    CASES.append(Case(full_name, record, build, arguments, numpy, smooth))


def _normal(*shapes_):
    return lambda rng: [
        rng.standard_normal(s) if s else float(rng.standard_normal()) for s in shapes_
    ]


# -- elementwise: scalars, equal shapes, broadcasting ---------------------------------------------

_ARITY = {name: 1 for name in RECORDS}
_ARITY.update(dict.fromkeys(
    "add sub mul div pow floordiv mod lt le gt ge eq ne logical_and logical_or maximum minimum "
    "arctan2 hypot logaddexp complex scale xlogy xlog1py rel_entr kl_div beta betaln logaddexp2 "
    "copysign nextafter ldexp fmod logical_xor bitwise_and bitwise_or bitwise_xor left_shift "
    "right_shift gcd lcm".split(), 2,
))  # fmt: skip
_ORDERED = {"polygamma": (1, 2), "jv": (0, 1, 3), "iv": (0, 1, 3), "ive": (0, 1, 3),
            "spherical_jn": (0, 1, 3), "zeta": (2.0, 3.5)}  # fmt: skip
_BOOLEAN = {"logical_and", "logical_or", "logical_not", "logical_xor"}
_INTEGER = {record.name for record in RECORDS.values() if isinstance(record.domain[0], int)}


def _elementwise(record):
    low, high = record.domain
    arity = _ARITY[record.name]

    def draw(*shapes_):
        def arguments(rng):
            items = [rng.uniform(low, high, s) for s in shapes_]
            if record.name in _BOOLEAN:
                items = [i > (low + high) / 2 for i in items]
            if record.name in _INTEGER:
                items = [i.astype(np.int64) for i in items]
            return [i if i.shape else i.item() for i in items]

        return arguments

    smooth = not record.inactive
    apply = lambda b, *xs: b.op(record.name, *xs)
    numpy = record.numpy[0]
    if arity == 1:
        forms = {"scalar": [()], "vector": [(5,)], "matrix": [(3, 4)]}
    else:
        forms = {
            "scalars": [(), ()], "vectors": [(4,), (4,)], "rows": [(3, 1), (4,)],
            "scalar-matrix": [(), (2, 3)], "outer-sum": [(2, 1, 3), (4, 1)],
        }  # fmt: skip
    for name, form in forms.items():
        if record.name in _BOOLEAN and () in form:
            continue
        _case(record.name, draw(*form), apply, numpy, smooth, name)


for _record in list(RECORDS.values()):
    if _record.scalar and _record.name not in ("where", "cast", "ldexp", *_ORDERED):
        _elementwise(_record)

_case(
    "where", _normal((3, 1), (4,), (3, 4)),
    lambda b, c, x, y: b.op("where", b.op("abs", c) > 0.5, x, y),
    lambda c, x, y: np.where(np.abs(c) > 0.5, x, y),
)  # fmt: skip
_case(
    "where", _normal((), (), ()), lambda b, c, x, y: b.op("where", b.op("abs", c) > 0.5, x, y),
    name="scalars",
)  # fmt: skip
_case(
    "ldexp", _normal((4,)), lambda b, x: b.op("ldexp", x, b.op("array_constant", data=_INDICES)),
    lambda x: np.ldexp(x, _INDICES),
)  # fmt: skip
_case(
    "cast", _normal((4,)), lambda b, x: b.op("cast", x, dtype="float32") * 2.0,
    lambda x: x.astype(np.float32) * 2, name="single",
)  # fmt: skip
_case(
    "cast", _normal((4,)), lambda b, x: b.op("cast", x, dtype="complex128") * (1 + 2j),
    lambda x: x.astype(complex) * (1 + 2j), name="complex",
)  # fmt: skip
_case(
    "cast", _normal(()), lambda b, x: b.op("cast", x, dtype="complex128", weak=True) * (1 + 2j),
    name="complex scalar",
)  # fmt: skip

for _name, _orders in _ORDERED.items():
    for _order in _orders:
        for _form in ((), (5,)):
            _case(
                _name, lambda rng, f=_form: [rng.uniform(0.5, 3.0, f) if f else 1.25],
                lambda b, x, n=_name, o=_order: b.op(n, o, x),
                lambda x, n=_name, o=_order: np.asarray(
                    getattr(scipy.special, n)(o, x)).astype(np.asarray(x).dtype)[()],
                name=f"{_order}-{len(_form)}d",
            )  # fmt: skip
for _name in ("logsumexp", "softmax", "log_softmax"):
    for _axes in ((0,), (1,), (0, 2), (0, 1, 2)):
        for _keep in (False, True) if _name == "logsumexp" else ({},):
            _options = {"keepdims": _keep} if _name == "logsumexp" else {}
            _case(
                _name, _normal((3, 4, 2)),
                lambda b, x, n=_name, a=_axes, k=_options: b.op(n, x, axes=a, **k),
                lambda x, n=_name, a=_axes, k=_options: getattr(scipy.special, n)(x, axis=a, **k),
                name=f"{_axes}-{_keep}",
            )  # fmt: skip

# -- reductions ----------------------------------------------------------------------------------

for _name in ("sum", "mean", "max", "min", "argmax", "argmin"):
    for _axes in ((0,), (1,), (2,), (0, 2), (0, 1, 2)):
        for _keep in (False, True):
            if _name.startswith("arg") and len(_axes) == 2:
                continue
            _axis = _axes if len(_axes) < 3 else None
            if _name.startswith("arg") and _axis is not None:
                _axis = _axes[0]
            _case(
                _name, _normal((3, 4, 2)),
                lambda b, x, n=_name, a=_axes, k=_keep: b.op(n, x, axes=a, keepdims=k),
                lambda x, n=_name, a=_axis, k=_keep: getattr(np, n)(x, axis=a, keepdims=k),
                not _name.startswith("arg"), f"{_axes}-{_keep}",
            )  # fmt: skip
for _axis in (0, 1):
    _case(
        "cumsum", _normal((3, 4)), lambda b, x, a=_axis: b.op("cumsum", x, axis=a),
        lambda x, a=_axis: np.cumsum(x, a), name=str(_axis),
    )  # fmt: skip

# -- products ------------------------------------------------------------------------------------

for _shapes in (
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
    ((4, 1, 2, 3), (5, 3, 2)),
):  # fmt: skip
    _case(
        "matmul", _normal(*_shapes), lambda b, x, y: b.op("matmul", x, y), np.matmul,
        name=f"{_shapes[0]}-{_shapes[1]}",
    )  # fmt: skip
_case("outer", _normal((3,), (4,)), lambda b, x, y: b.op("outer", x, y), np.outer)

# -- moving elements -----------------------------------------------------------------------------

for _order in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
    _case(
        "transpose", _normal((2, 3, 4)), lambda b, x, o=_order: b.op("transpose", x, axes=o),
        lambda x, o=_order: np.transpose(x, o), name=str(_order),
    )  # fmt: skip
_case(
    "reshape", _normal((2, 6)), lambda b, x: shapes.reshape(b, x, [b.constant(3), b.constant(4)]),
    lambda x: x.reshape(3, 4),
)  # fmt: skip
_case(
    "reshape", _normal((2, 6)),
    lambda b, x: shapes.reshape(b, b.op("transpose", x, axes=(1, 0)), [b.constant(12)]),
    lambda x: x.T.reshape(12), name="of a transpose",
)  # fmt: skip
_case(
    "broadcast_to", _normal((3, 1)),
    lambda b, x: shapes.broadcast_to(b, b.op("slice", x, b.constant(0), spec=(memory.FULL, "index")),
                                     [b.constant(2), b.shape(x)[0]]),
    lambda x: np.broadcast_to(x[:, 0], (2, 3)),
)  # fmt: skip
_case(
    "broadcast_to",
    _normal(()),
    lambda b, x: shapes.broadcast_to(b, x, [b.constant(4)]),
    name="scalar",
)
_case(
    "concatenate", _normal((2, 3), (4, 3)), lambda b, x, y: b.op("concatenate", x, y, axis=0),
    lambda x, y: np.concatenate((x, y)),
)  # fmt: skip
_case(
    "concatenate", _normal((2, 3), (2, 1), (2, 2)),
    lambda b, x, y, z: b.op("concatenate", x, y, z, axis=1),
    lambda x, y, z: np.concatenate((x, y, z), 1), name="three",
)  # fmt: skip
_case(
    "iota", _normal((4,)),
    lambda b, x: x * b.op("iota", b.shape(x)[0], shape=(x.type.shape[0],)),
    lambda x: x * np.arange(4),
)  # fmt: skip

_case(
    "pack", _normal((), (), ()), lambda b, x, y, z: b.op("pack", x, y * x, z, dtype=x.type.dtype),
    lambda x, y, z: np.array([x, y * x, z]),
)  # fmt: skip

# -- memory --------------------------------------------------------------------------------------

_case("load", _normal((3, 4)), lambda b, x: b.op("load", x, 1, -1), lambda x: x[1, -1])
_case(
    "slice", _normal((5, 4)),
    lambda b, x: b.op("slice", x, 1, -1, 2, spec=(("slice", True, True, 1), "index")),
    lambda x: x[1:-1, 2],
)  # fmt: skip
_case(
    "slice", _normal((6, 3)),
    lambda b, x: b.op("slice", x, spec=(("slice", False, False, -2), "new", memory.FULL)),
    lambda x: x[::-2, None], name="steps",
)  # fmt: skip
_case(
    "full",
    _normal(()),
    lambda b, x: memory.full(b, [2, 3], x, x.type.dtype),
    lambda x: np.full((2, 3), x),
)
_case("copy", _normal((3, 2)), lambda b, x: b.op("copy", x), np.copy)


def _written(write):
    def build(b, x, y):
        target = b.op("copy", x)
        write(b, target, y)
        return target * target

    return build


_case("store", _normal((3, 2), ()), _written(lambda b, t, y: b.op("store", t, y, 1, 0)))
_case(
    "accumulate_at",
    _normal((3, 2), ()),
    _written(lambda b, t, y: b.op("accumulate_at", t, y, 1, 0)),
)
_case("assign", _normal((3, 2), (2,)), _written(lambda b, t, y: b.op("assign", t, y)))
_case("accumulate", _normal((3, 2), (3, 1)), _written(lambda b, t, y: b.op("accumulate", t, y)))


def _empty(b, x):
    made = memory.empty(b, b.shape(x), x.type.dtype)
    b.op("assign", made, x)
    return made * 2.0


_case("empty", _normal((3,)), _empty, lambda x: x * 2)


def _index(b):
    return b.op("array_constant", data=_INDICES)


_case(
    "gather",
    _normal((3, 4)),
    lambda b, x: b.op("gather", x, _index(b), axis=0),
    lambda x: x[_INDICES],
)
_case(
    "gather", _normal((2, 3)), lambda b, x: b.op("gather", x, _index(b), axis=1),
    lambda x: x[:, _INDICES], name="columns",
)  # fmt: skip
_case(
    "gather", _normal((3, 3)), lambda b, x: b.op("gather", x, _index(b), _index(b), axis=0),
    lambda x: x[_INDICES, _INDICES], name="pairs",
)  # fmt: skip


def _grid(b):
    rows = b.op("slice", b.op("array_constant", data=_INDICES), spec=(memory.FULL, "new"))
    return rows, b.op("array_constant", data=_INDICES[:3])


_case(
    "gather", _normal((3, 3)), lambda b, x: b.op("gather", x, *_grid(b), axis=0),
    lambda x: x[_INDICES[:, None], _INDICES[:3]], name="grid",
)  # fmt: skip
_case(
    "scatter_add", _normal((3, 3), (4, 3)),
    _written(lambda b, t, y: b.op("scatter_add", t, y, *_grid(b), axis=0)), name="grid",
)  # fmt: skip
_case(
    "scatter_add", _normal((3, 2), (4, 2)),
    _written(lambda b, t, y: b.op("scatter_add", t, y, _index(b), axis=0)),
)  # fmt: skip
_case(
    "nonzero", _normal((6,)), lambda b, x: b.op("gather", x, b.op("nonzero", x > 0.0), axis=0),
    lambda x: x[x > 0],
)  # fmt: skip
_case("array_constant", _normal((4,)), lambda b, x: x * _index(b), lambda x: x * _INDICES)


def _stack_roundtrip(b, x):
    stack = b.op("stack", type=StackOf(x.type))
    b.op("push", stack, x * x)
    return b.op("pop", stack, type=x.type) * 3.0


for _record_name in ("stack", "push", "pop"):
    _case(_record_name, _normal(()), _stack_roundtrip, lambda x: 3 * x * x)

# -- control -------------------------------------------------------------------------------------

_case("constant", _normal((3,)), lambda b, x: x * 2.5, lambda x: x * 2.5)
_case("dim", _normal((3,)), lambda b, x: x * b.op("dim", x, axis=0), lambda x: x * 3)


def _checked(b, x, y):
    b.unify(x.type.shape[0], y.type.shape[0], "test")
    return x * y


_case("check_equal", _normal((3,), (3,)), _checked, np.multiply)
_case("identity", _normal((3,)), lambda b, x: b.op("identity", x) * x, lambda x: x * x)
_case("stop_gradient", _normal((3,)), lambda b, x: b.op("stop_gradient", x), smooth=False)


def _branch(b, x, y):
    return b.branch(b.op("abs", x) > b.op("abs", y), lambda: [x * y], lambda: [y - x])[0]


def _power(b, x):
    return b.loop(0, 4, 1, [b.constant(1.0, x.type)], lambda i, carried: [carried[0] * x + i])[0]


def _halving(b, x):
    test, body = Region(), Region()
    from adcompile.graph.ir import Value

    test.params = [Value(x.type, "v")]
    body.params = [Value(x.type, "v")]
    with b.inside(test):
        test.yields = [b.op("abs", test.params[0]) > 0.1]
    with b.inside(body):
        body.yields = [body.params[0] * body.params[0] * 0.25]
    return b.structured("while", [x], [body, test], [x])[0]


_case("if", _normal((), ()), _branch)
_case("for", _normal(()), _power, lambda x: (((x + 0) * x + 1) * x + 2) * x + 3)
_case("while", _normal(()), _halving)


for _k in (-1, 0, 2):
    for _name in ("tril", "triu"):
        _case(_name, _normal((3, 4)), lambda b, x, n=_name, k=_k: b.op(n, x, k=k),
              lambda x, n=_name, k=_k: getattr(np, n)(x, k), name=str(_k))  # fmt: skip
    _case("eye", _normal((3, 4)),
          lambda b, x, k=_k: x * b.op("eye", *b.shape(x), k=k, dtype=x.type.dtype,
                                      shape=x.type.shape),
          lambda x, k=_k: x * np.eye(3, 4, k, x.dtype), name=str(_k))  # fmt: skip


# -- linear algebra ------------------------------------------------------------------------------


def _square(*others):
    """A well-conditioned square matrix, and arrays of other shapes."""

    def arguments(rng):
        matrix = rng.standard_normal((3, 3)) + 3 * np.eye(3)
        return [matrix, *(rng.standard_normal(s) for s in others)]

    return arguments


def _positive(rng):
    matrix = rng.standard_normal((3, 3))
    return [matrix @ matrix.T + np.eye(3)]


def _symmetrised(b, x):
    return x + b.op("transpose", x, axes=(1, 0))


def _triangular(**attrs):
    return lambda b, x, y: b.op("solve_triangular", x, y, **attrs)


for _shape in ((3,), (3, 2)):
    _size = f"{len(_shape)}d"
    _case(
        "solve", _square(_shape), lambda b, x, y: b.op("solve", x, y), np.linalg.solve, name=_size
    )
    for _lower in (False, True):
        for _turned in (False, True):
            _attrs = {"lower": _lower, "transposed": _turned, "unit": False}
            _name = f"{_size}-{'lower' if _lower else 'upper'}{'-transposed' if _turned else ''}"
            _case("solve_triangular", _square(_shape), _triangular(**_attrs), name=_name)
_case("inv", _square(), lambda b, x: b.op("inv", x), np.linalg.inv)
_case("det", _square(), lambda b, x: b.op("det", x), np.linalg.det)
_case("slogdet", _square(), lambda b, x: b.op("slogdet", x)[1], lambda x: np.linalg.slogdet(x)[1])
_case("cholesky", _positive, lambda b, x: b.op("cholesky", _symmetrised(b, x)))
for _k, _name in enumerate(("values", "vectors")):
    _case("eigh", _positive, lambda b, x, k=_k: b.op("eigh", _symmetrised(b, x))[k], name=_name)
for _k, _name in enumerate(("q", "r")):
    _case("qr", _normal((4, 3)), lambda b, x, k=_k: b.op("qr", x)[k],
          lambda x, k=_k: np.linalg.qr(x)[k], name=_name)  # fmt: skip
for _k, _name in enumerate(("left", "values", "right")):
    for _shape in ((4, 3), (3, 4)):
        _case("svd", _normal(_shape), lambda b, x, k=_k: b.op("svd", x)[k],
              lambda x, k=_k: np.linalg.svd(x, full_matrices=False)[k],
              name=f"{_name}-{_shape[0]}")  # fmt: skip
_case("pinv", _normal((4, 3)), lambda b, x: b.op("pinv", x), np.linalg.pinv)

NOT_COMPLEX = {"cast-single"}  # cases that say something of real numbers only
_AROUND = "array_constant check_equal constant empty eye for if iota stack while".split()
COMPLEX = [
    case
    for case in CASES
    if (RECORDS[case.record].takes_complex or case.record in _AROUND)
    and case.name not in NOT_COMPLEX
]

# -- orders --------------------------------------------------------------------------------------

for _axis in (0, 1):
    _case("argsort", _normal((3, 4)), lambda b, x, a=_axis: b.op("argsort", x, axis=a),
          lambda x, a=_axis: np.argsort(x, a), False, str(_axis))  # fmt: skip
for _side in ("left", "right"):
    _case("searchsorted", _normal((3,), (4,)),
          lambda b, x, y, s=_side: b.op("searchsorted", b.op("cumsum", x * x, axis=0), y, side=s),
          lambda x, y, s=_side: np.searchsorted(np.cumsum(x * x), y, s), False, _side)  # fmt: skip

# -- spellings -----------------------------------------------------------------------------------

for _number, (_name, _arguments, _function, _smooth) in enumerate(SPELLED):
    CASES.append(Case(f"{_name}-{_number}", "", _function, _arguments, _function, _smooth, _name))

UNTESTED = {
    **dict.fromkeys(
        ("fold_lanes", "fold_part", "launch", "meet", "parts", "place"),
        "made when loops become kernels; tests/cuda runs them",
    ),
    "undefined": "a marker on the branch not taken, read by nothing",
    "call": "replaced by what it calls before code is made; tests/test_custom.py runs it",
    "invoke": "what it calls is known to it alone; tests/test_recursion.py runs it",
    "scope": "gone once the sweeps of a procedure are apart; tests/test_recursion.py needs it",
    "clobber": "gone once the sweeps of a procedure are apart; tests/test_recursion.py needs it",
    "matmul_into": "made after derivatives are; tests/execute/test_products.py runs its code",
    **dict.fromkeys(
        ("lu", "lu_solve", "lu_inv", "lu_det", "lu_slogdet", "trsm"),
        "made after derivatives are; tests/execute/test_library.py runs their code",
    ),
    "print": "gives no value; tests/test_effects.py runs it",
    "draw": "gives another value each time; tests/test_effects.py runs it",
    "seed": "gives no value; tests/test_effects.py runs it",
    "threads": "another number on each machine; tests/optimize/test_threads.py reads it",
    "stack_place": "an address; tests/test_recursion.py goes to the end of the stack",
    "require": "gives no value; tests/parse/test_control.py runs it",
}
