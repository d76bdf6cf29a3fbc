from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "z is taken for the rate",
        "(np.exp(z) - y * z).mean()",
        "(z - y * np.log(np.abs(z))).mean()",
        "with rate = exp(z)",
    ),
    Wrong("a sum over the rows", "(np.exp(z) - y * z).mean()", "(np.exp(z) - y * z).sum()", "The mean over rows"),
    Wrong("a logarithm of the rate", "y * z).mean()", "y * np.log(np.exp(z))).mean()", "it is z"),
    Wrong("the slope is not divided", "(np.exp(z) - y) / len(z)", "np.exp(z) - y", "over B"),
    Wrong("target less expectation", "(np.exp(z) - y) / len(z)", "(y - np.exp(z)) / len(z)", "expectation less target"),
    Wrong(
        "the curvature of the squared error",
        "return np.exp(z) / len(z)",
        "return np.ones_like(z) / len(z)",
        "the slope of exp(z) - y",
    ),
    Wrong("uphill", "w - np.linalg", "w + np.linalg", "MINUS"),
    Wrong("no curvature in the Hessian", "(poisson_curvature(z, y)[:, None] * X)", "X / len(y)", "its own curvature"),
]
