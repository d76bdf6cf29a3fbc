from dlfs.exercises import Wrong

FACTOR = "return (1 - BETA1**t) / np.sqrt(1 - BETA2**t)"

WRONG = [
    Wrong("steps from 0", "enumerate(gradients, start=1)", "enumerate(gradients, start=2)", "t at 1"),
    Wrong("the square is forgotten", "(1 - BETA2) * g**2", "(1 - BETA2) * abs(g)", "g SQUARED"),
    Wrong("up the hill", "deltas.append(-lr", "deltas.append(lr", "the step goes down"),
    Wrong("only m is corrected", "v / (1 - BETA2**t)) if", "v) if", "both are divided"),
    Wrong(
        "corrected for good",
        "        first, second = (m / (1 - BETA1**t), v / (1 - BETA2**t)) if correct else (m, v)\n",
        "        if correct:\n            m, v = m / (1 - BETA1**t), v / (1 - BETA2**t)\n        first, second = m, v\n",
        "m and v start at 0",
    ),
    Wrong("the inverse", FACTOR, "return np.sqrt(1 - BETA2**t) / (1 - BETA1**t)", "in the denominator"),
    Wrong("no root", FACTOR, "return (1 - BETA1**t) / (1 - BETA2**t)", "√(1 − β2^t)"),
    Wrong(
        "the first step below the bound",
        "    too_large = np.flatnonzero(factor(STEPS) >= bound)\n    return int(STEPS[too_large[-1]] + 1) if len(too_large) else 1\n",
        "    return int(STEPS[np.flatnonzero(factor(STEPS) < bound)[0]])\n",
        "RISES at first",
    ),
    Wrong("the last that is too large", "STEPS[too_large[-1]] + 1", "STEPS[too_large[-1]]", "the one after it"),
    Wrong(
        "during the warm-up alone",
        "(factor(STEPS) * np.minimum(1, STEPS / warmup)).max()",
        "(factor(STEPS) * np.minimum(1, STEPS / warmup))[:warmup].max()",
        "after the warm-up too",
    ),
]
