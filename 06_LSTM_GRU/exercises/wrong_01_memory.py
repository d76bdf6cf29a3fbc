from dlfs.exercises import Wrong

WRONG = [
    Wrong("it always normalises", "if norm > max_norm:", "if True:", "it does not normalise"),
    Wrong(
        "each array by its own norm",
        "g *= max_norm / norm",
        "g *= max_norm / np.sqrt(np.sum(g * g))",
        "by max_norm / norm",
    ),
    Wrong(
        "squared, without a root",
        "norm = math.sqrt(sum(float(np.sum(g * g)) for g in grads.values()))",
        "norm = sum(float(np.sum(g * g)) for g in grads.values())",
        "one norm over all arrays",
    ),
    Wrong("new arrays", "g *= max_norm / norm", "g = g * max_norm / norm", "in place"),
    Wrong(
        "each element is cut", "g *= max_norm / norm", "np.clip(g, -max_norm, max_norm, out=g)", "by max_norm / norm"
    ),
    Wrong(
        "the bias is taken for the gate",
        "math.log(1 / (1 + math.exp(-bias)))",
        "-(1 - 1 / (1 + math.exp(-bias)))",
        "σ(bias)^t",
    ),
    Wrong("not the logit", "return math.log(f / (1 - f))", "return math.log(f)", "f's logit"),
]
