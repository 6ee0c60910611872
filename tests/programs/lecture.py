"""The models of a lecture on automatic differentiation: neuron, ADALINE, multilayer perceptron."""

import numpy as np


def relu(v):
    return v if v > 0 else 0.0


def neuron(x, w, b):
    u = w * x
    v = u + b
    a = relu(v)
    return a


def adaline_loss(w, b, x, y):
    return np.mean((x @ w + b - y) ** 2)


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_sum - shifted[np.arange(len(labels)), labels])


def mlp_loss(w1, b1, w2, b2, x, labels):
    hidden = 1.0 / (1.0 + np.exp(-(x @ w1 + b1)))
    return cross_entropy(hidden @ w2 + b2, labels)
