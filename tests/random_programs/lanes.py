"""Iterations side by side wherever that is allowed, worth while or not, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from adcompile.optimize import interleave


@contextmanager
def interleaved_everywhere(lanes: int = 2) -> Iterator[None]:
    """Let every loop whose iterations stand alone run several of them side by side."""
    with (
        mock.patch.object(interleave, "LANES", lanes),
        mock.patch.object(interleave, "FEWEST", 1),
        mock.patch.object(interleave, "has_chains", lambda loop: True),
        mock.patch.object(interleave.Lanes, "worth", lambda self: True),
    ):
        yield
