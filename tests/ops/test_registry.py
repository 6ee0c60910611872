"""Every operation record, through types, both modes, second order, and every way to run it."""

import numpy as np
import pytest

from adcompile import pass_order, pipeline, transforms
from adcompile.differentiate.reverse import append_reverse
from adcompile.execute.cpu import compile_source
from adcompile.graph.builder import Builder
from adcompile.graph.clone import clone_graph
from adcompile.graph.interpret import interpret
from adcompile.graph.ir import RECORDS, Parameter
from adcompile.graph.types import is_continuous
from adcompile.graph.verify import verify
from tests.ops.cases import CASES, COMPLEX, UNTESTED, typed

RUNS = [(case, dtype) for case in CASES for dtype in ("float64", "float32")]
RUNS += [(case, dtype) for case in COMPLEX for dtype in ("complex128", "complex64")]
DOUBLE = [(case, dtype) for case, dtype in RUNS if case.smooth and dtype.endswith(("t64", "128"))]


def _all(runs):
    names = [f"{case.name}-{dtype}" for case, dtype in runs]
    return pytest.mark.parametrize(("case", "dtype"), runs, ids=names)


def _is_single(dtype):
    return dtype in ("float32", "complex64")


def _arguments(case, dtype="float64"):
    items = case.arguments(np.random.default_rng(7))
    if dtype == "float64":
        return items
    rng = np.random.default_rng(8)
    return [_converted(item, dtype, rng) for item in items]


def _converted(item, dtype, rng):
    if np.asarray(item).dtype.kind != "f":
        return item
    if dtype.startswith("complex"):
        item = item + 1j * rng.uniform(-0.5, 0.5, np.shape(item))
    if isinstance(item, np.ndarray):
        return item.astype(dtype)
    return complex(item) if dtype == "complex128" else np.dtype(dtype).type(item)


def _direction(args, seed):
    rng = np.random.default_rng(seed)
    return [_like(rng, a) for a in args]


def _like(rng, a):
    drawn = rng.standard_normal(np.shape(a))
    if np.iscomplexobj(a):
        drawn = drawn + 1j * rng.standard_normal(np.shape(a))
    drawn = np.asarray(drawn, np.asarray(a).dtype)
    if isinstance(a, np.ndarray):
        return drawn
    return drawn.item() if isinstance(a, (float, complex)) else drawn[()]


def _moved(args, direction, step):
    return [a + step * d for a, d in zip(args, direction, strict=True)]


def _jvp(case, args):
    types = tuple(typed(a) for a in args)
    graph = transforms.jvp_graph(case.graph(args), (types, types))
    verify(graph)
    return graph


def _vjp(case, args):
    graph = case.graph(args)
    output = interpret(graph, *map(_copied, args))
    graph = transforms.vjp_graph(graph, [*map(typed, args), typed(output)])
    verify(graph)
    return graph, output


def _copied(item):
    return item.copy() if isinstance(item, np.ndarray) else item


def _inner(first, second):
    """The change that cotangents stand for: Re(sum(g dz)), without conjugation."""
    return sum(float(np.sum(np.multiply(a, b)).real) for a, b in zip(first, second, strict=True))


def test_every_record_has_a_case():
    missing = set(RECORDS) - {case.record for case in CASES} - set(UNTESTED)
    assert not missing


@_all(RUNS)
def test_type_rule_is_that_of_numpy(case, dtype):
    if case.numpy is None:
        pytest.skip("no NumPy function says the same")
    args = _arguments(case, dtype)
    graph = case.graph(args)
    verify(graph)
    found, wanted = interpret(graph, *map(_copied, args)), np.asarray(case.numpy(*args))
    type_ = graph.outputs[0].type
    assert np.shape(found) == wanted.shape
    if case.record != "cast":
        assert type_.dtype == wanted.dtype.name
    np.testing.assert_allclose(found, wanted, rtol=1e-5 if _is_single(dtype) else 1e-13)


@_all(DOUBLE)
def test_forward_mode(case, dtype):
    args = _arguments(case, dtype)
    direction = _direction(args, 1)
    _, tangent = interpret(_jvp(case, args), tuple(args), tuple(direction))
    step = 1e-2 if case.name == "cast-single" else 1e-6
    ahead, behind = (
        interpret(case.graph(args), *_moved(args, direction, s)) for s in (step, -step)
    )
    wanted = (np.asarray(ahead) - np.asarray(behind)) / (2 * step)
    np.testing.assert_allclose(tangent, wanted, rtol=2e-6, atol=1e-8 if step < 1e-3 else 1e-4)


