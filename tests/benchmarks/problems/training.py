"""Training steps in single precision: gradient and update as one compiled function."""

from __future__ import annotations

import math
from itertools import pairwise

import numba
import numpy as np

import adcompile as ad
from adcompile.nn import cross_entropy, linear, relu, sigmoid
from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem
from tests.programs.lecture import adaline_loss

RATE = np.float32(0.5)
SLOW_RATE = np.float32(0.01)

# -- all epochs of ADALINE, in batches of ten ----------------------------------------------------

adaline_gradient = ad.value_and_grad(adaline_loss, argnums=(0, 1))


def adaline(w, b, x, y, batches):
    w = w.copy()
    losses = np.zeros(len(batches), np.float32)
    for step in range(len(batches)):
        rows = batches[step]
        losses[step], (w_bar, b_bar) = adaline_gradient(w, b, x[rows], y[rows])
        w -= SLOW_RATE * w_bar
        b -= SLOW_RATE * b_bar
    return losses, w, b


def adaline_losses(w, b, x, y, batches):
    losses = np.zeros(len(batches), np.float32)
    for step in range(len(batches)):
        rows = batches[step]
        losses[step] = adaline_loss(w, b, x[rows], y[rows])
    return losses


@numba.njit(**HAND)
def adaline_by_hand(w, b, x, y, batches):
    w = w.copy()
    w_bar = np.empty_like(w)
    losses = np.empty(len(batches), np.float32)
    size = batches.shape[1]
    scale = np.float32(1.0 / size)
    for step in range(len(batches)):
        w_bar[:] = np.float32(0.0)
        b_bar = np.float32(0.0)
        loss = np.float32(0.0)
        for k in range(size):
            row = batches[step, k]
            rest = b - y[row]
            for j in range(len(w)):
                rest += x[row, j] * w[j]
            loss += rest * rest
            b_bar += rest
            for j in range(len(w)):
                w_bar[j] += rest * x[row, j]
        losses[step] = loss * scale
        for j in range(len(w)):
            w[j] -= SLOW_RATE * np.float32(2.0) * scale * w_bar[j]
        b -= SLOW_RATE * np.float32(2.0) * scale * b_bar
    return losses, w, b


def adaline_jax(w, b, x, y, batches):
    import jax

    def loss(parameters, rows):
        w, b = parameters
        return jax.numpy.mean((x[rows] @ w + b - y[rows]) ** 2)

    def step(parameters, rows):
        value, gradients = jax.value_and_grad(loss)(parameters, rows)
        return [p - SLOW_RATE * g for p, g in zip(parameters, gradients, strict=True)], value

    (w, b), losses = jax.lax.scan(step, [w, b], batches)
    return losses, w, b


def adaline_torch(*args):
    import torch

    torch.set_num_threads(1)
    w0, b0, x, y, batches = (torch.tensor(a) for a in args)

    def run():
        w, b = w0.clone().requires_grad_(), b0.clone().requires_grad_()
        losses = []
        for rows in batches:
            loss = torch.mean((x[rows] @ w + b - y[rows]) ** 2)
            w_bar, b_bar = torch.autograd.grad(loss, (w, b))
            with torch.no_grad():
                w -= float(SLOW_RATE) * w_bar
                b -= float(SLOW_RATE) * b_bar
            losses.append(loss.detach())
        return torch.stack(losses), w, b

    return run


def adaline_arguments(epochs, samples=70, batch=10, features=2):
    generator = np.random.default_rng(6)
    x = generator.standard_normal((samples, features), dtype=np.float32)
    y = (x[:, 0] + 0.5 * generator.standard_normal(samples) > 0).astype(np.float32)
    orders = [generator.permutation(samples).reshape(-1, batch) for _ in range(epochs)]
    return np.zeros(features, np.float32), np.float32(0.0), x, y, np.concatenate(orders)


Problem(
    "ADALINE 20 epochs", adaline_loss, lambda: adaline_arguments(20), lambda: adaline_arguments(2),
    by_hand=adaline_by_hand,
    peers={"jax": peers.jax_call(adaline_jax), "torch": adaline_torch},
    tolerance=1e-5, ours=ad.jit(adaline), value=ad.jit(adaline_losses),
)  # fmt: skip

# -- a step of a perceptron ----------------------------------------------------------------------


def sigmoid_loss(parameters, x, labels):
    (w1, b1), (w2, b2) = parameters
    return cross_entropy(linear(sigmoid(linear(x, w1, b1)), w2, b2), labels)


def relu_loss(parameters, x, labels):
    (w1, b1), (w2, b2), (w3, b3) = parameters
    hidden = relu(linear(x, w1, b1))
    return cross_entropy(linear(relu(linear(hidden, w2, b2)), w3, b3), labels)


def step_of(loss):
    """The loss before, and the parameters after a step."""
    gradient = ad.value_and_grad(loss)

    # plain `zip`: the step is compiled, and Numba knows no `strict=`
    def step(parameters, x, labels):
        value, bars = gradient(parameters, x, labels)
        moved = [(w - RATE * g, b - RATE * h) for (w, b), (g, h) in zip(parameters, bars)]  # noqa: B905
        return value, moved

    return ad.jit(step)


