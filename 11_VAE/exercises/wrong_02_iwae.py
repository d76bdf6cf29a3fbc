from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the mean of the logarithms, a VAE with k samples",
        "return largest + np.log(np.exp(log_w - largest).mean(axis=0))",
        "return log_w.mean(axis=0)",
        "not the mean of the log",
    ),
    Wrong("a sum", "np.exp(log_w - largest).mean(axis=0)", "np.exp(log_w - largest).sum(axis=0)", "with the 1/k"),
    Wrong(
        "no largest is taken out",
        "return largest + np.log(np.exp(log_w - largest).mean(axis=0))",
        "return np.log(np.exp(log_w).mean(axis=0))",
        "take the largest log w out",
    ),
    Wrong(
        "the weights overflow",
        "w = np.exp(log_w - log_w.max(axis=0))",
        "w = np.exp(log_w)",
        "take the largest log w out",
    ),
    Wrong(
        "normalised over the batch",
        "w / w.sum(axis=0)",
        "w / w.sum(axis=1, keepdims=True)",
        "over the samples of each example",
    ),
    Wrong(
        "every sample counts alike",
        "dlog_w = -weights(log_px, log_pz, log_q) / log_px.shape[1]",
        "dlog_w = -np.ones_like(log_px) / log_px.size",
        "minus each sample's share",
    ),
    Wrong("the bound is minimised", "dlog_w = -weights", "dlog_w = weights", "minus each sample's share"),
    Wrong("one sign for all three", "dlog_w.copy(), -dlog_w", "dlog_w.copy(), dlog_w.copy()", "with the other sign"),
]
