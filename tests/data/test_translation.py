"""Pairs to translate: the dates are right and in one split alone, Multi30k is the original, and texts come back from their tokens."""

import hashlib
from datetime import datetime

import numpy as np
import pytest

from utils.data_loaders import load
from utils.data_sets.translation import BOS, EOS, FIRST_DAY, PAD, ROMAN, date_forms


@pytest.fixture(scope="module")
def dates():
    return load("dates")


def test_dates_are_the_same_everywhere(dates):
    arrays = [array for split in (dates.train, dates.valid, dates.test) for array in (split.x, split.y)]
    assert [array.shape for array in arrays[::2]] == [(20_000, 28), (1_000, 28), (2_000, 28)]
    assert all(array.dtype == np.int64 for array in arrays)
    found = hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()
    assert found == "84ff2eb3f1e0f239bc00ad1ceba7977915ee34f4508886bd11da34a7b29b91d2"


def test_a_day_is_in_one_split_alone(dates):
    days = [{dates.decode(row) for row in split.y} for split in (dates.train, dates.valid, dates.test)]
    assert not (days[0] & days[1] or days[0] & days[2] or days[1] & days[2])


# What Python itself reads of the forms; None where it knows no such thing.
FORMATS = [
    "%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%a %b %d %Y", None, None, "%d-%b-%Y", "%d %b '%y", "%m/%d/%Y", "%m/%d/%y", "%d.%m.%Y",
    "%d.%m.%y", None, "%Y, %B %d", "%Y%m%d",
]  # fmt: skip


@pytest.mark.parametrize(("form", "format"), [pair for pair in enumerate(FORMATS) if pair[1]])
def test_python_reads_the_forms_as_the_same_day(form, format):
    for ordinal in range(FIRST_DAY.toordinal(), FIRST_DAY.toordinal() + 36_525, 97):
        day = FIRST_DAY.fromordinal(ordinal)
        read = datetime.strptime(date_forms(day)[form], format).date()
        if "%y" in format and read != day:  # Python's two digits are of 1969 to 2068
            assert (day - read).days in (-36_525, -36_524)
        else:
            assert read == day


def test_the_other_forms():
    day = FIRST_DAY.replace(year=2021, month=11, day=22)
    assert len(date_forms(day)) == len(FORMATS)
    assert [date_forms(day)[i] for i in (4, 5, 12)] == [
        "the 22nd of November, 2021",
        "november 22nd 2021",
        "22. XI. 2021",
    ]
    ends = [date_forms(day.replace(day=d))[5].split()[1] for d in (1, 2, 3, 4, 11, 12, 13, 21, 23, 30)]
    assert ends == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "23rd", "30th"]
    assert ROMAN == "I II III IV V VI VII VIII IX X XI XII".split()


def test_every_pair_is_a_day_in_one_of_its_forms(dates):
    for x, y in zip(dates.test.x, dates.test.y):
        day = FIRST_DAY.fromisoformat(dates.decode(y))
        assert dates.decode(x) in date_forms(day)
        assert y[-1] == EOS and (y != PAD).all() and BOS not in y


def test_texts_come_back_from_their_tokens(dates):
    text = "the 3rd of May, 1999"
    assert dates.decode([BOS, *dates.encode(text), EOS, PAD, PAD]) == text
    with pytest.raises(KeyError, match="'Ω'"):
        dates.encode("Ω")


@pytest.mark.data
def test_multi30k_is_the_original_and_comes_back_from_its_tokens():
    from utils.data_sets.translation import multi30k_texts

    data, texts = load("multi30k"), multi30k_texts()
    assert [len(split) for split in (data.train, data.valid, data.test)] == [29_000, 1_014, 1_000]
    assert len(data.tokenizer) + 3 == 4_000
    assert data.decode(data.test.x[0]) == "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
    assert data.decode(data.test.y[0]) == "A man in an orange hat starring at something."
    for split, name in ((data.valid, "val"), (data.test, "test_2016_flickr")):
        assert [data.decode(row) for row in split.x] == texts[f"{name}.de"]
        assert [data.decode(row) for row in split.y] == texts[f"{name}.en"]
        assert ((split.y == EOS).sum(axis=1) == 1).all()
    assert data.decode(data.encode("Zwölf Boxkämpfer jagen Viktor 🙂")) == "Zwölf Boxkämpfer jagen Viktor 🙂", (
        "bytes spell what is unknown"
    )
