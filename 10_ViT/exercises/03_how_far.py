"""The mean attention distance (Dosovitskiy et al. 2020, the figure of what a ViT learns), and its baselines."""

import numpy as np


def distances(grid, P):
    """How far the centres of any two patches are apart, in pixels, (N, N)."""
    places = np.indices(grid).reshape(2, -1).T * P  # (N, 2)
    return np.linalg.norm(places[:, None] - places[None, :], axis=2)


def mean_distance(W, grid, P):  # (h, 1 + N, 1 + N)
    """How far each head looks from patch to patch, in pixels, (h,)."""
    V = W[:, 1:, 1:]
    V = V / V.sum(axis=2, keepdims=True)
    return (V * distances(grid, P)).sum(axis=2).mean(axis=1)


def head(tokens, Wq, Wk):  # (T, C), (d, C), (d, C)
    """The attention weights of one head, (T, T)."""
    scores = (tokens @ Wq.T) @ (tokens @ Wk.T).T / np.sqrt(len(Wq))
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def patches_of_a_photo(P=16, size=224):
    """A photo's patches, each number with mean 0 and variance 1, and a class token of zeros: (1 + N, 3 P P)."""
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")[100 : 100 + size, 200 : 200 + size] / 255  # (size, size, 3)
    g = size // P
    tokens = photo.reshape(g, P, g, P, 3).transpose(0, 2, 4, 1, 3).reshape(g * g, -1)
    tokens = (tokens - tokens.mean(axis=0)) / tokens.std()
    return np.concatenate([np.zeros((1, tokens.shape[1])), tokens])


if __name__ == "__main__":
    P, grid = 16, (14, 14)
    tokens, rng, d = patches_of_a_photo(P), np.random.default_rng(0), 64
    C = tokens.shape[1]
    order = np.concatenate([[0], 1 + rng.permutation(len(tokens) - 1)])
    Wq, Wk = rng.standard_normal((2, d, C)) * np.sqrt(3 / C)
    heads = {
        "looks everywhere alike": np.ones((len(tokens), len(tokens))) / len(tokens),
        "random queries and keys": head(tokens, Wq, Wk),
        "looks for its like, q = k": head(tokens, Wq, Wq),
        "the same, patches shuffled": head(tokens[order], Wq, Wq),
    }
    for name, W in heads.items():
        print(f"{name:28} {mean_distance(W[None], grid, P)[0]:6.1f} pixels")
