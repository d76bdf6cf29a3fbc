from dlfs.exercises import Wrong

CLASSIFIER = "normalize(normalize(prompts).mean(axis=1))"

WRONG = [
    Wrong("long vectors count more", CLASSIFIER, "normalize(prompts.mean(axis=1))", "BEFORE the mean"),
    Wrong("the mean is left as short as it is", CLASSIFIER, "normalize(prompts).mean(axis=1)", "again after it"),
    Wrong("a mean over the classes", CLASSIFIER, "normalize(normalize(prompts).mean(axis=0))", "over the prompts"),
    Wrong(
        "a softmax over the prompts",
        "e / e.sum(axis=1, keepdims=True)",
        "e / e.sum(axis=2, keepdims=True)",
        "over the CLASSES",
    ),
    Wrong(
        "the mean of the logits",
        "    return (e / e.sum(axis=1, keepdims=True)).mean(axis=2)",
        "    e = np.exp(Z.mean(axis=2))\n    return e / e.sum(axis=1, keepdims=True)",
        "then the mean over the prompts",
    ),
    Wrong(
        "dot products for cosines",
        "normalize(images), normalize(prompts))",
        "images, normalize(prompts))",
        "scale · cosine",
    ),
    Wrong("exp overflows", "np.exp(Z - Z.max(axis=1, keepdims=True))", "np.exp(Z)", "exp overflowed"),
    Wrong("a count for a share", "== labels).mean()", "== labels).sum()", "a mean over the images"),
    Wrong("the first n classes", "classifier(prompts[:, :n])", "classifier(prompts[:n])", "first n PROMPTS"),
    Wrong(
        "the n-th prompt alone", "classifier(prompts[:, :n])", "classifier(prompts[:, n - 1 : n])", "first n PROMPTS"
    ),
]
