from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "logvar is taken for the deviation",
        "squares = np.exp(logvar) +",
        "squares = logvar**2 +",
        "the log of the VARIANCE",
    ),
    Wrong("a mean over latents", "- 1).sum(axis=1)", "- 1).mean(axis=1)", "a sum over latents"),
    Wrong(
        "the distance is not scaled",
        "squares / np.exp(logvar_p)",
        "np.exp(logvar) / np.exp(logvar_p) + (mean - mean_p) ** 2",
        "over the PRIOR's variance",
    ),
    Wrong(
        "the divergence the other way round",
        "squares / np.exp(logvar_p) - 1)",
        "squares / np.exp(logvar) - 1)",
        "½ (exp(logvar)",
    ),
    Wrong(
        "the gradient by the variance",
        "0.5 * (np.exp(logvar) / var_p - 1)",
        "0.5 * (1 / var_p - np.exp(-logvar))",
        "the exponential stays",
    ),
    Wrong("dkl is forgotten", "dmean = dkl[:, None] *", "dmean = 1 *", "times dkl of its example"),
    Wrong("the mean over pixels", "nll.sum(axis=1)", "nll.mean(axis=1)", "the SUM over pixels"),
    Wrong(
        "β on the wrong term", "(nll.sum(axis=1) + beta * kl)", "(beta * nll.sum(axis=1) + kl)", "β is the divergence's"
    ),
]
