"""Every problem at its small size: all peers agree; with `--benchmark-enable` its times."""

import importlib.util
import shutil
import warnings

import numpy as np
import pytest

import tests.benchmarks.problems  # noqa: F401  (fills PROBLEMS)
from tests.benchmarks import plain, scaling, threads
from tests.benchmarks.measuring import difference, medians
from tests.benchmarks.problem import PROBLEMS
from tests.benchmarks.report import chart, markdown, table


@pytest.mark.parametrize("name", PROBLEMS)
def test_value_and_gradient(name, benchmark):
    problem = PROBLEMS[name]
    args = problem.small()
    derivative = problem.derivative()
    ours = derivative(*args)
    value = np.asarray(problem.primal()(*args))
    if problem.ours is None:
        np.testing.assert_allclose(value, ours[0], rtol=1e-4 if problem.tolerance > 1e-6 else 1e-9)
    if problem.by_hand is not None:
        assert difference(problem, problem.by_hand(*args), ours) <= problem.tolerance
    benchmark(derivative, *args)


def _installed(peer):
    return importlib.util.find_spec(peer.split(".")[0]) is not None


@pytest.mark.parametrize(
    ("name", "peer"), [(n, p) for n, problem in PROBLEMS.items() for p in problem.peers]
)
def test_peers_agree(name, peer):
    if not _installed(peer):
        pytest.skip(f"{peer} is not installed")
    if peer == "torch.compile":
        pytest.skip("takes a C++ compiler and a minute; the measurement compares it")
    problem = PROBLEMS[name]
    args = problem.small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = problem.peers[peer](*args)()
    assert difference(problem, found, problem.derivative()(*args)) <= problem.tolerance


def test_report(tmp_path):
    times = medians({"value": lambda: None, "gradient": lambda: sum(range(1000))})
    result = {
        "name": "a sum", "ratios": {"jax": 2.0}, "compile": 0.1, "memory": 1.0,
        "failures": {"torch": "no"}, **times,
    }  # fmt: skip
    assert "a sum" in table([result]) and "failed" in table([result])
    assert markdown([result]).count("\n") == 3
    chart([result], tmp_path / "chart.svg")
    assert (tmp_path / "chart.svg").stat().st_size > 1000


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_plain_c():
    library = plain.library()
    for problem, (name, _) in plain.KNOWN.items():
        args = PROBLEMS[problem].small()
        wanted = PROBLEMS[problem].primal()(*args)
        assert plain.in_c(name, args, library)() == pytest.approx(wanted, rel=1e-10)


def test_threads():
    ratio, loops = threads.measured("bodies 200")
    assert ratio > 0 and loops == 1


def test_scaling(tmp_path, monkeypatch):
    for name, (problem, what, _, arguments) in list(scaling.SIZES.items()):
        monkeypatch.setitem(scaling.SIZES, name, (problem, what, (10, 100), arguments))
    found = {name: scaling.growth(name) for name in scaling.SIZES}
    scaling.chart(found, tmp_path / "scaling.svg")
    assert (tmp_path / "scaling.svg").stat().st_size > 1000
