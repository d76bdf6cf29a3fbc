import numpy as np
import torch

import framework
from dlfs.grading import expect, expect_same

RNG = np.random.default_rng


def head(exercise):
    made = exercise.SpanHead(4).to(framework.float64)
    assert [name for name, _ in made.named_parameters()] == ["qa_outputs.weight", "qa_outputs.bias"], (
        f"SpanHead(4) has {[name for name, _ in made.named_parameters()]}, expected one nn.Linear, qa_outputs"
    )
    values = RNG(0).standard_normal((2, 4)), RNG(1).standard_normal(2)
    for parameter, value in zip((made.qa_outputs.weight, made.qa_outputs.bias), values):
        expect(
            parameter.shape,
            value.shape,
            "the shape of a parameter of qa_outputs",
            "from C numbers to two, start and end",
        )
        with framework.no_grad():
            parameter.copy_(framework.tensor(value))
    return made, values


def batch():
    h = RNG(2).standard_normal((2, 6, 4))
    passage = np.array([[0, 0, 0, 1, 1, 0], [0, 0, 1, 1, 1, 0]], dtype=bool)
    return h, passage


def test_the_scores(exercise):
    made, (W, b) = head(exercise)
    h, passage = batch()
    z = h @ W.T + b
    got = made(framework.tensor(h), framework.tensor(passage))
    assert isinstance(got, tuple) and len(got) == 2, (
        f"forward gave a {type(got).__name__}, expected two tensors, start and end"
    )
    for its, column, name in zip(got, (0, 1), ("start", "end")):
        called = f"SpanHead(4)(h (2, 6, 4), passage (2, 6)): {name}"
        expect(np.shape(its.numpy(force=True)), (2, 6), "the shape of " + called, "a score for each place, (B, T)")
        values = its.numpy(force=True)
        allowed = passage.copy()
        allowed[:, 0] = True
        usually = "−∞ outside the passage; and place 0, which means no answer, keeps its score"
        expect(np.isneginf(values), ~allowed, f"where {called} is −∞", usually)
        expect(
            values[allowed],
            z[..., column][allowed],
            called,
            "column 0 of the linear layer is the start, column 1 the end",
        )


def test_the_loss_and_its_gradient(exercise):
    s, e = 2 * RNG(3).standard_normal((2, 3, 5))
    s[:, 1] = e[:, 1] = -np.inf
    starts, ends = np.array([0, 2, 3]), np.array([0, 4, 3])
    a, b = (torch.tensor(x, requires_grad=True) for x in (s, e))
    nll = torch.nn.functional.cross_entropy
    expected = (nll(a, torch.tensor(starts)) + nll(b, torch.tensor(ends))) / 2
    expected.backward()
    ours = [framework.tensor(x, requires_grad=True) for x in (s, e)]
    loss = exercise.span_loss(*ours, framework.tensor(starts), framework.tensor(ends))
    called = "span_loss(start (3, 5), end (3, 5), starts (3,), ends (3,))"
    expect(
        loss, expected, called, "half of both cross entropies, each with a softmax over the PLACES and its own label"
    )
    loss.backward()
    for tensor, grad, name in zip(ours, (a.grad, b.grad), ("start", "end")):
        assert tensor.grad is not None, f"no gradient reaches {name}: both go into the loss"
        expect(tensor.grad, grad, f"the gradient of {called} by {name}", "a mean over the batch, and half of each")


def brute(start, end, longest):
    spans = [(i, j) for i in range(1, len(start)) for j in range(i, min(len(start), i + longest))]
    best = max(spans, key=lambda span: start[span[0]] + end[span[1]])
    return best if start[best[0]] + end[best[1]] > start[0] + end[0] else (0, 0)


def test_an_answer_ends_after_it_begins(exercise):
    usually = "start_i + end_j is maximised over PAIRS with i ≤ j, not each by itself"
    got = exercise.best_span(np.array([0.0, 1, 9]), np.array([0.0, 8, 3]), 5)
    expect_same(tuple(got), (2, 2), "best_span(start [0 1 9], end [0 8 3], longest=5)", usually)


def test_no_answer(exercise):
    usually = "place 0 stands for no answer, and can only begin and end at once: it competes as (0, 0)"
    got = exercise.best_span(np.array([5.0, 1, 1]), np.array([5.0, 1, 1]), 5)
    expect_same(tuple(got), (0, 0), "best_span(start [5 1 1], end [5 1 1], longest=5)", usually)
    got = exercise.best_span(np.array([9.0, 2, 1]), np.array([-9.0, 1, 3]), 5)
    expect_same(tuple(got), (1, 2), "best_span(start [9 2 1], end [−9 1 3], longest=5)", usually)


def test_how_long_an_answer_may_be(exercise):
    start, end = np.array([0.0, 9, 0, 0, 1]), np.array([0.0, 0, 1, 2, 9])
    usually = "j < i + longest: an answer of longest tokens is allowed, one more is not"
    for longest, expected in ((4, (1, 4)), (3, (1, 3)), (1, (4, 4))):
        got = exercise.best_span(start, end, longest)
        expect_same(tuple(got), expected, f"best_span(start [0 9 0 0 1], end [0 0 1 2 9], longest={longest})", usually)


def test_all_of_it(exercise):
    for seed in range(30):
        start, end = RNG(seed).standard_normal((2, 9))
        start[[2, 5]] = end[[2, 5]] = -np.inf
        with np.errstate(invalid="ignore"):
            got = exercise.best_span(start, end, 3)
        usually = "the best sum over all pairs that are allowed; −∞ never wins"
        expect_same(tuple(got), brute(start, end, 3), f"best_span(start, end (9,), longest=3), seed {seed}", usually)
