import numpy as np
import pytest

from dlfs.grading import expect, expect_same

RNG = np.random.default_rng


def by_sorting(S, right, k):
    """Sort every row, and look."""
    return np.mean([right[q][np.argsort(-S[q])[:k]].any() for q in range(len(S))])


def embeddings(N=24, each=5, noise=1.0):
    rng = RNG(0)
    images = rng.standard_normal((N, 8)) * rng.uniform(0.1, 10, (N, 1))
    owner = np.arange(N).repeat(each)
    owner = owner[rng.permutation(len(owner))]
    texts = images[owner] / np.linalg.norm(images[owner], axis=1, keepdims=True)
    return images, texts + noise * rng.standard_normal(texts.shape) / 8**0.5, owner


def test_one_right_answer(exercise):
    S, right = RNG(1).standard_normal((30, 9)), np.zeros((30, 9), dtype=bool)
    right[np.arange(30), RNG(2).integers(0, 9, 30)] = True
    expected = [int((S[q] > S[q][right[q]]).sum()) for q in range(30)]
    usually = "how many have a LARGER similarity than the right answer: 0 if it is the first"
    expect(exercise.ranks(S, right), expected, "ranks(S (30, 9), right (30, 9), one in each row)", usually)


def test_several_right_answers(exercise):
    S = np.array([[0.9, 0.5, 0.6, 0.8], [0.9, 0.8, 0.1, 0.7], [0.2, 0.5, 0.3, 0.4]])
    right = np.array([[0, 1, 0, 1], [1, 1, 0, 1], [1, 1, 0, 0]], dtype=bool)
    usually = "of several right answers the BEST one counts, and right ones do not stand in each other's way"
    expect(exercise.ranks(S, right), [1, 0, 0], "ranks(S (3, 4), right (3, 4), two or three in each row)", usually)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_recall(exercise, k):
    S, right = RNG(3).standard_normal((40, 15)), RNG(4).random((40, 15)) < 0.15
    right[:, 0] |= ~right.any(axis=1)
    usually = "a query counts if ANY right answer is among its first k; the share of all queries"
    expect(
        exercise.recall(S, right, k),
        by_sorting(S, right, k),
        f"recall(S (40, 15), right (40, 15), k={k}), against sorting every row",
        usually,
    )


def test_both_directions(exercise):
    images, texts, owner = embeddings()
    S = (images / np.linalg.norm(images, axis=1, keepdims=True)) @ (
        texts / np.linalg.norm(texts, axis=1, keepdims=True)
    ).T
    right = np.arange(24)[:, None] == owner
    got = exercise.retrieval(images, texts, owner)
    expect_same(
        sorted(got),
        ["image to text", "text to image"],
        "the keys of retrieval(images (24, 8), texts (120, 8), owner (120,))",
        "two directions",
    )
    for name, s, r in (("image to text", S, right), ("text to image", S.T, right.T)):
        for k in (1, 5, 10):
            usually = "cosines of UNIT vectors; rows are queries, so that the other direction takes both transposes; owner says which belong together"
            expect(
                got[name][k],
                by_sorting(s, r, k),
                f"recall@{k}, {name}, of retrieval(images (24, 8), texts (120, 8), owner (120,))",
                usually,
            )


def test_from_image_to_text_is_easier(exercise):
    got = exercise.retrieval(*embeddings())
    assert got["image to text"][1] > got["text to image"][1], (
        f"called    retrieval(24 images, 5 noisy captions each)\ngot       recall@1 {got['image to text'][1]:.2f} from image to text, "
        f"{got['text to image'][1]:.2f} from text to image\nexpected  the first to be larger\n"
        "usually   an image has five right answers, and the BEST of them counts"
    )
