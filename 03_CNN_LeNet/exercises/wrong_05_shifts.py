from dlfs.exercises import Wrong

WRONG = [
    Wrong("average pooling", "blocks.max(axis=(3, 5))", "blocks.mean(axis=(3, 5))", "the maximum of windows"),
    Wrong("no ReLU", "np.maximum(z, 0)[", "z[", "ReLU, then the maximum"),
    Wrong(
        "the kernel is flipped",
        "kernels[:, i, j, None, None]",
        "kernels[:, k - 1 - i, k - 1 - j, None, None]",
        "not flipped",
    ),
    Wrong(
        "every fourth pixel instead of windows",
        "reshape(B, len(kernels), h // pool, pool, w // pool, pool)",
        "reshape(B, len(kernels), pool, h // pool, pool, w // pool).transpose(0, 1, 3, 2, 5, 4)",
        "windows side by side",
    ),
    Wrong("no ridge", "F.T @ F + lam * np.eye(F.shape[1])", "F.T @ F", "λ I"),
    Wrong("moved to the left", "np.roll(x, shift, axis=2)", "np.roll(x, -shift, axis=2)", "to the RIGHT"),
    Wrong("moved down", "np.roll(x, shift, axis=2)", "np.roll(x, shift, axis=1)", "to the RIGHT"),
]
