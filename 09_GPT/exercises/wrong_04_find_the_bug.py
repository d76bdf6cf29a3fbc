from dlfs.exercises import Wrong

JOINED = 'np.concatenate((cache["k"], k)), np.concatenate((cache["v"], v))'

WRONG = [
    Wrong("every call starts at position 0", "self.wpe[past : past + T]", "self.wpe[:T]", "its place in the whole text"),
    Wrong("all in one part get the same position", "self.wpe[past : past + T]", "self.wpe[past]", "sees itself and those before"),
    Wrong("the mask as if there were no cache", "np.tri(T, S, S - T, dtype=bool)", "np.tri(T, S, dtype=bool)", "so is what it may see"),
    Wrong("no mask", "np.tri(T, S, S - T, dtype=bool)", "np.tri(T, S, S, dtype=bool)", "sees itself and those before"),
    Wrong("the newest first", JOINED, 'np.concatenate((k, cache["k"])), np.concatenate((v, cache["v"]))', "may see"),
    Wrong("only the last part is kept", 'cache["k"], cache["v"] = k, v', 'cache["k"], cache["v"] = k[-T:], v[-T:]', "all tokens so far"),
    Wrong("the prompt is read again at every step", "seen = len(tokens) if use_cache else 0", "seen = 0", "shown to the model once"),
]  # fmt: skip
