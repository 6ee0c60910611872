"""Loops on threads without threads: as many of them as can be, their blocks in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from adcompile import pass_order
from adcompile.optimize import threads


@contextmanager
def spread_everywhere() -> Iterator[None]:
    """Let every loop that threads can share be shared, however little it does."""
    with (
        pass_order.skipping(frozenset()),
        mock.patch.object(threads, "WORTH", 1),
        mock.patch.object(threads, "PER_ELEMENT", 0),
        mock.patch.object(threads, "is_worth", lambda loop, repeated: threads.steps_by_one(loop)),
        mock.patch.object(threads, "is_small_beside", lambda one, other: False),
        mock.patch.object(threads, "is_cheap", lambda loop: False),
    ):
        yield


def in_any_order(source: str) -> str:
    """The source for plain Python, in which the last of three threads runs first."""
    return source.replace("machine.threads()", "3").replace(" in prange(", " in _backwards(") + (
        "\n\ndef _backwards(number):\n    return range(number - 1, -1, -1)\n"
    )
