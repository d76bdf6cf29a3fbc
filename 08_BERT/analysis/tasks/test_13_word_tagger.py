import pytest
import torch
from transformers import BertConfig, BertModel

from dlfs.grading import expect

SIZES = dict(vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
IDS = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 15, 16, 3, 0, 0]])
MASK = (IDS != 0).long()
STARTS = torch.tensor([[1, 3, 4], [2, -1, -1]])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def config(**options):
    return BertConfig(**SIZES, num_labels=5, **options)


def test_where_words_begin(exercise):
    got = exercise.word_starts([[None, 0, 0, 1, None], [None, 0, None, None, None]])
    expect(
        got,
        [[1, 3], [1, -1]],
        "word_starts([[None, 0, 0, 1, None], [None, 0, None, None, None]])",
        "the place of a word's first piece, then -1",
    )
    assert str(getattr(got, "dtype", None)) == "torch.int64", (
        f"places are int64, got {getattr(got, 'dtype', type(got))}"
    )
    pair = [[None, 0, 1, 1, None, 0, 0, None]]  # of two sentences the second counts its words from 0 again
    usually = "the last word of one sentence and the first of the next may have the same number: [SEP] lies between"
    expect(exercise.word_starts(pair), [[1, 2, 5]], f"word_starts({pair})", usually)


def test_it_is_a_model_of_the_library(exercise):
    model = exercise.WordTagger(config())
    names = set(model.state_dict())
    assert {"classifier.weight", "classifier.bias", "bert.embeddings.word_embeddings.weight"} <= names, (
        f"its names: {sorted(names)[:4]} …"
    )
    assert not any("pooler" in name for name in names), "no word needs the pooler: add_pooling_layer=False"
    weight = exercise.WordTagger(config(initializer_range=3.0)).classifier.weight
    assert weight.std() > 1, (
        f"classifier.weight has std {weight.std():.2g}, and initializer_range is 3: call self.post_init() last"
    )


def test_it_starts_from_an_encoder_that_was_saved(exercise, tmp_path):
    encoder = BertModel(config(initializer_range=0.5))
    encoder.save_pretrained(tmp_path)
    model = exercise.WordTagger.from_pretrained(tmp_path)
    inner = getattr(model, "bert", None)
    assert inner is not None, (
        'the encoder is the attribute "bert": base_model_prefix, by which from_pretrained finds its weights'
    )
    for name, value in inner.state_dict().items():
        expect(
            value,
            encoder.state_dict()[name],
            f"from_pretrained(…).bert's {name}",
            "the encoder's weights are those of the file",
        )
    model.save_pretrained(tmp_path / "tagger")
    again = exercise.WordTagger.from_pretrained(tmp_path / "tagger")
    expect(
        again.classifier.weight,
        model.classifier.weight,
        "saved and loaded, classifier.weight",
        "the head is part of the model",
    )


def test_the_logits_are_those_of_first_pieces(exercise):
    model = exercise.WordTagger(config(initializer_range=0.5)).eval()
    with torch.no_grad():
        got = model(IDS, STARTS, MASK)
        h = model.bert(IDS, attention_mask=MASK).last_hidden_state
        expected = model.classifier(torch.stack([h[0, 1], h[0, 3], h[0, 4], h[1, 2]]))
    assert got.loss is None, f"without labels loss is None, got {got.loss}"
    assert tuple(got.logits.shape) == (2, 3, 5), f"logits are {tuple(got.logits.shape)}, expected (B, W, K) = (2, 3, 5)"
    usually = "row b takes h[b, word_starts[b, w]]; hand attention_mask to bert"
    expect(torch.cat((got.logits[0], got.logits[1, :1])), expected, "the logits of the four words", usually, 1e-5)


def test_words_that_are_not_there_do_not_count(exercise):
    model = exercise.WordTagger(config(initializer_range=0.5)).eval()
    labels = torch.tensor([[1, 2, -100], [3, 0, 0]])
    got = model(IDS, STARTS, MASK, labels)
    log_probs = got.logits.detach().log_softmax(-1)
    expected = -(log_probs[0, 0, 1] + log_probs[0, 1, 2] + log_probs[1, 0, 3]) / 3
    usually = "a word whose place is -1 has no label, whatever labels says; -100 is left out"
    expect(got.loss, expected, "the loss of three words that count among six", usually, 1e-5)
    assert labels.tolist() == [[1, 2, -100], [3, 0, 0]], (
        "the caller's labels were changed: masked_fill, not masked_fill_"
    )


def test_it_drops_in_training(exercise):
    model = exercise.WordTagger(config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)).train()
    model.dropout.p = 0.5
    first, second = (model(IDS, STARTS, MASK).logits for _ in range(2))
    assert not torch.equal(first, second), "two passes in training are the same: dropout comes before the classifier"
