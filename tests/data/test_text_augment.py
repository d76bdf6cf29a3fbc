"""Text augmentation: what may change and what may not, how often, and what it does with the least input."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from framework import backend
from framework.data.text import RandomDeletion, RandomInsertion, RandomSwap, SynonymReplacement
from framework.data.transforms import Compose

WORDS = [f"w{place}" for place in range(40)]
SYNONYMS = {"w3": ["three", "trois"], "w5": ["five"], "w8": ["eight"]}


@pytest.fixture(autouse=True)
def seed():
    backend.manual_seed(0)


def is_subsequence(part, whole):
    rest = iter(whole)
    return all(word in rest for word in part)


def test_deletion_keeps_the_order_and_its_count_is_binomial():
    results = [RandomDeletion(0.2)(WORDS) for _ in range(2000)]
    assert all(is_subsequence(result, WORDS) for result in results)
    deleted = Counter(40 - len(result) for result in results)
    bins = [range(0, 5), *[[k] for k in range(5, 12)], range(12, 41)]
    counts = [sum(deleted[k] for k in group) for group in bins]
    expected = [2000 * sum(stats.binom.pmf(k, 40, 0.2) for k in group) for group in bins]
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_deletion_leaves_one_of_the_words_at_least():
    left = Counter(tuple(RandomDeletion(1.0)(["a", "b", "c"])) for _ in range(600))
    assert set(left) == {("a",), ("b",), ("c",)} and min(left.values()) > 140
    assert RandomDeletion(1.0)([]) == [] and RandomDeletion(1.0)("") == ""


def test_a_swap_is_a_transposition_and_any_pair_is_as_likely():
    pairs = Counter()
    for _ in range(1200):
        swapped = RandomSwap(alpha=0.01)(list("abcd"))  # round(0.04) = 0: once at least
        pairs["".join(a for a, b in zip("abcd", swapped) if a != b)] += 1
        assert sorted(swapped) == list("abcd")
    assert set(pairs) == {"ab", "ac", "ad", "bc", "bd", "cd"}
    assert stats.chisquare(list(pairs.values())).pvalue > 0.001


def test_more_swaps_move_more_words_and_lose_none():
    moved = [sum(a != b for a, b in zip(WORDS, RandomSwap(alpha=0.2)(WORDS))) for _ in range(50)]
    assert max(moved) <= 16 and min(moved) > 4  # eight swaps move sixteen words at most
    assert RandomSwap(0.5)(["alone"]) == ["alone"] and RandomSwap(0)(WORDS) == WORDS


def test_replacement_touches_only_words_of_the_table_and_as_many_as_it_says():
    replaced = Counter()
    for _ in range(900):
        changes = [(a, b) for a, b in zip(WORDS, SynonymReplacement(SYNONYMS, alpha=0.05)(WORDS)) if a != b]
        assert len(changes) == 2 and all(b in SYNONYMS[a] for a, b in changes)
        replaced.update(changes)
    assert len(replaced) == 4  # every synonym comes, each word in two of three texts
    for word in SYNONYMS:
        assert abs(sum(n for (a, _), n in replaced.items() if a == word) - 600) < 5 * np.sqrt(200)
    everything = SynonymReplacement(SYNONYMS, alpha=1.0)(WORDS)
    assert sum(a != b for a, b in zip(WORDS, everything)) == 3


def test_insertion_adds_synonyms_of_words_that_are_there_anywhere():
    firsts = lasts = 0
    for _ in range(500):
        result = RandomInsertion(SYNONYMS, alpha=0.5)(WORDS[:6])
        assert len(result) == 9 and is_subsequence(WORDS[:6], result)
        added = Counter(result) - Counter(WORDS[:6])
        assert set(added) <= {"three", "trois", "five"}  # w8 is not in the text
        firsts, lasts = firsts + (result[0] != "w0"), lasts + (result[-1] != "w5")
    for count in (firsts, lasts):  # of 7, 8 and 9 places for the three
        assert stats.binomtest(count, 500, 1 - 6 / 7 * 7 / 8 * 8 / 9).pvalue > 0.001


@pytest.mark.parametrize("transform", [SynonymReplacement(SYNONYMS), RandomInsertion(SYNONYMS)])
def test_a_text_without_known_words_stays(transform):
    assert transform("nothing of this is known") == "nothing of this is known" and transform([]) == []


def test_strings_give_strings_lists_stay_as_they_were_and_ids_are_tokens_too():
    words = list(WORDS)
    augment = Compose([SynonymReplacement(SYNONYMS), RandomSwap(), RandomDeletion(), RandomInsertion(SYNONYMS)])
    assert isinstance(augment(" ".join(words)), str) and isinstance(augment(words), list) and words == WORDS
    assert SynonymReplacement({7: [8]}, alpha=1.0)([7, 1, 7]) == [8, 1, 8]
    assert [sorted(text) for text in RandomSwap().batch([[1, 2], [3, 4, 5]])] == [[1, 2], [3, 4, 5]]


def test_the_engine_s_seed_fixes_everything():
    augment = Compose([SynonymReplacement(SYNONYMS, 0.1), RandomInsertion(SYNONYMS), RandomSwap(), RandomDeletion(0.2)])
    results = []
    for seed in (1, 1, 2):
        backend.manual_seed(seed)
        results.append(augment.batch([WORDS, WORDS]))
    assert results[0] == results[1] != results[2] and results[0][0] != results[0][1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomDeletion(1.5), "RandomDeletion: p should be between 0 and 1, got 1.5"),
        (lambda: RandomSwap(-1), "RandomSwap: alpha should be between 0 and 1, got -1"),
        (lambda: SynonymReplacement({"a": "b"}), "synonyms should map a token to a list of others, got 'b' for 'a'"),
        (lambda: RandomInsertion({"a": []}), "got [] for 'a'"),
    ],
)
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
