from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "evaluation never looks at what training has kept",
        "return self.running_mean, self.running_var",
        "return x.mean(axis=0), x.var(axis=0)",
        "the batch's own statistics must not be used",
    ),
    Wrong(
        "mended by using what was kept in training, too",
        "        return mean, var\n",
        "        return self.running_mean, self.running_var\n",
        "the batch's own mean",
    ),
    Wrong("a biased variance is kept", "var * len(x) / (len(x) - 1)", "var", "the unbiased variance"),
    Wrong(
        "the momentum the other way round",
        "(1 - m) * self.running_mean + m * mean",
        "m * self.running_mean + (1 - m) * mean",
        "0.1 times the batch's",
    ),
    Wrong(
        "evaluation writes, too",
        "        if not self.training:\n",
        "        if not self.training:\n            self.remember(x.mean(axis=0), x.var(axis=0))\n",
        "only training writes",
    ),
]
