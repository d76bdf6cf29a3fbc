from dlfs.exercises import Wrong

BEST = "np.where(right, S, -np.inf).max(axis=1, keepdims=True)"

WRONG = [
    Wrong(
        "the best rank among an image's captions is not looked for",
        BEST,
        "np.take_along_axis(S, right.argmax(axis=1)[:, None], axis=1)",
        "the BEST one counts",
    ),
    Wrong("the worst of them", BEST, "np.where(right, S, np.inf).min(axis=1, keepdims=True)", "the BEST one counts"),
    Wrong(
        "their mean",
        BEST,
        "np.where(right, S, 0).sum(axis=1, keepdims=True) / right.sum(axis=1, keepdims=True)",
        "the BEST one counts",
    ),
    Wrong("zero for what is wrong", "np.where(right, S, -np.inf)", "np.where(right, S, 0)", "LARGER similarity"),
    Wrong(
        "ranks from 1",
        "return ((best < S) & ~right).sum(axis=1)",
        "return ((best <= S) & ~right).sum(axis=1) + 1",
        "0 if it is the first",
    ),
    Wrong("the least alike first", "(best < S)", "(best > S)", "LARGER similarity"),
    Wrong("one too many", "ranks(S, right) < k)", "ranks(S, right) <= k)", "among its first k"),
    Wrong("a count for a share", "< k).mean()", "< k).sum()", "the share of all queries"),
    Wrong("lengths count", "normalize(images) @ normalize(texts).T", "images @ texts.T", "UNIT vectors"),
    Wrong(
        "captions in the order of their images",
        "np.arange(len(images))[:, None] == owner",
        "np.arange(len(images))[:, None] == np.arange(len(texts)) // (len(texts) // len(images))",
        "owner says which",
    ),
    Wrong("one direction twice", "recall(S.T, right.T, k)", "recall(S, right, k)", "both transposes"),
]
