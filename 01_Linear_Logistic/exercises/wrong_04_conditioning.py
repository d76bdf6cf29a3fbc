from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "singular values of X", "np.linalg.eigvalsh(X.T @ X / len(X))", "np.sort(np.linalg.svd(X)[1])", "their roots"
    ),
    Wrong("the rows are not averaged", "X.T @ X / len(X))", "X.T @ X)", "XᵀX / B"),
    Wrong(
        "a step for the smallest curvature",
        "1 / curvatures(X)[-1]",
        "1 / curvatures(X)[0]",
        "1 / the largest curvature",
    ),
    Wrong("half the step", "1 / curvatures(X)[-1]", "0.5 / curvatures(X)[-1]", "1 / the largest curvature"),
    Wrong("counted from one", "return step\n", "return step + 1\n", "the first power below"),
    Wrong(
        "the root of the condition number", "kept = 1 - c[0] / c[-1]", "kept = 1 - np.sqrt(c[0] / c[-1])", "4 and not 2"
    ),
    Wrong(
        "no ceiling",
        "math.ceil(math.log(tolerance) / math.log(kept))",
        "math.floor(math.log(tolerance) / math.log(kept))",
        "first power below",
    ),
]
