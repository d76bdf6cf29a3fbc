"""Two rules of sampling for transformers' generate: min-p, and a penalty on the tokens of a window."""

import math

import torch
from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper


class MinP(LogitsProcessor):
    """Nguyen et al. 2024: only tokens that are at least min_p times as likely as the likeliest."""

    def __init__(self, min_p):
        if not 0 < min_p <= 1:
            raise ValueError(f"MinP: min_p is above 0 and at most 1, got {min_p}")
        self.min_p = min_p

    def __call__(self, input_ids, scores):  # (B, T), (B, V)
        """The scores with -inf for what is too unlikely, (B, V)."""
        lowest = scores.amax(dim=-1, keepdim=True) + math.log(self.min_p)  # (B, 1)
        return scores.masked_fill(scores < lowest, -math.inf)


class RepetitionWindow(LogitsProcessor):
    """Keskar et al. 2019, but only for the last tokens: what is among them gets less likely."""

    def __init__(self, penalty, window):
        if penalty <= 0 or window < 1:
            raise ValueError(f"RepetitionWindow: penalty above 0, window of at least 1, got {penalty} and {window}")
        self.penalty, self.window = penalty, window

    def __call__(self, input_ids, scores):  # (B, T), (B, V)
        """The scores, with those of the last `window` tokens divided by the penalty where positive, else multiplied; (B, V)."""
        recent = input_ids[:, -self.window :]  # (B, W)
        found = scores.gather(1, recent)  # (B, W)
        found = torch.where(found > 0, found / self.penalty, found * self.penalty)
        return scores.scatter(1, recent, found)


def rules(temperature, min_p, penalty, window):
    """The rules in the order in which they act: window, temperature, min-p."""
    return LogitsProcessorList([RepetitionWindow(penalty, window), TemperatureLogitsWarper(temperature), MinP(min_p)])


def write(model, input_ids, length, processors):  # (B, T)
    """The text and `length` sampled tokens more, (B, T + length), without dropout."""
    training = model.training
    model.eval()
    try:
        return model.generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            do_sample=True,
            max_new_tokens=length,
            top_k=0,  # generate's own is 50
            logits_processor=processors,
        )
    finally:
        model.train(training)
