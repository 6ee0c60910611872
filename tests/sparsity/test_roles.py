"""What depends on the seed, changes with the argument, or decides about structure."""

from adcompile import jacobians, pipeline
from adcompile.graph.types import parse_types
from adcompile.sparsity.roles import Roles


def function(x, w, k):
    scale = w[0] * 2.0
    index = 0
    if x[0] > 0.0:
        index = 1
    y = np_zeros(x)
    y[k + 1] = x[k] * scale
    return y[index] + x[0]


def np_zeros(x):
    return x * 0.0


def test_roles():
    graph, _ = pipeline.function_graph(function, parse_types("f8[:], f8[:], i8"))
    graph = jacobians.sweep_graph(graph, 0, True, None)
    seed, x, w, k = graph.params
    roles = Roles(graph, seed, x)
    assert k in roles.structural and w not in roles.structural
    assert not {x, w, k} & roles.tracked and seed in roles.tracked
    (output,) = graph.outputs
    assert output in roles.tracked
    assert x in roles.varying and not {w, k} & roles.varying
    chosen = [op.outputs[0] for op in graph.body.walk() if op.name == "if"]
    assert any(v in roles.varying and v in roles.structural for v in chosen)
    named = {op.result.hint: op.result for op in graph.body.walk() if op.outputs}
    assert named["scale"] not in roles.varying | roles.tracked | roles.structural
