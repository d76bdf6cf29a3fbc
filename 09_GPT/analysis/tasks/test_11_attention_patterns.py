import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface, GPT2Config, GPT2LMHeadModel
from transformers.models.gpt2.modeling_gpt2 import eager_attention_forward

from dlfs.grading import expect


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def tables_as_they_were():
    """What is registered is registered for the whole process."""
    tables = AttentionInterface._global_mapping, AttentionMaskInterface._global_mapping
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before):
        table.clear()
        table.update(kept)


def small(**options):
    """A GPT-2 of two blocks and three heads, its weights loud, so that heads differ."""
    sizes = dict(vocab_size=13, n_positions=8, n_embd=12, n_layer=2, n_head=3, bos_token_id=None, eos_token_id=None)
    model = GPT2LMHeadModel(GPT2Config(**sizes, **options)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def inputs():
    q = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    k, v = torch.randn(2, 2, 3, 6, 4, dtype=torch.float64)
    mask = torch.zeros(1, 1, 5, 6, dtype=torch.float64).masked_fill(torch.rand(1, 1, 5, 6) < 0.3, -1e9)
    return q, k, v, mask


def test_it_returns_what_attention_returns(exercise):
    attn, (q, k, v, mask) = small().transformer.h[0].attn, inputs()
    called = "contribution_attention(module, q (2, 3, 5, 4), k, v (2, 3, 6, 4), mask (1, 1, 5, 6), scaling={})[0]"
    usually = "softmax over the keys, of scaled scores with the mask added; then A v, with dims 1 and 2 swapped to (B, T, N, D)"
    for scaling in (None, 0.3):
        expected = eager_attention_forward(attn, q, k, v, mask, scaling=scaling)[0]
        got = exercise.contribution_attention(attn, q, k, v, mask, scaling=scaling)[0]
        expect(got, expected, called.format(scaling), usually)
    expected = eager_attention_forward(attn, q, k, v, None)[0]
    got = exercise.contribution_attention(attn, q, k, v, None)[0]
    expect(got, expected, called.format(None).replace("mask (1, 1, 5, 6)", "None"), usually)


def test_it_says_how_much_each_token_sends_to_each(exercise):
    attn, (q, k, v, mask) = small().transformer.h[0].attn, inputs()
    A = eager_attention_forward(attn, q, k, v, mask)[1]
    expected = torch.empty(2, 3, 5, 6, dtype=torch.float64)
    for b in range(2):
        for n in range(3):
            W = attn.c_proj.weight[4 * n : 4 * n + 4]  # (D, C)
            for s in range(6):
                expected[b, n, :, s] = A[b, n, :, s] * (v[b, n, s] @ W).norm()
    got = exercise.contribution_attention(attn, q, k, v, mask)[1]
    usually = "A[t, s] ‖v_s W_n‖, W_n being rows n D to (n + 1) D of c_proj.weight; the norm belongs to the key's token, the last dim"
    expect(got, expected, "contribution_attention(…)[1]", usually)


def test_under_its_name_the_model_computes_the_same(exercise):
    model, x = small(attn_implementation="eager"), torch.tensor([[1, 5, 3, 5, 2]])
    with torch.no_grad():
        expected = model(x).logits
        exercise.register()
        model.set_attn_implementation(exercise.NAME)
        got = model(x).logits
    usually = "without a mask under the same name in AttentionMaskInterface, every token sees those after it"
    expect(got, expected, f"model(x (1, 5)).logits, with attn_implementation={exercise.NAME!r}", usually)


def test_the_patterns_of_every_block(exercise):
    model, x = small(attn_implementation="eager"), torch.tensor([[1, 5, 3, 5, 2]])
    with torch.no_grad():
        A = torch.cat(model(x, output_attentions=True).attentions)  # (L, N, T, T)
    got = exercise.patterns(model, x)
    assert tuple(got.shape) == (2, 3, 5, 5), (
        f"patterns(model, x (1, 5)) is {tuple(got.shape)}, expected (L, N, T, T) = (2, 3, 5, 5)"
    )
    assert not got.requires_grad, "patterns are looked at, not trained through: torch.no_grad()"
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expect(
        got[..., later],
        torch.zeros_like(got[..., later]),
        "patterns(model, x)[..., s > t]",
        "a token cannot look ahead",
    )
    ratio = (got / A)[:, :, 4, :]  # of the last token, which sees all: what is left are the norms
    expect(
        got[:, :, 2, :3],
        A[:, :, 2, :3] * ratio[:, :, :3],
        "patterns(model, x)[:, :, 2]",
        "A[t, s] times a number of s alone",
    )


def test_the_model_is_left_as_it_was(exercise):
    model, x = small(attn_implementation="sdpa", attn_pdrop=0.5), torch.tensor([[1, 5, 3]])
    model.train()
    first, second = exercise.patterns(model, x), exercise.patterns(model, x)
    expect(first, second, "patterns(model.train(), x), twice", "dropout is on: switch to model.eval() first")
    now = model.config._attn_implementation
    assert now == "sdpa", f"afterwards the model's attention is {now!r}, and was 'sdpa': set back what you set"
    assert model.training, "afterwards the model is in evaluation mode, and was in training: set back what you set"


def test_the_picture(exercise):
    maps = torch.rand(2, 3, 4, 4, dtype=torch.float64) * torch.tensor([1.0, 10.0, 0.1])[None, :, None, None]
    got = exercise.tile(maps)
    expected = torch.ones(9, 14, dtype=torch.float64)
    for layer in range(2):
        for n in range(3):
            expected[5 * layer : 5 * layer + 4, 5 * n : 5 * n + 4] = 1 - maps[layer, n] / maps[layer, n].max()
    usually = (
        "block by block downwards, heads to the right, each divided by its own largest value; 1 is white, also between"
    )
    expect(got, expected, "tile(maps (2, 3, 4, 4))", usually)
