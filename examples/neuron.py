"""One neuron: the derivative as source, its value, and the gradients of variables inside.

Run: python examples/neuron.py
"""

import adcompile as ad


def relu(v):
    return v if v > 0 else 0.0


def neuron(x, w, b):
    u = w * x
    v = u + b
    a = relu(v)
    return a


if __name__ == "__main__":
    gradient = ad.grad(neuron, wrt=("x", "w", "b", "u", "v"))
    print(gradient.source("f8, f8, f8"))
    print("at x = 3, w = 2, b = 1:", gradient(3.0, 2.0, 1.0))
    print("at the kink:", gradient(-1.0, 1.0, 1.0))
    print()
    print(gradient.graph("f8, f8, f8"))
