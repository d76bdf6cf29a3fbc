from dlfs.exercises import Wrong

PICK = "max(finished, key=lambda text: text[0] / lp(len(text[1]), alpha))"

WRONG = [
    Wrong("what is finished is compared by its sum", PICK, "max(finished, key=lambda text: text[0])", "compared by log P / lp"),
    Wrong("all by the penalty of the longest", PICK, "max(finished, key=lambda text: text[0] / lp(longest, alpha))", "their own length"),
    Wrong("the first that ends", PICK, "finished[0]", "all of them, whenever they ended"),
    Wrong("multiplied by the penalty", PICK, "max(finished, key=lambda text: text[0] * lp(len(text[1]), alpha))", "log P / lp"),
    Wrong("the mean over tokens", PICK, "max(finished, key=lambda text: text[0] / len(text[1]))", "compared by log P / lp"),
    Wrong("the score is a sum", "return tokens, log_p / lp(len(tokens), alpha)", "return tokens, log_p", "the score is log P / lp"),
    Wrong("END is not counted", "return tokens, log_p / lp(len(tokens), alpha)", "return tokens, log_p / lp(len(tokens) - 1, alpha)", "END counted"),
    Wrong("the last token alone", "log_p + float(log_q)", "float(log_q)", "a SUM over its tokens"),
    Wrong("each beginning's own order", "return sorted(candidates, key=lambda candidate: -candidate[0])", "return candidates", "whichever beginning"),
    Wrong("the ended keep their place", "!= END][:beam]", "!= END or True][:beam]", "all of them"),
    Wrong("a penalty without its five", "((5 + n) / 6) ** alpha", "n**alpha", "2 ** alpha for seven"),
]  # fmt: skip
