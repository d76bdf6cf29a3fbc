from dlfs.exercises import Wrong

WRONG = [
    Wrong("the gate alone", "return x * sigmoid(x)", "return sigmoid(x)", "x times the gate"),
    Wrong("no product rule", "return g * (s + x * s * (1 - s))", "return g * s", "the product rule: σ(x) + x"),
    Wrong("g is forgotten", "return g * (s + x * s * (1 - s))", "return s + x * s * (1 - s)", "times g"),
    Wrong("the inner slope is forgotten", "(1 - t * t) * sigmoid(x))", "(1 - t * t))", "then the chain"),
    Wrong(
        "a sigmoid that overflows",
        "s = sigmoid(x)\n    return g * (s + x * s * (1 - s))",
        "e = np.exp(x)\n    return g * (e / (1 + e) + x * e / (1 + e) ** 2)",
        "exp overflowed",
    ),
    Wrong(
        "values without their history",
        "t = tanh_softplus(x)\n    return g",
        "t = tanh_softplus(getattr(x, 'array', x))\n    return g",
        "runs on Tensors too",
    ),
]