@numba.njit(**HAND)
def entropy(logits, b, labels):
    """The mean cross-entropy of logits + b; their adjoint takes the place of the logits."""
    n, classes = logits.shape
    scale = np.float32(1.0 / n)
    total = np.float32(0.0)
    for i in range(n):
        largest = np.float32(-np.inf)
        for k in range(classes):
            logits[i, k] += b[k]
            largest = max(largest, logits[i, k])
        chosen = logits[i, labels[i]] - largest
        norm = np.float32(0.0)
        for k in range(classes):
            logits[i, k] = math.exp(logits[i, k] - largest)
            norm += logits[i, k]
        total += math.log(norm) - chosen
        share = scale / norm
        for k in range(classes):
            logits[i, k] *= share
        logits[i, labels[i]] -= scale
    return total * scale


@numba.njit(**HAND)
def moved(w, b, x, y_bar):
    """w and b after a step down the gradient of a layer with these inputs."""
    w_new = x.T @ y_bar
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            w_new[i, j] = w[i, j] - RATE * w_new[i, j]
    b_new = np.zeros(len(b), np.float32)
    for i in range(len(y_bar)):
        for j in range(len(b)):
            b_new[j] += y_bar[i, j]
    for j in range(len(b)):
        b_new[j] = b[j] - RATE * b_new[j]
    return w_new, b_new


@numba.njit(**HAND)
def sigmoid_by_hand(parameters, x, labels):
    (w1, b1), (w2, b2) = parameters
    one = np.float32(1.0)
    hidden = x @ w1
    for i in range(hidden.shape[0]):
        for j in range(hidden.shape[1]):
            hidden[i, j] = one / (one + math.exp(-hidden[i, j] - b1[j]))
    logits = hidden @ w2
    loss = entropy(logits, b2, labels)
    second = moved(w2, b2, hidden, logits)
    hidden_bar = logits @ w2.T
    for i in range(hidden.shape[0]):
        for j in range(hidden.shape[1]):
            hidden_bar[i, j] *= hidden[i, j] * (one - hidden[i, j])
    return loss, (moved(w1, b1, x, hidden_bar), second)


@numba.njit(**HAND)
def rectified(x, w, b):
    y = x @ w
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            v = y[i, j] + b[j]
            y[i, j] = v if v > 0 else np.float32(0.0)
    return y


@numba.njit(**HAND)
def rectified_bar(y_bar, w, x):
    """The adjoint of x, a layer's rectified input; x tells where it was above 0."""
    x_bar = y_bar @ w.T
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x_bar[i, j] = x_bar[i, j] if x[i, j] > 0 else np.float32(0.0)
    return x_bar


@numba.njit(**HAND)
def relu_by_hand(parameters, x, labels):
    (w1, b1), (w2, b2), (w3, b3) = parameters
    first = rectified(x, w1, b1)
    second = rectified(first, w2, b2)
    logits = second @ w3
    loss = entropy(logits, b3, labels)
    second_bar = rectified_bar(logits, w3, second)
    first_bar = rectified_bar(second_bar, w2, first)
    after = moved(w1, b1, x, first_bar), moved(w2, b2, first, second_bar)
    return loss, (*after, moved(w3, b3, second, logits))


def in_jax(name):
    def step(parameters, x, labels):
        import jax

        def loss(parameters):
            h = x
            for w, b in parameters[:-1]:
                h = getattr(jax.nn, name)(h @ w + b)
            w, b = parameters[-1]
            chosen = jax.nn.log_softmax(h @ w + b)[jax.numpy.arange(len(x)), labels]
            return -jax.numpy.mean(chosen)

        value, bars = jax.value_and_grad(loss)(parameters)
        return value, jax.tree.map(lambda p, g: p - RATE * g, parameters, bars)

    return peers.jax_call(step)


def in_torch(name):
    def peer(parameters, x, labels):
        import torch

        torch.set_num_threads(1)
        layers = [[torch.tensor(p).requires_grad_() for p in layer] for layer in parameters]
        leaves = [p for layer in layers for p in layer]
        x, labels = torch.tensor(x), torch.tensor(labels)

        def run():
            h = x
            for w, b in layers[:-1]:
                h = getattr(torch, name)(h @ w + b)
            w, b = layers[-1]
            loss = torch.nn.functional.cross_entropy(h @ w + b, labels)
            bars = torch.autograd.grad(loss, leaves)
            with torch.no_grad():
                return loss, [p - float(RATE) * g for p, g in zip(leaves, bars, strict=True)]

        return run

    return peer


def arguments(sizes, batch):
    generator = np.random.default_rng(7)
    normal = lambda *shape: generator.standard_normal(shape, dtype=np.float32)
    parameters = tuple(
        (normal(m, n) / np.float32(m**0.5), np.zeros(n, np.float32)) for m, n in pairwise(sizes)
    )
    return parameters, normal(batch, sizes[0]), generator.integers(0, sizes[-1], batch)


for name, loss, hand, sizes, batch, few in (
    ("sigmoid", sigmoid_loss, sigmoid_by_hand, (784, 100, 10), 100, (5, 4, 3)),
    ("relu", relu_loss, relu_by_hand, (784, 128, 256, 10), 256, (5, 4, 6, 3)),
):
    Problem(
        f"MLP {'-'.join(map(str, sizes))} step", loss,
        lambda s=sizes, n=batch: arguments(s, n), lambda s=few: arguments(s, 8), by_hand=hand,
        peers={"jax": in_jax(name), "torch": in_torch(name)}, tolerance=1e-5, ours=step_of(loss),
    )  # fmt: skip
