"""Adam's first steps, with and without bias correction: what BERT's released optimizer leaves out, and what a warm-up hides."""

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
STEPS = np.arange(1, 20_001)  # enough for every bound from 1.01


def updates(gradients, lr, correct):  # (T, …)
    """What Adam adds to a parameter at each step, (T, …)."""
    m = v = np.zeros(np.shape(gradients)[1:])
    deltas = []
    for t, g in enumerate(gradients, start=1):
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g**2
        first, second = (m / (1 - BETA1**t), v / (1 - BETA2**t)) if correct else (m, v)
        deltas.append(-lr * first / (np.sqrt(second) + EPSILON))
    return np.array(deltas)


def factor(t):
    """How much larger step t is without the correction than with it."""
    return (1 - BETA1**t) / np.sqrt(1 - BETA2**t)


def settled(bound):
    """The first step from which on the factor stays below the bound, for bounds from 1.01."""
    too_large = np.flatnonzero(factor(STEPS) >= bound)
    return int(STEPS[too_large[-1]] + 1) if len(too_large) else 1


def largest_step(warmup):
    """The largest step without correction when lr rises in a straight line over so many steps, in units of lr."""
    return (factor(STEPS) * np.minimum(1, STEPS / warmup)).max()


if __name__ == "__main__":
    worst = STEPS[factor(STEPS).argmax()]
    print(f"the factor is largest at step {worst}: {factor(worst):.2f}; below 1.1 from step {settled(1.1)}")
    noise = np.random.default_rng(0).standard_normal((300, 1000))
    for correct in (True, False):
        sizes = np.sqrt((updates(noise, 1.0, correct) ** 2).mean(axis=1))
        print(f"correction {correct!s:5}   size of steps 1, 10, 100, 300: {sizes[[0, 9, 99, 299]].round(2)}")
    for warmup in (1, 34, 344, 1000, 10_000):
        print(f"warm-up over {warmup:6} steps: the largest is {largest_step(warmup):.2f} lr")
