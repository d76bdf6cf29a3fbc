from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "biases are decayed too",
        "sum((p * p).sum() for p in params.values() if p.ndim == 2)",
        "sum((p * p).sum() for p in params.values())",
        "a bias (ndim 1) is not decayed",
    ),
    Wrong("the half is forgotten in the penalty", "0.5 * strength * sum", "strength * sum", "half the strength"),
    Wrong("a gradient twice as large", "strength * p if", "2 * strength * p if", "strength · W"),
    Wrong("not scaled in training", "(u >= p) / (1 - p)", "(u >= p) * 1.0", "divided by 1 - p"),
    Wrong("scaled by p", "(u >= p) / (1 - p)", "(u >= p) / p", "divided by 1 - p"),
    Wrong("p is the share that is kept", "(u >= p) / (1 - p)", "(u < p) / p", "kept is u >= p"),
    Wrong(
        "scaled in evaluation, as in the paper", "np.ones_like(h)", "np.full_like(h, 1 - p)", "in evaluation out is h"
    ),
    Wrong("the way back is not masked", "return dout * mask", "return dout", "the same mask"),
    Wrong("the way back is not scaled", "return dout * mask", "return dout * (mask > 0)", "scaled again"),
    Wrong("h is written into", "return h * mask, mask", "h *= mask\n    return h, mask", "a new array"),
]
