"""Programs over lists, dicts, named tuples and dataclasses, and objects that are called."""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from adcompile import nn
from tests.programs.register import program


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


X, T = _draw(20, 5, 3), np.array([0, 1, 1, 0, 1])
V = _draw(21, 4)


class Affine(NamedTuple):
    w: Any
    b: Any


@dataclasses.dataclass
class Linear:
    w: np.ndarray
    b: np.ndarray

    def __call__(self, x):
        return x @ self.w + self.b

    @property
    def outputs(self):
        return self.w.shape[1]

    def penalty(self, scale=1.0):
        return scale * np.sum(self.w**2)


@dataclasses.dataclass(frozen=True)
class Sequential:
    layers: list

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@dataclasses.dataclass
class MultilayerPerceptron:
    hidden: Linear
    output: Linear
    activation: Any = nn.sigmoid

    def __call__(self, x):
        return self.output(self.activation(self.hidden(x)))

    def loss(self, x, t):
        return nn.cross_entropy(self(x), t) + 0.01 * self.hidden.penalty()


HIDDEN, OUTPUT = Linear(_draw(22, 3, 4), _draw(23, 4)), Linear(_draw(24, 4, 2), _draw(25, 2))


@program(MultilayerPerceptron(HIDDEN, OUTPUT), X, T)
def module_as_it_stands(model, x, t):
    return nn.cross_entropy(model(x), t)


@program(MultilayerPerceptron(HIDDEN, OUTPUT, nn.relu), X, T)
def method_of_a_module(model, x, t):
    return model.loss(x, t) * model.output.outputs


@program(Sequential([HIDDEN, nn.relu, OUTPUT]), X, T)
def sequential(model, x, t):
    return nn.cross_entropy(model(x), t)


@program({"w": _draw(26, 3), "b": 0.5, "layers": [_draw(27, 3), _draw(28, 3)]}, X)
def dict_of_parameters(p, x):
    h = x @ p["w"] + p["b"]
    for layer in p["layers"]:
        h = h * np.sum(layer) + layer[0]
    return np.sum(h * h)


@program(Affine(_draw(29, 3), 0.3), X)
def named_tuple(p, x):
    w, b = p
    moved = Affine(w * 2.0, b=b + 1.0)
    moved = moved._replace(b=moved.b * w[0])
    return np.sum(np.tanh(x @ moved.w + moved.b))


@program([V, (0.5, [2.0, V * 2])])
def nested_lists(items):
    first, (scale, rest) = items
    return np.sum(first * rest[1]) * scale + rest[0]


@program(V, 3)
def containers_in_loops(x, n):
    state = {"position": x.copy(), "speed": 0.0 * x, "steps": 0}
    for k in range(n):
        speed = state["speed"] - 0.1 * np.sin(state["position"])
        state = {"position": state["position"] + 0.1 * speed, "speed": speed, "steps": k}
    return np.sum(state["position"] ** 2) + state["steps"]


@dataclasses.dataclass
class Particle:
    q: float
    p: float

    def stepped(self, h):
        p = self.p - h * self.q**3
        return Particle(self.q + h * p, p)


@program(1.1, 0.2)
def objects_in_branches(q, p):
    particle = Particle(q, p)
    for _ in range(5):
        particle = particle.stepped(0.1)
        if particle.q > 1.1:
            particle = Particle(particle.q * 0.9, particle.p)
    return particle.q**2 + particle.p


@program(V, 2.0)
def lists_and_comprehensions(x, scale):
    powers = [x[0] ** k for k in range(1, 4)]
    powers.append(scale)
    squares = [p * p for p in powers if True]
    table = {name: s for name, s in zip(("a", "b"), squares, strict=False)}
    table["c"] = scale
    total = sum(powers) + sum(v * k for k, v in enumerate(squares))
    total += table["a"] * table["b"]
    del_free = [*powers, total]
    return sum(del_free) + len(table)


@program(V, 2.0)
def changed_in_place(x, scale):
    point = Particle(x[0], 1.0)
    point.q = point.q * scale
    point.p += x[1]
    items = [x, x * 2]
    items[0] = items[1] * scale
    items[1] *= 3.0
    for name, value in {"a": 1.0, "b": 2.0}.items():
        if name == "b":
            point.q += value * x[2]
    return point.q * point.p + np.sum(items[0] * items[1])


@program(V, functools.partial(np.multiply, 2.0), "sum")
def functions_as_arguments(x, f, mode):
    y = f(x) * x
    if mode == "sum":
        return np.sum(y)
    return np.mean(y)


@program(OrderedDict(b=V, a=0.5), None)
def ordered_and_none(p, rest):
    scale = 1.0 if rest is None else rest
    return sum(np.sum(v * v) for v in p.values()) * scale


@program(V)
def star_arguments(x):
    pair = (x[0], x[1])
    options = {"c": x[2]}
    return _three(*pair, **options)


def _three(a, b, c):
    return a * b + c * c


WEIGHTS = (1.0, 4.0, 1.0)
AROUND = [(0, 1), (1, 0), (0, -1), (-1, 0)]


@program(_draw(22, 4, 5), 3)
def constants_that_the_run_chooses(m, n):
    total = 0.0
    for i in range(1, m.shape[0] - 1):
        for j in range(1, m.shape[1] - 1):
            weighted = 0.0
            for k in range(n):
                weighted += WEIGHTS[k] * m[i, j + k - 1] * WEIGHTS[k - 1]
            for k in range(n + 1):
                down, right = AROUND[k]
                total += weighted * m[i + down, j + right]
    return total


@program(V, 0.4)
def sums_of_generators(x, least):
    near = sum(x[i] * x[j] for i in range(len(x)) for j in range(i) if x[j] > least)
    count = sum((1 for v in x if v > least), 1)
    return near + count * sum(u * v for u, v in zip(x, x[::-1], strict=True))
