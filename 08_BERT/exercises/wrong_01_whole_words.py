from dlfs.exercises import Wrong

WRONG = [
    Wrong(
        "every piece is a word", "groups[-1].append(place)", "groups.append([place])", "continues the word before it"
    ),
    Wrong("special tokens are words", "elif token not in SPECIAL:", "else:", "belong to none"),
    Wrong(
        "the first word that does not fit ends it",
        "            chosen += groups[index]\n",
        "            chosen += groups[index]\n        else:\n            break\n",
        "the NEXT one is tried",
    ),
    Wrong(
        "a word too much", "if len(chosen) + len(groups[index]) <= number:", "if len(chosen) < number:", "more than max"
    ),
    Wrong(
        "words are counted, not places",
        "    chosen = []\n    for index in order:\n        if len(chosen) + len(groups[index]) <= number:\n            chosen += groups[index]\n",
        "    chosen = [place for index in order[:number] for place in groups[index]]\n",
        "more than max",
    ),
    Wrong("rounded down", "max(1, round(share * T))", "max(1, int(share * T))", "to the nearest"),
    Wrong("none at all in a short text", "max(1, round(share * T))", "round(share * T)", "at least one"),
    Wrong("in the order of choosing", "return sorted(chosen)", "return chosen", "come back sorted"),
    Wrong(
        "only hidden places are predicted",
        "        labels[place] = tokens[place]\n        if u[place] < 0.8:\n",
        "        if u[place] < 0.8:\n            labels[place] = tokens[place]\n",
        "every chosen place is predicted",
    ),
    Wrong("never left as it was", "elif u[place] < 0.9:", "else:", "else the token stays"),
    Wrong("all become [MASK]", "if u[place] < 0.8:", "if u[place] < 1.0:", "below 0.9 the substitute"),
    Wrong("into the text itself", "list(tokens), [None]", "tokens, [None]", "write into a copy"),
]
