"""Programs of textbooks: dynamic programs, solvers, filters, simulations, learning."""

import math

import numpy as np

from tests.programs.register import program


def _draw(seed, *shape):
    return np.random.default_rng(seed).uniform(0.3, 1.7, shape)


V, W, M = _draw(40, 5), _draw(41, 5), _draw(42, 4, 4)
NORMALS = np.random.default_rng(43).standard_normal((6, 3))
POINTERS, COLUMNS = np.array([0, 2, 3, 5]), np.array([0, 2, 1, 0, 3])


@program(_draw(44, 5), _draw(45, 4), POINTERS, COLUMNS)
def sparse_rows(values, x, pointers, columns):
    y = np.zeros(len(pointers) - 1)
    for i in range(len(y)):
        for k in range(pointers[i], pointers[i + 1]):
            y[i] += values[k] * x[columns[k]]
    return np.sum(y**2)


@program(_draw(46, 3), _draw(47, 4), 0.8)
def edit_distance(a, b, gap):
    n, m = len(a), len(b)
    cost = np.zeros((n + 1, m + 1))
    for i in range(n + 1):
        cost[i, 0] = i * gap
    for j in range(m + 1):
        cost[0, j] = j * gap
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            change = cost[i - 1, j - 1] + (a[i - 1] - b[j - 1]) ** 2
            cost[i, j] = min(change, min(cost[i - 1, j], cost[i, j - 1]) + gap)
    return cost[n, m]


@program(_draw(48, 6, 2), _draw(49, 2, 2))
def k_means(points, centres):
    for _ in range(2):
        total = np.zeros(centres.shape)
        count = np.zeros(len(centres))
        for i in range(len(points)):
            near = 0
            best = 1e9
            for k in range(len(centres)):
                d = np.sum((points[i] - centres[k]) ** 2)
                if d < best:
                    best = d
                    near = k
            total[near] += points[i]
            count[near] += 1.0
        centres = total / (count[:, None] + 0.1)
    return np.sum(centres**2)


@program(1.1, 1.0, 0.3, 0.05)
def asian_payoff(spot, strike, volatility, rate):
    total = 0.0
    for k in range(NORMALS.shape[0]):
        price = spot
        mean = 0.0
        for t in range(NORMALS.shape[1]):
            price *= math.exp((rate - 0.5 * volatility**2) * 0.5 + volatility * NORMALS[k, t])
            mean += price / NORMALS.shape[1]
        if mean > strike:
            total += (mean - strike) * math.exp(-rate)
    return total / NORMALS.shape[0]


@program(1.0, 1.1, 0.3, 0.05)
def binomial_tree(spot, strike, volatility, rate):
    steps = 4
    up = math.exp(volatility / 2.0)
    p = (math.exp(rate / 4.0) - 1.0 / up) / (up - 1.0 / up)
    value = np.zeros(steps + 1)
    for i in range(steps + 1):
        value[i] = max(strike - spot * up ** (2 * i - steps), 0.0)
    for t in range(steps, 0, -1):
        for i in range(t):
            value[i] = math.exp(-rate / 4.0) * (p * value[i + 1] + (1.0 - p) * value[i])
            value[i] = max(value[i], strike - spot * up ** (2 * i - t + 1))
    return value[0]


@program(np.array([1.0, 0.5]), 0.1)
def runge_kutta(y, h):
    def slope(s):
        return np.stack((s[1], (1.0 - s[0] ** 2) * s[1] - s[0]))

    for _ in range(4):
        a = slope(y)
        b = slope(y + 0.5 * h * a)
        c = slope(y + 0.5 * h * b)
        y = y + h / 6.0 * (a + 2.0 * b + 2.0 * c + slope(y + h * c))
    return np.sum(y * y)


@program(_draw(50, 4, 2), _draw(51, 2, 2), np.array([0.1, 0.3]))
def kalman_filter(z, f, x):
    p = np.eye(2)
    total = 0.0
    for t in range(len(z)):
        x = f @ x
        p = f @ p @ f.T + 0.1 * np.eye(2)
        e = z[t] - x
        s = p + 0.5 * np.eye(2)
        gain = np.linalg.solve(s, p).T
        total += e @ np.linalg.solve(s, e)
        x = x + gain @ e
        p = p - gain @ p
    return total


