"""Whole-word masking, as in the BERT models of May 2019."""

SPECIAL = ("[CLS]", "[SEP]", "[PAD]")


def words(tokens):  # T strings
    """The places of each word's pieces, [[…], …], in the order of the text; special tokens belong to none."""
    groups = []
    for place, token in enumerate(tokens):
        if token.startswith("##") and groups:
            groups[-1].append(place)
        elif token not in SPECIAL:
            groups.append([place])
    return groups


def choose(groups, order, T, share=0.15):
    """The places to be predicted, ascending: whole words in this order, at most max(1, round(share · T)) places in all."""
    number = max(1, round(share * T))
    chosen = []
    for index in order:
        if len(chosen) + len(groups[index]) <= number:
            chosen += groups[index]
    return sorted(chosen)


def masked(tokens, places, u, others):  # T strings, places, (T,), T strings
    """What BERT reads, T strings, and what it is to say: T labels, None where nothing was chosen."""
    inputs, labels = list(tokens), [None] * len(tokens)
    for place in places:
        labels[place] = tokens[place]
        if u[place] < 0.8:
            inputs[place] = "[MASK]"
        elif u[place] < 0.9:
            inputs[place] = others[place]
    return inputs, labels
