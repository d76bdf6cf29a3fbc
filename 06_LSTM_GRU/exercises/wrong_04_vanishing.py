from dlfs.exercises import Wrong

WRONG = [
    Wrong("the slope of tanh is forgotten", "dh = (dh * (1 - h * h)) @ W", "dh = dh @ W", "first through tanh"),
    Wrong("first W, then tanh", "dh = (dh * (1 - h * h)) @ W", "dh = (dh @ W) * (1 - h * h)", "first through tanh"),
    Wrong("W is not transposed", "dh = (dh * (1 - h * h)) @ W", "dh = W @ (dh * (1 - h * h))", "then through W"),
    Wrong(
        "from the first to the last", "for h in reversed(states)", "for h in states", "from the last step to the first"
    ),
    Wrong("the gates in the order of time", "noise[::-1]", "noise", "the last step's gate comes first"),
    Wrong(
        "a slope, not a factor",
        "return np.exp(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])",
        "return np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0]",
        "a factor, not a slope",
    ),
    Wrong(
        "the two ends alone",
        "np.exp(np.polyfit(np.arange(len(norms)), np.log(norms), 1)[0])",
        "(norms[-1] / norms[0]) ** (1 / (len(norms) - 1))",
        "not just its ends",
    ),
]
