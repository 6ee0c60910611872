"""A multilayer perceptron on handwritten digits, with layers and optimisers of the package.

Run: python examples/mlp.py
"""

import numpy as np
from sklearn.datasets import load_digits

import adcompile as ad
from adcompile import nn, optim


def loss(parameters, x, labels):
    w1, b1, w2, b2 = parameters
    hidden = nn.relu(nn.linear(x, w1, b1))
    return nn.cross_entropy(nn.linear(hidden, w2, b2), labels)


step = ad.value_and_grad(loss)

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x, labels = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    order = rng.permutation(len(x))
    train, test = order[:1400], order[1400:]
    sizes = (64, 128), (128,), (128, 10), (10,)
    parameters = tuple(
        (rng.standard_normal(s) * 0.1 * (len(s) > 1)).astype(np.float32) for s in sizes
    )
    optimiser = optim.Adam(1e-3)
    state = optimiser.init(parameters)
    for epoch in range(10):
        shuffled = rng.permutation(train)
        total = 0.0
        for start in range(0, len(shuffled), 50):
            rows = shuffled[start : start + 50]
            value, gradients = step(parameters, x[rows], labels[rows])
            optimiser.step(parameters, gradients, state)
            total += value * len(rows)
        print(f"epoch {epoch + 1:>2}  loss {total / len(shuffled):.4f}")
    w1, b1, w2, b2 = parameters
    predicted = (nn.relu(x[test] @ w1 + b1) @ w2 + b2).argmax(axis=1)
    print(f"test accuracy {np.mean(predicted == labels[test]):.2%}")
