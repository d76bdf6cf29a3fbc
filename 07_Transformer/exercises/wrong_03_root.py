from dlfs.exercises import Wrong

SQUARES = "second - 2 * third + second**2"

WRONG = [
    Wrong(
        "over the queries", "e / e.sum(axis=1, keepdims=True)", "e / e.sum(axis=0, keepdims=True)", "runs over the keys"
    ),
    Wrong("divided by the factor", "q @ k.T * factor", "q @ k.T / factor", "TIMES the factor"),
    Wrong("exp overflows", "np.exp(scores - scores.max(axis=1, keepdims=True))", "np.exp(scores)", "exp overflowed"),
    Wrong("0 log 0 is no number", "-xlogy(W, W)", "-(W * np.log(W))", "0 log 0 = 0"),
    Wrong("in bits", "-xlogy(W, W).sum(axis=1).mean()", "-xlogy(W, W).sum(axis=1).mean() / np.log(2)", "in nats"),
    Wrong("a mean over everything", "-xlogy(W, W).sum(axis=1).mean()", "-xlogy(W, W).mean()", "a sum over the keys"),
    Wrong("the diagonal alone", SQUARES, "((W - W**2) ** 2).sum(axis=1)", "diag(p) − p pᵀ"),
    Wrong("no root", "np.sqrt(np.maximum(squares, 0)).mean()", "squares.mean()", "then the root"),
    Wrong(
        "the root of the mean",
        "np.sqrt(np.maximum(squares, 0)).mean()",
        "np.sqrt(squares.mean())",
        "then the mean over rows",
    ),
    Wrong(
        "one draw for all d",
        "        q = rng.standard_normal((n, d))\n        k = rng.standard_normal((n, d))",
        "        rng = np.random.default_rng(5)\n        q = rng.standard_normal((n, d))\n        k = rng.standard_normal((n, d))",
        "in its turn",
    ),
    Wrong("the factor is always the root", "scale(d))", "d**-0.5)", "factor scale(d)"),
]
