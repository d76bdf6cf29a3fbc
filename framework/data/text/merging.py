"""Merging pairs of symbols: what byte-pair encoding and WordPiece share."""

import collections
import heapq


def merge(symbols, merges):
    """Merge neighbouring symbols, the earliest learnt pair first, until no pair is known (Sennrich et al. 2016, section 3.2).

    symbols: a list, which is used up. merges: pair → (rank, merged symbol). O(n log n), also for a word of a million letters.
    """
    end = len(symbols)
    following, previous = list(range(1, end + 1)), list(range(-1, end - 1))
    # (rank, place, left, right)
    candidates = [(merges[pair][0], i, *pair) for i, pair in enumerate(zip(symbols, symbols[1:])) if pair in merges]
    heapq.heapify(candidates)
    while candidates:
        _, i, left, right = heapq.heappop(candidates)
        j = following[i]
        if symbols[i] != left or j == end or symbols[j] != right:
            continue  # one of the two has been merged since
        symbols[i], symbols[j] = merges[left, right][1], None
        following[i] = after = following[j]
        if after < end:
            previous[after] = i
        for a, b in ((previous[i], i), (i, after)):
            if a >= 0 and b < end and (pair := (symbols[a], symbols[b])) in merges:
                heapq.heappush(candidates, (merges[pair][0], a, *pair))
    return [symbol for symbol in symbols if symbol is not None]


def learn_merges(words, vocab, vocab_size, min_frequency, join):
    """Add merged symbols to vocab, always of the pair that is most frequent now, until it holds vocab_size (Sennrich et al. 2016, algorithm 1).

    words: a word's symbols (a tuple) → how often it comes. vocab: symbol → number, which breaks ties: the pair of lower numbers
    goes first. join(left, right): the merged symbol. Returns the pairs in the order learnt.
    """
    words = [(list(symbols), count) for symbols, count in words.items()]
    frequency, places = collections.Counter(), collections.defaultdict(set)  # of a pair: how often, and in which words
    for place, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            frequency[pair] += count
            places[pair].add(place)

    def candidate(pair):
        return -frequency[pair], vocab[pair[0]], vocab[pair[1]], pair

    queue = [candidate(pair) for pair in frequency]
    heapq.heapify(queue)
    learnt = []
    while queue and len(vocab) < vocab_size:
        count, _, _, pair = heapq.heappop(queue)
        if -count != frequency[pair]:  # its count has changed since; each time it grew it was put in again
            if frequency[pair] > 0:
                heapq.heappush(queue, candidate(pair))
            continue
        if -count < max(min_frequency, 1):
            break
        merged = join(*pair)
        vocab.setdefault(merged, len(vocab))
        learnt.append(pair)
        grown = set()
        for place in places.pop(pair):
            symbols, weight = words[place]
            for old in zip(symbols, symbols[1:]):
                frequency[old] -= weight
            symbols = _replace(symbols, pair, merged)
            for new in zip(symbols, symbols[1:]):
                frequency[new] += weight
                if merged in new:
                    places[new].add(place)
                    grown.add(new)
            words[place] = symbols, weight
        for new in grown:
            heapq.heappush(queue, candidate(new))
    return learnt


def _replace(symbols, pair, merged):
    result, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            result.append(merged)
            i += 2
        else:
            result.append(symbols[i])
            i += 1
    return result
