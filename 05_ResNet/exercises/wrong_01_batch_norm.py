from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "each example by itself",
        "mean = per_channel(x.mean(axis=AXES))",
        "mean = x.mean(axis=(2, 3), keepdims=True)",
        "over batch and pixels",
    ),
    Wrong(
        "ε outside the root",
        "np.sqrt(per_channel(x.var(axis=AXES)) + EPS)",
        "np.sqrt(per_channel(x.var(axis=AXES))) + EPS",
        "ε inside the root",
    ),
    Wrong(
        "the unbiased variance in forward",
        "x.var(axis=AXES)) + EPS",
        "x.var(axis=AXES, ddof=1)) + EPS",
        "the biased one",
    ),
    Wrong(
        "mean and variance are taken for constants",
        "dx = (centred - x_hat * per_channel((dx_hat * x_hat).mean(axis=AXES))) / std",
        "dx = dx_hat / std",
        "x goes three ways",
    ),
    Wrong(
        "nothing through the variance",
        "(centred - x_hat * per_channel((dx_hat * x_hat).mean(axis=AXES))) / std",
        "centred / std",
        "x goes three ways",
    ),
    Wrong(
        "γ is forgotten on the way back", "dx_hat = dy * per_channel(gamma)", "dx_hat = dy", "γ multiplies all of it"
    ),
    Wrong("the running variance is biased", "x.var(axis=AXES, ddof=1)", "x.var(axis=AXES)", "the unbiased one"),
    Wrong("the momentum the other way round", "MOMENTUM = 0.1", "MOMENTUM = 0.9", "the NEW batch"),
]
