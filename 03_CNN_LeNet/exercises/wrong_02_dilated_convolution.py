from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "the kernel is flipped",
        "weight[:, :, i, j], padded[:, :, rows, columns])\n    return z",
        "weight[:, :, k - 1 - i, k - 1 - j], padded[:, :, rows, columns])\n    return z",
        "not flipped",
    ),
    Wrong("the bias is forgotten", " + bias[:, None, None]", "", "the bias is added once"),
    Wrong(
        "the bias is added with every tap",
        "padded[:, :, rows, columns])\n    return z",
        "padded[:, :, rows, columns]) + bias[:, None, None]\n    return z",
        "the bias is added once",
    ),
    Wrong(
        "gradients are assigned, not added",
        "dpadded[:, :, rows, columns] +=",
        "dpadded[:, :, rows, columns] =",
        "+= into its slice",
    ),
    Wrong(
        "the padding is not cut off",
        "dx = dpadded[:, :, padding : padding + height, padding : padding + width]",
        "dx = dpadded",
        "cut the padding off",
    ),
    Wrong(
        "cut from the wrong end",
        "padding : padding + height, padding : padding + width]",
        ":height, :width]",
        "cut the padding off",
    ),
    Wrong(
        "cut with minus nothing",
        "padding : padding + height, padding : padding + width]",
        "padding:-padding, padding:-padding]",
        "[p : p + H]",
    ),
    Wrong("a mean over the batch", "dz.sum(axis=(0, 2, 3))", "dz.mean(axis=0).sum(axis=(1, 2))", "sum over both"),
    Wrong(
        "the weight meets the input of another tap",
        'np.einsum("bohw,bchw->oc", dz, padded[:, :, rows, columns])',
        'np.einsum("bohw,bchw->oc", dz, padded[:, :, :H, :W])',
        "at i · dilation",
    ),
]
