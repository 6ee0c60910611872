"""The outcome of one seed, where processes started anew find it.

Enters: a seed, and whether its program is compiled. Leaves: the seed with the outcome of its checks.
"""

from __future__ import annotations

import warnings

from tests.random_programs.checks import Outcome, check, extras
from tests.random_programs.program import draw_program


def outcome_of(item: tuple[int, bool]) -> tuple[int, Outcome]:
    """Draw and check the program of a seed."""
    warnings.simplefilter("ignore")
    seed, compiled = item
    return seed, check(draw_program(seed), extras(seed), compiled)
