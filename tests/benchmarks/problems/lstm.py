"""The negative log likelihood of a small diagonal LSTM, after ADBench, in two sizes."""

from __future__ import annotations

import math
from itertools import pairwise

import numba
import numpy as np

from tests.benchmarks import peers
from tests.benchmarks.problem import HAND, Problem
from tests.programs.lstm import lstm_loops

FORGET, ENTER, OUT, CHANGE, CELL, TANH, HIDDEN = range(7)


@numba.njit(**HAND)
def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


@numba.njit(**HAND)
def by_hand(main, extra, state, sequence):
    layers = state.shape[0] // 2
    c, b = sequence.shape
    scale = -1.0 / ((c - 1) * b)
    tape = np.empty((c, layers, 7, b))  # row 0 holds the state before the first step
    for i in range(layers):
        for j in range(b):
            tape[0, i, HIDDEN, j] = state[2 * i, j]
            tape[0, i, CELL, j] = state[2 * i + 1, j]
    h = np.empty(b)
    tops = np.empty((c, b))  # adjoints of the last hidden row, known as soon as it is
    power = np.empty(b)
    main_bar = np.zeros(main.shape)
    extra_bar = np.zeros(extra.shape)
    total = 0.0
    for t in range(1, c):
        for j in range(b):
            h[j] = sequence[t - 1, j] * extra[0, j]
        for i in range(layers):
            w, bias = main[2 * i], main[2 * i + 1]
            old, new = tape[t - 1, i], tape[t, i]
            for j in range(b):
                hidden = old[HIDDEN, j]
                forget = sigmoid(h[j] * w[j] + bias[j])
                enter = sigmoid(hidden * w[b + j] + bias[b + j])
                out = sigmoid(h[j] * w[2 * b + j] + bias[2 * b + j])
                change = math.tanh(hidden * w[3 * b + j] + bias[3 * b + j])
                cell = old[CELL, j] * forget + enter * change
                bent = math.tanh(cell)
                new[FORGET, j] = forget
                new[ENTER, j] = enter
                new[OUT, j] = out
                new[CHANGE, j] = change
                new[CELL, j] = cell
                new[TANH, j] = bent
                h[j] = out * bent
                new[HIDDEN, j] = h[j]
        norm = 2.0
        weight = 0.0
        for j in range(b):
            y = h[j] * extra[1, j] + extra[2, j]
            power[j] = math.exp(y)
            norm += power[j]
            weight += sequence[t, j]
            total += sequence[t, j] * y
        total -= weight * math.log(norm)
        share = weight / norm
        for j in range(b):
            y_bar = scale * (sequence[t, j] - share * power[j])
            extra_bar[1, j] += y_bar * h[j]
            extra_bar[2, j] += y_bar
            tops[t, j] = y_bar * extra[1, j]
    hidden_bar = np.zeros((layers, b))
    cell_bar = np.zeros((layers, b))
    for t in range(c - 1, 0, -1):
        h_bar = tops[t]
        for i in range(layers - 1, -1, -1):
            w, w_bar, bias_bar = main[2 * i], main_bar[2 * i], main_bar[2 * i + 1]
            old, new = tape[t - 1, i], tape[t, i]
            for j in range(b):
                forget, enter, out = new[FORGET, j], new[ENTER, j], new[OUT, j]
                change, bent, hidden = new[CHANGE, j], new[TANH, j], old[HIDDEN, j]
                entered = tape[t, i - 1, HIDDEN, j] if i else sequence[t - 1, j] * extra[0, j]
                bar = hidden_bar[i, j] + h_bar[j]
                out_bar = bar * bent * out * (1.0 - out)
                bar = cell_bar[i, j] + bar * out * (1.0 - bent * bent)
                forget_bar = bar * old[CELL, j] * forget * (1.0 - forget)
                enter_bar = bar * change * enter * (1.0 - enter)
                change_bar = bar * enter * (1.0 - change * change)
                cell_bar[i, j] = bar * forget
                hidden_bar[i, j] = enter_bar * w[b + j] + change_bar * w[3 * b + j]
                h_bar[j] = forget_bar * w[j] + out_bar * w[2 * b + j]
                w_bar[j] += forget_bar * entered
                w_bar[b + j] += enter_bar * hidden
                w_bar[2 * b + j] += out_bar * entered
                w_bar[3 * b + j] += change_bar * hidden
                bias_bar[j] += forget_bar
                bias_bar[b + j] += enter_bar
                bias_bar[2 * b + j] += out_bar
                bias_bar[3 * b + j] += change_bar
        for j in range(b):
            extra_bar[0, j] += h_bar[j] * sequence[t - 1, j]
    return scale * total, (main_bar, extra_bar)


def step(xp, sigmoid, main, extra, rows, now, following):
    """The state after one element of the sequence, and its term of the likelihood."""
    b = len(now)
    h = now * extra[0]
    after = []
    for i, (hidden, cell) in enumerate(rows):
        w, bias = main[2 * i], main[2 * i + 1]
        forget = sigmoid(h * w[:b] + bias[:b])
        enter = sigmoid(hidden * w[b : 2 * b] + bias[b : 2 * b])
        out = sigmoid(h * w[2 * b : 3 * b] + bias[2 * b : 3 * b])
        change = xp.tanh(hidden * w[3 * b :] + bias[3 * b :])
        cell = cell * forget + enter * change
        h = out * xp.tanh(cell)
        after.append((h, cell))
    y = h * extra[1] + extra[2]
    return after, xp.sum(following * (y - xp.log(xp.sum(xp.exp(y)) + 2)))


def in_jax(main, extra, state, sequence):
    import jax

    def body(rows, elements):
        return step(jax.numpy, jax.nn.sigmoid, main, extra, rows, *elements)

    rows = [(state[i], state[i + 1]) for i in range(0, len(state), 2)]
    terms = jax.lax.scan(body, rows, (sequence[:-1], sequence[1:]))[1]
    return -terms.sum() / ((len(sequence) - 1) * sequence.shape[1])


def unrolled(xp, sigmoid, main, extra, state, sequence):
    rows = [(state[i], state[i + 1]) for i in range(0, len(state), 2)]
    total = 0.0
    for now, following in pairwise(sequence):
        rows, term = step(xp, sigmoid, main, extra, rows, now, following)
        total = total + term
    return -total / ((len(sequence) - 1) * sequence.shape[1])


def in_torch(*args):
    import torch

    return unrolled(torch, torch.sigmoid, *args)


def in_autograd(*args):
    import autograd.numpy as anp

    return unrolled(anp, lambda x: 1.0 / (1.0 + anp.exp(-x)), *args)


def arguments(layers, c, b):
    generator = np.random.default_rng(5)
    main, state = generator.standard_normal((2 * layers, 4 * b)), np.zeros((2 * layers, b))
    return main, generator.standard_normal((3, b)), state, generator.random((c, b))


for layers, c in ((2, 1024), (4, 4096)):
    Problem(
        f"LSTM l{layers} c{c}", lstm_loops, lambda l=layers, c=c: arguments(l, c, 14),
        lambda: arguments(2, 32, 14), (0, 1), by_hand=by_hand,
        peers={
            "jax": peers.jax(in_jax, (0, 1)),
            "torch": peers.torch(in_torch, (0, 1)),
            "autograd": peers.autograd(in_autograd, (0, 1)),
        },
        slow=("torch", "autograd"),
    )  # fmt: skip
