"""Columns copied around every loop that allows it, worth while or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from adcompile.graph.ir import Region
from adcompile.optimize import columns


@contextmanager
def parted_everywhere() -> Iterator[None]:
    """Let every loop use copies of the columns of which it uses elements."""
    with (
        mock.patch.object(columns, "FEWEST", 0),
        mock.patch.object(columns, "_innermost", _every),
        mock.patch.object(columns, "_is_plain", lambda loop: True),
        mock.patch.object(columns._Columns, "_others_aside", lambda self: True),
        mock.patch.object(columns._Columns, "_stands_alone", lambda self: True),
        mock.patch.object(columns._Columns, "_is_straight", lambda self, place: True),
        mock.patch.object(columns._Columns, "_follows", lambda self, place: True),
    ):
        yield


def _every(region: Region, path: columns.Path) -> Iterator[columns.Path]:
    for op in region.ops:
        here = (*path, (region, op)) if op.name in ("for", "while") else path
        for inner in op.regions:
            yield from _every(inner, here)
        if op.name == "for":
            yield *here, here[-1]
