import pytest
import torch
from transformers import BertConfig, BertModel

from dlfs.grading import expect

SIZES = dict(vocab_size=40, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
IDS = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 15, 16, 3, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def bert():
    model = BertModel(BertConfig(**SIZES, initializer_range=0.5), add_pooling_layer=False)
    return model.eval()


def test_the_mean_leaves_padding_out(exercise):
    h = torch.randn(2, 4, 3, dtype=torch.float64)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    expected = torch.stack([h[0].mean(0), h[1, :2].mean(0)])
    called, usually = (
        "masked_mean(h (2, 4, 3), [[1, 1, 1, 1], [1, 1, 0, 0]])",
        "padding is in neither the sum nor the number of tokens",
    )
    expect(exercise.masked_mean(h, mask), expected, called, usually)


def test_a_sentence_is_a_unit_vector(exercise, bert):
    with torch.no_grad():
        got = exercise.SentenceEncoder(bert)(IDS, MASK)
        h = bert(IDS, attention_mask=MASK).last_hidden_state
    means = torch.stack([h[0].mean(0), h[1, :4].mean(0)])
    expected = means / means.norm(dim=1, keepdim=True)
    usually = "the mean of the last layer over the tokens, and then divided by its length"
    expect(got, expected, "SentenceEncoder(bert)(input_ids (2, 6), attention_mask)", usually, 1e-5)


def test_padding_changes_no_vector(exercise, bert):
    encoder = exercise.SentenceEncoder(bert)
    longer = torch.cat((IDS, torch.full((2, 3), 7)), dim=1)
    mask = torch.cat((MASK, torch.zeros(2, 3, dtype=torch.long)), dim=1)
    with torch.no_grad():
        usually = "hand attention_mask to bert too, or the tokens look at the padding"
        expect(
            encoder(longer, mask),
            encoder(IDS, MASK),
            "the same sentences with three more columns of padding",
            usually,
            1e-5,
        )


def test_all_of_bert_is_trained(exercise, bert):
    encoder = exercise.SentenceEncoder(bert)
    a, b = encoder(IDS, MASK), encoder(IDS.flip(0), MASK.flip(0))
    assert a.requires_grad, "no gradient reaches bert: compute with gradients in forward"
    exercise.contrastive_loss(a, b, 0.1).backward()
    silent = [name for name, p in bert.named_parameters() if p.grad is None]
    assert not silent, f"no gradient reaches {', '.join(silent[:3])}: compute with gradients in forward"


def test_the_others_of_the_batch_are_the_wrong_answers(exercise):
    a, b = torch.randn(2, 3, 5, dtype=torch.float64)
    probs = torch.softmax(a @ b.T / 0.5, dim=1)
    usually = "row i of a @ b.T / temperature are the logits of a's sentence i, and its class is i"
    expect(
        exercise.contrastive_loss(a, b, 0.5),
        -probs.diagonal().log().mean(),
        "contrastive_loss(a (3, 5), b (3, 5), 0.5)",
        usually,
    )


def test_it_learns_which_belong_together(exercise, bert):
    """Sentences of the same words in another order, among five."""
    rng = torch.Generator().manual_seed(1)
    encoder, words = exercise.SentenceEncoder(bert), torch.randint(5, 40, (5, 6), generator=rng)
    mixed, mask = words.flip(1), torch.ones(5, 6, dtype=torch.long)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = exercise.contrastive_loss(encoder(words, mask), encoder(mixed, mask), 0.1)
        loss.backward()
        optimizer.step()
    found = (encoder(words, mask) @ encoder(mixed, mask).T).argmax(dim=1).tolist()
    assert found == [0, 1, 2, 3, 4], (
        f"after 40 steps the nearest of the five are {found}, with a loss of {loss.item():.2f}"
    )
