import numpy as np

from dlfs.grading import expect, expect_same

TEXT = ["[CLS]", "the", "phil", "##am", "##mon", "sang", ".", "[SEP]", "un", "##sung", "[SEP]", "[PAD]"]
GROUPS = [[1], [2, 3, 4], [5], [6], [8, 9]]


def test_the_words(exercise):
    usually = "## continues the word before it, any other token opens a new one; [CLS], [SEP] and [PAD] belong to none"
    expect_same(exercise.words(TEXT), GROUPS, f"words({TEXT})", usually)
    expect_same(exercise.words(["[CLS]", "[SEP]"]), [], "words(['[CLS]', '[SEP]'])", usually)


def test_words_are_chosen_whole(exercise):
    usually = "a word that would make more than max(1, round(share · T)) places is skipped, and the NEXT one is tried"
    for order, share, expected in (
        ([1, 0, 2, 3, 4], 0.3, [1, 2, 3, 4]),
        ([0, 1, 2, 3, 4], 0.25, [1, 5, 6]),
        ([4, 1, 3, 0, 2], 0.25, [6, 8, 9]),
    ):
        got = exercise.choose(GROUPS, order, 12, share)
        expect_same(list(got), expected, f"choose({GROUPS}, order {order}, T=12, share={share})", usually)


def test_how_many(exercise):
    one, order = [[i] for i in range(40)], list(range(40))
    usually = "max(1, round(share · T)): rounded to the nearest, and at least one"
    for T, expected in ((40, 6), (12, 2), (3, 1), (31, 5)):
        expect(len(exercise.choose(one, order, T, 0.15)), expected, f"len(choose(40 words, T={T}, share=.15))", usually)


def test_places_are_ascending(exercise):
    expect_same(
        list(exercise.choose([[0], [1], [2]], [2, 0, 1], 10, 0.3)),
        [0, 1, 2],
        "choose([[0], [1], [2]], [2, 0, 1], T=10, share=.3)",
        "the order is that in which words are tried; the places come back sorted",
    )


def test_what_becomes_of_the_chosen(exercise):
    tokens, others = list("abcdef"), list("uvwxyz")
    u = np.array([0.1, 0.85, 0.95, 0.79, 0.89, 0.0])
    before = list(tokens)
    inputs, labels = exercise.masked(tokens, [1, 2, 3, 4], u, others)
    called = "masked(a b c d e f, places [1, 2, 3, 4], u [.1 .85 .95 .79 .89 0], others u v w x y z)"
    expect_same(
        tokens, before, "the tokens after masked", "the text is used again in the next epoch: write into a copy"
    )
    usually = "u belongs to the PLACE: below 0.8 [MASK], below 0.9 the substitute of that place, else the token stays"
    expect_same(list(inputs), ["a", "v", "c", "[MASK]", "y", "f"], called, usually)
    usually = "every chosen place is predicted, also one that stayed as it was or got another token; no other place is"
    expect_same(list(labels), [None, "b", "c", "d", "e", None], "the labels of " + called, usually)


def test_the_shares(exercise):
    rng = np.random.default_rng(0)
    n = 4000
    inputs, _ = exercise.masked(["a"] * n, list(range(n)), rng.random(n), ["b"] * n)
    got = [inputs.count(token) / n for token in ("[MASK]", "b", "a")]
    expect(
        got,
        [0.8, 0.1, 0.1],
        "the shares of [MASK], others and unchanged among 4000 places",
        "80, 10 and 10 %, all three of the same u",
        0.03,
    )