@program(V, W, M)
def bilinear(x, y, m):
    return x[:4] @ m @ y[:4] + np.sum(np.outer(x, y) ** 2)


@program(V, W[:3])
def convolution(x, kernel):
    y = np.zeros(len(x) - len(kernel) + 1)
    for i in range(len(y)):
        for j in range(len(kernel)):
            y[i] += x[i + j] * kernel[j]
    return np.sum(np.tanh(y))


@program(M, V[:4])
def gauss_seidel(a, b):
    x = np.zeros(len(b))
    for _ in range(3):
        for i in range(len(b)):
            s = b[i]
            for j in range(len(b)):
                if j != i:
                    s -= a[i, j] * x[j]
            x[i] = s / (a[i, i] + 4.0)
    return np.sum(x * x)


@program(V, W, V + 3.0, W)
def tridiagonal(a, b, d, c):
    n = len(d)
    cc, dd = np.zeros(n), np.zeros(n)
    cc[0] = c[0] / d[0]
    dd[0] = b[0] / d[0]
    for i in range(1, n):
        m = d[i] - a[i] * cc[i - 1]
        cc[i] = c[i] / m
        dd[i] = (b[i] - a[i] * dd[i - 1]) / m
    x = dd.copy()
    for i in range(n - 2, -1, -1):
        x[i] -= cc[i] * x[i + 1]
    return np.sum(x**2)


@program(M + 3.0 * np.eye(4))
def lu_determinant(a):
    a = a.copy()
    n = len(a)
    det = 1.0
    for k in range(n):
        det *= a[k, k]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return math.log(det)


@program(M)
def gram_schmidt(a):
    q = a.copy()
    for j in range(q.shape[1]):
        for k in range(j):
            q[:, j] -= np.sum(q[:, k] * a[:, j]) * q[:, k]
        q[:, j] /= np.sqrt(np.sum(q[:, j] ** 2))
    return np.sum(q[:, -1] * a[:, 0]) + np.sum(q[0] ** 3)


@program(M / 5.0, V[:4], np.array([0, 2, 1]))
def hidden_markov(a, start, seen):
    alpha = start * 0.2
    total = 0.0
    for t in range(len(seen)):
        alpha = (alpha @ a) * a[:, seen[t]]
        scale = np.sum(alpha)
        alpha = alpha / scale
        total += np.log(scale)
    return total


@program(M, V[:4])
def viterbi(a, score):
    best = score.copy()
    for _ in range(3):
        new = np.zeros(len(best))
        for j in range(len(best)):
            top = best[0] + a[0, j]
            for i in range(1, len(best)):
                top = max(top, best[i] + a[i, j] * best[i])
            new[j] = top
        best = new
    return np.max(best)


@program(M)
def shortest_paths(d):
    d = d.copy()
    n = len(d)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                d[i, j] = min(d[i, j], d[i, k] + d[k, j] * 0.3)
    return np.sum(d)


@program(_draw(52, 3, 4), _draw(53, 4), np.array([1.0, 0.0, 1.0]))
def logistic_training(x, w, y):
    for _ in range(3):
        p = 1.0 / (1.0 + np.exp(-(x @ w)))
        w = w - 0.5 * x.T @ (p - y)
    return np.sum(w * w)


@program(V, 0.1)
def adam_steps(w, rate):
    m, v = np.zeros(len(w)), np.zeros(len(w))
    for t in range(1, 4):
        g = 2.0 * w + np.cos(w)
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        w = w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-3)
    return np.sum(w**2)


@program(_draw(54, 3, 2), _draw(55, 4, 2), _draw(56, 4, 2))
def attention(q, k, v):
    s = q @ k.T / math.sqrt(2.0)
    p = np.exp(s - np.max(s, axis=1, keepdims=True))
    return np.sum((p / np.sum(p, axis=1, keepdims=True) @ v) ** 2)


@program(V)
def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


@program(0.3, 1.4)
def simpson(a, b):
    n = 6
    h = (b - a) / n
    total = math.sin(a) * a + math.sin(b) * b
    for i in range(1, n):
        x = a + i * h
        total += (4.0 if i % 2 else 2.0) * math.sin(x) * x
    return total * h / 3.0


