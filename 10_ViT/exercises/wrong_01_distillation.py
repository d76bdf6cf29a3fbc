from dlfs.exercises import Wrong

SUM = "return (np.exp(log_softmax(z)) + np.exp(log_softmax(d))).argmax(axis=1)"

WRONG = [
    Wrong(
        "the distillation token learns the labels",
        "log_softmax(d)[rows, t.argmax(axis=1)]",
        "log_softmax(d)[rows, y]",
        "to the teacher's argmax",
    ),
    Wrong("a sum, not half of each", "t.argmax(axis=1)]).mean() / 2", "t.argmax(axis=1)]).mean()", "half of each"),
    Wrong("the half is forgotten on the way back", "onehot(y, K)) / (2 * B)", "onehot(y, K)) / B", "½ (softmax"),
    Wrong("one target for both", "onehot(t.argmax(axis=1), K)", "onehot(y, K)", "its own target"),
    Wrong(
        "the divergence the other way round",
        "(np.exp(log_q) * (log_q - log_p))",
        "(np.exp(log_p) * (log_p - log_q))",
        "q the TEACHER's",
    ),
    Wrong(
        "no temperature for the student",
        "log_softmax(t / tau), log_softmax(z / tau)\n    divergence",
        "log_softmax(t / tau), log_softmax(z)\n    divergence",
        "both at temperature",
    ),
    Wrong(
        "the labels' loss at the temperature",
        "labels = -log_softmax(z)[",
        "labels = -log_softmax(z / tau)[",
        "has no temperature",
    ),
    Wrong(
        "λ and 1 - λ exchanged",
        "(1 - lam) * labels + lam * tau**2 * divergence",
        "lam * labels + (1 - lam) * tau**2 * divergence",
        "1 − λ of the labels",
    ),
    Wrong(
        "the cross entropy for the divergence",
        "(np.exp(log_q) * (log_q - log_p)).sum",
        "(-np.exp(log_q) * log_p).sum",
        "Σ q (log q",
    ),
    Wrong("no τ² in the loss", "lam * tau**2 * divergence", "lam * divergence", "λ τ² of it"),
    Wrong("the chain rule's 1/τ is forgotten", "(p - q) / (tau * B)", "(p - q) / B", "one τ is left"),
    Wrong("no τ² in the gradient", "lam * tau**2 * ddivergence", "lam * ddivergence", "one τ is left"),
    Wrong("the class token alone", SUM, "return z.argmax(axis=1)", "of both heads"),
    Wrong("logits are added", SUM, "return (z + d).argmax(axis=1)", "PROBABILITIES"),
]
