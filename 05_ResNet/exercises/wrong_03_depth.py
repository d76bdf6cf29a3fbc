from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the shortcut's gradient is forgotten",
        "dh = dh + s * through if shortcut",
        "dh = s * through if shortcut",
        "dh itself is ADDED",
    ),
    Wrong("the scale is forgotten on the way back", "dh + s * through if", "dh + through if", "that times s"),
    Wrong("W from the left", "(dh @ W) * positive", "(W @ dh) * positive", "times W from the right"),
    Wrong("the ReLU is forgotten", "(dh @ W) * positive", "dh @ W", "[h > 0]"),
    Wrong(
        "from the first layer to the last",
        "zip(reversed(weights), reversed(signs))",
        "zip(weights, signs)",
        "from the last layer to the first",
    ),
    Wrong("sizes are added, not squares", "(1 + s**2) ** num_blocks", "(1 + s) ** (2 * num_blocks)", "1 + s²"),
    Wrong("added, not multiplied", "(1 + s**2) ** num_blocks", "1 + num_blocks * s**2", "multiplies the mean square"),
    Wrong(
        "no square root",
        "np.sqrt(factor ** (1 / num_blocks) - 1)",
        "factor ** (1 / num_blocks) - 1",
        "the square root last",
    ),
]
