"""Ensembles of prompts in zero-shot classification (Radford et al. 2021, section 3.1.4)."""

import numpy as np


def normalize(x):
    """Each vector, along the last dimension, divided by its length."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def classifier(prompts):  # (K, P, E)
    """One unit vector a class, (K, E): the normalised mean of its prompts' unit vectors."""
    return normalize(normalize(prompts).mean(axis=1))


def one_by_one(images, prompts, scale):  # (B, E), (K, P, E)
    """The mean over prompts of the probabilities that each of them gives, (B, K)."""
    Z = scale * np.einsum("be,kpe->bkp", normalize(images), normalize(prompts))  # (B, K, P)
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).mean(axis=2)


def accuracy(images, labels, w):  # (B, E), (B,), (K, E)
    """The share of images that are nearest to their own class, by the cosine."""
    return ((normalize(images) @ w.T).argmax(axis=1) == labels).mean()


def experiment(images, labels, prompts, counts):  # (B, E), (B,), (K, P, E)
    """The accuracy with the first n prompts of each class, for each n of counts."""
    return np.array([accuracy(images, labels, classifier(prompts[:, :n])) for n in counts])


def made(K, P, B, E, sigma, tau, seed=0):
    """Images (B, E), labels (B,), prompts (K, P, E), and the true directions of the classes (K, E)."""
    rng = np.random.default_rng(seed)
    classes = normalize(rng.standard_normal((K, E)))
    labels = rng.integers(0, K, B)
    prompts = classes[:, None] + sigma * rng.standard_normal((K, P, E)) / np.sqrt(E)
    images = classes[labels] + tau * rng.standard_normal((B, E)) / np.sqrt(E)
    return images, labels, prompts, classes


if __name__ == "__main__":
    counts = [1, 2, 4, 8, 16, 80]
    print("prompts        " + "".join(f"{n:8}" for n in counts) + "   true directions")
    for sigma in (0.5, 2.0):
        images, labels, prompts, classes = made(K=100, P=80, B=4000, E=64, sigma=sigma, tau=2.0)
        shown = "".join(f"{a:8.1%}" for a in experiment(images, labels, prompts, counts))
        print(f"noise {sigma:<9g}{shown}{accuracy(images, labels, classes):12.1%}")
