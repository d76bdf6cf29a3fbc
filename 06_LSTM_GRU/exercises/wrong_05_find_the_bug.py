from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the padding is turned to the front",
        "return np.take_along_axis(x, places[:, :, None], axis=1)",
        "return x[:, ::-1]",
        "from its LAST step",
    ),
    Wrong(
        "one step too far",
        "lengths[:, None] - 1 - steps, steps)",
        "np.minimum(lengths[:, None] - steps, T - 1), steps)",
        "from its LAST step",
    ),
    Wrong(
        "mended by reading everything",
        "np.where(going, keep * h + (1 - keep) * x[:, t], h)",
        "keep * h + (1 - keep) * x[:, t]",
        "from its sequence's end on",
    ),
    Wrong(
        "right before left",
        "[read(x, lengths, keep), read(turned(x, lengths), lengths, keep)]",
        "[read(turned(x, lengths), lengths, keep), read(x, lengths, keep)]",
        "left first",
    ),
]
