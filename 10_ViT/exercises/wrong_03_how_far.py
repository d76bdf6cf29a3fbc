from dlfs.exercises import Wrong

CUT = "V = V / V.sum(axis=2, keepdims=True)"

WRONG = [
    Wrong("in patches", "np.indices(grid).reshape(2, -1).T * P", "np.indices(grid).reshape(2, -1).T", "in PIXELS"),
    Wrong(
        "column by column",
        "np.indices(grid).reshape(2, -1).T * P",
        "np.indices(grid[::-1])[::-1].reshape(2, -1).T * P",
        "row by row",
    ),
    Wrong(
        "along the streets",
        "np.linalg.norm(places[:, None] - places[None, :], axis=2)",
        "np.abs(places[:, None] - places[None, :]).sum(axis=2)",
        "Euclidean",
    ),
    Wrong("rows do not add up to 1", CUT, "pass", "divided by its sum"),
    Wrong("columns are normalised", CUT, "V = V / V.sum(axis=1, keepdims=True)", "each ROW"),
    Wrong("the last token is left out", "W[:, 1:, 1:]", "W[:, :-1, :-1]", "without row 0"),
    Wrong("a mean over the keys", ".sum(axis=2).mean(axis=1)", ".mean(axis=2).mean(axis=1)", "a sum over the keys"),
    Wrong("in place", "V = V / V.sum", "V /= V.sum", "into a new array"),
    Wrong("no root", "/ np.sqrt(len(Wq))", "/ len(Wq)", "the root is of d"),
    Wrong("the root of the tokens' width", "np.sqrt(len(Wq))", "np.sqrt(Wq.shape[1])", "the rows of Wq"),
    Wrong("over the queries", "e / e.sum(axis=1, keepdims=True)", "e / e.sum(axis=0, keepdims=True)", "over the keys"),
    Wrong("exp overflows", "np.exp(scores - scores.max(axis=1, keepdims=True))", "np.exp(scores)", "exp overflowed"),
]
