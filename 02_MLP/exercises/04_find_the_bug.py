"""Softmax regression on three clouds of points, trained by mini-batches."""

import numpy as np


def clusters(rng, each=100):
    """Three clouds around three points of the plane: x (N, 2), y (N,), sorted by class."""
    centres = np.array([[3.0, 0.0], [-1.5, 2.5], [-1.5, -2.5]])
    y = np.repeat(np.arange(3), each)
    return centres[y] + rng.standard_normal((len(y), 2)), y


def batches(x, y, size, rng):
    """Every row once, in a new order, `size` at a time; the last batch may be smaller."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), size):
        rows = order[start : start + size]
        yield x[rows], y[rows]


def gradients(W, b, x, y):
    """The gradients of the mean cross entropy by W (K, D) and b (K,)."""
    logits = x @ W.T + b  # (B, K)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    dlogits = (p - np.eye(len(b))[y]) / len(x)  # (B, K)
    return dlogits.T @ x, dlogits.sum(axis=0)


def train(x, y, epochs, lr, size, rng):
    """W and b after gradient descent from zeros."""
    W, b = np.zeros((3, x.shape[1])), np.zeros(3)
    for _ in range(epochs):
        for xb, yb in batches(x, y, size, rng):
            dW, db = gradients(W, b, xb, yb)
            W, b = W - lr * dW, b - lr * db
    return W, b


def accuracy(W, b, x, y):
    return float(((x @ W.T + b).argmax(axis=1) == y).mean())


if __name__ == "__main__":
    points, classes = clusters(np.random.default_rng(0))
    for epochs in (1, 5, 20):
        trained = train(points, classes, epochs, lr=0.5, size=32, rng=np.random.default_rng(1))
        print(f"{epochs:2} epochs: accuracy {accuracy(*trained, points, classes):.3f}")
