"""Random programs in the normal run; `python -m tests.random_programs` runs as many as wanted."""

import ast
import dataclasses
import warnings
from collections import Counter

import pytest

from adcompile.graph.ir import RECORDS
from tests.random_programs.checks import check, extras
from tests.random_programs.program import Program, draw_program
from tests.random_programs.reduce import reduced, script

COUNT, PARTS = 40, 4


@pytest.fixture(scope="module")
def compiled_seeds():
    """Some short programs: compiling takes seconds even for them."""
    return sorted(range(COUNT), key=lambda seed: len(draw_program(seed).text))[5:20:10]


def _run(seeds, compiled_seeds=()):
    """Check programs; at most 15 in 100 may be refused or stand at a kink."""
    kinds = Counter()
    for seed in seeds:
        program, compiled = draw_program(seed), seed in compiled_seeds
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the plain program: overflow, empty means
            outcome = check(program, extras(seed), compiled)
        if outcome.kind == "failed":
            again = lambda p: check(p, outcome.needs, compiled).same(outcome)
            pytest.fail(script(reduced(program, again, 400), outcome))
        assert outcome.kind != "invalid", (seed, outcome.reason)
        kinds[outcome.kind] += 1
    print(f"{len(seeds)} programs: {dict(kinds)}")
    assert kinds["kink"] + kinds["refused"] <= 0.15 * len(seeds), kinds


@pytest.mark.parametrize("part", range(PARTS))
def test_random_programs(part, compiled_seeds):
    _run(range(part, COUNT, PARTS), compiled_seeds)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(20))
def test_many_random_programs(part):
    start = 1000 + 200 * part
    _run(range(start, start + 200), range(start, start + 200, 20))


def test_a_seed_gives_one_program():
    assert draw_program(11) == draw_program(11)
    assert draw_program(11).text != draw_program(12).text


_PLAIN = """import numpy as np


def program(x, v, w, m, z, idx, k, on):
    s = x * 2.0
    for i in range(len(v)):
        s = s + np.sin(v[i]) * w[i]
    if s > 100.0:
        return s
    return s * np.sum(m)
"""


def test_a_wrong_derivative_is_found_and_reduced(monkeypatch):
    wrong = lambda cotangents, outputs, inputs, attrs: [cotangents[0] * 0.9]
    monkeypatch.setitem(RECORDS, "sin", dataclasses.replace(RECORDS["sin"], vjp=wrong))
    program = Program(0, _PLAIN, "none", False)
    outcome = check(program, frozenset())
    assert outcome.kind == "failed"
    small = reduced(program, lambda p: check(p, frozenset()).same(outcome))
    body = ast.parse(small.text).body[-1].body
    assert len(body) <= 2  # the loop and the return
    assert "np.sin" in script(small, outcome)