@_all(DOUBLE)
def test_reverse_mode_is_the_transpose_of_forward_mode(case, dtype):
    args = _arguments(case, dtype)
    graph, output = _vjp(case, args)
    direction = _direction(args, 1)
    _, tangent = interpret(_jvp(case, args), tuple(args), tuple(direction))
    cotangent = _direction([output], 2)[0]
    found = interpret(graph, *map(_copied, args), cotangent)
    single = case.name == "cast-single"
    assert _inner(found, direction) == pytest.approx(
        _inner([cotangent], [tangent]), rel=1e-5 if single else 1e-11, abs=1e-6 if single else 1e-12
    )
    for item, arg in zip(found, args, strict=True):
        assert np.shape(item) == np.shape(arg)


@_all(DOUBLE)
def test_second_order(case, dtype):
    """Forward over reverse against differences of the reverse mode."""
    if case.name == "cast-single":
        pytest.skip("differences of single precision say nothing")
    args = _arguments(case, dtype)
    graph, output = _vjp(case, args)
    cotangent = _direction([output], 2)[0]
    direction = [*_direction(args, 1), cotangent * 0.0]
    everything = [*args, cotangent]
    types = tuple(typed(a) for a in everything)
    second = transforms.jvp_graph(clone_graph(graph)[0], (types, types))
    verify(second)
    _, tangents = interpret(second, tuple(map(_copied, everything)), tuple(direction))
    step = 1e-6
    ahead, behind = (
        interpret(graph, *_moved(args, direction[:-1], s), cotangent) for s in (step, -step)
    )
    for found, high, low in zip(tangents, ahead, behind, strict=True):
        wanted = (np.asarray(high) - np.asarray(low)) / (2 * step)
        np.testing.assert_allclose(found, wanted, rtol=5e-6, atol=1e-7)


def _everything(case, args):
    """The value and, where there is one, the cotangent of every argument, in one graph."""
    graph = case.graph(args)
    wanted = [v for v in graph.params if is_continuous(v.type)]
    if not case.smooth or not is_continuous(graph.outputs[0].type):
        return graph, list(args)
    output = interpret(graph, *map(_copied, args))
    with Builder(graph) as builder:
        cotangent = builder.parameter(graph.outputs[0].type, "g")
        graph.parameters.append(Parameter("g", cotangent))
    append_reverse(graph, wanted, [cotangent], list(graph.outputs))
    graph.result = tuple(range(1 + len(wanted)))
    return graph, [*args, _direction([output], 3)[0]]


def _compiled_always():
    """In double precision a case of each record, a sixth of the rest, few of the spellings.

    In single precision a third of the records.
    """
    first: dict[str, str] = {}
    for case in (*CASES, *COMPLEX):
        if not case.spelling:
            first.setdefault(case.record, case.name)
    plain = [case.name for case in CASES if not case.spelling][::12]
    spelled = [case.name for case in CASES if case.spelling][::40]
    double, single = {*first.values(), *plain, *spelled}, set(list(first.values())[::6])
    return {
        (case.name, dtype)
        for case, dtype in RUNS
        if case.name in (single if _is_single(dtype) else double)
    }


COMPILED = _compiled_always()


# a spelling in one precision only; its operations have cases in both
OFTEN = [(case, dtype) for case, dtype in RUNS if not (case.spelling and _is_single(dtype))]


@pytest.mark.nightly
@_all([run for run in RUNS if (run[0].name, run[1]) not in COMPILED])
def test_the_other_cases_compile(case, dtype, request):
    test_emitted_source_computes_what_the_interpreter_does(case, dtype, request)


@_all(OFTEN)
def test_emitted_source_computes_what_the_interpreter_does(case, dtype, request):
    """The readable source always; what the compiler makes of it for some cases, with nightly all."""
    graph, args = _everything(case, _arguments(case, dtype))
    wanted = interpret(graph, *map(_copied, args))
    pass_order.optimise(graph)
    verify(graph)
    space = {}
    exec(pipeline.readable_source(graph), space)
    runs = [space["case"]]
    if (case.name, dtype) in COMPILED or "nightly" in request.config.getoption("-m"):
        runs.append(compile_source(pipeline.compiler_source(graph), "case", cache=False))
    rtol = 2e-5 if _is_single(dtype) or case.name == "cast-single" else 1e-12
    for run in runs:
        with np.errstate(all="ignore"):
            _same(run(*map(_copied, args)), wanted, rtol)


def _same(found, wanted, rtol):
    if isinstance(wanted, tuple):
        for f, w in zip(found, wanted, strict=True):
            _same(f, w, rtol)
        return
    if isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)
