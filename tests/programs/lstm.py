"""The negative log likelihood of a small diagonal LSTM, with loops and with whole arrays.

main (2 l, 4 b): per layer a row of weights and a row of biases, four blocks of b (forget, in, out,
change); extra (3, b): input weight, output weight, output bias; state (2 l, b): per layer a row of
hidden and a row of cell values; sequence (c, b).
"""

import math

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm_loops(main, extra, state, sequence):
    layers = state.shape[0] // 2
    c, b = sequence.shape
    s = state.copy()
    h = np.zeros(b)
    total = 0.0
    for t in range(c - 1):
        for j in range(b):
            h[j] = sequence[t, j] * extra[0, j]
        for i in range(layers):
            w, bias, hidden, cell = 2 * i, 2 * i + 1, 2 * i, 2 * i + 1
            for j in range(b):
                forget = sigmoid(h[j] * main[w, j] + main[bias, j])
                enter = sigmoid(s[hidden, j] * main[w, b + j] + main[bias, b + j])
                out = sigmoid(h[j] * main[w, 2 * b + j] + main[bias, 2 * b + j])
                change = math.tanh(s[hidden, j] * main[w, 3 * b + j] + main[bias, 3 * b + j])
                s[cell, j] = s[cell, j] * forget + enter * change
                s[hidden, j] = out * math.tanh(s[cell, j])
                h[j] = s[hidden, j]
        norm = 2.0
        for j in range(b):
            norm += math.exp(h[j] * extra[1, j] + extra[2, j])
        for j in range(b):
            total += sequence[t + 1, j] * (h[j] * extra[1, j] + extra[2, j] - math.log(norm))
    return -total / ((c - 1) * b)


def lstm_arrays(main, extra, state, sequence):
    layers = state.shape[0] // 2
    c, b = sequence.shape
    s = state.copy()
    total = 0.0
    for t in range(c - 1):
        h = sequence[t] * extra[0]
        for i in range(layers):
            w, bias = main[2 * i], main[2 * i + 1]
            hidden, cell = s[2 * i], s[2 * i + 1]
            forget = sigmoid(h * w[:b] + bias[:b])
            enter = sigmoid(hidden * w[b : 2 * b] + bias[b : 2 * b])
            out = sigmoid(h * w[2 * b : 3 * b] + bias[2 * b : 3 * b])
            change = np.tanh(hidden * w[3 * b :] + bias[3 * b :])
            s[2 * i + 1] = cell * forget + enter * change
            s[2 * i] = out * np.tanh(s[2 * i + 1])
            h = s[2 * i].copy()
        y = h * extra[1] + extra[2]
        total += np.sum(sequence[t + 1] * (y - np.log(np.sum(np.exp(y)) + 2)))
    return -total / ((c - 1) * b)
