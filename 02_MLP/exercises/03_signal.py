"""How strong must the weights of a deep network be? An experiment, and the formula of He et al. 2015 (section 2.2)."""

import numpy as np

ROWS = 256


def signal(slope, gain, depth, width, rng):
    """√ mean h² of noise before the first and after each of `depth` random layers with a leaky ReLU; (depth + 1,)."""
    h = rng.standard_normal((ROWS, width))
    sizes = [np.sqrt((h * h).mean())]
    for _ in range(depth):
        weight = rng.normal(0, gain / np.sqrt(width), (width, width))
        z = h @ weight.T
        h = np.where(z > 0, z, slope * z)
        sizes.append(np.sqrt((h * h).mean()))
    return np.array(sizes)


def critical_gain(slope, depth, width, rng):
    """The gain at which the signal is as large after the last layer as before the first, measured."""
    sizes = signal(slope, 1.0, depth, width, rng)
    return (sizes[0] / sizes[-1]) ** (1 / depth)


def predicted_gain(slope):
    """The gain that theory gives for a leaky ReLU of this slope, in wide layers."""
    return np.sqrt(2 / (1 + slope**2))


if __name__ == "__main__":
    for slope in (0.0, 0.2, 0.5, 1.0):
        measured = critical_gain(slope, depth=40, width=256, rng=np.random.default_rng(0))
        print(f"slope {slope:.1f}   critical gain {measured:.3f}   predicted {predicted_gain(slope):.3f}")
