from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the standard deviation is recorded",
        "        h = np.where(z > 0, z, slope * z)\n        sizes.append(np.sqrt((h * h).mean()))",
        "        h = np.where(z > 0, z, slope * z)\n        sizes.append(h.std())",
        "not the standard deviation",
    ),
    Wrong(
        "the variance is gain / width", "gain / np.sqrt(width)", "np.sqrt(gain / width)", "negative z are multiplied"
    ),
    Wrong("no root", "** (1 / depth)", "** 1", "depth-th root"),
    Wrong("upside down", "(sizes[0] / sizes[-1])", "(sizes[-1] / sizes[0])", "depth-th root"),
    Wrong("He's variance, not his deviation", "np.sqrt(2 / (1 + slope**2))", "2 / (1 + slope**2)", "gain² · that is 1"),
    Wrong("the slope is not squared", "np.sqrt(2 / (1 + slope**2))", "np.sqrt(2 / (1 + slope))", "slope² of it"),
]
