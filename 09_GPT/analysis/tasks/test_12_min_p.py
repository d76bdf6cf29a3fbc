import math

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor

from dlfs.grading import expect

ORDER = "the window and the temperature first, then min-p, on what is drawn from"


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def small(**options):
    sizes = dict(vocab_size=13, n_positions=32, n_embd=12, n_layer=1, n_head=2, bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(GPT2Config(**sizes | options)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def numbers(scores):
    """-inf as a number that can be compared."""
    return scores.masked_fill(scores == -math.inf, -1e3)


def test_min_p_is_that_of_transformers(exercise):
    scores = 3 * torch.randn(6, 20)
    before = scores.clone()
    for min_p in (0.02, 0.3, 1.0):
        got = exercise.MinP(min_p)(None, scores)
        expected = MinPLogitsWarper(min_p)(None, scores)
        usually = "the limit is min_p times the likeliest token's probability, in each row its own; log(min_p) below its score"
        expect(numbers(got), numbers(expected), f"MinP({min_p})(input_ids, scores (6, 20)), -inf as -1000", usually)
    assert torch.equal(scores, before), "MinP changed the scores that it was given: return a new tensor"


def test_a_window_of_all_is_the_penalty_of_transformers(exercise):
    scores, tokens = torch.randn(4, 20), torch.randint(20, (4, 9))
    before = scores.clone()
    got = exercise.RepetitionWindow(1.7, window=100)(tokens, scores)
    expected = RepetitionPenaltyLogitsProcessor(1.7)(tokens, before.clone())
    usually = (
        "a positive score is divided by the penalty, a negative one multiplied, or it gets likelier; each token once"
    )
    expect(got, expected, "RepetitionWindow(1.7, window=100)(tokens (4, 9), scores (4, 20))", usually)
    assert torch.equal(scores, before), "RepetitionWindow changed the scores that it was given: return a new tensor"


def test_what_lies_before_the_window_is_forgotten(exercise):
    tokens, scores = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[4.0, 4.0, 4.0, 4.0, 4.0]])
    got = exercise.RepetitionWindow(2.0, window=2)(tokens, scores)
    usually = "only the last W tokens count, here 2 and 3"
    expect(
        got, [[4.0, 4.0, 2.0, 2.0, 4.0]], "RepetitionWindow(2.0, window=2)([[0, 1, 2, 3]], [[4, 4, 4, 4, 4]])", usually
    )


def test_a_token_that_occurs_twice_is_weakened_once(exercise):
    tokens, scores = torch.tensor([[1, 1, 1]]), torch.tensor([[4.0, 4.0]])
    got = exercise.RepetitionWindow(2.0, window=3)(tokens, scores)
    expect(
        got,
        [[4.0, 2.0]],
        "RepetitionWindow(2.0, window=3)([[1, 1, 1]], [[4, 4]])",
        "each token once, however often it occurs",
    )


def test_the_rules_act_in_their_order(exercise):
    tokens, scores = torch.tensor([[2, 0]]), torch.tensor([[2.0, 1.5, 1.0, 0.5, -0.5]])
    got = exercise.rules(temperature=0.5, min_p=0.2, penalty=2.0, window=1)(tokens, scores)
    # window: 1, 1.5, 1, 0.5, -0.5; temperature: 2, 3, 2, 1, -1; min-p: nothing below 3 + log 0.2 = 1.39
    expected = torch.tensor([[2.0, 3.0, 2.0, -1e3, -1e3]])
    called = "rules(temperature=0.5, min_p=0.2, penalty=2, window=1)([[2, 0]], [[2, 1.5, 1, 0.5, -0.5]]), -inf as -1000"
    expect(numbers(got), expected, called, ORDER)


def test_every_token_written_obeys(exercise):
    model, prompt = small(), torch.tensor([[1, 5, 3], [7, 7, 2]])
    processors = exercise.rules(temperature=1.5, min_p=0.4, penalty=1.5, window=4)
    got = exercise.write(model, prompt, 20, processors)
    assert tuple(got.shape) == (2, 23), (
        f"write(model, prompt (2, 3), length=20) is {tuple(got.shape)}, expected (2, 23)"
    )
    expect(got[:, :3], prompt, "write(…)[:, :3]", "the prompt stays in front")
    again = exercise.write(model, prompt, 20, processors)
    assert not torch.equal(got, again), (
        "two calls wrote the same: sample, with do_sample=True, and do not take the likeliest"
    )
    with torch.no_grad():
        for t in range(3, 23):
            scores = processors(got[:, :t], model(got[:, :t]).logits[:, -1])
            forbidden = scores.gather(1, got[:, t : t + 1]) == -math.inf
            assert not forbidden.any(), (
                f"token {t} was forbidden by the rules: hand them to generate as logits_processor"
            )


def test_no_rule_beside_yours(exercise):
    model, prompt = small(vocab_size=80), torch.tensor([[1, 5, 3]] * 200)
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()  # every token about as likely as any other
        model.transformer.ln_f.bias.normal_(std=0.01)
    written = exercise.write(model, prompt, 10, exercise.rules(1.0, 1e-6, 1.0, 1))[:, 3:]
    count = len(written.unique())
    assert count == 80, (
        f"of 80 tokens, all about as likely, {count} were written: no top_k, no top_p beside your rules, "
        "and what generate does of itself is switched off"
    )


def test_dropout_is_off(exercise):
    model, prompt = small(resid_pdrop=0.9, embd_pdrop=0.9).train(), torch.tensor([[1, 5, 3]])
    cold = exercise.rules(temperature=1e-3, min_p=0.9, penalty=1.0, window=1)
    first, second = exercise.write(model, prompt, 12, cold), exercise.write(model, prompt, 12, cold)
    assert torch.equal(first, second), (
        "at a temperature near 0 two calls differ: generate leaves dropout on, call model.eval() first"
    )
    assert model.training, "afterwards the model is in evaluation mode, and was in training: set back what you set"
