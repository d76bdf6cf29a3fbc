from dlfs.exercises import Wrong

WRONG = [
    Wrong("the threshold is l1", "np.abs(param) - lr * l1", "np.abs(param) - l1", "towards 0 by lr · l1"),
    Wrong("a new array instead of the parameter's", "param[...] = np.sign", "param = np.sign", "no further than 0"),
    Wrong("not in place", "param -= lr * grad", "param = param - lr * grad", "changed in place"),
    Wrong(
        "the sign is added to the gradient",
        "param[...] = np.sign(param) * np.maximum(np.abs(param) - lr * l1, 0)",
        "param -= lr * l1 * np.sign(param)",
        "no further than 0",
    ),
    Wrong(
        "the penalty first",
        "        param -= lr * grad\n        param[...] = np.sign(param) * np.maximum(np.abs(param) - lr * l1, 0)",
        "        param[...] = np.sign(param) * np.maximum(np.abs(param) - lr * l1, 0)\n        param -= lr * grad",
        "the gradient's step comes first",
    ),
    Wrong(
        "options of the constructor",
        'lr, l1 = float(group["lr"]), float(group["l1"])',
        'lr, l1 = self.defaults["lr"], self.defaults["l1"]',
        "read from group",
    ),
    Wrong("a default that is not none", "l1=0.0):", "l1=0.1):", "l1 is 0 unless given"),
]