@program(V)
def fourier(x):
    total = 0.0
    for k in range(len(x)):
        re, im = 0.0, 0.0
        for n in range(len(x)):
            angle = 2.0 * math.pi * k * n / len(x)
            re += x[n] * math.cos(angle)
            im -= x[n] * math.sin(angle)
        total += math.sqrt(re * re + im * im + 0.1) * (k + 1)
    return total


@program(_draw(57, 6), 0.4)
def wave(u, c):
    old, now = u.copy(), u.copy()
    for _ in range(4):
        new = np.zeros(len(u))
        for i in range(1, len(u) - 1):
            new[i] = 2.0 * now[i] - old[i] + c * c * (now[i + 1] - 2.0 * now[i] + now[i - 1])
        old, now = now, new
    return np.sum(now**2)


@program(_draw(58, 3, 2), _draw(59, 3, 2))
def verlet(x, v):
    x, v = x.copy(), v.copy()
    for _ in range(3):
        f = np.zeros(x.shape)
        for i in range(len(x)):
            for j in range(len(x)):
                if i != j:
                    d = x[j] - x[i]
                    f[i] += d / (np.sum(d * d) + 0.5) ** 1.5
        v += 0.1 * f
        x += 0.1 * v
    return np.sum(x**2) + np.sum(v**2)


@program(np.array([0.9, 0.3, 0.6, 0.1]))
def bubble_sort(x):
    x = x.copy()
    for i in range(len(x)):
        for j in range(len(x) - 1 - i):
            if x[j] > x[j + 1]:
                t = x[j]
                x[j] = x[j + 1]
                x[j + 1] = t
    return x[0] + 2.0 * x[1] ** 2 + 3.0 * x[2] ** 3 + x[3] ** 4


@program(_draw(60, 4, 4))
def max_pooling(image):
    out = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            out[i, j] = np.max(image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2])
    return np.sum(out**2)


@program(_draw(61, 4, 4), _draw(62, 2, 2))
def image_filter(image, kernel):
    n = image.shape[0] - kernel.shape[0] + 1
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            out[i, j] = np.sum(image[i : i + 2, j : j + 2] * kernel)
    return np.sum(np.maximum(out - 1.0, 0.0) ** 2)


@program(_draw(63, 4, 4), 1.3, 2.2)
def bilinear_sample(image, x, y):
    i, j = int(x), int(y)
    a, b = x - i, y - j
    low = image[i, j] * (1 - b) + image[i, j + 1] * b
    high = image[i + 1, j] * (1 - b) + image[i + 1, j + 1] * b
    return (low * (1 - a) + high * a) ** 2


@program(1.05, 13)
def power_by_squaring(x, n):
    result = 1.0
    while n > 0:
        if n % 2 == 1:
            result = result * x
        x = x * x
        n = n // 2
    return result


@program(0.2, 0.5)
def newton_system(x, y):
    for _ in range(4):
        f, g = x * x + y * y - 1.0, x - y**3 + 0.1
        a, b, c, d = 2.0 * x, 2.0 * y, 1.0, -3.0 * y * y
        det = a * d - b * c
        x, y = x - (d * f - b * g) / det, y - (a * g - c * f) / det
    return x * y


@program(1.5, 1.0)
def bouncing_ball(height, speed):
    for _ in range(40):
        speed = speed - 0.1 * 9.81 * 0.1
        height = height + 0.1 * speed
        if height < 0.0:
            height = -0.8 * height
            speed = -0.8 * speed
    return height * height + speed


@program(_draw(64, 5), np.array([3, 1, 1, 0, 4, 3]))
def histogram_loss(x, bins):
    count = np.zeros(len(x))
    for k in range(len(bins)):
        count[bins[k]] += x[bins[k]] * x[k % len(x)]
    return np.sum(count**2)


@program(_draw(65, 3, 3), _draw(66, 3, 3), _draw(67, 4, 3), _draw(68, 3))
def gated_unit(w, u, inputs, h):
    for t in range(len(inputs)):
        z = 1.0 / (1.0 + np.exp(-(w @ inputs[t] + u @ h)))
        c = np.tanh(w.T @ inputs[t] + u.T @ (z * h))
        h = (1.0 - z) * h + z * c
    return np.sum(h * h)
