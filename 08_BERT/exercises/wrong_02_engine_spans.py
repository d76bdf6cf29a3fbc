from dlfs.exercises import Wrong

ALLOWED = "passage | (torch.arange(h.shape[1]) == 0)"
PAIRS = "(i >= 1) & (i <= j) & (j < i + longest)"

WRONG = [
    Wrong("end before start", "scores[..., 0], scores[..., 1]", "scores[..., 1], scores[..., 0]", "column 0 of the linear layer"),
    Wrong("no place for no answer", ALLOWED, "passage", "keeps its score"),
    Wrong("nothing is masked", ".masked_fill(~allowed[:, :, None], float(\"-inf\"))", "", "−∞ outside the passage"),
    Wrong("the passage is masked", "~allowed[:, :, None]", "allowed[:, :, None]", "−∞ outside the passage"),
    Wrong("a sum of both losses", "F.cross_entropy(end, ends)) / 2", "F.cross_entropy(end, ends))", "half of both"),
    Wrong("the start alone", "(F.cross_entropy(start, starts) + F.cross_entropy(end, ends)) / 2", "F.cross_entropy(start, starts)", "half of both"),
    Wrong("one label for both", "F.cross_entropy(end, ends)", "F.cross_entropy(end, starts)", "its own label"),
    Wrong("each end by itself", "best = np.unravel_index(scores.argmax(), scores.shape)", "best = start.argmax(), end.argmax()", "over PAIRS"),
    Wrong("ends may come first", PAIRS, "(i >= 1) & (j >= 1) & (abs(j - i) < longest)", "i ≤ j"),
    Wrong("one token too long", PAIRS, "(i >= 1) & (i <= j) & (j <= i + longest)", "one more is not"),
    Wrong("no answer is never given", "    if start[0] + end[0] >= scores[best]:\n        return 0, 0\n", "", "stands for no answer"),
    Wrong("answers may begin at [CLS]", PAIRS, "(i <= j) & (j < i + longest)", "it competes as (0, 0)"),
]  # fmt: skip
