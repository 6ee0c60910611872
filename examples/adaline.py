"""ADALINE on the iris flowers, step by step in Python and as one compiled function.

Run: python examples/adaline.py
"""

import numpy as np
from sklearn.datasets import load_iris

import adcompile as ad


def loss(w, b, x, y):
    return np.mean((x @ w + b - y) ** 2)


gradient = ad.grad(loss, argnums=(0, 1))


@ad.jit(inplace=("w", "b"))
def train(w, b, x, y, orders, batch, rate):
    """All epochs in one compiled function: gradient and update are inlined into the loops."""
    losses = np.zeros(orders.shape[0])
    for epoch in range(orders.shape[0]):
        for step in range(orders.shape[1] // batch):
            rows = orders[epoch, step * batch : (step + 1) * batch]
            w_bar, b_bar = gradient(w, b, x[rows], y[rows])
            w -= rate * w_bar
            b -= rate * b_bar
        losses[epoch] = loss(w, b, x, y)
    return losses


def data():
    """Versicolor (0) and virginica (1) by sepal width and petal length, standardised."""
    iris = load_iris()
    x = iris.data[50:150, 1:3].astype(np.float32)
    y = (iris.target[50:150] == 2).astype(np.float32)
    order = np.random.default_rng(1).permutation(100)
    x, y = x[order], y[order]
    return (x - x[:70].mean(axis=0)) / x[:70].std(axis=0, ddof=1), y


if __name__ == "__main__":
    x, y = data()
    orders = np.stack([np.random.default_rng(e).permutation(70) for e in range(20)])

    w, b = np.zeros(2, np.float32), np.zeros(1, np.float32)
    for order in orders:
        for start in range(0, 70, 10):
            rows = order[start : start + 10]
            w_bar, b_bar = gradient(w, b, x[rows], y[rows])
            w -= np.float32(0.01) * w_bar
            b -= np.float32(0.01) * b_bar
    print(f"step by step: loss {loss(w, b, x[:70], y[:70]):.5f}")

    w, b = np.zeros(2, np.float32), np.zeros(1, np.float32)
    losses = train(w, b, x[:70], y[:70], orders, 10, 0.01)
    print(f"as one function: loss {losses[-1]:.5f}")
    right = (x @ w + b > 0.5) == (y > 0.5)
    print(f"accuracy: train {np.mean(right[:70]):.2%}, test {np.mean(right[70:]):.2%}")
    print(gradient.source(w, b, x, y))
