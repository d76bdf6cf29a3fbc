from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the shortcut's gradient is forgotten",
        "dh = dh + s * dz @ W if shortcut",
        "dh = s * dz @ W if shortcut",
        "dh itself is ADDED",
    ),
    Wrong("the scale is forgotten on the way back", "dh + s * dz @ W if", "dh + dz @ W if", "that times s"),
    Wrong("W from the left", "else dz @ W\n", "else W @ dz\n", "times W from the right"),
    Wrong("the ReLU is forgotten", "dz = dh * positive", "dz = dh", "[z > 0]"),
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
