from dlfs.exercises import Wrong

MASK, DS = (
    "np.where(np.tril(np.ones((T, T), dtype=bool)), S, -np.inf)",
    "A * (dA - (A * dA).sum(axis=-1, keepdims=True))",
)

NORMED = "A = A / A.sum(axis=-1, keepdims=True)"
LATE = f"A = np.exp(q @ k.swapaxes(-1, -2) / math.sqrt(D) - S.max(axis=-1, keepdims=True)); {NORMED} * (S > -np.inf)"

WRONG = [
    Wrong("no mask", f"S = {MASK}", "pass", "itself and those before"),
    Wrong("a token sees the next", "np.tril(np.ones((T, T), dtype=bool))", "np.tril(np.ones((T, T), dtype=bool), 1)", "itself and those before"),
    Wrong("the mask after the softmax", NORMED, LATE, "before the softmax"),
    Wrong("no scale forward", "k.swapaxes(-1, -2) / math.sqrt(D)", "k.swapaxes(-1, -2)", "divided by √D"),
    Wrong("no largest subtracted", "np.exp(S - S.max(axis=-1, keepdims=True))", "np.exp(S)", "overflowed"),
    Wrong("a softmax that is a sigmoid on the way back", DS, "A * (1 - A) * dA", "the row's sum"),
    Wrong("the sum over the queries", DS, "A * (dA - (A * dA).sum(axis=-2, keepdims=True))", "each row's own sum"),
    Wrong("no scale backward", "scale = 1 / math.sqrt(q.shape[-1])", "scale = 1", "scale of the forward"),
    Wrong("dk from rows", "dS.swapaxes(-1, -2) @ q", "dS @ q", "looked at by many"),
    Wrong("dv from rows", "A.swapaxes(-1, -2) @ dy", "A @ dy", "fetched by many"),
]  # fmt: skip
