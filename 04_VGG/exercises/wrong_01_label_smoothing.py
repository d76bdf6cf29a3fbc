from dlfs.exercises import Wrong

SUM = "return -(q * log_softmax(logits)).sum(axis=1).mean()"
GRADIENT = "(np.exp(log_softmax(logits)) - targets(labels, K, epsilon)) / B"

WRONG = [
    Wrong(
        "spread over the wrong classes alone",
        "epsilon / K)\n    q[np.arange(len(labels)), labels] += 1 - epsilon",
        "epsilon / (K - 1))\n    q[np.arange(len(labels)), labels] = 1 - epsilon",
        "over ALL K classes",
    ),
    Wrong("the label is set, not added to", "labels] += 1 - epsilon", "labels] = 1 - epsilon", "1 − ε + ε/K"),
    Wrong("a mean over the classes too", SUM, "return -(q * log_softmax(logits)).mean()", "a sum over the classes"),
    Wrong(
        "the loss of hard labels",
        SUM,
        "return -log_softmax(logits)[np.arange(len(q)), labels].mean()",
        "not the label's alone",
    ),
    Wrong(
        "the logarithm of a softmax",
        SUM,
        "e = np.exp(logits - logits.max(axis=1, keepdims=True))\n    return -(q * np.log(e / e.sum(axis=1, keepdims=True))).sum(axis=1).mean()",
        "log 0 is −∞",
    ),
    Wrong(
        "the gradient of hard labels",
        GRADIENT,
        "(np.exp(log_softmax(logits)) - targets(labels, K, 0)) / B",
        "SMOOTHED q",
    ),
    Wrong(
        "the batch is not divided by",
        GRADIENT,
        "np.exp(log_softmax(logits)) - targets(labels, K, epsilon)",
        "divided by B",
    ),
    Wrong(
        "the label's own share of ε is forgotten",
        "np.log((1 - epsilon + epsilon / K) / (epsilon / K))",
        "np.log((1 - epsilon) / (epsilon / K))",
        "q_y is 1 − ε + ε/K",
    ),
]
