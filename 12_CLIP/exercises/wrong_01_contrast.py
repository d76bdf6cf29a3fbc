from dlfs.exercises import Wrong

DZ = "(np.exp(log_softmax(Z, axis=1)) + np.exp(log_softmax(Z, axis=0)) - 2 * np.eye(B)) / (2 * B)"
BOTH = "np.diag(log_softmax(Z, axis=1)) + np.diag(log_softmax(Z, axis=0))"

WRONG = [
    Wrong(
        "the length is a constant",
        "(dy - (dy * y).sum(axis=1, keepdims=True) * y) / r",
        "dy / r",
        "the part along x goes",
    ),
    Wrong(
        "the length is forgotten",
        "(dy - (dy * y).sum(axis=1, keepdims=True) * y) / r",
        "dy - (dy * y).sum(axis=1, keepdims=True) * y",
        "divided by the LENGTH",
    ),
    Wrong(
        "along x instead of y",
        "(dy * y).sum(axis=1, keepdims=True) * y) / r",
        "(dy * x).sum(axis=1, keepdims=True) * x) / r",
        "the part along x goes",
    ),
    Wrong("images alone are asked", BOTH, "2 * np.diag(log_softmax(Z, axis=1))", "over columns"),
    Wrong("no half", "return -both.mean() / 2", "return -both.mean()", "half of the cross entropy"),
    Wrong("a sum over the batch", "return -both.mean() / 2", "return -both.sum() / 2", "a mean over the batch"),
    Wrong("lengths count", "np.exp(s) * normalize(x) @ normalize(t).T", "np.exp(s) * x @ t.T", "UNIT vectors"),
    Wrong("s for its exponential", "Z = np.exp(s) * normalize(x)", "Z = s * normalize(x)", "e^s u vᵀ"),
    Wrong(
        "the logarithm of a softmax",
        BOTH,
        "np.diag(np.log(np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True))) + np.diag(np.log(np.exp(Z) / np.exp(Z).sum(axis=0)))",
        "use log_softmax",
    ),
    Wrong("rows alone on the way back", DZ, "(np.exp(log_softmax(Z, axis=1)) - np.eye(B)) / B", "Q over columns"),
    Wrong("the batch is not divided by", "- 2 * np.eye(B)) / (2 * B)", "- 2 * np.eye(B)) / 2", "/ (2 B)"),
    Wrong("not transposed", "np.exp(s) * dZ.T @ u", "np.exp(s) * dZ @ u", "dZ transposed"),
    Wrong("the temperature's own exponential is forgotten", "(dZ * Z).sum()", "(dZ * (u @ v.T)).sum()", "dZ/ds = Z"),
    Wrong(
        "the gradient of the unit vectors",
        "normalize_backward(du, x), normalize_backward(dv, t)",
        "du, dv",
        "back through the length",
    ),
]
