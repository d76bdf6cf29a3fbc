from dlfs.exercises import Wrong

ROOT = "np.sqrt((weights * (places - mean) ** 2).sum())"

WRONG = [
    Wrong("channels in alone", "n * k * k * C * C", "n * k * k * C", "pairs of channels"),
    Wrong("an image instead of its own place", "g = np.ones(1)", "g = np.ones(n * (len(kernel) - 1) + 1)", "beginning with [1]"),
    Wrong("one layer too few", "for _ in range(n):", "for _ in range(n - 1):", "n layers"),
    Wrong("it begins with the kernel", "g = np.ones(1)", "g = kernel", "beginning with [1]"),
    Wrong("cut to the size of the input", "np.convolve(g, kernel)", "np.convolve(g, kernel, 'same')", "np.convolve(g, kernel), n times"),
    Wrong("the spread of the values", ROOT, "g.std()", "weights the PLACES"),
    Wrong("the variance", ROOT, ROOT.removeprefix("np.sqrt"), "the root"),
    Wrong("signs cancel", "np.abs(g) / np.abs(g).sum()", "g / (g.sum() or 1)", "|g|"),
    Wrong("a line through the numbers themselves", "np.polyfit(np.log(depths), np.log(spreads), 1)", "np.polyfit(depths, spreads, 1)", "BOTH axes"),
    Wrong("one logarithm", "np.polyfit(np.log(depths), np.log(spreads), 1)", "np.polyfit(depths, np.log(spreads), 1)", "BOTH axes"),
]  # fmt: skip
