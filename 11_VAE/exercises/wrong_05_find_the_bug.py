from dlfs.exercises import Wrong

WRONG = [
    Wrong("the mean over pixels, and the sum over latents", "return 1.0", "return 1.0 / D", "its logarithm is a SUM"),
    Wrong(
        "mended with a mean over latents, too",
        "0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).sum(axis=1)",
        "0.5 * (np.exp(logvar) + mean**2 - 1 - logvar).mean(axis=1)",
        "a sum over latents",
    ),
    Wrong(
        "mended in the loss alone",
        "dlogits = share(D) * (probs - x) / B",
        "dlogits = (probs - x) / B / D",
        "its gradient was not",
    ),
    Wrong(
        "summed over the batch",
        "divergence(mean, logvar)).mean()",
        "divergence(mean, logvar)).sum()",
        "ONE mean over the batch",
    ),
    Wrong("the variance for the deviation", "np.exp(0.5 * logvar) * eps", "np.exp(logvar) * eps", "exp(½ logvar)"),
]
