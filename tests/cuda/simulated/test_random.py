"""Random programs on the device, simulated ones in an order of threads drawn for each."""

import warnings
from collections import Counter

import numpy as np
import pytest

import adcompile as ad
from adcompile.errors import UnsupportedOperation
from adcompile.graph.trees import leaves, mapped
from adcompile.graph.types import is_continuous, type_of
from tests.cuda.simulated.running import assert_close, checked, on_host
from tests.random_programs.program import draw_program
from tests.random_programs.running import loaded, with_wrappers
from tests.random_programs.values import copied, numbers_in, rounded

COUNT, PARTS = 32, 2


def _check(seed):
    """What came of the program of a seed: whether kernels were made, and why not."""
    program = draw_program(seed)
    module = loaded(with_wrappers(program))
    args = program.arguments(module, 0)
    args = mapped(rounded, args) if program.single else args
    wrt = tuple(
        k for k, a in enumerate(args) if any(map(is_continuous, leaves(type_of(a))))
    )  # fmt: skip
    derivative = lambda target: ad.value_and_grad(module.program, wrt, target=target)
    try:
        kernels = derivative("cuda")
        kernels.source(*args)
    except UnsupportedOperation as error:
        assert error.location is not None, error
        return error.message
    wanted = numbers_in(derivative("python")(*copied(args)))
    with checked(seed):
        got = [item for item in on_host(kernels(*copied(args))) if item is not None]
    assert_close(got, wanted, 1e-8)
    return ""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_programs(part):
    found = Counter()
    for seed in range(part, COUNT, PARTS):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found[_check(seed)] += 1
    print(dict(found))
    assert found[""] >= 2  # more programs than not branch on numbers of the device


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(20))
def test_many_random_programs(part):
    for seed in range(1000 + 50 * part, 1050 + 50 * part):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            _check(seed)
