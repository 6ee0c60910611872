"""Iterations side by side wherever that is allowed, worth while or not, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from adcompile.graph.builder import Builder
from adcompile.graph.ir import Op, Region
from adcompile.optimize import distribute, interleave, mapped
from adcompile.optimize.nests import steps_by_one


@contextmanager
def interleaved_everywhere(lanes: int = 2, outer: bool = False) -> Iterator[None]:
    """Let every loop whose iterations stand alone run several of them side by side.

    The inner ones of a nest first, or the outer ones, whose inner loops they go through in step.
    """
    with (
        mock.patch.object(interleave, "LANES", lanes),
        mock.patch.object(interleave, "LANES_IN_NEST", lanes),
        mock.patch.object(interleave, "LANES_OF_NEIGHBOURS", lanes),
        mock.patch.object(interleave, "FEWEST", 1),
        mock.patch.object(interleave, "FEWEST_DOWN_ROWS", 1),
        mock.patch.object(interleave, "FEWEST_OF_SHORT", 1),
        mock.patch.object(interleave, "_is_candidate", lambda loop: True),
        mock.patch.object(interleave.Lanes, "worth", lambda self: True),
        mock.patch.object(interleave, "_region", _from_outside if outer else interleave._region),
    ):
        yield


def _from_outside(region: Region, builder: Builder) -> bool:
    for op in list(region.ops):
        with builder.at(op.location):
            if op.name == "for" and interleave._interleave(op, region, builder):
                continue
        for inner in op.regions:
            with builder.before(op), builder.inside(inner):
                _from_outside(inner, builder)
    return True


def _steps_by_one(op: Op) -> bool:
    return op.name == "for" and steps_by_one(op)


@contextmanager
def distributed_everywhere(block: int = 2) -> Iterator[None]:
    """Let every innermost loop that can be split compute a few iterations first."""

    def may(op: Op) -> bool:
        return _steps_by_one(op) and distribute.is_innermost(op)

    with (
        mock.patch.object(distribute, "BLOCK", block),
        mock.patch.object(distribute, "FEWEST", 1),
        mock.patch.object(distribute, "may_gain", may),
        mock.patch.object(distribute.Parts, "worth", lambda self: True),
    ):
        yield


@contextmanager
def mapped_everywhere() -> Iterator[None]:
    """Let every loop whose iterations stand alone sum up the terms of what it adds."""
    with (
        mock.patch.object(mapped, "_is_candidate", _steps_by_one),
        mock.patch.object(mapped.Images, "pays", lambda self, addend: True),
    ):
        yield
