import math

import pytest
import torch
from transformers import BertConfig, BertModel

from dlfs.grading import expect

IDS = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 15, 16, 3, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture
def bert():
    torch.manual_seed(0)
    sizes = dict(vocab_size=40, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16)
    return BertModel(BertConfig(**sizes, initializer_range=0.5)).eval()


def computed_by_hand(bert):
    """The first layer's weights from its own queries and keys."""
    with torch.no_grad():
        layer, x = bert.encoder.layer[0].attention.self, bert.embeddings(IDS)
        q, k = (project(x).unflatten(2, (2, 4)).transpose(1, 2) for project in (layer.query, layer.key))
        scores = (q @ k.transpose(2, 3) / math.sqrt(4)).masked_fill(MASK[:, None, None, :] == 0, -math.inf)
        return torch.softmax(scores, dim=-1)


def test_the_weights_of_every_layer_and_head(exercise, bert):
    maps = exercise.attention_maps(bert, IDS, MASK)
    assert tuple(maps.shape) == (2, 3, 2, 6, 6), (
        f"got shape {tuple(maps.shape)}, expected (B, L, N, T, T) = (2, 3, 2, 6, 6)"
    )
    usually = "layers are dim 1; padding gets no weight, so hand attention_mask on"
    expect(maps[:, 0], computed_by_hand(bert), "attention_maps(bert, input_ids, attention_mask)[:, 0]", usually, 1e-5)
    assert not maps.requires_grad, "the maps carry gradients: use torch.no_grad()"


def test_there_is_no_dropout_in_them(exercise, bert):
    bert.train()
    maps = exercise.attention_maps(bert, IDS, MASK)
    usually = "in training mode the weights are after dropout: model.eval() first"
    expect(maps[:, 0], computed_by_hand(bert.eval()), "attention_maps of a model in training mode", usually, 1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_as_it_was(exercise, bert, training):
    bert.train(training)
    exercise.attention_maps(bert, IDS, MASK)
    found = bert.config._attn_implementation
    assert found == "sdpa", f"the model now computes attention by {found}, before by sdpa: set it back"
    assert bert.training == training, f"model.training is {bert.training}, and was {training}: set it back"


def test_the_model_is_as_it_was_after_an_error(exercise, bert):
    bert.train()
    with pytest.raises(IndexError):
        exercise.attention_maps(bert, IDS + 1000, MASK)
    found = bert.config._attn_implementation, bert.training
    assert found == ("sdpa", True), (
        f"after an error in the model {found}, expected ('sdpa', True): set them back in a finally"
    )


def test_the_roll_out_of_two_layers(exercise):
    torch.manual_seed(0)
    maps = torch.softmax(torch.randn(2, 2, 3, 4, 4, dtype=torch.float64), dim=-1)
    first, second = (0.5 * maps[:, i].mean(1) + 0.5 * torch.eye(4, dtype=torch.float64) for i in range(2))
    usually = "half the heads' mean, half the identity; the higher layer stands on the left"
    expect(exercise.rollout(maps), second @ first, "rollout(maps (2, 2, 3, 4, 4))", usually)


def test_of_one_layer_and_of_many(exercise, bert):
    maps = exercise.attention_maps(bert, IDS, MASK)
    rolled = exercise.rollout(maps)
    expect(
        rolled.sum(-1),
        torch.ones(2, 6),
        "rollout(maps).sum(-1)",
        "every row is a share of words, and adds up to 1",
        1e-5,
    )
    assert float(rolled[1, :4, 4:].abs().max()) == 0, (
        "a token of the text has contents from padding: padding gets no weight in any layer"
    )
    one = maps[:, :1]
    expect(
        exercise.rollout(one), 0.5 * one[:, 0].mean(1) + 0.5 * torch.eye(6), "rollout of one layer", "A_1 itself", 1e-6
    )
