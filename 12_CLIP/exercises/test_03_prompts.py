import numpy as np

from dlfs.grading import expect

RNG = np.random.default_rng


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def lengths(K=3, P=4, E=5):
    """Prompts whose vectors have very different lengths."""
    return RNG(0).standard_normal((K, P, E)) * np.array([1, 20, 0.1, 3])[:P, None]


def test_the_classifier(exercise):
    usually = "each prompt's vector is normalised BEFORE the mean, over the prompts, and the mean again after it"
    expect(
        exercise.classifier(np.array([[[2.0, 0.0], [0.0, 1.0]]])),
        [[0.5**0.5] * 2],
        "classifier([[[2, 0], [0, 1]]])",
        usually,
    )
    prompts = lengths()
    before = prompts.copy()
    expected = [unit(sum(unit(p) for p in group)) for group in prompts]
    expect(exercise.classifier(prompts), expected, "classifier(prompts (3, 4, 5))", usually)
    expect(prompts, before, "the prompts, after classifier", "normalise into new arrays")


def test_one_prompt_after_the_other(exercise):
    images, prompts = RNG(1).standard_normal((6, 5)), lengths()
    expected = np.zeros((6, 3))
    for p in range(4):
        e = np.exp(7.0 * unit(images) @ unit(prompts[:, p]).T)
        expected += e / e.sum(axis=1, keepdims=True) / 4
    usually = "for each prompt a softmax over the CLASSES of scale · cosine; then the mean over the prompts"
    expect(
        exercise.one_by_one(images, prompts, 7.0),
        expected,
        "one_by_one(images (6, 5), prompts (3, 4, 5), scale=7)",
        usually,
    )
    with np.errstate(all="ignore"):
        got = exercise.one_by_one(np.eye(2), np.eye(2)[:, None], 1000.0)
    expect(
        got,
        np.eye(2),
        "one_by_one(I (2, 2), I (2, 1, 2), scale=1000)",
        "exp overflowed: subtract the largest logit first",
    )


def test_the_accuracy(exercise):
    w = np.eye(3)
    images = np.array([[5.0, 1, 0], [0, 0.2, 0.1], [1, 1.1, 0], [0, 0, 9]])
    usually = "a mean over the images: the largest cosine's class is the label"
    expect(
        exercise.accuracy(images, np.array([0, 1, 0, 2]), w),
        0.75,
        "accuracy(images (4, 3), labels [0 1 0 2], w = I)",
        usually,
    )


def test_the_experiment(exercise):
    images, labels, prompts, _ = exercise.made(K=10, P=9, B=500, E=16, sigma=2.0, tau=1.0)
    expected = []
    for n in (1, 3, 9):
        w = unit(unit(prompts[:, :n]).mean(axis=1))
        expected.append(np.mean((unit(images) @ w.T).argmax(axis=1) == labels))
    usually = "the first n PROMPTS of every class, prompts[:, :n], and all images, for each n"
    expect(
        exercise.experiment(images, labels, prompts, [1, 3, 9]),
        expected,
        "experiment(images (500, 16), labels, prompts (10, 9, 16), [1, 3, 9])",
        usually,
    )
