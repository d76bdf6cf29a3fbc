import itertools

from dlfs.grading import expect_same

VOCAB = {"play", "##ing", "##s", "p", "##l", "##a", "##y", "a", "un", "##play", ",", "!", "ing"}


def reference(word):
    """By trying every way to cut: of the ways that spell the word greedily, the one; else [UNK]."""
    rest, found = word, []
    while rest:
        mark = "##" if found else ""
        fitting = [n for n in range(1, len(rest) + 1) if mark + rest[:n] in VOCAB]
        if not fitting:
            return ["[UNK]"]
        found.append(mark + rest[: max(fitting)])
        rest = rest[max(fitting) :]
    return found


def test_the_words(exercise):
    usually = "small letters, accents off, and every punctuation mark is a word of its own, wherever it stands"
    expect_same(
        exercise.basic("Größe, naïve  Café!?"),
        ["große", ",", "naive", "cafe", "!", "?"],
        "basic('Größe, naïve  Café!?')",
        usually,
    )
    expect_same(exercise.basic("don't"), ["don", "'", "t"], 'basic("don\'t")', usually)


def test_words_that_can_be_spelt(exercise):
    usually = "at each place the LONGEST piece that fits; behind the beginning of a word only pieces with ## fit"
    for word in ("playing", "plays", "unplaying", "pla", "a", "ing"):
        expect_same(exercise.pieces(word, VOCAB), reference(word), f"pieces({word!r}, vocab)", usually)


def test_words_that_cannot(exercise):
    usually = "a word that cannot be spelt to its end is ONE [UNK], whatever of it could be"
    for word in ("playful", "xyz", "pla🙂", "🙂play"):
        expect_same(exercise.pieces(word, VOCAB), ["[UNK]"], f"pieces({word!r}, vocab)", usually)
    expect_same(
        exercise.pieces("a" * 101, {"a", "##a"}),
        ["[UNK]"],
        "pieces('a' × 101, vocab)",
        "more than 100 characters are one [UNK]",
    )
    expect_same(
        exercise.pieces("a" * 100, {"a", "##a"}),
        ["a"] + ["##a"] * 99,
        "pieces('a' × 100, vocab)",
        "more than 100 characters are one [UNK]; 100 are not",
    )


def test_every_short_word(exercise):
    for n in range(1, 5):
        for letters in itertools.product("playing"[:5] + "x", repeat=n):
            word = "".join(letters)
            usually = "from left to right, greedily, and never back: where nothing fits, the whole word is [UNK]"
            expect_same(exercise.pieces(word, VOCAB), reference(word), f"pieces({word!r}, vocab)", usually)


def test_a_text(exercise):
    got = exercise.tokenize("Unplayed, playing!", VOCAB)
    usually = "each word by itself: an unknown one leaves the others alone"
    expect_same(got, ["[UNK]", ",", "play", "##ing", "!"], "tokenize('Unplayed, playing!', vocab)", usually)
