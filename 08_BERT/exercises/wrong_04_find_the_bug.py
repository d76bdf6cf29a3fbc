from dlfs.exercises import Wrong

GIVE_UP = "        if end == begin:\n            return [UNKNOWN]\n"

LONGEST_FIRST = (
    '        end = len(word)\n        mark = "##" if begin else ""\n'
    "        while end > begin and mark + word[begin:end] not in vocab:\n            end -= 1\n"
)

WRONG = [
    Wrong(
        "the pieces before an unknown rest are kept",
        GIVE_UP,
        "        if end == begin:\n            return [*found, UNKNOWN]\n",
        "ONE [UNK]",
    ),
    Wrong("what is unknown is left out", GIVE_UP, "        if end == begin:\n            return found\n", "ONE [UNK]"),
    Wrong(
        "an [UNK] for a letter, and on",
        GIVE_UP,
        "        if end == begin:\n            found.append(UNKNOWN)\n            begin += 1\n            continue\n",
        "ONE [UNK]",
    ),
    Wrong(
        "the shortest piece first",
        LONGEST_FIRST,
        LONGEST_FIRST.replace("end -= 1", "end += 1")
        .replace("end = len(word)", "end = begin + 1")
        .replace("end > begin", "end <= len(word)")
        + "        if end > len(word):\n            end = begin\n",
        "LONGEST",
    ),
    Wrong("no marks inside a word", '"##" if begin else ""', '""', "only pieces with ##"),
    Wrong("marks from the start", '"##" if begin else ""', '"##"', "only pieces with ##"),
    Wrong("accents stay", 'unicodedata.normalize("NFD", text.lower())', "text.lower()", "accents off"),
    Wrong(
        "marks stay with their words", 'f" {character} " if is_mark else character', "character", "a word of its own"
    ),
    Wrong("words of 100 characters are too long", "len(word) > LONGEST", "len(word) >= LONGEST", "100 are not"),
]
