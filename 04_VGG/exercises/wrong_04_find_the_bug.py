from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the rows are taken for the directions", "vectors.T[order]", "vectors[order]", "columns of what eigh returns"
    ),
    Wrong("columns, in the wrong order", "vectors.T[order]", "vectors.T", "in the order of its values"),
    Wrong(
        "the columns are ordered, and stay columns",
        "vectors.T[order]",
        "vectors[:, order]",
        "columns of what eigh returns",
    ),
    Wrong("the smallest first", "np.argsort(values)[::-1]", "np.argsort(values)", "the largest first"),
    Wrong(
        "mended in the shifts",
        "np.sqrt(variances)) @ directions",
        "np.sqrt(variances)) @ directions.T",
        "row i of directions",
    ),
    Wrong(
        "variances for standard deviations", "noise * np.sqrt(variances)", "noise * variances", "a standard deviation"
    ),
    Wrong("pixels about zero", "centred = pixels - pixels.mean(axis=0)", "centred = pixels", "about their mean"),
    Wrong(
        "channels are taken for images",
        "images.transpose(0, 2, 3, 1).reshape(-1, 3)",
        "images.reshape(-1, 3)",
        "covariance of PIXELS",
    ),
    Wrong(
        "in place",
        "return images + shifts(variances, directions, noise)[:, :, None, None]",
        "images += shifts(variances, directions, noise)[:, :, None, None]\n    return images",
        "stay as they are",
    ),
]
