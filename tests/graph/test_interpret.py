"""The interpreter of graphs, where the corpus does not reach."""

import numpy as np

import adcompile as ad
from adcompile import pass_order
from adcompile.graph.interpret import interpret
from adcompile.graph.types import type_of
from tests.programs.control import part_added_in_a_branch


def test_extents_of_what_the_other_side_of_a_branch_makes():
    args = np.array([1.0, 2.0, 3.0]), 0.5
    graph = ad.grad(part_added_in_a_branch, (0, 1)).__adcompile_graph__([type_of(a) for a in args])
    array, number = interpret(pass_order.optimise(graph), *args)
    np.testing.assert_array_equal(array, np.ones(3))
    assert number == 0.0
