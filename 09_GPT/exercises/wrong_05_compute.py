from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the exponents exchanged",
        "A * N**-ALPHA + B * D**-BETA",
        "A * N**-BETA + B * D**-ALPHA",
        "α belongs to the size",
    ),
    Wrong("what no model can know is forgotten", "return E + A", "return A", "E + A / N^α"),
    Wrong("the six is forgotten", "N = G * (C / 6) **", "N = G * C **", "(C/6)"),
    Wrong("D without its six", "return N, C / (6 * N)", "return N, C / N", "exactly C"),
    Wrong("half of it each", "(C / 6) ** (BETA / (ALPHA + BETA))", "(C / 6) ** 0.5", "β/(α+β)"),
    Wrong(
        "the tokens' power for the size",
        "(C / 6) ** (BETA / (ALPHA + BETA))",
        "(C / 6) ** (ALPHA / (ALPHA + BETA))",
        "β/(α+β)",
    ),
    Wrong("both prices alike, not their slopes", "(ALPHA * A / (BETA * B))", "(A / B)", "α A N^−α = β B D^−β"),
    Wrong(
        "the best of those tried",
        "    a, b, _ = np.polyfit(np.log(sizes), losses, 2)\n    return np.exp(-b / (2 * a))",
        "    return sizes[np.argmin(losses)]",
        "no size that was tried",
    ),
    Wrong("the logarithm of the size", "return np.exp(-b / (2 * a))", "return -b / (2 * a)", "so exp of it"),
    Wrong(
        "a parabola in the size",
        "    a, b, _ = np.polyfit(np.log(sizes), losses, 2)\n    return np.exp(-b / (2 * a))",
        "    a, b, _ = np.polyfit(sizes / 1e9, losses, 2)\n    return -b / (2 * a) * 1e9",
        "a parabola in log N",
    ),
    Wrong(
        "compute over size",
        "np.polyfit(np.log(budgets), np.log(sizes), 1)",
        "np.polyfit(np.log(sizes), np.log(budgets), 1)",
        "sizes upwards",
    ),
    Wrong(
        "one logarithm",
        "np.polyfit(np.log(budgets), np.log(sizes), 1)",
        "np.polyfit(np.log(budgets), sizes, 1)",
        "BOTH axes",
    ),
]
